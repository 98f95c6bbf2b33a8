"""Calls that come at the same time share a transaction, and nothing but that."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event, Semaphore
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from api import group_commit
from api.errors import TryLaterError
from api.group_commit import TRANSACTIONS_AT_ONCE, GroupCommit
from shared.calls import NewCall, StoredCall, find_stored
from shared.db import Database

PATIENCE_S = 10.0
UNSTORABLE = "+1202555\x000123"


class GatedEngine:
    """Counts transactions, and lets them begin when the gate is open and Postgres is there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.gate = Event()
        self.begun = Semaphore(0)
        self.transactions = 0
        self.is_away = False

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        self.transactions += 1
        self.begun.release()
        assert self.gate.wait(PATIENCE_S)
        if self.is_away:
            raise OperationalError("INSERT", {}, Exception("away"))
        with self._engine.begin() as connection:
            yield connection


def new_call(user_id: str, **fields: Any) -> NewCall:
    usual: dict[str, Any] = {"call_id": f"call_{uuid4().hex}", "phone_number": "+12025550123"}
    return NewCall(user_id=user_id, workspace_id="ws_1", payload={}, **usual | fields)


@pytest.fixture
def user_id() -> str:
    return f"user_{uuid4().hex}"


@pytest.fixture
def gated(database: Database) -> GatedEngine:
    return GatedEngine(database.engine)


@pytest.fixture
def group(gated: GatedEngine) -> GroupCommit:
    return GroupCommit(cast("Database", SimpleNamespace(engine=gated)))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(50) as pool:
        yield pool


class Crowd:
    """Calls that were all delivered while as many transactions as may be are under way."""

    def __init__(
        self, group: GroupCommit, gated: GatedEngine, pool: ThreadPoolExecutor, calls: list[NewCall]
    ) -> None:
        self.leaders = []
        for _ in range(TRANSACTIONS_AT_ONCE):
            self.leaders.append(pool.submit(group.store, new_call("user_leading")))
            assert gated.begun.acquire(timeout=PATIENCE_S)
        self.results: list[Future[StoredCall]] = []
        for waiting, call in enumerate(calls, 1):
            self.results.append(pool.submit(group.store, call))
            while group._waiting.qsize() < waiting:
                Event().wait(0.001)


Gather = Callable[[list[NewCall]], Crowd]


@pytest.fixture
def gather(group: GroupCommit, gated: GatedEngine, pool: ThreadPoolExecutor) -> Gather:
    return partial(Crowd, group, gated, pool)


def test_calls_that_wait_share_the_next_transaction(
    gated: GatedEngine, gather: Gather, user_id: str, database: Database
) -> None:
    calls = [new_call(user_id) for _ in range(20)]
    crowd = gather(calls)
    gated.gate.set()
    stored = [each.result() for each in crowd.results]

    assert gated.transactions <= 2 * TRANSACTIONS_AT_ONCE
    assert not any(each.is_duplicate for each in stored)
    with database.begin() as session:
        known = find_stored(session, calls)
    assert [known[call.identity] for call in calls] == [each.log_id for each in stored]


def test_copies_in_one_transaction_are_one_call(
    gated: GatedEngine, gather: Gather, user_id: str
) -> None:
    crowd = gather([new_call(user_id, call_id="same")] * 20)
    gated.gate.set()
    stored = [each.result() for each in crowd.results]

    assert len({each.log_id for each in stored}) == 1
    assert sum(not each.is_duplicate for each in stored) == 1


def test_call_that_cannot_be_stored_fails_alone(
    gated: GatedEngine, gather: Gather, user_id: str
) -> None:
    calls = [new_call(user_id) for _ in range(5)]
    calls.insert(2, new_call(user_id, phone_number=UNSTORABLE))
    crowd = gather(calls)
    gated.gate.set()

    with pytest.raises(DBAPIError):
        crowd.results.pop(2).result()
    assert not any(each.result().is_duplicate for each in crowd.results)


def test_everybody_is_told_when_postgres_is_away_and_nobody_tries_alone(
    gated: GatedEngine, gather: Gather, user_id: str
) -> None:
    crowd = gather([new_call(user_id) for _ in range(20)])
    gated.is_away = True
    gated.gate.set()

    for each in [*crowd.leaders, *crowd.results]:
        with pytest.raises(OperationalError):
            each.result()
    assert gated.transactions <= 2 * TRANSACTIONS_AT_ONCE


def test_call_whose_turn_does_not_come_is_not_stored(
    gated: GatedEngine,
    group: GroupCommit,
    gather: Gather,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "WAIT_S", 0.05)
    late = new_call("user_late")
    crowd = gather([])
    with pytest.raises(TryLaterError):
        group.store(late)
    gated.gate.set()

    # Those that were under way are waited for, however long it took.
    assert not any(each.result().is_duplicate for each in crowd.leaders)
    assert not group.store(new_call("user_late")).is_duplicate
    with database.begin() as session:
        assert find_stored(session, [late]) == {}
