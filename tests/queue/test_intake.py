"""A call is stored once, however often and however simultaneously it is delivered."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from random import Random
from threading import Barrier
from typing import Any, cast

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.calls import intake
from shared.calls.intake import NewCall, StoredCall, store_calls
from shared.configuration.setting_values import sqlalchemy_url
from shared.database.engines import Database
from shared.models import Call, SyncLog
from shared.reasons import Lane
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import Tenant

COPIES = 50


@pytest.fixture
def wide_database(postgres_url: str) -> Iterator[Database]:
    """One whose copies need not wait for each other."""
    database = Database(sqlalchemy_url(postgres_url), pool_size=COPIES)
    yield database
    database.dispose()


def deliver(
    database: Database, call_id: str = "call_1", *, lane: int = Lane.LIVE, **fields: Any
) -> StoredCall:
    usual: dict[str, Any] = {
        "user_id": "user_1",
        "workspace_id": "ws_1",
        "phone_number": None,
        "payload": {"summary": "first"},
    }
    with database.begin() as session:
        return store_calls(session, [NewCall(call_id=call_id, **usual | fields)], lane=lane)[0]


def test_call_delivered_at_the_same_time_becomes_one_row(
    tenant: Tenant, wide_database: Database
) -> None:
    barrier = Barrier(COPIES)

    def deliver_copy(number: int) -> StoredCall:
        barrier.wait()
        return deliver(wide_database, payload={"copy": number})

    with ThreadPoolExecutor(COPIES) as pool:
        stored = list(pool.map(deliver_copy, range(COPIES)))

    assert len({each.log_id for each in stored}) == 1
    assert sum(not each.is_duplicate for each in stored) == 1
    with tenant.database.begin() as session:
        assert session.scalar(select(func.count()).select_from(SyncLog)) == 1
        assert session.scalar(select(func.count()).select_from(Call)) == 1


def test_delivery_that_says_nothing_new_gets_the_first_id_and_changes_nothing(
    tenant: Tenant,
) -> None:
    first = deliver(tenant.database)
    for _ in range(2):
        again = deliver(tenant.database, phone_number="+1", lane=3)
        assert again == StoredCall(first.log_id, is_duplicate=True, connection_id=None)
    assert deliver(tenant.database, payload={"summary": " "}).is_duplicate
    assert tenant.log(first.log_id).phone_number is None
    assert tenant.log(first.log_id).lane == 0
    with tenant.database.begin() as session:
        assert session.scalars(select(Call.payload)).one() == {"summary": "first"}


def test_same_call_id_of_another_user_or_workspace_is_another_call(tenant: Tenant) -> None:
    ids = {
        deliver(tenant.database).log_id,
        deliver(tenant.database, user_id="user_2").log_id,
        deliver(tenant.database, workspace_id="ws_2").log_id,
    }
    assert len(ids) == 3


def test_stored_call_is_pending_and_due_at_once(tenant: Tenant) -> None:
    stored = deliver(tenant.database, lane=Lane.BACKFILL)
    log = tenant.log(stored.log_id)
    assert (log.status, log.attempts, log.fence, log.lane) == ("pending", 0, 0, Lane.BACKFILL)
    assert tenant.due_in(log.id) <= 0


def test_only_a_live_connection_is_named_to_be_woken(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    make_tenant("user_2").connect()
    assert deliver(tenant.database, "call_1").connection_id is None
    connection = tenant.connect()
    assert deliver(tenant.database, "call_2").connection_id == connection.id
    tenant.disconnect()
    assert deliver(tenant.database, "call_3").connection_id is None


def new_call(call_id: str, **fields: Any) -> NewCall:
    usual: dict[str, Any] = {"user_id": "user_1", "workspace_id": "ws_1", "phone_number": None}
    return NewCall(call_id=call_id, payload={"call_id": call_id}, **usual | fields)


def test_many_calls_are_told_in_the_order_given(tenant: Tenant, make_tenant: MakeTenant) -> None:
    known = deliver(tenant.database, "call_2")
    connection = make_tenant("user_2").connect()
    with tenant.database.begin() as session:
        one, two, three, copy = store_calls(
            session,
            [
                new_call("call_3", phone_number="+12025550123"),
                new_call("call_2"),
                new_call("call_1", user_id="user_2"),
                new_call("call_3"),
            ],
            lane=Lane.BACKFILL,
        )

    assert two == StoredCall(known.log_id, is_duplicate=True, connection_id=None)
    assert copy == StoredCall(one.log_id, is_duplicate=True, connection_id=None)
    assert (one.is_duplicate, one.connection_id) == (False, None)
    assert (three.is_duplicate, three.connection_id) == (False, connection.id)
    log = tenant.log(one.log_id)
    assert (log.call_id, log.phone_number, log.lane) == ("call_3", "+12025550123", Lane.BACKFILL)
    with tenant.database.begin() as session:
        assert session.get_one(Call, three.log_id).payload == {"call_id": "call_1"}


class CountedSession:
    """A session that counts what it executes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.statements = 0

    def execute(self, *arguments: Any) -> Any:
        self.statements += 1
        return self._session.execute(*arguments)


def test_calls_that_are_large_together_are_stored_by_several_statements_of_one_transaction(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_STATEMENT_BYTES", 60)  # three of these calls
    calls = [new_call(f"call_{number % 7}", phone_number=str(number)) for number in range(10)]
    with tenant.database.begin() as session:
        counted = CountedSession(session)
        stored = store_calls(cast("Session", counted), calls, lane=Lane.BACKFILL)

    assert counted.statements == 4 + 1  # and one that finds the copies
    assert [each.is_duplicate for each in stored] == [False] * 7 + [True] * 3
    assert [each.log_id for each in stored[7:]] == [each.log_id for each in stored[:3]]
    logs = tenant.logs([each.log_id for each in stored[:7]])
    # Of several deliveries the first counts, though the statements begin elsewhere.
    assert [log.phone_number for log in logs] == [str(number) for number in range(7)]
    assert [log.call_id for log in logs] == [call.call_id for call in calls[:7]]


def test_same_calls_stored_at_the_same_time_in_any_order_are_stored_once(
    tenant: Tenant, wide_database: Database
) -> None:
    copies = 8
    barrier = Barrier(copies)
    calls = [new_call(f"call_{number}") for number in range(200)]

    def store_shuffled(seed: int) -> list[str]:
        order = Random(seed).sample(range(len(calls)), len(calls))
        barrier.wait()
        with wide_database.begin() as session:
            stored = store_calls(session, [calls[place] for place in order], lane=Lane.BACKFILL)
        return [
            each.log_id for _, each in sorted(zip(order, stored, strict=True), key=itemgetter(0))
        ]

    with ThreadPoolExecutor(copies) as pool:
        ids = list(pool.map(store_shuffled, range(copies)))

    assert all(each == ids[0] for each in ids)
    with tenant.database.begin() as session:
        assert session.scalar(select(func.count()).select_from(Call)) == len(calls)
