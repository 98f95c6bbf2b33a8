"""What holds on a connection to Postgres holds behind a pooler that lends it by the transaction."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from shared.configuration.setting_values import sqlalchemy_url
from shared.database import engines as db
from shared.database.engines import Database, allow_idling
from tests.local.waiting import GUARD_SECONDS, wait_for
from tests.pooler.bouncers import POOL_SIZE

LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout", "TimeZone")
IN_FORCE = ["15s", "20s", "UTC"]


@pytest.fixture
def pooled(pooled_url: str) -> Iterator[Database]:
    database = Database(sqlalchemy_url(pooled_url), pool_size=4 * POOL_SIZE)
    yield database
    database.dispose()


def read_limits(session: Session) -> list[str]:
    columns = ", ".join(f"current_setting('{name}')" for name in LIMITS)
    return list(session.execute(text(f"SELECT {columns}")).one())


def test_limits_are_in_force_in_a_transaction_and_outside_of_one(pooled: Database) -> None:
    for _ in range(2 * POOL_SIZE):
        with pooled.begin() as session:
            assert read_limits(session) == IN_FORCE
            assert read_limits(session) == IN_FORCE
        with pooled.read() as session:
            assert read_limits(session) == IN_FORCE
    assert pooled.is_pooled


def test_direct_connection_keeps_its_limits_by_itself(database: Database) -> None:
    with database.begin() as session:
        assert read_limits(session) == IN_FORCE
    assert database.is_pooled is False


@pytest.mark.parametrize("way", [Database.begin, Database.read])
def test_statement_that_takes_too_long_is_ended(
    pooled_url: str, monkeypatch: pytest.MonkeyPatch, way: Callable[[Database], Session]
) -> None:
    monkeypatch.setattr(db, "STATEMENT_TIMEOUT_MS", 100)
    database = Database(sqlalchemy_url(pooled_url))

    with way(database) as session, pytest.raises(OperationalError, match="statement timeout"):
        session.execute(text("SELECT pg_sleep(30)"))

    with way(database) as session:  # and the connection serves on
        assert session.execute(text("SELECT 1")).scalar_one() == 1
    database.dispose()


def test_transaction_that_is_left_idle_is_ended(
    pooled_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "IDLE_TRANSACTION_TIMEOUT_MS", 50)
    pooled = Database(sqlalchemy_url(pooled_url))

    def is_there(pid: int) -> bool:
        with database.read() as session:
            found = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
            return bool(session.execute(found, {"pid": pid}).scalar_one())

    def stay_idle() -> None:
        with pooled.begin() as session:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            wait_for(lambda: not is_there(pid))
            session.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError):
        stay_idle()
    with pooled.begin() as session:  # and the next one is served
        assert session.execute(text("SELECT 1")).scalar_one() == 1
    pooled.dispose()


def test_a_transaction_of_its_own_kind_may_idle_for_longer(pooled: Database) -> None:
    with pooled.begin() as session:
        allow_idling(session, seconds=45)
        assert read_limits(session)[1] == "45s"
    with pooled.begin() as session:
        assert read_limits(session) == IN_FORCE


def test_nothing_is_left_behind_for_whoever_is_lent_the_connection_next(
    pooled: Database, pooled_url: str
) -> None:
    with ThreadPoolExecutor(POOL_SIZE) as threads:
        everybody = Barrier(POOL_SIZE)

        def work(_: int) -> int:
            with pooled.begin() as session:
                pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
                everybody.wait(GUARD_SECONDS)  # each has a server connection of its own
                return int(pid)

        served = set(threads.map(work, range(POOL_SIZE)))
    assert len(served) == POOL_SIZE
    with psycopg.connect(pooled_url, prepare_threshold=None) as stranger:
        shown = stranger.execute(
            "SELECT current_setting('statement_timeout'),"
            " (SELECT count(*) FROM pg_prepared_statements)"
        )
        assert shown.fetchone() == ("0", 0)


def test_statements_of_many_threads_are_never_mixed_up(pooled: Database) -> None:
    """More clients than server connections, each statement often enough to be prepared."""

    def work(number: int) -> bool:
        for turn in range(20):
            with pooled.begin() as session:
                told = session.execute(text("SELECT CAST(:n AS int)"), {"n": number * turn})
                assert told.scalar_one() == number * turn
            with pooled.read() as session:
                other = session.execute(text("SELECT CAST(:t AS text)"), {"t": f"{number}"})
                assert other.scalar_one() == f"{number}"
        return True

    with ThreadPoolExecutor(3 * POOL_SIZE) as threads:
        assert all(threads.map(work, range(3 * POOL_SIZE)))


def test_failed_statement_is_rolled_back_and_named(pooled: Database) -> None:
    with pytest.raises(Exception, match="does not exist"), pooled.begin() as session:
        session.execute(text("SELECT * FROM no_such_table"))
    with pooled.begin() as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1
