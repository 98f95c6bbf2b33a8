"""Who waits, whatever the length of the queue; and calls of those who have no connection."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, update

from shared.connections.accounts import pause_account
from shared.connections.lifecycle import require_reconnect
from shared.models import Connection, SyncLog
from shared.queue.waiting import WaitingTenant, find_waiting_tenants, settle_without_connection
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import HUB, Tenant, ago, grant


def waiting(tenant: Tenant) -> dict[str, WaitingTenant]:
    with tenant.database.begin() as session:
        found = find_waiting_tenants(session)
    assert len({each.user_id for each in found}) == len(found)
    return {each.user_id: each for each in found}


def settle(tenant: Tenant) -> int:
    with tenant.database.begin() as session:
        return settle_without_connection(session, find_waiting_tenants(session))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans()), max_size=25))
def test_exactly_those_with_a_due_call_wait(
    make_tenant: MakeTenant, calls: list[tuple[int, int, bool]]
) -> None:
    tenants = [make_tenant(f"user_{number}") for number in range(5)]
    with tenants[0].database.begin() as session:
        session.execute(update(SyncLog).values(next_attempt_at=ago(-9999)))
    for number, lane, is_due in calls:
        tenants[number].store(lane=lane, next_attempt_at=ago(1 if is_due else -60))
    assert set(waiting(tenants[0])) == {f"user_{number}" for number, _, is_due in calls if is_due}


def test_claimed_and_finished_calls_make_nobody_wait(tenant: Tenant) -> None:
    tenant.store()
    tenant.claim()
    tenant.store(status="error", error_code="poison", error_message="x", next_attempt_at=None)
    assert waiting(tenant) == {}


def test_connection_and_pause_are_told(tenant: Tenant, make_tenant: MakeTenant) -> None:
    paused, over, none = (make_tenant(f"user_{number}") for number in (2, 3, 4))
    connection = tenant.connect()
    paused.connect(grant(202))
    over.connect(grant(303))
    for each in (tenant, paused, over, none):
        each.store()
    with tenant.database.begin() as session:
        pause_account(session, 202, seconds=60, reason="x")
        pause_account(session, 303, seconds=-1, reason="x")
    assert waiting(tenant) == {
        "user_1": WaitingTenant("user_1", "ws_1", connection.id, "connected", is_paused=False),
        "user_2": WaitingTenant(
            "user_2", "ws_1", paused.connection().id, "connected", is_paused=True
        ),
        "user_3": WaitingTenant(
            "user_3", "ws_1", over.connection().id, "connected", is_paused=False
        ),
        "user_4": WaitingTenant("user_4", "ws_1", None, None, is_paused=False),
    }


def never_connected(_tenant: Tenant) -> None:
    pass


def disconnected(tenant: Tenant) -> None:
    tenant.connect()
    tenant.disconnect()


def refused(tenant: Tenant) -> None:
    connection = tenant.connect()
    with tenant.database.begin() as session:
        assert require_reconnect(
            session, connection.id, token_version=connection.token_version, reason="x"
        )


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (never_connected, "skipped", "not_connected"),
        (disconnected, "skipped", "not_connected"),
        (refused, "error", "reconnect_required"),
    ],
)
def test_due_call_without_a_connection_gets_its_reason(
    tenant: Tenant, end: Callable[[Tenant], None], status: str, code: str
) -> None:
    end(tenant)
    (due,) = tenant.store()
    (later,) = tenant.store(next_attempt_at=ago(-60))
    (looked_up_again,) = tenant.store(
        status="skipped", error_code="contact_not_found", error_message="Nobody has it."
    )
    assert settle(tenant) == 2

    log = tenant.log(due)
    assert (log.status, log.error_code, log.next_attempt_at) == (status, code, None)
    assert log.error_message
    # Its contact may still come, and the connection too.
    again = tenant.log(looked_up_again)
    assert (again.status, again.error_code) == ("skipped", "contact_not_found")
    assert again.next_attempt_at is not None
    assert again.next_attempt_at > datetime.now(UTC) + timedelta(hours=1)
    assert tenant.log(later).next_attempt_at is not None


def test_calls_of_the_connected_are_not_settled(tenant: Tenant, make_tenant: MakeTenant) -> None:
    tenant.connect()
    tenant.store()
    with tenant.database.begin() as session:
        stale = [
            WaitingTenant("user_1", "ws_1", "hc_x", "disconnected", is_paused=False)
        ]  # connected since it was found
        assert settle_without_connection(session, stale) == 0
    make_tenant("user_2").store()
    assert settle(tenant) == 1


def test_settled_call_belongs_to_the_account_that_was_connected_when_it_came(
    tenant: Tenant,
) -> None:
    tenant.connect()
    before, after = tenant.store(2)
    disconnect_at = func.now() - timedelta(seconds=60)
    tenant.disconnect()
    with tenant.database.begin() as session:
        session.execute(update(Connection).values(state_changed_at=disconnect_at))
    tenant.change([before], created_at=ago(120))
    settle(tenant)
    assert tenant.log(before).hub_id == HUB
    assert tenant.log(after).hub_id is None


def test_settling_keeps_the_mark(tenant: Tenant) -> None:
    (log_id,) = tenant.store(hub_id=HUB, contact_id="7", last_write_at=ago(5))
    settle(tenant)
    assert tenant.log(log_id).last_write_at is not None
