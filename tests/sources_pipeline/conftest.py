from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.context.services import EXTENSION, Services
from shared.configuration.settings import ApiSettings
from shared.database.engines import Database
from tests.api.asking import WakeRecorder, environment
from tests.emptying import empty
from tests.sources_pipeline.sending import Platform


@pytest.fixture
def waker() -> WakeRecorder:
    return WakeRecorder()


@pytest.fixture
def client(postgres_url: str, database: Database, waker: WakeRecorder) -> Iterator[FlaskClient]:
    empty(database)
    settings = ApiSettings.load(environment(DATABASE_URL=postgres_url))
    app = create_app(settings, database=database, waker=waker)
    yield app.test_client()
    services: Services = app.extensions[EXTENSION]
    services.journal.close()


@pytest.fixture
def platform(client: FlaskClient, database: Database) -> Platform:
    """A tenant and the platform in front of the API."""
    return Platform(client, database)
