"""Counts for the dashboard are what counting the log itself would give."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from shared.log.replays import requeue_calls
from shared.log.tallies import count_calls
from shared.models import SyncLog
from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from shared.queue.waiting import find_waiting_tenants, settle_without_connection
from tests.emptying import empty
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import Tenant, ago, skipped, written

STEPS = ("store", "write", "skip", "fail", "retry later", "replay", "settle", "poison")


@dataclass
class History:
    """A tenant's calls, changed step by step as the service would."""

    tenant: Tenant
    notes: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def take(self, step: str) -> None:
        if step == "store":
            self.tenant.store(2, created_at=ago(3600 * next(self.notes)))
        elif step == "replay":
            with self.tenant.database.begin() as session:
                ids = session.scalars(select(SyncLog.id)).all()
                requeue_calls(session, ids, **self.tenant.identity)
        elif step == "settle":
            with self.tenant.database.begin() as session:
                settle_without_connection(session, find_waiting_tenants(session))
        else:
            calls = self.tenant.claim(3)
            if step == "poison":
                self.tenant.change([call.id for call in calls], suspect_size=1, solo_crashes=2)
                self.tenant.lose(calls)
            else:
                self.tenant.record(*[self.outcome(step, call) for call in calls])

    def outcome(self, step: str, call: ClaimedCall) -> Outcome:
        if step == "write":
            return written(call, f"{self.tenant.user_id}-{next(self.notes)}")
        if step == "skip":
            return skipped(call, next_in=0)
        if step == "fail":
            return Outcome(call.id, call.fence, "error", error_code="x", error_message="x")
        return Outcome(call.id, call.fence, call.status, "x", "x", next_in=0)


_KEPT = text("""
    SELECT user_id, status, hour, calls::bigint FROM hubspot_sync_tallies
    WHERE calls <> 0 ORDER BY 1, 2, 3
""")
_COUNTED = text("""
    SELECT user_id, status, created_at - make_interval(
               secs => (extract(epoch FROM created_at) % 900)::float8), count(*)
    FROM hubspot_sync_logs WHERE status <> 'pending' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(STEPS)), max_size=20))
def test_tallies_equal_a_count_after_any_history(
    make_tenant: MakeTenant, steps: list[tuple[int, str]]
) -> None:
    histories = [History(make_tenant(f"user_{number}")) for number in range(2)]
    empty(histories[0].tenant.database)
    for history in histories:
        history.take("store")
    for number, step in steps:
        histories[number].take(step)
    with histories[0].tenant.database.begin() as session:
        assert session.execute(_KEPT).all() == session.execute(_COUNTED).all()


def test_counts_cover_one_workspace_and_the_last_day(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    tenant.store(3)
    first, second, _ = tenant.claim()
    tenant.record(written(first, "1"), skipped(second))
    (old,) = tenant.store(created_at=ago(2 * 86_400), next_attempt_at=ago(999))
    (call,) = tenant.claim()
    assert call.id == old
    tenant.record(written(call, "2"))
    other = make_tenant("user_2")
    other.store()
    other.record(written(other.claim()[0], "3"))

    with tenant.database.begin() as session:
        counts = count_calls(session, **tenant.identity)
        last_sync_at = session.scalar(
            select(func.max(SyncLog.updated_at)).where(SyncLog.status == "success")
        )
    assert (counts.pending, counts.success, counts.error, counts.skipped) == (1, 1, 0, 1)
    assert counts.last_sync_at is not None
    assert last_sync_at is not None
    assert counts.last_sync_at <= last_sync_at
