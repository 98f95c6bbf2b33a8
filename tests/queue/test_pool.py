"""What a pooled connection to Postgres costs, and what becomes of one that Postgres ended."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from shared.configuration.setting_values import sqlalchemy_url
from shared.database.engines import Database, patiently
from tests.queue.pings import list_pings


@pytest.fixture
def pool(postgres_url: str) -> Iterator[Database]:
    """A database whose pool nobody else uses; it trusts connections for a minute."""
    database = Database(sqlalchemy_url(postgres_url), ping_after_s=60)
    yield database
    database.dispose()


@pytest.fixture
def careful(postgres_url: str) -> Iterator[Database]:
    """The same, and trusts none."""
    database = Database(sqlalchemy_url(postgres_url))
    yield database
    database.dispose()


@pytest.fixture
def opened(pool: Database) -> list[ConnectionPoolEntry]:
    """Grows with each connection that the pool opens."""
    opened: list[ConnectionPoolEntry] = []
    event.listen(pool.engine, "connect", lambda _, entry: opened.append(entry))
    return opened


def _pid(database: Database) -> int:
    with database.begin() as session:
        return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _end(database: Database, pid: int) -> None:
    with database.begin() as session:
        session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def test_connection_that_was_ended_while_idle_costs_no_error(
    database: Database, careful: Database
) -> None:
    pid = _pid(careful)
    _end(database, pid)
    assert _pid(careful) != pid


def test_trusted_connection_that_was_ended_costs_one_error(
    database: Database, pool: Database
) -> None:
    pid = _pid(pool)
    _end(database, pid)
    with pytest.raises(OperationalError):
        _pid(pool)
    assert _pid(pool) != pid


@pytest.mark.parametrize(("seconds", "pings"), [(0, 3), (60, 0)])
def test_connection_is_asked_whether_it_lives_after_it_has_lain_idle(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, seconds: float, pings: int
) -> None:
    database = Database(sqlalchemy_url(postgres_url), ping_after_s=seconds)
    asked = list_pings(database, monkeypatch)
    for _ in range(1 + 3):  # a new connection lives
        _pid(database)
    database.dispose()
    assert len(asked) == pings


def test_one_connection_after_the_other_is_one_connection(
    pool: Database, opened: list[ConnectionPoolEntry]
) -> None:
    with pool.begin() as one, pool.begin() as other:
        one.execute(text("SELECT 1"))
        other.execute(text("SELECT 1"))
    assert len(opened) == 2
    assert len({_pid(pool) for _ in range(4)}) == 1


def test_what_is_to_be_stored_waits_for_a_connection_to_be_free() -> None:
    answers = iter([PoolTimeoutError("all in use"), None])

    def store() -> str:
        if (error := next(answers)) is not None:
            raise error
        return "stored"

    assert patiently(store) == "stored"


def test_reading_opens_no_transaction(pool: Database) -> None:
    with pool.read() as session:
        began = text("SELECT transaction_timestamp()")
        first = session.execute(began).scalar_one()
        assert session.execute(began).scalar_one() > first
    with pool.begin() as session:
        first = session.execute(began).scalar_one()
        assert session.execute(began).scalar_one() == first, "what comes after it has one again"
