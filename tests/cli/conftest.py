from collections.abc import Callable, Iterator
from pathlib import Path

import click.testing
import pytest

from api.app import create_app
from cli import main
from sandbox.app import create_app as create_sandbox
from sandbox.config import OAuthApp, SandboxConfig
from sandbox.server import run_in_thread
from shared.broker.deployment import connect_redis
from shared.configuration.settings import CALLBACK_PATH, ApiSettings
from shared.database.engines import Database
from tests.emptying import empty
from tests.settings.environment import make_environ

Invoke = Callable[..., click.testing.Result]


@pytest.fixture(scope="module")
def environment(postgres_url: str, valkey_url: str) -> Iterator[dict[str, str]]:
    """Settings in which every command works, HubSpot being the sandbox."""
    with connect_redis(valkey_url) as redis:
        redis.flushdb()  # another module's workers would be another deployment's
    environ = make_environ(DATABASE_URL=postgres_url, REDIS_URL=valkey_url)
    app = OAuthApp(
        environ["HUBSPOT_CLIENT_ID"],
        environ["HUBSPOT_CLIENT_SECRET"],
        (environ["PUBLIC_URL"] + CALLBACK_PATH,),
    )
    with run_in_thread(create_sandbox(SandboxConfig(apps=(app,)))) as sandbox:
        yield environ | {"HUBSPOT_API_URL": sandbox.url, "HUBSPOT_APP_URL": sandbox.url}


@pytest.fixture
def invoke(environment: dict[str, str]) -> Invoke:
    """Runs a command in the environment, with variables changed or, by None, removed."""

    def run(*arguments: str | Path, **changes: str | None) -> click.testing.Result:
        return click.testing.CliRunner(env={**environment, **changes}).invoke(
            main, [str(each) for each in arguments]
        )

    return run


@pytest.fixture
def empty_database(database: Database) -> Database:
    empty(database)
    return database


@pytest.fixture
def api_url(environment: dict[str, str], empty_database: Database) -> Iterator[str]:
    settings = ApiSettings.load(environment)
    with run_in_thread(create_app(settings, database=empty_database)) as server:
        yield server.url
