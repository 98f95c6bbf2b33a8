"""docs/metrics.md names every metric with its kind and labels, and alerts that exist."""

import re

from api.operating.gauges import Gauges
from tests.metrics.exposed import PROJECT, list_alerts, list_exposed

ROW = re.compile(r"^\| `(callsync_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)


def test_every_metric_is_documented_as_it_is(gauges: Gauges) -> None:
    documented = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall((PROJECT / "docs" / "metrics.md").read_text())
    }
    shown = {each.name: (each.kind, each.labels - {"le"}) for each in list_exposed(gauges).values()}
    assert documented == shown


def test_every_alert_that_the_routing_names_exists() -> None:
    page = (PROJECT / "docs" / "metrics.md").read_text()
    named = "|".join(re.findall(r'alertname=~?"([^"]+)"', page)).split("|")

    assert len(named) > 1
    assert set(named) <= {alert["alert"] for alert in list_alerts()}


def test_no_label_names_a_person_or_an_account(gauges: Gauges) -> None:
    labels = frozenset().union(*(each.labels for each in list_exposed(gauges).values()))
    assert labels == {
        *("action", "budget", "component", "end", "endpoint", "error_code", "figure", "kind"),
        *("lane", "le", "method", "reason", "result", "state", "status", "version"),
    }
