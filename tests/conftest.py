"""What tests share: one Postgres and one Valkey per process, a fresh database per module."""

import os
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from local.databases import fresh_database, migrate, postgres_server, valkey_server
from shared.configuration.setting_values import sqlalchemy_url
from shared.database.engines import Database

# Each has engines, and a browser, of its own.
MOST_PROCESSES: Final = 4
# Folders that start much for all of their files: one process runs them whole.
TOGETHER: Final = ("tests/browser/",)
# Begun with, in this order, so that no process is left alone with one of them: a minute or more.
LONGEST: Final = (
    "tests/browser/",
    "tests/hostile/test_memory.py",
    "tests/privacy/test_traces.py",
    "tests/state_machine/test_any_history.py",
    "tests/matching/test_corpus.py",
    "tests/faults/test_scenarios.py",
    "tests/hostile/test_neighbours.py",
    "tests/deploy/test_roles.py",
)


# structlog's default, but for its tracebacks: with each frame's source and variables, as rich draws
# them, they took a third of the time of tests/api.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        ConsoleRenderer(exception_formatter=plain_traceback),
    ]
)


# Numbers of every region in turn need more patterns than `re` keeps compiled (512): compiling them
# again and again took a third of the time of tests/phone.
re._MAXCACHE = 20_000  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor: more than half of the time tests wait for other processes."""
    return min(2 * (os.cpu_count() or 1), MOST_PROCESSES)


class _Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests stay together, and some folders' files, because they share what they start."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((each for each in TOGETHER if nodeid.startswith(each)), None)
        return folder or str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduling | None:
    """For `--dist loadfile`; whoever asks for another way gets it."""
    return _Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        ranks = (place for place, each in enumerate(LONGEST) if item.nodeid.startswith(each))
        return next(ranks, len(LONGEST))

    items.sort(key=rank)


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


MakeRole = Callable[..., str]


@pytest.fixture
def make_role(postgres_server_url: str) -> Iterator[MakeRole]:
    """Makes a role without rights on a database of the server, or with some; returns its url."""
    made = []
    with psycopg.connect(postgres_server_url, autocommit=True) as connection:

        def make(url: str, *grants: str) -> str:
            role = f"role_{secrets.token_hex(4)}"
            made.append((url, role))
            with psycopg.connect(url, autocommit=True) as database:
                database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
                for grant in grants:
                    database.execute(f"GRANT {grant} TO {role}")
            parts = urlsplit(url)
            return parts._replace(netloc=f"{role}:p@{parts.netloc.rpartition('@')[2]}").geturl()

        yield make
        for url, role in made:
            with psycopg.connect(url, autocommit=True) as database:
                database.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as url:
        yield url
