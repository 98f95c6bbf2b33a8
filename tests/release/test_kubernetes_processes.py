"""What the chart starts: commands, settings, probes and ports are those of the code."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import flower.urls
import pytest
from flower.views.monitor import Healthcheck
from werkzeug.routing import Rule

from api.app import create_app
from local import services
from shared.configuration.environment import list_settings
from shared.configuration.settings import (
    GROUPS as ALL_SETTINGS,
)
from shared.configuration.settings import (
    ApiSettings,
    BrokerSettings,
    DatabaseSettings,
    FlowerSettings,
    Settings,
    WorkerSettings,
)
from tests.release.rendering import CHART, NEEDED, VARIANTS, release_each, render_variant
from tests.settings.environment import make_environ

GROUPS: Final[Mapping[str, type[Settings]]] = {
    "api": ApiSettings,
    "worker": WorkerSettings,
    "beat": BrokerSettings,
    "flower": FlowerSettings,
    "migrate": DatabaseSettings,
}
SECRETS: Final = {
    name.upper()
    for group in ALL_SETTINGS
    for name, setting in list_settings(group).items()
    if setting.is_secret
}
OWNERS_URL: Final = "DATABASE_OWNER_URL"
# What is no setting: it is there for the C library.
MEMORY: Final = "MALLOC_ARENA_MAX"
MOUNT: Final = "/run/secrets/callsync/"


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    """What the API answers."""
    return list(create_app(ApiSettings.load(make_environ())).url_map.iter_rules())


def containers(variant: str) -> dict[str, dict[str, Any]]:
    return render_variant(variant).containers()


def variables(container: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_process_starts_with_the_settings_that_it_is_given(
    variant: str, tmp_path: Path
) -> None:
    texts = make_environ(BROKER_URL="amqp://broker:5672/", FLOWER_BASIC_AUTH="user:password")
    texts[OWNERS_URL] = texts["DATABASE_URL"]
    for name in SECRETS | {OWNERS_URL}:
        (tmp_path / name).write_text(texts[name])

    for component, container in containers(variant).items():
        environ = {
            name: value.replace(MOUNT, f"{tmp_path}/")
            for name, value in variables(container).items()
        }
        GROUPS[component].load(environ)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_process_is_given_only_settings_that_it_has(variant: str) -> None:
    for component, container in containers(variant).items():
        known = {name.upper() for name in list_settings(GROUPS[component])}
        if component in {"api", "worker"}:
            known.add(MEMORY)
        if component == "worker":
            # What the API alone reads, and is no secret, may stand beside it.
            known |= {name.upper() for name in list_settings(ApiSettings)} - SECRETS
        assert {name.removesuffix("_FILE") for name in variables(container)} <= known


@pytest.mark.parametrize("variant", VARIANTS)
def test_secrets_come_from_files_and_each_process_has_only_its_own(variant: str) -> None:
    manifests = render_variant(variant)
    for component, container in manifests.containers().items():
        given = {
            name: path
            for name, path in variables(container).items()
            if name.removesuffix("_FILE") in SECRETS
        }
        assert all(name.endswith("_FILE") for name in given)
        [mounted] = [
            {item["key"] for item in volume["secret"]["items"]}
            for volume in manifests.pods()[component]["spec"]["volumes"]
            if "secret" in volume
        ]
        assert {path.removeprefix(MOUNT) for path in given.values()} == mounted
        assert {name.removesuffix("_FILE") for name in given} <= {
            name.upper() for name in list_settings(GROUPS[component])
        }


@pytest.mark.parametrize(
    ("variant", "broker"), [("least", "REDIS_URL"), ("keda", "BROKER_URL"), ("hpa", "REDIS_URL")]
)
def test_beat_and_flower_are_given_no_key(variant: str, broker: str) -> None:
    found = {name: variables(containers(variant)[name]) for name in ("beat", "flower")}

    address = {"BROKER_URL_FILE": f"{MOUNT}{broker}"}
    assert found["beat"] == address
    password = "FLOWER_BASIC_AUTH_FILE"
    assert found["flower"] == address | {password: f"{MOUNT}FLOWER_BASIC_AUTH"}


@pytest.mark.parametrize(
    ("variant", "key"), [("least", OWNERS_URL), ("keda", OWNERS_URL), ("bare", "DATABASE_URL")]
)
def test_migration_alone_is_the_owner_of_the_tables(variant: str, key: str) -> None:
    found = {name: variables(each) for name, each in containers(variant).items()}

    assert found["migrate"] == {"DATABASE_URL_FILE": f"{MOUNT}{key}"}
    for component in found.keys() - {"migrate"}:
        assert f"{MOUNT}{OWNERS_URL}" not in found[component].values()


@pytest.mark.parametrize(("variant", "proxies"), [("least", "1"), ("hpa", "1"), ("bare", "0")])
def test_api_counts_the_proxies_that_the_chart_puts_before_it(variant: str, proxies: str) -> None:
    assert variables(containers(variant)["api"])["TRUSTED_PROXIES"] == proxies


def test_number_of_proxies_that_is_given_counts() -> None:
    [release] = release_each([NEEDED | {"settings": {**NEEDED["settings"], "TRUSTED_PROXIES": 2}}])

    assert variables(release.manifests.containers()["api"])["TRUSTED_PROXIES"] == "2"


def test_memory_is_bounded_as_it_was_measured() -> None:
    for component in ("api", "worker"):
        assert variables(containers("least")[component])[MEMORY] == "2"


def test_values_take_no_secret() -> None:
    [forbidden] = re.findall(
        r'"not": \{\s*"enum": \[([^\]]*)\]', (CHART / "values.schema.json").read_text()
    )

    assert set(re.findall(r'"(\w+)"', forbidden)) == SECRETS | {OWNERS_URL}


@pytest.mark.parametrize(
    ("component", "start"),
    [
        ("api", "granian --interface wsgi api.wsgi:app"),
        ("worker", "celery -A worker.app worker"),
        ("beat", "celery -A worker.app beat"),
        ("flower", "celery -A worker.app flower"),
        ("migrate", "alembic upgrade head"),
    ],
)
def test_processes_are_started_by_their_standard_commands(component: str, start: str) -> None:
    command = containers("least")[component]["command"]

    assert " ".join(command).startswith(start)


def test_processes_know_their_options() -> None:
    """The local stack runs these commands in every test of the pipeline."""
    url = "http://127.0.0.1:8000"
    tried = {
        "api": services.api(url).arguments,
        "worker": services.worker(1, "redis://127.0.0.1").arguments,
        "beat": services.beat(Path("state")).arguments,
        "flower": services.flower(url).arguments,
    }
    for component, arguments in tried.items():
        command = containers("least")[component]["command"]
        assert options(command) <= options(arguments), component


def options(arguments: Any) -> set[str]:
    return {each.partition("=")[0] for each in arguments if each.startswith("-")}


def test_api_is_asked_at_routes_that_it_has(rules: list[Rule]) -> None:
    api = containers("least")["api"]
    asked = {api[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")}

    assert asked == {"/healthz", "/readyz"}
    assert asked <= {rule.rule for rule in rules if "GET" in (rule.methods or ())}


def test_flower_is_asked_at_a_route_that_it_has() -> None:
    probe = containers("least")["flower"]["livenessProbe"]["httpGet"]

    assert any(each[:2] == (probe["path"], Healthcheck) for each in plain_handlers())


def test_flower_asks_for_a_password() -> None:
    assert "FLOWER_BASIC_AUTH_FILE" in variables(containers("least")["flower"])


def plain_handlers() -> list[tuple[str, type]]:
    return [each for each in flower.urls.handlers if isinstance(each, tuple)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_port_that_is_named_exists(variant: str) -> None:
    manifests = render_variant(variant)
    ports = {
        component: {
            port["name"]: port["containerPort"]
            for container in pod["spec"]["containers"]
            for port in container.get("ports", [])
        }
        for component, pod in manifests.pods().items()
    }
    for container in manifests.all_containers():
        own = {port["name"] for port in container.get("ports", [])}
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            for asked in ("httpGet", "tcpSocket"):
                if asked in container.get(probe, {}):
                    assert container[probe][asked]["port"] in own
    for service in manifests.of_kind("Service"):
        component = service["spec"]["selector"]["app.kubernetes.io/component"]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports[component].keys()
    for monitor in manifests.of_kind("PodMonitor"):
        component = monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        endpoints = monitor["spec"]["podMetricsEndpoints"]
        assert {each["port"] for each in endpoints} <= ports[component].keys()


def test_processes_listen_where_their_ports_say() -> None:
    found = containers("least")
    for component in ("api", "flower"):
        command = " ".join(found[component]["command"]).replace("=", " ")
        port = found[component]["ports"][0]
        assert f"--port {port['containerPort']}" in command
    port = found["api"]["ports"][1]
    assert variables(found["api"])["HEALTH_PORT"] == str(port["containerPort"])
    [port] = found["worker"]["ports"]
    assert variables(found["worker"])["METRICS_PORT"] == str(port["containerPort"])


@pytest.mark.parametrize("variant", ["least", "keda", "hpa"])
def test_browsers_and_producers_reach_everything_but_the_operators_pages(
    variant: str, rules: list[Rule]
) -> None:
    [ingress] = render_variant(variant).of_kind("Ingress")
    [host] = ingress["spec"]["rules"]
    routed = {
        rule.rule
        for rule in rules
        if any(leads_to(path, sample(rule)) for path in host["http"]["paths"])
    }

    assert host["host"] == "calls.example.com"
    assert {rule.rule for rule in rules} - routed == {"/healthz", "/readyz", "/metrics"}


def sample(rule: Rule) -> str:
    """A path of a rule: of a choice its first, of a variable its name."""
    path = re.sub(r"<any\('?([\w.]+)'?[^>]*>", r"\1", rule.rule)
    return re.sub(r"<(?:\w+:)?(\w+)>", r"\1", path)


def leads_to(path: Mapping[str, str], asked: str) -> bool:
    """Whether an Ingress path matches, as Kubernetes defines it: whole elements of a prefix."""
    if path["pathType"] == "Exact":
        return asked == path["path"]
    return f"{asked}/".startswith(f"{path['path'].rstrip('/')}/")
