"""Alerts and dashboard ask only for what exists, and everybody who is woken is told what to do."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from api.operating.gauges import Gauges
from tests.metrics.exposed import (
    DASHBOARD,
    MATCHER,
    PROJECT,
    PROMETHEUS,
    SELECTOR,
    Exposed,
    list_alert_tests,
    list_alerts,
    list_exposed,
    list_expressions,
    list_panels,
)
from tests.programs import stop_without

FOREIGN = ("node_filesystem_", "process_resident_memory_bytes", "process_cpu_seconds_total")

ALERTS = {alert["alert"]: alert for alert in list_alerts()}


@pytest.fixture
def exposed(gauges: Gauges) -> dict[str, Exposed]:
    return list_exposed(gauges)


def test_expressions_ask_for_metrics_that_exist(exposed: dict[str, Exposed]) -> None:
    for expression in list_expressions():
        asked = SELECTOR.findall(expression)
        assert asked or any(name in expression for name in FOREIGN), expression
        for sample, selector in asked:
            assert sample in exposed, expression
            labels = {label for label, _, _ in MATCHER.findall(selector)}
            assert labels <= exposed[sample].labels, expression


def test_expressions_group_by_labels_that_exist(exposed: dict[str, Exposed]) -> None:
    for expression in list_expressions():
        asked = [exposed[sample].labels for sample, _ in SELECTOR.findall(expression)]
        known = frozenset({"instance"}.union(*asked))
        for group in re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", expression):
            assert set(re.findall(r"\w+", group)) <= known, expression


def test_counters_are_asked_for_their_growth() -> None:
    for expression in list_expressions():
        for sample in re.findall(r"\bcallsync_\w+_(?:total|bucket|sum|count)\b", expression):
            before = expression[: expression.index(sample)]
            assert re.search(r"(rate|increase)\($", before), expression


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS.keys())
def test_alert_says_what_is_wrong_and_where_the_cure_is(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    annotations = alert["annotations"]
    assert annotations["summary"]
    assert annotations["description"].endswith(".")
    anchor = re.sub(r"(?<!^)(?=[A-Z])", "-", alert["alert"]).lower()
    assert annotations["runbook_url"] == f"docs/operations.md#{anchor}"


@pytest.mark.parametrize("name", ALERTS)
def test_runbook_has_a_section_for_the_alert(name: str) -> None:
    runbook = (PROJECT / "docs" / "operations.md").read_text()
    headings = re.findall(r"^#+ (.+)$", runbook, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    anchor = ALERTS[name]["annotations"]["runbook_url"].partition("#")[2]
    assert anchor in anchors


def test_every_alert_is_tested_quiet_and_firing() -> None:
    tests = list_alert_tests()
    assert tests.keys() == ALERTS.keys()
    for name, test in tests.items():
        quiet, firing = test["promql_expr_test"]
        severity = ALERTS[name]["labels"]["severity"]
        looked_at = f'count(ALERTS{{alertname="{name}",alertstate="firing",severity="{severity}"}})'
        assert quiet["expr"] == firing["expr"] == looked_at
        assert quiet["exp_samples"] == []
        assert [sample["value"] for sample in firing["exp_samples"]] == [1]


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        stop_without("promtool is in Debian's package promtool or prometheus")
    return path


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")],
    ids=" ".join,
)
def test_prometheus_itself_agrees(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(  # noqa: S603 - our own arguments
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def overlaps(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def pairs(panels: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for number, one in enumerate(panels):
        yield from ((one, other) for other in panels[number + 1 :])


def test_panels_have_a_place_a_unit_and_the_chosen_data_source() -> None:
    panels = list_panels()
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in pairs(panels):
        assert not overlaps(one["gridPos"], other["gridPos"]), (one["title"], other["title"])
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["fieldConfig"]["defaults"]["unit"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source["uid"] == "${datasource}" for source in sources)


def test_grafana_finds_the_dashboard_where_it_looks() -> None:
    provisioning = PROJECT / "deploy" / "grafana" / "provisioning"
    provider = (provisioning / "dashboards" / "callsync.yml").read_text()
    compose = (PROJECT / "docker-compose.yml").read_text()
    (path,) = re.findall(r"path: (\S+)", provider)
    assert f"./deploy/grafana/dashboards:{path}" in compose
    assert DASHBOARD.is_file()
