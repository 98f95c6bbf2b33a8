"""Calls that come at the same time share a transaction, and nothing but that."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event, Semaphore
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError
from structlog.testing import capture_logs

from api.http.errors import TryLaterError
from api.intake import group_commit
from api.intake.group_commit import GroupCommit
from shared.calls.intake import NewCall, StoredCall, find_stored, store_calls
from shared.configuration.settings import Activity
from shared.database.engines import Database

TIMEOUT_S = 240.0
UNSTORABLE = "+1202555\x000123"


class GatedPostgres:
    """Counts transactions, and lets them begin when the gate is open and Postgres is there."""

    def __init__(self) -> None:
        self.gate = Event()
        self.begun = Semaphore(0)
        self.transactions = 0
        self.connections: set[Connection] = set()
        self.is_away = False

    def store(
        self, connection: Connection, calls: Sequence[NewCall], *, lane: int, activity: Activity
    ) -> list[StoredCall]:
        self.transactions += 1
        self.connections.add(connection)
        self.begun.release()
        assert self.gate.wait(TIMEOUT_S)
        if self.is_away:
            raise OperationalError("INSERT", {}, Exception("away"))
        return store_calls(connection, calls, lane=lane, activity=activity)


def new_call(user_id: str, **fields: Any) -> NewCall:
    usual: dict[str, Any] = {
        "call_id": f"call_{uuid4().hex}",
        "phone_number": "+12025550123",
        "payload": {},
    }
    return NewCall(user_id=user_id, workspace_id="ws_1", **usual | fields)


@pytest.fixture
def user_id() -> str:
    return f"user_{uuid4().hex}"


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> GatedPostgres:
    gated = GatedPostgres()
    monkeypatch.setattr(group_commit, "store_calls", gated.store)
    return gated


@pytest.fixture
def group(database: Database) -> GroupCommit:
    return GroupCommit(database)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(50) as pool:
        yield pool


class Crowd:
    """Calls that were all delivered while transactions are under way."""

    def __init__(
        self,
        group: GroupCommit,
        gated: GatedPostgres,
        pool: ThreadPoolExecutor,
        calls: list[NewCall],
    ) -> None:
        self.leader = pool.submit(group.store, new_call("user_leading"))
        assert gated.begun.acquire(timeout=TIMEOUT_S)
        self.results = [pool.submit(group.store, call) for call in calls]
        # Slow to be delivered, they become impatient and begin a transaction of their own.
        while group._waiting.qsize() < len(calls) and gated.transactions == 1:
            Event().wait(0.001)


Gather = Callable[[list[NewCall]], Crowd]


@pytest.fixture
def gather(group: GroupCommit, gated: GatedPostgres, pool: ThreadPoolExecutor) -> Gather:
    return partial(Crowd, group, gated, pool)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE_S", TIMEOUT_S)


@pytest.mark.usefixtures("patient")
def test_calls_that_wait_share_the_next_transaction(
    gated: GatedPostgres, gather: Gather, user_id: str, database: Database
) -> None:
    calls = [new_call(user_id) for _ in range(20)]
    crowd = gather(calls)
    assert gated.transactions == 1
    gated.gate.set()
    stored = [each.result() for each in crowd.results]

    assert gated.transactions == 2
    assert len(gated.connections) == 1  # to change it costs as much as the statement
    assert not any(each.is_duplicate for each in stored)
    with database.begin() as session:
        known = find_stored(session, calls)
    assert [known[call.identity] for call in calls] == [each.log_id for each in stored]


@pytest.mark.usefixtures("patient")
def test_calls_that_share_a_transaction_share_a_line_of_the_log(
    gated: GatedPostgres, gather: Gather, user_id: str
) -> None:
    with capture_logs() as lines:
        crowd = gather([new_call(user_id, call_id="same") for _ in range(20)])
        gated.gate.set()
        log_ids = [each.result().log_id for each in (crowd.leader, *crowd.results)]

    alone = [line["log_id"] for line in lines if line["event"] == "call_accepted"]
    (together,) = (line for line in lines if line["event"] == "calls_accepted")
    assert sorted([*alone, *together["log_ids"]]) == sorted(log_ids)
    duplicates = sum(line.get("is_duplicate", 0) for line in lines)
    assert together["duplicates"] + duplicates == 19


def test_transaction_that_hangs_holds_up_nobody_for_long(
    gated: GatedPostgres, gather: Gather, user_id: str
) -> None:
    crowd = gather([new_call(user_id)])
    assert gated.begun.acquire(timeout=TIMEOUT_S)  # another goes beside the one that is under way
    gated.gate.set()
    assert {each.result().is_duplicate for each in (crowd.leader, *crowd.results)} == {False}


def test_copies_in_one_transaction_are_one_call(
    gated: GatedPostgres, gather: Gather, user_id: str
) -> None:
    crowd = gather([new_call(user_id, call_id="same")] * 20)
    gated.gate.set()
    stored = [each.result() for each in crowd.results]

    assert len({each.log_id for each in stored}) == 1
    assert sum(not each.is_duplicate for each in stored) == 1


def test_call_that_cannot_be_stored_fails_alone(
    gated: GatedPostgres, gather: Gather, user_id: str
) -> None:
    calls = [new_call(user_id) for _ in range(5)]
    calls.insert(2, new_call(user_id, phone_number=UNSTORABLE))
    crowd = gather(calls)
    gated.gate.set()

    with pytest.raises(DBAPIError):
        crowd.results.pop(2).result()
    assert not any(each.result().is_duplicate for each in crowd.results)


@pytest.mark.usefixtures("patient")
def test_transaction_holds_no_more_bytes_than_it_may(
    gated: GatedPostgres, gather: Gather, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_BYTES", 3000)
    summary = {"summary": "x" * 1000}
    crowd = gather([new_call(user_id, payload=summary) for _ in range(9)])
    gated.gate.set()
    assert not any(each.result().is_duplicate for each in crowd.results)
    assert gated.transactions == 1 + 3


@pytest.mark.usefixtures("patient")
def test_everybody_is_told_when_postgres_is_away_and_nobody_tries_alone(
    gated: GatedPostgres, gather: Gather, user_id: str
) -> None:
    crowd = gather([new_call(user_id) for _ in range(20)])
    gated.is_away = True
    gated.gate.set()

    for each in [crowd.leader, *crowd.results]:
        with pytest.raises(OperationalError):
            each.result()
    assert gated.transactions == 2


def test_call_whose_turn_does_not_come_is_not_stored(
    gated: GatedPostgres,
    group: GroupCommit,
    gather: Gather,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "WAIT_S", 0.05)
    late = new_call("user_late")
    crowd = gather([new_call("user_second")])
    assert gated.begun.acquire(timeout=TIMEOUT_S)  # both threads have one
    with pytest.raises(TryLaterError):
        group.store(late)
    gated.gate.set()

    # Those that were under way are waited for, however long it took.
    assert {each.result().is_duplicate for each in (crowd.leader, *crowd.results)} == {False}
    assert not group.store(new_call("user_late")).is_duplicate
    with database.begin() as session:
        assert find_stored(session, [late]) == {}
