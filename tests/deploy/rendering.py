"""Renders the Helm chart with Helm's own library, and finds one's way in what comes out.

Helm is a Go library: it is loaded in a process of its own, because its threads would stay in the
one that runs all the other tests.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    import helm_python as helm

PROJECT: Final = Path(__file__).resolve().parents[2]
CHART: Final = PROJECT / "deploy" / "helm"
WARNING: Final = 2  # Helm's severity
NEEDED: Final[dict[str, Any]] = {
    "publicUrl": "https://calls.example.com",
    "settings": {"HUBSPOT_CLIENT_ID": "client-1"},
}
# Every branch of every template is taken by one of these.
VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "least": NEEDED,
    "keda": {
        **NEEDED,
        "worker": {"autoscaling": {"kind": "keda"}},
        "monitoring": {"enabled": True, "runbookPrefix": "https://git.example.com/callsync/"},
        "optionalSecrets": ["BROKER_URL"],
        "networkPolicy": {
            "postgres": {"port": 6432, "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]},
            "redis": {"port": 6380, "to": [{"podSelector": {"matchLabels": {"app": "redis"}}}]},
            "extraEgress": [{"ports": [{"protocol": "TCP", "port": 5672}]}],
        },
    },
    "hpa": {
        **NEEDED,
        "worker": {"autoscaling": {"kind": "hpa"}},
        "image": {"tag": "1.2.3", "pullSecrets": [{"name": "registry"}]},
        "ingress": {
            "className": "nginx",
            "tlsSecretName": "calls-tls",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "2m"},
        },
    },
    "bare": {
        "publicUrl": "https://calls.example.com:8443",
        "settings": {
            "HUBSPOT_CLIENT_ID": "client-1",
            "JWT_JWKS_URL": "https://login.example.com/keys",
            "JWT_AUDIENCE": "calls",
            "JWT_ISSUER": "https://login.example.com",
        },
        "migration": {"databaseUrlKey": "DATABASE_URL"},
        "proxy": {"enabled": False},
        "flower": {"enabled": False},
        "ingress": {"enabled": False},
        "networkPolicy": {"enabled": False},
    },
}

Manifest = dict[str, Any]


class Manifests:
    """What a release consists of."""

    def __init__(self, manifests: list[Manifest]) -> None:
        self.all = manifests

    def of_kind(self, kind: str) -> list[Manifest]:
        return [each for each in self.all if each["kind"] == kind]

    def get(self, kind: str, component: str) -> Manifest:
        [found] = [
            each
            for each in self.of_kind(kind)
            if each["metadata"]["name"] == f"callsync-{component}"
        ]
        return found

    def pods(self) -> dict[str, Manifest]:
        """The templates of the pods (labels, spec) by component."""
        return {
            each["metadata"]["name"].removeprefix("callsync-"): each["spec"]["template"]
            for each in self.all
            if each["kind"] in {"Deployment", "Job"}
        }

    def containers(self) -> dict[str, Manifest]:
        """The container of each component's own process, by component."""
        found = {}
        for component, pod in self.pods().items():
            [found[component]] = [
                each for each in pod["spec"]["containers"] if each["name"] == component
            ]
        return found

    def all_containers(self) -> list[Manifest]:
        """Those beside the processes too."""
        return [each for pod in self.pods().values() for each in pod["spec"]["containers"]]


@dataclass(frozen=True)
class Release:
    """What `helm install callsync` would make of some values.

    Attributes:
        complaints: Helm's warnings and errors about the chart.
        refusal: why nothing is rendered; empty when it is.
        manifests: what is rendered.
    """

    complaints: list[str]
    refusal: str
    manifests: Manifests


def render_variant(name: str) -> Manifests:
    release = release_of(name)
    assert not release.refusal
    return release.manifests


def release_of(variant: str) -> Release:
    return _release_variants()[variant]


@cache
def _release_variants() -> dict[str, Release]:
    return dict(zip(VARIANTS, release_each(list(VARIANTS.values())), strict=True))


def release_each(values: list[dict[str, Any]]) -> list[Release]:
    """Render the chart with each of these values, all in one process: Helm takes long to load."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", __name__],
        input=json.dumps(values),
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        check=True,
    )
    return [
        Release(each["complaints"], each["refusal"], Manifests(each["manifests"]))
        for each in json.loads(done.stdout)
    ]


def _release(chart: "helm.Chart", values: dict[str, Any]) -> dict[str, Any]:
    files, refusal = {}, ""
    try:
        chart.validate_schema(values)
        files = chart.render(values, name="callsync", namespace="calls")
    except helm.HelmError as error:
        refusal = str(error)
    return {
        "complaints": [
            found["error"]
            for found in helm.lint(CHART, values, strict=True)["messages"]
            if found["severity"] >= WARNING
        ],
        "refusal": refusal,
        "manifests": list(_parse(files)),
    }


def _parse(files: dict[str, str]) -> Iterator[Manifest]:
    for path, text in files.items():
        if path.endswith(".yaml"):
            yield from filter(None, yaml.safe_load_all(text))


if __name__ == "__main__":
    import helm_python as helm

    with helm.Chart.load(CHART) as chart:
        json.dump([_release(chart, values) for values in json.load(sys.stdin)], sys.stdout)
