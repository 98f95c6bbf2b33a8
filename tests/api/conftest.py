from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.context.services import Waker
from sandbox.app import create_app as create_sandbox
from sandbox.client import SandboxControl
from sandbox.config import OAuthApp, SandboxConfig
from sandbox.server import run_in_thread
from shared.configuration.settings import ApiSettings
from shared.database.engines import Database
from tests.api.asking import CLIENT_ID, CLIENT_SECRET, PUBLIC_URL, Asker, WakeRecorder, environment

REDIRECT_URI = f"{PUBLIC_URL}/api/hubspot/oauth/callback"

ClientFactory = Callable[..., FlaskClient]


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    app = OAuthApp(CLIENT_ID, CLIENT_SECRET, (REDIRECT_URI,))
    with run_in_thread(create_sandbox(SandboxConfig(apps=(app,)))) as server:
        yield server.url


@pytest.fixture
def sandbox(sandbox_url: str) -> Iterator[SandboxControl]:
    with SandboxControl(sandbox_url) as control:
        control.reset()
        yield control


@pytest.fixture
def waker() -> WakeRecorder:
    return WakeRecorder()


@pytest.fixture
def make_client(
    postgres_url: str, sandbox_url: str, database: Database, waker: WakeRecorder
) -> ClientFactory:
    """Makes the API's clients under changed settings."""

    own_database, recorder = database, waker

    def make(
        *, database: Database = own_database, waker: Waker | None = recorder, **changes: str
    ) -> FlaskClient:
        settings = ApiSettings.load(
            environment(
                DATABASE_URL=postgres_url,
                HUBSPOT_API_URL=sandbox_url,
                HUBSPOT_APP_URL=sandbox_url,
                **changes,
            )
        )
        return create_app(settings, database=database, waker=waker).test_client()

    return make


@pytest.fixture
def client(make_client: ClientFactory) -> FlaskClient:
    return make_client()


@pytest.fixture
def asker(client: FlaskClient) -> Asker:
    """A user of a workspace of their own, so that tests do not meet."""
    return Asker(client)
