"""The queue of updates: whoever works on one beside others, late, or in doubt, loses no fact."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, Final
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from shared.activities import news as merging
from shared.activities.news import apply_news
from shared.calls.contents import read_stored
from shared.calls.merging import fingerprint
from shared.models import Activity, ActivityUpdate, Call
from shared.queue.updates import (
    DOUBT_S,
    UPDATE_SETTLE_S,
    ClaimedUpdate,
    UpdateOutcome,
    claim_due_updates,
    end_hopeless_updates,
    find_connections_with_updates,
    mark_updates,
    record_updates,
    release_updates,
    return_expired_updates,
)
from tests.local.waiting import GUARD_SECONDS
from tests.queue.tenants import HUB, STARTED_AT, Tenant, ago
from tests.queue.test_news import apply, call_of, delivery, first, more, say, update_of, write

A_FOOTPRINT: Final[dict[str, Any]] = {"bodies": ["one"]}


def claim(tenant: Tenant, claim_id: str = "round_1", *, most: int = 100) -> list[ClaimedUpdate]:
    with tenant.database.begin() as session:
        return claim_due_updates(
            session, **tenant.identity, hub_id=HUB, claim_id=claim_id, most=most
        )


def mark(
    tenant: Tenant, updates: Collection[ClaimedUpdate], footprint: dict[str, Any] | None = None
) -> frozenset[str]:
    connection = tenant.connection()
    with tenant.database.begin() as session:
        return mark_updates(
            session,
            dict.fromkeys(updates, footprint),
            connection_id=connection.id,
            generation=connection.generation,
            hub_id=HUB,
        )


def done(tenant: Tenant, claimed: ClaimedUpdate) -> UpdateOutcome:
    """It was sent from all that is known now."""
    with tenant.database.begin() as session:
        call = read_stored(session, [claimed.id])[claimed.id].fold()
    return UpdateOutcome(
        id=claimed.id,
        claim_id=claimed.claim_id,
        news=claimed.news,
        state="done",
        is_sent=True,
        footprint=A_FOOTPRINT,
        revision=call.revision,
        content_hash=fingerprint(call.content).hex(),
    )


def record(tenant: Tenant, *outcomes: UpdateOutcome) -> frozenset[str]:
    with tenant.database.begin() as session:
        return record_updates(session, outcomes, started_at=STARTED_AT)


def change(tenant: Tenant, **columns: Any) -> None:
    with tenant.database.begin() as session:
        session.execute(update(ActivityUpdate).values(**columns))


def make_due(tenant: Tenant) -> None:
    with tenant.database.begin() as session:
        waiting = update(ActivityUpdate).where(ActivityUpdate.due_at.is_not(None))
        session.execute(waiting.values(due_at=ago(1)))


def due_in(tenant: Tenant) -> float:
    with tenant.database.begin() as session:
        query = select(func.extract("epoch", ActivityUpdate.due_at - func.now()))
        return float(session.scalars(query).one())


@pytest.fixture
def log_id(tenant: Tenant) -> str:
    """A call that was written, and of which more is known now: its update is due."""
    tenant.connect()
    log_id = first(tenant)
    write(tenant, log_id)
    more(tenant, outcome="won")
    apply(tenant)
    make_due(tenant)
    return log_id


def test_worker_that_was_frozen_has_no_say_in_a_later_update_of_the_same_call(
    tenant: Tenant, log_id: str
) -> None:
    (frozen,) = claim(tenant, "frozen")
    late = done(tenant, frozen)
    change(tenant, claimed_until=ago(1))
    with tenant.database.begin() as session:
        assert return_expired_updates(session) == 1
    make_due(tenant)
    (successor,) = claim(tenant, "successor")
    assert record(tenant, done(tenant, successor)) == {log_id}
    assert update_of(tenant, log_id) is None
    more(tenant, summary="three")
    apply(tenant)
    make_due(tenant)
    (next_one,) = claim(tenant, "next")
    assert mark(tenant, [frozen]) == frozenset()
    assert record(tenant, late) == frozenset()
    with tenant.database.begin() as session:
        release_updates(session, [frozen])
    assert mark(tenant, [next_one]) == {log_id}
    assert record(tenant, done(tenant, next_one)) == {log_id}


def test_call_that_is_again_as_it_was_written_is_written_after_an_update_under_way(
    tenant: Tenant, log_id: str
) -> None:
    (claimed,) = claim(tenant)
    under_way = done(tenant, claimed)
    more(tenant, withdrawn=("outcome",))  # which is the state that was written first
    apply(tenant)
    with tenant.database.begin() as session:
        written = session.get_one(Activity, log_id).content_hash
        assert fingerprint(call_of(tenant, log_id).payload) == written
    record(tenant, under_way)
    wanted = update_of(tenant, log_id)
    assert wanted is not None
    assert wanted.state == "waiting"


def test_update_in_doubt_that_was_given_up_is_not_sent_again_before_the_doubt_ends(
    tenant: Tenant, log_id: str
) -> None:
    change(tenant, state="failed", due_at=None, error="why", last_write_at=func.now())
    more(tenant, summary="three")
    apply(tenant)
    assert due_in(tenant) > DOUBT_S - 10
    found = update_of(tenant, log_id)
    assert found is not None
    assert found.solo_crashes == 0


@pytest.mark.usefixtures("log_id")
def test_withdrawal_waits_for_no_spacing(tenant: Tenant) -> None:
    with tenant.database.begin() as session:
        session.execute(update(Activity).values(updates=3, updated_at=func.now()))
    change(tenant, due_at=ago(-600))
    more(tenant, withdrawn=("summary",))
    apply(tenant)
    assert due_in(tenant) <= UPDATE_SETTLE_S
    with tenant.database.begin() as session:
        session.execute(text("DELETE FROM activity_updates"))
    more(tenant, withdrawn=("recording_url", "outcome"))
    apply(tenant)
    assert due_in(tenant) <= UPDATE_SETTLE_S


@pytest.mark.usefixtures("log_id")
def test_withdrawal_waits_for_the_end_of_a_doubt(tenant: Tenant) -> None:
    change(tenant, due_at=ago(-DOUBT_S), last_write_at=func.now())
    more(tenant, withdrawn=("summary",))
    apply(tenant)
    assert due_in(tenant) > DOUBT_S - 10


def test_what_may_be_in_hubspot_is_remembered_with_the_mark_if_anything_is(
    tenant: Tenant, log_id: str
) -> None:
    (claimed,) = claim(tenant)
    assert mark(tenant, [claimed], {"bodies": ["two"]}) == {log_id}
    with tenant.database.begin() as session:
        assert session.get_one(Activity, log_id).footprint is None
        session.execute(update(Activity).values(footprint=A_FOOTPRINT))
    assert mark(tenant, [claimed], {"bodies": ["two"]}) == {log_id}
    change(tenant, claimed_until=ago(1))
    assert mark(tenant, [claimed], {"bodies": ["three"]}) == frozenset()
    with tenant.database.begin() as session:
        assert session.get_one(Activity, log_id).footprint == {"bodies": ["two"]}


def test_large_news_is_merged_call_by_call(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [first(tenant, call_id=f"call_{number}") for number in range(3)]
    for number in range(3):
        more(tenant, call_id=f"call_{number}", summary="x" * 5_000)
    monkeypatch.setattr(merging, "MAX_STATEMENT_BYTES", 6_000)
    assert [apply(tenant).calls for _ in range(4)] == [1, 1, 1, 0]
    assert {len(call_of(tenant, log_id).payload["summary"]) for log_id in ids} == {5_000}


def test_claims_know_how_large_the_news_is(tenant: Tenant, log_id: str) -> None:
    first(tenant, call_id="call_2")
    for call_id in ("call_1", "call_2"):
        more(tenant, call_id=call_id, summary="x" * 5_000)
    (claimed,) = claim(tenant)
    assert claimed.id == log_id
    assert claimed.payload_bytes > 5_000
    (call,) = tenant.claim()
    assert call.payload_bytes > 5_000


def fill(tenant: Tenant, count: int) -> None:
    """Updates of a tenant that are due, without calls."""
    with tenant.database.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("""
                INSERT INTO activity_updates
                    (log_id, user_id, workspace_id, hub_id, due_at, first_news_at)
                SELECT :user_id || '_' || n, :user_id, :workspace_id, :hub_id,
                       now() - interval '1 second' * n, now()
                FROM generate_series(1, :count) AS n
            """),
            {**tenant.identity, "hub_id": HUB, "count": count},
        )


_READ: Final = text("""
    SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
    FROM pg_stat_xact_user_tables WHERE relname = 'activity_updates'
