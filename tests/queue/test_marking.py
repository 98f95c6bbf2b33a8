"""The mark: no POST may start without it, and it is refused to whoever lost the right to write."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func

from shared.connections.lifecycle import disconnect, require_reconnect
from shared.privacy.erasure import erase_calls
from shared.queue.claims import LEASE_S
from shared.queue.marks import LEASE_LEFT_TO_WRITE_S, WRITE_WITHIN_S, Mark, mark_calls, may_write
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import HUB, Tenant, ago, grant, written
from tests.queue.waiting import wait_until_blocked


def test_mark_says_where_a_note_may_be_and_renews_the_lease(tenant: Tenant) -> None:
    tenant.connect()
    (log_id,) = tenant.store(hub_id=HUB, contact_id="6", last_write_at=ago(60), read_back_misses=1)
    calls = tenant.claim()
    tenant.change([log_id], claimed_until=ago(-16))
    assert tenant.mark(calls) == {log_id}

    log = tenant.log(log_id)
    assert (log.hub_id, log.contact_id, log.phone_number) == (HUB, "7", "+12025550123")
    assert log.read_back_misses == 0
    assert log.last_write_at is not None
    assert log.claimed_until is not None
    lease_left = (log.claimed_until - log.last_write_at).total_seconds()
    assert LEASE_LEFT_TO_WRITE_S < lease_left <= LEASE_S


def test_mark_of_a_call_that_was_matched_earlier_keeps_its_number(tenant: Tenant) -> None:
    connection = tenant.connect()
    (log_id,) = tenant.store(phone_number="+4930123456")
    (call,) = tenant.claim()
    with tenant.database.begin() as session:
        assert mark_calls(
            session,
            [Mark(call, "7", None)],
            connection_id=connection.id,
            generation=connection.generation,
            hub_id=HUB,
        )
    assert tenant.log(log_id).phone_number == "+4930123456"


@pytest.mark.parametrize(
    "changes",
    [
        {"claimed_until": func.now()},
        {"claimed_by": None, "claimed_until": None, "claim_size": None},
        {"fence": 2},
    ],
    ids=["expired", "released", "claimed by another"],
)
def test_mark_is_refused_to_a_lost_claim(tenant: Tenant, changes: dict[str, Any]) -> None:
    tenant.connect()
    lost, held = tenant.store(2)
    calls = tenant.claim()
    tenant.change([lost], **changes)
    assert tenant.mark(calls) == {held}
    assert tenant.log(lost).last_write_at is None


def test_mark_is_refused_after_a_disconnect(tenant: Tenant) -> None:
    connection = tenant.connect()
    tenant.store()
    calls = tenant.claim()
    tenant.disconnect()
    assert tenant.mark(calls, generation=connection.generation, hub_id=HUB) == frozenset()


def test_mark_is_refused_once_hubspot_has_refused_the_grant(tenant: Tenant) -> None:
    connection = tenant.connect()
    tenant.store()
    calls = tenant.claim()
    with tenant.database.begin() as session:
        assert require_reconnect(
            session, connection.id, token_version=connection.token_version, reason="x"
        )
    assert tenant.mark(calls) == frozenset()


def test_mark_is_refused_when_somebody_connected_since_the_claim(tenant: Tenant) -> None:
    connection = tenant.connect()
    tenant.store()
    calls = tenant.claim()
    tenant.connect()
    assert tenant.mark(calls, generation=connection.generation) == frozenset()
    assert len(tenant.mark(calls)) == 1


def test_call_that_has_its_note_is_not_marked(tenant: Tenant) -> None:
    tenant.connect()
    (log_id,) = tenant.store()
    (stale,) = tenant.claim()
    tenant.record(written(stale))
    assert tenant.mark([stale]) == frozenset()
    assert tenant.log(log_id).status == "success"


def test_claims_lost_to_another_account_are_not_marked(tenant: Tenant) -> None:
    tenant.connect()
    tenant.store()
    calls = tenant.claim()
    tenant.connect(grant(202))
    assert tenant.mark(calls) == frozenset()


def test_mark_waits_for_a_disconnect_under_way_and_is_refused(tenant: Tenant) -> None:
    connection = tenant.connect()
    tenant.store()
    calls = tenant.claim()
    with ThreadPoolExecutor(1) as pool:
        with tenant.database.begin() as session:
            disconnect(session, **tenant.identity)
            concurrent = pool.submit(
                tenant.mark, calls, generation=connection.generation, hub_id=HUB
            )
            wait_until_blocked(tenant.database)
        assert concurrent.result() == frozenset()


def test_disconnect_waits_for_a_mark_under_way_and_sees_it(tenant: Tenant) -> None:
    connection = tenant.connect()
    tenant.store()
    calls = tenant.claim()
    with ThreadPoolExecutor(1) as pool:
        with tenant.database.begin() as session:
            assert mark_calls(
                session,
                [Mark(call, "7", None) for call in calls],
                connection_id=connection.id,
                generation=connection.generation,
                hub_id=HUB,
            )
            concurrent = pool.submit(tenant.disconnect)
            wait_until_blocked(tenant.database)
        assert concurrent.result()
    assert is_writing(tenant)


def is_writing(tenant: Tenant) -> bool:
    with tenant.database.begin() as session:
        return may_write(session, **tenant.identity)


def test_write_may_start_until_its_mark_is_settled_or_too_old(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    tenant.connect()
    (log_id,) = tenant.store()
    assert not is_writing(tenant)
    (call,) = tenant.claim()
    assert not is_writing(tenant)
    tenant.mark([call])
    assert is_writing(tenant)
    assert not is_writing(make_tenant("user_2"))
    tenant.change([log_id], last_write_at=ago(WRITE_WITHIN_S + 0.1))
    assert not is_writing(tenant)
    tenant.change([log_id], last_write_at=ago(0))
    assert is_writing(tenant)
    tenant.record(written(call))
    assert not is_writing(tenant)


# A call that nobody was found for is looked up again, and may be written then.
LOOKED_UP_AGAIN: dict[str, Any] = {
    "status": "skipped",
    "error_code": "contact_not_found",
    "error_message": "x",
}


@pytest.mark.parametrize("row", [{}, LOOKED_UP_AGAIN])
def test_erasure_does_not_hide_that_a_write_may_start(tenant: Tenant, row: dict[str, Any]) -> None:
    tenant.connect()
    ids = tenant.store(**row)
    assert tenant.mark(tenant.claim()) == {*ids}
    with tenant.database.begin() as session:
        erase_calls(session, ids)
    assert is_writing(tenant)
    tenant.change(ids, last_write_at=ago(WRITE_WITHIN_S + 0.1))
    assert not is_writing(tenant)


@pytest.mark.parametrize("row", [{}, LOOKED_UP_AGAIN])
def test_parting_does_not_hide_that_a_write_may_start(tenant: Tenant, row: dict[str, Any]) -> None:
    tenant.connect()
    ids = tenant.store(**row)
    assert tenant.mark(tenant.claim()) == {*ids}
    tenant.connect(grant(HUB + 1))
    assert tenant.log(ids[0]).error_code == "unconfirmed"
    assert is_writing(tenant)


def test_replay_does_not_hide_that_a_write_may_start(tenant: Tenant) -> None:
    tenant.connect()
    (log_id,) = tenant.store()
    calls = tenant.claim()
    tenant.mark(calls)
    tenant.change([log_id], claimed_by=None, claimed_until=None, claim_size=None)
    assert is_writing(tenant)
