"""Connections to Postgres that fall silent while their other end still acknowledges TCP."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from faults.proxies.proxy import Link, Proxy
from shared.configuration.setting_values import sqlalchemy_url
from shared.database.engines import SILENCE_S, STATEMENT_TIMEOUT_MS, Database
from shared.hubspot.transport import DEFAULT_TIMEOUT
from shared.queue.claims import LEASE_S
from tests.queue.pings import list_pings

# Many times what an answer takes here.
QUIET_S = 2.0


class Silence:
    """Withholds every answer on the connections that there are when it falls."""

    def __init__(self) -> None:
        self._seen: set[Link] = set()
        self._silent: frozenset[Link] = frozenset()
        self._is_over = threading.Event()

    def fall(self) -> None:
        self._silent = frozenset(self._seen)

    def end(self) -> None:
        self._is_over.set()

    def sees_request(self, link: Link, _data: bytes) -> bool:
        self._seen.add(link)
        return True

    def sees_answer(self, link: Link, _data: bytes) -> bool:
        if link not in self._silent:
            return True
        self._is_over.wait()
        return False


@pytest.fixture
def silence() -> Silence:
    return Silence()


@pytest.fixture
def distant(postgres_url: str, silence: Silence) -> Iterator[Database]:
    """The database as reached through a proxy; silent connections are given up soon."""
    url = make_url(sqlalchemy_url(postgres_url))
    assert url.port is not None
    with Proxy(url.port, silence) as proxy:
        plain = url.set(port=proxy.port).update_query_dict({"sslmode": "disable"})
        database = Database(plain, silence_s=QUIET_S)
        yield database
        silence.end()
        database.dispose()


def test_statement_that_is_never_answered_ends(distant: Database, silence: Silence) -> None:
    with distant.begin() as session:
        session.execute(text("SELECT 1"))
        silence.fall()
        with pytest.raises(OperationalError, match="timeout"):
            session.execute(text("SELECT 1"))
        session.rollback()


def test_commit_that_is_never_answered_ends(distant: Database, silence: Silence) -> None:
    def commit() -> None:
        with distant.begin() as session:
            session.execute(text("CREATE TEMPORARY TABLE t ()"))
            silence.fall()

    with pytest.raises(OperationalError, match="timeout"):
        commit()


def test_pooled_connections_that_fell_silent_are_replaced(
    distant: Database, silence: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list_pings(distant, monkeypatch)
    for _ in range(2):
        with distant.begin() as one, distant.begin() as other:
            assert one.execute(text("SELECT 1")).scalar_one() == 1
            assert other.execute(text("SELECT 1")).scalar_one() == 1
        silence.fall()
    assert len(asked) == 1, "one look is enough to give up all of them"


def test_postgres_speaks_before_it_is_given_up() -> None:
    assert SILENCE_S > STATEMENT_TIMEOUT_MS / 1000


def test_rows_of_a_silent_worker_are_let_go_before_its_lease_and_a_sweep_are_over(
    database: Database,
) -> None:
    with database.begin() as session:
        limit = session.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
    assert limit == f"{LEASE_S:.0f}s"
    assert sum(DEFAULT_TIMEOUT) < LEASE_S, "longer than HubSpot is asked inside a transaction"