""")


def read_rows(tenant: Tenant, do: Callable[[Session], object]) -> int:
    """How many rows of the updates a function reads."""
    with tenant.database.begin() as session:
        do(session)
        return int(session.execute(_READ).scalar_one())


def test_sweep_and_claims_read_few_updates_however_many_wait(tenant: Tenant) -> None:
    tenant.connect()
    fill(tenant, 20_000)
    with tenant.database.begin() as session:
        session.execute(text("ANALYZE activity_updates"))
    assert read_rows(tenant, find_connections_with_updates) < 100
    assert read_rows(tenant, end_hopeless_updates) < 100

    def claim_some(session: Session) -> None:
        claim_due_updates(session, **tenant.identity, hub_id=HUB, claim_id="c", most=100)

    assert read_rows(tenant, claim_some) < 1_000


def test_updates_of_another_account_end_beside_those_of_this_one(
    tenant: Tenant, log_id: str
) -> None:
    change(tenant, hub_id=HUB + 1, due_at=ago(1))
    with tenant.database.begin() as session:
        session.execute(
            insert(ActivityUpdate).values(
                **tenant.identity, log_id=tenant.store()[0], hub_id=HUB, due_at=ago(1)
            )
        )
    with tenant.database.begin() as session:
        assert end_hopeless_updates(session) == 1
        assert find_connections_with_updates(session) == [tenant.connection().id]
    found = update_of(tenant, log_id)
    assert found is not None
    assert "another HubSpot account" in (found.error or "")


def update_some(tenant: Tenant) -> int:
    """What a round does with up to four updates; returns how many it found."""
    make_due(tenant)
    claimed = claim(tenant, uuid4().hex, most=4)
    marked = mark(tenant, claimed, A_FOOTPRINT)
    record(tenant, *(done(tenant, each) for each in claimed if each.id in marked))
    return len(claimed)


def test_everybody_at_once_neither_locks_up_nor_leaves_an_activity_behind(tenant: Tenant) -> None:
    """Intake, merging and several workers that update the same calls."""
    tenant.connect()
    names = [f"call_{number}" for number in range(6)]
    for name in names:
        write(tenant, first(tenant, call_id=name), f"note_{name}")
    barrier = Barrier(6)

    def deliver(worker: int) -> None:
        barrier.wait()
        for turn in range(8):
            order = names[:: 1 if (worker + turn) % 2 else -1]
            said = {"summary": f"{worker} {turn % 2}", "structured_data": {f"k{worker}": turn}}
            say(tenant, *(delivery(tenant, call_id=each, **said) for each in order))

    def merge() -> None:
        barrier.wait()
        for _ in range(20):
            with tenant.database.begin() as session:
                apply_news(session, **tenant.identity, most=100)

    def work() -> None:
        barrier.wait()
        for _ in range(8):  # fewer than an activity may have
            update_some(tenant)

    runs = [lambda: deliver(0), lambda: deliver(1), merge, merge, work, work]
    with ThreadPoolExecutor(len(runs)) as pool:
        for future in [pool.submit(run) for run in runs]:
            future.result(timeout=GUARD_SECONDS)
    while apply(tenant).calls or update_some(tenant):
        pass
    with tenant.database.begin() as session:
        written = dict(session.execute(select(Activity.log_id, Activity.content_hash)).all())
        known = {
            each.log_id: fingerprint(each.payload) for each in session.scalars(select(Call)).all()
        }
    assert written == known
