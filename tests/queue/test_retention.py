"""What has had its time is deleted, and what that ends says so."""

from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from shared.calls.intake import NewCall, StoredCall, find_stored, store_calls
from shared.database.engines import STATEMENT_TIMEOUT_MS
from shared.log.replays import requeue_calls
from shared.log.sync_logs import MOST_ATTEMPTS
from shared.log.tallies import count_calls
from shared.models import (
    Attempt,
    Base,
    Call,
    OAuthState,
    PendingGrant,
    PrunedCall,
    PruningKey,
    Revocation,
    Stray,
    SyncLog,
)
from shared.privacy import retention
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import HUB, STARTED_AT, Tenant, ago, skipped, written

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


def prune(tenant: Tenant, *, days: int = DAYS) -> int:
    with tenant.database.begin() as session:
        return retention.prune_logs(session, days=days)


def settle_hashes(tenant: Tenant, seconds: float = retention.HASH_SETTLES_S + 1) -> None:
    with tenant.database.begin() as session:
        session.execute(update(PrunedCall).values(remembered_at=ago(seconds)))


def prune_all(tenant: Tenant) -> int:
    """Two rounds with a minute between them."""
    prune(tenant)
    settle_hashes(tenant)
    return prune(tenant)


def deliver(tenant: Tenant, call_id: str, *, workspace_id: str = "ws_1") -> StoredCall:
    call = NewCall(
        user_id=tenant.user_id,
        workspace_id=workspace_id,
        call_id=call_id,
        phone_number="+12025550123",
        payload={},
    )
    with tenant.database.begin() as session:
        return store_calls(session, [call], lane=0)[0]


def ids_of(tenant: Tenant, table: type[Base] = SyncLog) -> set[str]:
    column = SyncLog.id if table is SyncLog else table.__table__.c.log_id
    with tenant.database.begin() as session:
        return set(session.scalars(select(column)))


OLD = ago((DAYS + 1) * DAY)
ENDED: dict[str, Any] = {
    "status": "error",
    "error_code": "x",
    "error_message": "x",
    "next_attempt_at": None,
}


def test_old_entry_is_deleted_with_all_that_hangs_on_it_and_the_counts_stay(
    tenant: Tenant,
) -> None:
    tenant.store(2)
    first, second = tenant.claim()
    tenant.record(written(first), skipped(second))
    (young,) = tenant.store(**ENDED)
    tenant.change([first.id, second.id], created_at=OLD)
    with tenant.database.begin() as session:
        before = count_calls(session, **tenant.identity)
    assert prune_all(tenant) == 2
    for table in (SyncLog, Call, Attempt):
        assert ids_of(tenant, table) <= {young}
    with tenant.database.begin() as session:
        after = count_calls(session, **tenant.identity)
    assert (after.success, after.error, after.skipped) == (
        before.success,
        before.error,
        before.skipped,
    )
    assert before.success == before.skipped == before.error == 1


def test_tenant_without_any_entry_left_is_not_taken_for_a_new_one(tenant: Tenant) -> None:
    tenant.store(**ENDED)
    tenant.change(ids_of(tenant), created_at=OLD)
    assert prune_all(tenant) == 1
    assert ids_of(tenant) == set()
    with tenant.database.begin() as session:
        assert count_calls(session, **tenant.identity).has_any


def test_entry_ends_only_after_whoever_may_not_have_seen_its_hash(tenant: Tenant) -> None:
    tenant.store(created_at=OLD, **ENDED)
    assert prune(tenant) == 0
    assert len(ids_of(tenant, PrunedCall)) == 1
    settle_hashes(tenant, retention.HASH_SETTLES_S / 2)
    assert prune(tenant) == 0
    settle_hashes(tenant)
    assert prune(tenant) == 1
    assert STATEMENT_TIMEOUT_MS / 1000 < retention.HASH_SETTLES_S


def test_pruned_call_that_is_delivered_again_is_a_duplicate_of_its_entry(tenant: Tenant) -> None:
    stored = deliver(tenant, "call_1")
    tenant.change([stored.log_id], created_at=OLD, **ENDED)
    for _ in range(3):  # known by its entry, by both, by its hash alone
        assert deliver(tenant, "call_1") == StoredCall(
            stored.log_id, is_duplicate=True, connection_id=None
        )
        prune(tenant)
        settle_hashes(tenant)
    assert ids_of(tenant) == set()
    assert payloads(tenant) == 0
    with tenant.database.begin() as session:
        (key,) = session.scalars(select(PruningKey.key)).all()
    assert len(key) == 32


def test_entry_whose_hash_names_another_entry_is_deleted_all_the_same(tenant: Tenant) -> None:
    """A call came back in the moment in which its entry ended, or both are from two backups."""
    earlier = deliver(tenant, "call_1")
    tenant.change([earlier.log_id], created_at=OLD, **ENDED)
    prune(tenant)
    with tenant.database.begin() as session:
        session.execute(update(PrunedCall).values(log_id="hs_another"))
    settle_hashes(tenant)
    prune(tenant)
    # It is what the next delivery is told, so it is known by its hash before it ends.
    assert ids_of(tenant, PrunedCall) == {earlier.log_id}
    assert ids_of(tenant) == {earlier.log_id}
    settle_hashes(tenant)
    assert prune(tenant) == 1
    assert deliver(tenant, "call_1") == StoredCall(
        earlier.log_id, is_duplicate=True, connection_id=None
    )


