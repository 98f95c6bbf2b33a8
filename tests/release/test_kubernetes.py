"""The Helm chart renders to what Kubernetes accepts, and says what the code says."""

import re
import tomllib
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api.app import create_app
from shared.configuration.settings import ApiSettings
from shared.database.engines import Database
from tests.release.rendering import (
    CHART,
    NEEDED,
    PROJECT,
    VARIANTS,
    Manifests,
    release_each,
    release_of,
    render_variant,
)
from tests.settings.environment import make_environ
from worker.leases import ROUND_S

PROXY = (PROJECT / "deploy" / "proxy" / "nginx.conf").read_text()
# Their schemas come with the operators that define them.
FOREIGN_KINDS = {"ScaledObject", "PodMonitor", "PrometheusRule"}


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_manifest_fits_the_schemas_of_kubernetes(variant: str, version: str) -> None:
    for manifest in render_variant(variant).all:
        if manifest["kind"] not in FOREIGN_KINDS:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_helm_has_nothing_to_complain_of(variant: str) -> None:
    assert release_of(variant).complaints == []


def test_chart_and_application_have_the_version_of_the_project() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    assert chart["version"] == chart["appVersion"] == project["version"]


def test_wrong_values_are_refused() -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("publicUrl", {"publicUrl": ""}),
        ("publicUrl", {"publicUrl": "http://calls.example.com"}),
        ("publicUrl", {"publicUrl": "https://calls.example.com/"}),
        ("HUBSPOT_CLIENT_ID", {"settings": {}}),
        ("JWT_SECRET", {"settings": {**NEEDED["settings"], "JWT_SECRET": "in a values file"}}),
        (
            "JWT_AUDIENCE",
            {"settings": {**NEEDED["settings"], "JWT_JWKS_URL": "https://login.example.com/keys"}},
        ),
        ("replica", {"worker": {"replica": 4}}),
        ("autoscaling", {"worker": {"autoscaling": {"kind": "cpu"}}}),
    ]

    releases = release_each([NEEDED | changes for _, changes in wrong])

    for (culprit, changes), release in zip(wrong, releases, strict=True):
        assert culprit in release.refusal, changes


def test_migration_runs_before_any_new_pod() -> None:
    job = render_variant("least").get("Job", "migrate")

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    # A Job cannot be changed: the one of the last upgrade has to go first.
    assert "before-hook-creation" in job["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_there_is_never_a_second_beat() -> None:
    spec = render_variant("keda").get("Deployment", "beat")["spec"]

    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")


@pytest.mark.parametrize("component", ["api", "worker"])
def test_service_stays_up_while_nodes_and_versions_change(component: str) -> None:
    manifests = render_variant("least")
    deployment = manifests.get("Deployment", component)["spec"]
    budget = manifests.get("PodDisruptionBudget", component)["spec"]

    assert deployment["replicas"] > budget["maxUnavailable"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    labels = deployment["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert deployment["selector"]["matchLabels"].items() <= labels.items()


def test_nobody_is_killed_in_the_middle_of_something() -> None:
    manifests = render_variant("least")
    pods = manifests.pods()
    leaving = manifests.containers()["api"]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pods["worker"]["spec"]["terminationGracePeriodSeconds"] > ROUND_S
    # A webhook's statement is over in seconds; the rest is for those who send slowly.
    assert pods["api"]["spec"]["terminationGracePeriodSeconds"] >= leaving + 30
    # The proxy has passed on what it took, or given it up, before the API stops listening.
    [proxy] = [each for each in pods["api"]["spec"]["containers"] if each["name"] == "proxy"]
    [seconds] = re.findall(r"^worker_shutdown_timeout (\d+)s;", PROXY, re.MULTILINE)
    assert proxy["lifecycle"]["preStop"]["sleep"]["seconds"] + int(seconds) <= leaving


def test_api_is_reached_through_a_proxy_configured_as_in_compose() -> None:
    manifests = render_variant("least")
    [service] = [
        each for each in manifests.of_kind("Service") if each["metadata"]["name"] == "callsync-api"
    ]
    given = manifests.get("ConfigMap", "proxy")["data"]["nginx.conf"]

    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["proxy"]
    assert given.split() == PROXY.replace("http://api:8000", "http://127.0.0.1:8000").split()
    assert "listen 8080 " in given
    assert "http://127.0.0.1:8000;" in given


def test_proxy_can_be_left_out() -> None:
    manifests = render_variant("bare")
    [service] = manifests.of_kind("Service")

    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    assert not manifests.of_kind("ConfigMap")
    assert {each["name"] for each in manifests.all_containers()} == {
        *("api", "worker", "beat", "migrate")
    }


@pytest.mark.parametrize("variant", ["keda", "hpa"])
def test_workers_are_scaled_on_the_age_of_the_oldest_due_call(
    variant: str, postgres_url: str, database: Database
) -> None:
    manifests = render_variant(variant)
    metric, target = read_scaling(manifests)
    settings = ApiSettings.load(make_environ(DATABASE_URL=postgres_url))
    api = create_app(settings, database=database)
    shown = api.test_client().get("/metrics").text

    assert "replicas" not in manifests.get("Deployment", "worker")["spec"]
    assert target == "callsync-worker"
    assert f"\n{metric} " in shown


def test_workers_are_not_dismissed_because_their_figure_is_missing() -> None:
    [scaled] = render_variant("keda").of_kind("ScaledObject")
    [trigger] = scaled["spec"]["triggers"]

    assert trigger["metadata"]["ignoreNullValues"] == "false"
    assert "fallback" not in scaled["spec"]


def test_cluster_has_the_same_alerts_with_runbooks_that_can_be_opened() -> None:
    prefix = VARIANTS["keda"]["monitoring"]["runbookPrefix"]
    expected = yaml.safe_load((PROJECT / "deploy/prometheus/alerts.yml").read_text())
    for group in expected["groups"]:
        for alert in group["rules"]:
            annotations = alert["annotations"]
            annotations["runbook_url"] = prefix + annotations["runbook_url"]

    [rule] = render_variant("keda").of_kind("PrometheusRule")
    assert rule["spec"] == expected


def read_scaling(manifests: Manifests) -> tuple[str, str]:
    """The name of the metric and of what is scaled."""
    if found := manifests.of_kind("HorizontalPodAutoscaler"):
        [metric] = found[0]["spec"]["metrics"]
        assert metric["external"]["target"]["type"] == "Value"
        return metric["external"]["metric"]["name"], found[0]["spec"]["scaleTargetRef"]["name"]
    [scaled] = manifests.of_kind("ScaledObject")
    [trigger] = scaled["spec"]["triggers"]
    assert trigger["metricType"] == "Value"
    metric = trigger["metadata"]["query"].removeprefix("max(").partition("{")[0]
    return metric, scaled["spec"]["scaleTargetRef"]["name"]
