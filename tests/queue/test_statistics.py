"""Figures over time are what reading the log itself would give."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import ColumnElement, text

from shared.erasure import erase_calls
from shared.periods import HOUR
from shared.statistics import MOST_PENDING, Point, read_statistics
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import Tenant, ago, skipped, written

THIS_HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
EDGES = [THIS_HOUR - 2 * HOUR, THIS_HOUR - HOUR, THIS_HOUR, THIS_HOUR + 24 * HOUR]


def read(tenant: Tenant, edges: Sequence[datetime] = EDGES) -> list[Point]:
    with tenant.database.begin() as session:
        return read_statistics(session, **tenant.identity, edges=edges)


def counts(point: Point) -> tuple[int, int, int, int]:
    return (point.pending, point.success, point.error, point.skipped)


def store(
    tenant: Tenant, came_in_at: datetime | ColumnElement[datetime], calls: int = 1
) -> list[str]:
    return tenant.store(calls, created_at=came_in_at)


def test_calls_are_counted_in_the_hour_in_which_they_came_in(tenant: Tenant) -> None:
    store(tenant, THIS_HOUR - timedelta(minutes=90), 3)
    first, second, _ = tenant.claim()
    tenant.record(written(first), skipped(second))
    store(tenant, THIS_HOUR)
    store(tenant, EDGES[0] - timedelta(seconds=1))
    earlier, before, now = read(tenant)
    assert [each.at for each in (earlier, before, now)] == EDGES[:-1]
    assert counts(earlier) == (1, 1, 0, 1)
    assert counts(before) == (0, 0, 0, 0)
    assert counts(now) == (1, 0, 0, 0)
    assert (before.latency_p50_ms, before.latency_p95_ms) == (None, None)


def test_longer_steps_are_sums_of_hours(tenant: Tenant) -> None:
    store(tenant, THIS_HOUR - timedelta(minutes=90))
    store(tenant, THIS_HOUR - timedelta(minutes=30))
    tenant.record(*[written(call, str(number)) for number, call in enumerate(tenant.claim())])
    (point,) = read(tenant, [EDGES[0], EDGES[-1]])
    assert counts(point) == (0, 2, 0, 0)


def test_latency_is_from_the_webhook_to_the_note(tenant: Tenant) -> None:
    for seconds in (60, 60, 60, 600):
        store(tenant, ago(seconds))
    tenant.record(*[written(call, str(number)) for number, call in enumerate(tenant.claim())])
    (point,) = read(tenant, [EDGES[0], EDGES[-1]])
    # The test itself takes a moment.
    assert point.latency_p50_ms == pytest.approx(60_000, rel=0.2)
    assert point.latency_p95_ms == pytest.approx(600_000, rel=0.2)


def test_late_note_of_a_skipped_call_moves_it(tenant: Tenant) -> None:
    store(tenant, ago(60))
    (call,) = tenant.claim()
    tenant.record(skipped(call, next_in=0))
    assert counts(read(tenant, [EDGES[0], EDGES[-1]])[0]) == (0, 0, 0, 1)
    (again,) = tenant.claim()
    tenant.record(written(again))
    (point,) = read(tenant, [EDGES[0], EDGES[-1]])
    assert counts(point) == (0, 1, 0, 0)
    assert point.latency_p50_ms == pytest.approx(60_000, rel=0.2)


def test_erasing_a_person_changes_no_figure(tenant: Tenant) -> None:
    (log_id,) = store(tenant, ago(60))
    tenant.record(written(tenant.claim()[0]))
    before = read(tenant)
    with tenant.database.begin() as session:
        erase_calls(session, [log_id])
    assert read(tenant) == before


def test_figures_are_of_one_workspace(tenant: Tenant, make_tenant: MakeTenant) -> None:
    other = make_tenant("user_2")
    store(other, THIS_HOUR, 2)
    other.record(written(other.claim()[0]))
    assert [counts(each) for each in read(tenant)] == [(0, 0, 0, 0)] * 3


def test_backlog_is_counted_up_to_a_bound(tenant: Tenant) -> None:
    with tenant.database.begin() as session:
        session.execute(
            text("""
                INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, created_at)
                SELECT 'hs_' || n, :user_id, :workspace_id, n::text, :came_in_at
                FROM generate_series(1, :count) AS n
            """),
            {**tenant.identity, "came_in_at": THIS_HOUR, "count": MOST_PENDING + 1},
        )
    assert read(tenant)[-1].pending == MOST_PENDING


def test_no_step_is_no_point(tenant: Tenant) -> None:
    assert read(tenant, [THIS_HOUR]) == []
