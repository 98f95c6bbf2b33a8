"""Calls that waited for a connect are moved page by page, whatever comes in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from shared.connections.lifecycle import require_reconnect
from shared.models import Handover, SyncLog
from shared.queue.handovers import PAGE, is_parting
from shared.queue.waiting import find_waiting_tenants, settle_without_connection
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import HUB, Tenant, ago, grant
from tests.queue.test_connecting import NOT_CONNECTED, OTHER_HUB, RECONNECT, SCOPES, shown

MANY = 3 * PAGE
THIRD_HUB = 303
SIZE = 4


@contextmanager
def counted_rows(tenant: Tenant) -> Iterator[list[int]]:
    """How many rows each statement inside the block changed or found."""
    counts: list[int] = []

    def note(_connection: Any, cursor: Any, *_: Any) -> None:
        counts.append(cursor.rowcount)

    event.listen(tenant.database.engine, "after_cursor_execute", note)
    try:
        yield counts
    finally:
        event.remove(tenant.database.engine, "after_cursor_execute", note)


def store_many(tenant: Tenant, count: int, **columns: str) -> None:
    """Store calls that wait, quicker than by intake."""
    names, values = ", ".join(columns), ", ".join(columns.values())
    with tenant.database.begin() as session:
        session.execute(
            text(f"""
                INSERT INTO hubspot_sync_logs
                    (id, user_id, workspace_id, call_id, created_at, {names})
                SELECT 'hs_many' || lpad(n::text, 8, '0'), :user_id, :workspace_id, 'call_' || n,
                       now() - make_interval(secs => n), {values}
                FROM generate_series(1, :count) AS n
            """),  # noqa: S608 - our own text
            {**tenant.identity, "count": count},
        )


def count(tenant: Tenant, **wanted: Any) -> int:
    with tenant.database.begin() as session:
        found = select(func.count()).select_from(SyncLog).filter_by(**tenant.identity, **wanted)
        return session.scalars(found).one()


def handovers(tenant: Tenant) -> int:
    with tenant.database.begin() as session:
        return session.scalars(select(func.count()).select_from(Handover)).one()


def settle(tenant: Tenant) -> None:
    """What the sweep does to due calls without a live connection."""
    with tenant.database.begin() as session:
        waiting = find_waiting_tenants(session)
        settle_without_connection(session, [each for each in waiting if each.state != "connected"])


SKIPPED = {
    "status": "'skipped'",
    "error_code": "'not_connected'",
    "error_message": "'x'",
    "next_attempt_at": "NULL",
}


def test_connect_touches_none_of_the_calls_that_waited(tenant: Tenant) -> None:
    store_many(tenant, MANY, **SKIPPED)
    with counted_rows(tenant) as counts:
        tenant.begin_connecting()
    assert max(counts) <= 3
    assert len(counts) < 12
    assert count(tenant, status="skipped") == MANY

    pages = tenant.hand_over()
    assert max(page.moved for page in pages) == PAGE
    assert sum(page.moved for page in pages) == MANY
    assert count(tenant, status="pending") == MANY
    assert handovers(tenant) == 0


def test_connecting_another_account_touches_none_of_the_calls_that_waited(tenant: Tenant) -> None:
    tenant.connect()
    store_many(tenant, MANY, next_attempt_at="now()")
    with counted_rows(tenant) as counts:
        tenant.begin_connecting(grant(OTHER_HUB))
    assert max(counts) <= 3
    pages = tenant.hand_over()
    assert max(page.moved for page in pages) == PAGE
    assert count(tenant, status="skipped", error_code="not_connected", hub_id=HUB) == MANY


def test_newest_calls_come_first(tenant: Tenant) -> None:
    old, new = (tenant.store(**NOT_CONNECTED, created_at=ago(age))[0] for age in (900, 5))
    tenant.begin_connecting()
    tenant.hand_over(most=1, size=1)
    assert shown(tenant, new)[0] == "pending"
    assert shown(tenant, old)[0] == "skipped"


@pytest.mark.parametrize("row", [NOT_CONNECTED, RECONNECT, SCOPES])
def test_call_that_fails_again_meanwhile_is_not_requeued_twice(
    tenant: Tenant, row: dict[str, Any]
) -> None:
    ids = tenant.store(SIZE, **row)
    tenant.begin_connecting()
    while tenant.hand_over(most=1, size=SIZE - 1):
        again = [log_id for log_id in ids if shown(tenant, log_id)[0] == "pending"]
        tenant.change(again, **(row | {"error_message": "again"}))
    assert all(tenant.log(log_id).error_message == "again" for log_id in ids)


def test_calls_of_other_accounts_in_between_stay_and_stop_nothing(tenant: Tenant) -> None:
    mine, others = [], []
    for _ in range(SIZE):
        mine += tenant.store(**NOT_CONNECTED)
        others += tenant.store(**NOT_CONNECTED, hub_id=OTHER_HUB)
    tenant.begin_connecting()
    tenant.hand_over(size=2)
    assert {shown(tenant, each)[0] for each in mine} == {"pending"}
    assert {shown(tenant, each)[0] for each in others} == {"skipped"}


def test_disconnect_stops_it_and_the_next_connect_goes_on(tenant: Tenant) -> None:
    tenant.store(3 * SIZE, **NOT_CONNECTED)
    tenant.begin_connecting()
    tenant.hand_over(most=1, size=SIZE)
    tenant.disconnect()
    assert tenant.hand_over(size=SIZE) == []
    assert count(tenant, status="pending") == SIZE
    settle(tenant)
    tenant.begin_connecting(grant(name="t2"))
    tenant.hand_over(size=SIZE)
    assert count(tenant, status="pending") == 3 * SIZE


def test_refused_grant_stops_it_and_the_next_connect_goes_on(tenant: Tenant) -> None:
    tenant.store(2 * SIZE, **NOT_CONNECTED)
    connection = tenant.begin_connecting()
    with tenant.database.begin() as session:
        require_reconnect(
            session, connection.id, token_version=connection.token_version, reason="x"
        )
    assert sum(page.moved for page in tenant.hand_over()) == 0
    assert handovers(tenant) == 0
    tenant.connect(grant(name="t2"))
    assert count(tenant, status="pending") == 2 * SIZE


def test_second_connect_of_the_same_account_begins_anew(tenant: Tenant) -> None:
    tenant.store(3 * SIZE, **NOT_CONNECTED)
    tenant.begin_connecting()
    tenant.hand_over(most=1, size=SIZE)
    tenant.begin_connecting(grant(name="t2"))
    assert handovers(tenant) == 3
    tenant.hand_over(size=SIZE)
    assert count(tenant, status="pending") == 3 * SIZE


def test_calls_of_an_earlier_account_are_not_claimed_for_the_new_one(tenant: Tenant) -> None:
    tenant.connect()
    tenant.store(2 * SIZE)
    connection = tenant.begin_connecting(grant(OTHER_HUB))
    tenant.hand_over(most=1, size=SIZE)
    with tenant.database.begin() as session:
        assert is_parting(session, connection.id)
    (new,) = tenant.store()
    tenant.hand_over(size=SIZE)
    with tenant.database.begin() as session:
        assert not is_parting(session, connection.id)
    assert [call.id for call in tenant.claim()] == [new]


def test_parting_goes_on_after_a_disconnect_and_before_the_sweep(tenant: Tenant) -> None:
    tenant.connect()
    ids = tenant.store(2 * SIZE)
    tenant.begin_connecting(grant(OTHER_HUB))
    tenant.hand_over(most=1, size=SIZE)
    tenant.disconnect()
    settle(tenant)
    tenant.begin_connecting(grant(THIRD_HUB))
    tenant.hand_over(size=SIZE)
    assert {tenant.log(log_id).hub_id for log_id in ids} == {HUB}
    assert {shown(tenant, log_id)[1] for log_id in ids} == {"not_connected"}


def test_each_account_in_a_row_keeps_its_own_calls(tenant: Tenant) -> None:
    tenant.connect()
    first = tenant.store(SIZE)
    tenant.begin_connecting(grant(OTHER_HUB))
    second = tenant.store(SIZE)
    tenant.begin_connecting(grant(THIRD_HUB))
    third = tenant.store(SIZE)
    tenant.hand_over(size=SIZE - 1)
    assert {tenant.log(log_id).hub_id for log_id in first} == {HUB}
    assert {tenant.log(log_id).hub_id for log_id in second} == {OTHER_HUB}
    assert {call.id for call in tenant.claim()} == set(third)


def test_long_handover_does_not_hold_up_others(tenant: Tenant, make_tenant: MakeTenant) -> None:
    tenant.store(3 * SIZE, **NOT_CONNECTED)
    tenant.begin_connecting()
    other = make_tenant("user_2")
    other.store(**NOT_CONNECTED)
    other.begin_connecting(grant(OTHER_HUB))
    tenant.hand_over(most=2, size=SIZE)
    assert count(other, status="pending") == 1


def test_two_workers_never_move_for_the_same_connection(tenant: Tenant) -> None:
    tenant.store(3 * SIZE, **NOT_CONNECTED)
    tenant.begin_connecting()
    with tenant.database.begin() as session:
        session.execute(select(Handover).order_by(Handover.id).limit(1).with_for_update()).one()
        assert tenant.hand_over() == []
    assert tenant.hand_over() != []