@pytest.mark.parametrize("other", ["call_2", "call_1\x1f", "all_1"])
def test_other_calls_are_new(tenant: Tenant, other: str) -> None:
    stored = deliver(tenant, "call_1")
    tenant.change([stored.log_id], created_at=OLD, **ENDED)
    prune_all(tenant)
    assert not deliver(tenant, other).is_duplicate
    # The same letters, divided otherwise.
    assert not deliver(tenant, "1call_1", workspace_id="ws_").is_duplicate


def test_new_and_pruned_calls_of_one_batch_are_told_apart(tenant: Tenant) -> None:
    known = [deliver(tenant, f"call_{number}").log_id for number in range(3)]
    tenant.change(known, created_at=OLD, **ENDED)
    prune_all(tenant)
    calls = [
        NewCall(
            user_id=tenant.user_id,
            workspace_id=tenant.workspace_id,
            call_id=f"call_{number}",
            phone_number=None,
            payload={},
        )
        for number in (5, 2, 4, 0, 5)
    ]
    with tenant.database.begin() as session:
        assert len(find_stored(session, calls)) == 2
        stored = store_calls(session, calls, lane=0)
    assert [each.is_duplicate for each in stored] == [False, True, False, True, True]
    assert [stored[place].log_id for place in (1, 3)] == [known[2], known[0]]
    assert stored[4].log_id == stored[0].log_id


def test_hash_of_a_pruned_call_ends_in_turn(tenant: Tenant) -> None:
    stored = deliver(tenant, "call_1")
    tenant.change([stored.log_id], created_at=OLD, **ENDED)
    prune_all(tenant)
    for days, forgotten in ((-1, 0), (1, 1)):
        settle_hashes(tenant, (retention.PRUNED_CALL_KNOWN_DAYS + days) * DAY)
        with tenant.database.begin() as session:
            assert retention.forget_pruned_calls(session) == forgotten
    assert not deliver(tenant, "call_1").is_duplicate


KEPT_WHATEVER_ITS_AGE: dict[str, dict[str, Any]] = {
    "waits": {"next_attempt_at": ago(-60)},
    "is overdue": {"next_attempt_at": OLD},
    "is looked up again": {
        "status": "skipped",
        "error_code": "contact_not_found",
        "error_message": "x",
    },
    "is in doubt": {"last_write_at": OLD, "hub_id": HUB, "contact_id": "7"},
    "could not be confirmed": {
        **ENDED,
        "error_code": "unconfirmed",
        "last_write_at": OLD,
        "hub_id": HUB,
        "contact_id": "7",
    },
}


@pytest.mark.parametrize("row", KEPT_WHATEVER_ITS_AGE.values(), ids=KEPT_WHATEVER_ITS_AGE.keys())
def test_entry_that_is_not_settled_is_kept(tenant: Tenant, row: dict[str, Any]) -> None:
    (log_id,) = tenant.store(created_at=OLD, **row)
    assert prune_all(tenant) == 0
    assert ids_of(tenant) == {log_id}
    assert ids_of(tenant, PrunedCall) == set()


def test_entry_of_which_a_note_may_turn_up_is_kept(tenant: Tenant) -> None:
    late, surplus, claimed = tenant.store(3, created_at=OLD)
    tenant.change([late, surplus], **ENDED)
    with tenant.database.begin() as session:
        session.add(Stray(log_id=late, hub_id=HUB, contact_id="7"))
        session.add(Stray(log_id=surplus, hub_id=HUB, activity_id="9"))
    assert [call.id for call in tenant.claim()] == [claimed]
    assert prune_all(tenant) == 0
    with tenant.database.begin() as session:
        session.execute(delete(Stray))
    assert prune_all(tenant) == 2
    assert ids_of(tenant) == {claimed}


def test_entry_that_begins_to_wait_again_before_its_end_is_kept(tenant: Tenant) -> None:
    (log_id,) = tenant.store(created_at=OLD, **ENDED)
    prune(tenant)
    settle_hashes(tenant)
    with tenant.database.begin() as session:
        assert requeue_calls(session, [log_id], **tenant.identity) == 1
    assert prune(tenant) == 0
    tenant.record(written(tenant.claim()[0]))
    assert prune(tenant) == 1


def test_entries_of_many_tenants_are_pruned_a_batch_at_a_time(
    make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOGS_AT_ONCE", 4)
    tenants = [make_tenant(f"user_{number}") for number in range(3)]
    for tenant in tenants:
        tenant.store(3, created_at=OLD, **ENDED)
    (young,) = tenants[1].store(**ENDED)
    pruned = []
    while ids_of(tenants[0]) != {young}:
        pruned.append(prune(tenants[0]))
        settle_hashes(tenants[0])
    assert pruned == [0, 4, 0, 4, 0, 1]


@pytest.mark.parametrize("more", [0, 1, 25])
def test_entry_keeps_its_first_and_last_attempts(tenant: Tenant, more: int) -> None:
    long, short = tenant.store(2)
    kept = retention.FIRST_ATTEMPTS_KEPT + retention.LAST_ATTEMPTS_KEPT
    with tenant.database.begin() as session:
        for log_id, attempts in ((long, kept + more), (short, 3)):
            session.add_all(
                Attempt(log_id=log_id, started_at=STARTED_AT, duration_ms=place, outcome="pending")
                for place in range(attempts)
            )
            session.flush()
    tenant.change([long], attempts=kept + more)
    tenant.change([short], attempts=3)
    for expected in (more, 0):
        with tenant.database.begin() as session:
            assert retention.prune_attempts(session) == expected
    places = [each.duration_ms for each in tenant.attempts(long)]
    assert places[:20] == list(range(20))
    assert places[20:] == list(range(20 + more, kept + more))
    assert len(tenant.attempts(short)) == 3
    assert kept == MOST_ATTEMPTS
