"""What tests share: one Postgres and one Valkey for the whole run, a fresh database per module."""

import os
from collections.abc import Iterator

import pytest

from local.databases import fresh_database, migrate, postgres_server, valkey_server
from shared.db import Database
from shared.setting_values import sqlalchemy_url


@pytest.fixture(scope="session")
def postgres_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres"), durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def template_url(postgres_server_url: str) -> Iterator[str]:
    with fresh_database(postgres_server_url) as url:
        migrate({**os.environ, "DATABASE_URL": url})
        yield url


@pytest.fixture(scope="module")
def postgres_url(postgres_server_url: str, template_url: str) -> Iterator[str]:
    """A migrated, empty database of the module's own."""
    with fresh_database(postgres_server_url, template_url=template_url) as url:
        yield url


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[Database]:
    database = Database(sqlalchemy_url(postgres_url))
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as url:
        yield url
