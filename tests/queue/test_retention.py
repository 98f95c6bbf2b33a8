"""What has had its time is deleted, and what that ends says so."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared import retention
from shared.models import Call, OAuthState, PendingGrant, Revocation
from tests.queue.tenants import HUB, Tenant, ago, skipped, written

DAY = 86_400
DAYS = 30


def delete_old(tenant: Tenant) -> int:
    with tenant.database.begin() as session:
        return retention.delete_old_payloads(session, days=DAYS)


def grow_old(tenant: Tenant) -> None:
    with tenant.database.begin() as session:
        session.execute(update(Call).values(received_at=ago((DAYS + 1) * DAY)))


def payloads(tenant: Tenant) -> int:
    with tenant.database.begin() as session:
        return session.scalars(select(func.count()).select_from(Call)).one()


def test_content_is_deleted_when_its_time_is_over_and_the_log_stays(tenant: Tenant) -> None:
    tenant.store(2)
    first, second = tenant.claim()
    tenant.record(written(first), skipped(second))
    assert delete_old(tenant) == 0
    grow_old(tenant)
    tenant.store()
    assert delete_old(tenant) == 2
    assert payloads(tenant) == 1
    assert [log.status for log in tenant.logs([first.id, second.id])] == ["success", "skipped"]


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({}, ("error", "payload_expired")),
        (
            {"status": "skipped", "error_code": "contact_not_found", "error_message": "x"},
            ("skipped", "contact_not_found"),
        ),
    ],
)
def test_call_that_still_waited_is_ended(
    tenant: Tenant, row: dict[str, Any], shown: tuple[str, str]
) -> None:
    (log_id,) = tenant.store(**row, next_attempt_at=ago(-60))
    grow_old(tenant)
    assert delete_old(tenant) == 1
    log = tenant.log(log_id)
    assert (log.status, log.error_code) == shown
    assert log.next_attempt_at is None


def test_mark_outlives_the_content(tenant: Tenant) -> None:
    (log_id,) = tenant.store(hub_id=HUB, contact_id="7", last_write_at=ago(60))
    grow_old(tenant)
    delete_old(tenant)
    assert tenant.log(log_id).last_write_at is not None


def test_call_in_a_workers_hands_keeps_its_content(tenant: Tenant) -> None:
    tenant.store()
    calls = tenant.claim()
    grow_old(tenant)
    assert delete_old(tenant) == 0
    tenant.release(calls)
    assert delete_old(tenant) == 1


def test_only_expired_authorizations_are_deleted(tenant: Tenant) -> None:
    with tenant.database.begin() as session:
        for name, age in ((b"old", 1), (b"new", -60)):
            session.add(
                OAuthState(
                    state_hash=name,
                    user_id="user_1",
                    workspace_id="ws_1",
                    code_verifier="v",
                    return_to="/",
                    expires_at=ago(age),
                )
            )
    with tenant.database.begin() as session:
        assert retention.delete_expired_states(session) == 1
        assert session.scalars(select(OAuthState.state_hash)).all() == [b"new"]


@pytest.mark.parametrize("is_in_use", [False, True])
def test_grant_that_nobody_confirmed_is_revoked_unless_its_account_is_in_use(
    tenant: Tenant, is_in_use: bool
) -> None:
    if is_in_use:
        tenant.connect()
    with tenant.database.begin() as session:
        for name, age in (("old", 1), ("new", -60)):
            session.add(
                PendingGrant(
                    grant_hash=name.encode(),
                    id=f"hg_{name}",
                    user_id="user_1",
                    workspace_id="ws_1",
                    access_token=f"access-{name}",
                    refresh_token=f"refresh-{name}",
                    expires_in=1800,
                    hub_id=HUB,
                    scopes=["oauth"],
                    return_to="/",
                    expires_at=ago(age),
                )
            )
    with tenant.database.begin() as session:
        assert retention.give_up_pending_grants(session) == 1
        assert session.scalars(select(PendingGrant.id)).all() == ["hg_new"]
        revoked = session.scalars(select(Revocation)).all()
    assert [(each.bound_to, each.refresh_token) for each in revoked] == (
        [] if is_in_use else [("hg_old", "refresh-old")]
    )
