"""docs/metrics.md names every metric with its kind and labels, and nothing else."""

import re

from api.gauges import Gauges
from tests.metrics.exposed import PROJECT, list_exposed

ROW = re.compile(r"^\| `(callsync_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)


def test_every_metric_is_documented_as_it_is(gauges: Gauges) -> None:
    documented = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall((PROJECT / "docs" / "metrics.md").read_text())
    }
    shown = {each.name: (each.kind, each.labels - {"le"}) for each in list_exposed(gauges).values()}
    assert documented == shown


def test_no_label_names_a_person_or_an_account(gauges: Gauges) -> None:
    labels = frozenset().union(*(each.labels for each in list_exposed(gauges).values()))
    assert labels == {
        *("action", "budget", "component", "end", "endpoint", "error_code", "kind", "lane", "le"),
        *("method", "reason", "result", "state", "status", "version"),
    }
