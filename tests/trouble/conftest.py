import json
from collections.abc import Callable
from typing import Any

import click.testing
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from cli import main
from shared.configuration.settings import ApiSettings
from shared.database.engines import Database
from tests.emptying import empty
from tests.queue.tenants import Tenant
from tests.settings.environment import make_environ

Told = tuple[int, str]
Tell = Callable[[], Told]
TellJson = Callable[[], dict[str, Any]]
Measure = Callable[[], dict[str, float]]


@pytest.fixture
def tenant(database: Database) -> Tenant:
    empty(database)
    return Tenant(database)


@pytest.fixture
def environment(postgres_url: str) -> dict[str, str]:
    return make_environ(DATABASE_URL=postgres_url)


@pytest.fixture
def tell(environment: dict[str, str]) -> Tell:
    """Runs `callsync trouble`; returns its exit code and what it printed."""

    def run() -> Told:
        result = click.testing.CliRunner(env=environment).invoke(main, ["trouble"])
        return result.exit_code, result.stdout

    return run


@pytest.fixture
def tell_json(environment: dict[str, str]) -> TellJson:
    """Runs `callsync trouble --json`."""

    def run() -> dict[str, Any]:
        result = click.testing.CliRunner(env=environment).invoke(main, ["trouble", "--json"])
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    return run


@pytest.fixture
def measure(environment: dict[str, str], tenant: Tenant) -> Measure:
    """Reads the gauges, by name and label value as in `callsync_troubled_calls/stuck`."""

    def read() -> dict[str, float]:
        # A new app each time, because one keeps its figures for a moment.
        client = create_app(ApiSettings.load(environment), database=tenant.database).test_client()
        families = text_string_to_metric_families(client.get("/metrics").text)
        return {
            "/".join([sample.name, *sample.labels.values()]): sample.value
            for family in families
            for sample in family.samples
            if sample.name.startswith("callsync_")
        }

    return read
