"""What the processes show to Prometheus, and what alerts, dashboard and docs ask of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase

from api.operating.gauges import Gauges
from shared.telemetry import metrics

PROJECT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = PROJECT / "deploy" / "prometheus"
DASHBOARD: Final = PROJECT / "deploy" / "grafana" / "dashboards" / "callsync.json"

SUFFIXES: Final = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}
SELECTOR: Final = re.compile(r"\b(callsync_\w+)(?:\{([^}]*)\})?")
MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


class Exposed(NamedTuple):
    """A metric under the name that its documentation uses, with its labels."""

    name: str
    kind: str
    labels: frozenset[str]

    @property
    def samples(self) -> frozenset[str]:
        base = self.name.removesuffix("_total")
        return frozenset(base + suffix for suffix in SUFFIXES[self.kind])


def list_exposed(gauges: Gauges) -> dict[str, Exposed]:
    """Every metric of ours by the names of its samples."""
    counted = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    found = [_describe(next(iter(each.describe())), each._labelnames) for each in counted]
    found += [_describe(each, getattr(each, "_labelnames", ())) for each in gauges.collect()]
    return {sample: each for each in found for sample in each.samples}


def _describe(metric: Metric, labels: tuple[str, ...]) -> Exposed:
    suffix = "_total" if metric.type == "counter" else ""
    extra = {"le"} if metric.type == "histogram" else set()
    return Exposed(metric.name + suffix, metric.type, frozenset({*labels, *extra}))


def list_alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def list_alert_tests() -> dict[str, dict[str, Any]]:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    return {test["name"]: test for test in tests}


def list_panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in panels if panel["type"] != "row"]


def list_expressions() -> Iterator[str]:
    """Every PromQL expression of the alerts and the dashboard."""
    for alert in list_alerts():
        yield alert["expr"]
    for panel in list_panels():
        for target in panel["targets"]:
            yield target["expr"]
