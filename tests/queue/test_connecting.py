"""Connecting: what it stores, which calls it brings back, and whose tokens are revoked."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from shared.connections.lifecycle import disconnect, require_reconnect, restore
from shared.models import Revocation
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import HUB, Tenant, ago, encrypt, grant, skipped
from tests.queue.waiting import wait_until_blocked

OTHER_HUB = 202
DAY = 86_400
WAITED: dict[str, Any] = {"error_message": "x", "next_attempt_at": None}
NOT_CONNECTED = WAITED | {"status": "skipped", "error_code": "not_connected"}
RECONNECT = WAITED | {"status": "error", "error_code": "reconnect_required"}
SCOPES = WAITED | {"status": "error", "error_code": "missing_scopes"}
MARK: dict[str, Any] = {"hub_id": HUB, "contact_id": "7", "last_write_at": ago(10)}


def revocations(tenant: Tenant) -> list[Revocation]:
    with tenant.database.begin() as session:
        return list(session.scalars(select(Revocation)))


def shown(tenant: Tenant, log_id: str) -> tuple[str, str | None, bool]:
    log = tenant.log(log_id)
    return log.status, log.error_code, log.next_attempt_at is not None


def test_grant_is_stored_encrypted_for_its_row(tenant: Tenant) -> None:
    connection = tenant.connect(grant(expires_in=1800))
    assert connection.access_token == encrypt("access-t1", connection.id, "access_token")
    assert connection.refresh_token == encrypt("refresh-t1", connection.id, "refresh_token")
    assert (connection.state, connection.hub_id, connection.scopes) == ("connected", HUB, ["oauth"])
    assert connection.expires_at is not None
    assert connection.refreshed_at is not None
    assert (connection.expires_at - connection.refreshed_at).total_seconds() == 1800


def test_same_account_again_overwrites_the_tokens_without_revoking_them(tenant: Tenant) -> None:
    first = tenant.connect()
    again = tenant.connect(grant(name="t2"))
    assert again.id == first.id
    assert again.generation == first.generation + 1
    assert again.token_version == first.token_version + 1
    assert again.access_token == encrypt("access-t2", again.id, "access_token")
    assert revocations(tenant) == []


def test_waiting_calls_survive_a_reconnect_to_the_same_account(tenant: Tenant) -> None:
    tenant.connect()
    tenant.store(2)
    (claimed, _) = tenant.claim()
    tenant.connect(grant(name="t2"))
    assert tenant.log(claimed.id).claimed_by == "turn_1"
    assert tenant.record(skipped(claimed)) == {claimed.id}


def test_another_account_revokes_the_old_tokens(tenant: Tenant) -> None:
    connection = tenant.connect()
    tenant.connect(grant(OTHER_HUB, name="t2"))
    (revocation,) = revocations(tenant)
    assert (revocation.hub_id, revocation.bound_to) == (HUB, connection.id)
    assert revocation.refresh_token == encrypt("refresh-t1", connection.id, "refresh_token")


def test_tokens_of_an_account_that_another_workspace_has_are_not_revoked(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    tenant.connect()
    make_tenant("user_2").connect()
    tenant.connect(grant(OTHER_HUB))
    assert revocations(tenant) == []


@pytest.mark.parametrize(
    ("row", "after"),
    [
        ({}, ("skipped", "not_connected", False)),
        (MARK, ("error", "unconfirmed", False)),
        (
            {"status": "skipped", "error_code": "contact_not_found", "error_message": "x"},
            ("skipped", "contact_not_found", False),
        ),
        (
            {"status": "skipped", "error_code": "contact_not_found", "error_message": "x", **MARK},
            ("error", "unconfirmed", False),
        ),
        (RECONNECT, ("skipped", "not_connected", False)),
        (SCOPES, ("skipped", "not_connected", False)),
        (RECONNECT | MARK, ("error", "unconfirmed", False)),
    ],
)
def test_calls_that_waited_for_the_old_account_are_parted_from_the_new_one(
    tenant: Tenant, row: dict[str, Any], after: tuple[str, str, bool]
) -> None:
    tenant.connect()
    (log_id,) = tenant.store(**row)
    tenant.connect(grant(OTHER_HUB))
    assert shown(tenant, log_id) == after
    log = tenant.log(log_id)
    assert log.hub_id == HUB
    assert (log.last_write_at is not None) == ("last_write_at" in row)


def test_claim_of_a_call_that_waited_for_the_old_account_is_ended(tenant: Tenant) -> None:
    tenant.connect()
    (log_id,) = tenant.store()
    (call,) = tenant.claim()
    tenant.connect(grant(OTHER_HUB))
    assert tenant.log(log_id).claimed_by is None
    assert tenant.record(skipped(call)) == frozenset()


def test_call_that_came_while_nothing_was_connected_goes_to_the_next_account(
    tenant: Tenant,
) -> None:
    tenant.connect()
    (before,) = tenant.store()
    tenant.disconnect()
    (after,) = tenant.store()
    tenant.connect(grant(OTHER_HUB))
    assert shown(tenant, before) == ("skipped", "not_connected", False)
    assert [call.id for call in tenant.claim()] == [after]


@pytest.mark.parametrize(
    ("row", "is_requeued"),
    [
        (NOT_CONNECTED, True),
        (NOT_CONNECTED | {"created_at": ago(6.9 * DAY)}, True),
        (NOT_CONNECTED | {"created_at": ago(7.1 * DAY)}, False),
        (NOT_CONNECTED | {"hub_id": HUB}, True),
        (NOT_CONNECTED | {"hub_id": OTHER_HUB}, False),
        (RECONNECT | {"created_at": ago(90 * DAY)}, True),
        (SCOPES, True),
        (WAITED | {"status": "error", "error_code": "poison"}, False),
        (WAITED | {"status": "error", "error_code": "rejected_by_hubspot"}, False),
        (WAITED | {"status": "skipped", "error_code": "contact_not_found"}, False),
        (NOT_CONNECTED | MARK, True),
    ],
)
def test_connecting_brings_back_the_calls_that_waited_for_it(
    tenant: Tenant, row: dict[str, Any], is_requeued: bool
) -> None:
    (log_id,) = tenant.store(**row, looks=3, raw_lookup=True, failures=9, failing_since=ago(99))
    tenant.connect()
    log = tenant.log(log_id)
    if not is_requeued:
        assert (log.status, log.error_code) == (row["status"], row["error_code"])
        assert log.next_attempt_at is None
        return
    assert (log.status, log.error_code, log.error_message) == ("pending", None, None)
    assert (log.lane, log.looks, log.raw_lookup, log.failures) == (1, 0, False, 0)
    assert log.failing_since is None
    assert (log.last_write_at is not None) == ("last_write_at" in row)
    assert [call.id for call in tenant.claim()] == [log_id]


def test_calls_return_to_the_account_they_waited_for(tenant: Tenant) -> None:
    tenant.connect()
    (log_id,) = tenant.store()
    tenant.connect(grant(OTHER_HUB))
    assert tenant.claim() == []
    tenant.connect(grant(HUB))
    assert [call.id for call in tenant.claim()] == [log_id]


def test_refusal_counts_only_for_the_token_that_was_refused(tenant: Tenant) -> None:
    old = tenant.connect()
    new = tenant.connect()
    with tenant.database.begin() as session:
        assert not require_reconnect(session, old.id, token_version=old.token_version, reason="x")
    assert tenant.connection().state == "connected"
    with tenant.database.begin() as session:
        assert require_reconnect(session, new.id, token_version=new.token_version, reason="x")
        assert not require_reconnect(session, new.id, token_version=new.token_version, reason="x")
    connection = tenant.connection()
    assert (connection.state, connection.state_reason) == ("reconnect_required", "x")
    assert connection.refresh_token is not None


def test_refusals_that_were_our_own_fault_are_taken_back(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("user_2")
    connections = [tenant.connect(), other.connect(grant(OTHER_HUB))]
    for connection in connections:
        with tenant.database.begin() as session:
            require_reconnect(
                session, connection.id, token_version=connection.token_version, reason="x"
            )
    (log_id,) = tenant.store(**RECONNECT)
    other.disconnect()
    with tenant.database.begin() as session:
        restore(session, [connection.id for connection in connections])
    tenant.hand_over()
    assert tenant.connection().state == "connected"
    assert [call.id for call in tenant.claim()] == [log_id]
    assert other.connection().state == "disconnected"


def test_disconnect_moves_the_tokens_to_the_revocation_list(tenant: Tenant) -> None:
    connected = tenant.connect()
    assert tenant.disconnect()
    connection = tenant.connection()
    assert (connection.state, connection.access_token, connection.refresh_token) == (
        "disconnected",
        None,
        None,
    )
    assert connection.generation == connected.generation + 1
    assert connection.token_version == connected.token_version + 1
    (revocation,) = revocations(tenant)
    assert revocation.refresh_token == connected.refresh_token
    assert revocation.token_expires_at == connected.expires_at


def test_disconnecting_twice_or_without_a_connection_does_nothing(tenant: Tenant) -> None:
    assert not tenant.disconnect()
    tenant.connect()
    assert tenant.disconnect()
    assert not tenant.disconnect()
    assert len(revocations(tenant)) == 1


def test_only_the_last_workspace_of_an_account_revokes(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("user_2")
    tenant.connect()
    other.connect(grant(name="t2"))
    tenant.disconnect()
    assert revocations(tenant) == []
    other.disconnect()
    assert len(revocations(tenant)) == 1


def test_disconnects_of_one_account_take_turns(tenant: Tenant, make_tenant: MakeTenant) -> None:
    other = make_tenant("user_2")
    tenant.connect()
    other.connect(grant(name="t2"))
    with ThreadPoolExecutor(1) as pool:
        with tenant.database.begin() as session:
            disconnect(session, **tenant.identity)
            concurrent = pool.submit(other.disconnect)
            wait_until_blocked(tenant.database)
        assert concurrent.result()
    assert len(revocations(tenant)) == 1
