"""Figures over time are what reading the log itself would give."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, text, update

from shared.log.periods import HOUR, Step, cut_period, find_zone
from shared.log.statistics import BINS_PER_DOUBLING, MOST_PENDING, Point, read_statistics
from shared.log.tallies import ROLL_UP_AFTER_DAYS, roll_up_tallies
from shared.models import Base, DailyTally, Latency, SyncLog, Tally
from shared.privacy.erasure import erase_calls
from tests.emptying import empty
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


PLACES = ("UTC", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "Australia/Lord_Howe")
STATUSES = ("success", "error", "skipped")
# Around the day on which tallies are rolled up.
NOW = datetime.now(UTC)
CAME_IN = st.integers(0, 3 * ROLL_UP_AFTER_DAYS * 24 * 60).map(
    lambda minutes: NOW - timedelta(minutes=minutes)
)
_FINAL: dict[str, dict[str, Any]] = {
    "success": {"contact_id": "7", "hub_id": 1, "error_code": None, "error_message": None},
    "error": {"error_code": "x", "error_message": "x"},
    "skipped": {"error_code": "x", "error_message": "x"},
}


def end(tenant: Tenant, ended: Sequence[tuple[datetime, str]]) -> None:
    """Store calls that came in then, and end them so: all at once, as the trigger sees them."""
    rows = [
        {**tenant.identity, "id": f"hs_{number}", "call_id": str(number), "created_at": came_in_at}
        for number, (came_in_at, _) in enumerate(ended)
    ]
    empty(tenant.database)
    with tenant.database.begin() as session:
        if rows:
            session.execute(insert(SyncLog), rows)
        for status, columns in _FINAL.items():
            ids = [f"hs_{number}" for number, each in enumerate(ended) if each[1] == status]
            note: dict[str, Any] = {"engagement_id": SyncLog.id} if status == "success" else {}
            session.execute(
                update(SyncLog)
                .where(SyncLog.id.in_(ids))
                .values(
                    status=status,
                    next_attempt_at=None,
                    updated_at=SyncLog.created_at + timedelta(seconds=60),
                    **columns,
                    **note,
                )
            )


def roll_up(tenant: Tenant) -> int:
    with tenant.database.begin() as session:
        return roll_up_tallies(session)


def label_of(moment: datetime, zone: ZoneInfo, step: Step) -> object:
    """What a clock of the place shows of a moment's day or hour."""
    shown = moment.astimezone(zone)
    return shown.date() if step == Step.DAY else (shown.date(), shown.hour, shown.utcoffset())


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.floats(100, 7 * 86_400_000), min_size=1, max_size=50))
def test_percentiles_are_at_most_ten_percent_off(tenant: Tenant, latencies: list[float]) -> None:
    bins = Counter(math.floor(BINS_PER_DOUBLING * math.log2(each)) for each in latencies)
    with tenant.database.begin() as session:
        session.execute(delete(Latency))
        session.add_all(
            Latency(**tenant.identity, quarter=THIS_HOUR, bin=number, calls=calls)
            for number, calls in bins.items()
        )
    _, _, point = read(tenant)
    ordered = sorted(latencies)
    for share, told in ((0.5, point.latency_p50_ms), (0.95, point.latency_p95_ms)):
        true = ordered[math.ceil(share * len(ordered)) - 1]
        assert told == pytest.approx(true, rel=0.1)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(CAME_IN, st.sampled_from(STATUSES)), max_size=12),
    st.sampled_from(PLACES),
    st.sampled_from(Step),
    st.booleans(),
)
def test_figures_are_what_a_clock_of_the_place_gives_for_each_call(
    tenant: Tenant,
    ended: list[tuple[datetime, str]],
    place: str,
    step: Step,
    is_rolled_up: bool,
) -> None:
    end(tenant, ended)
    if is_rolled_up:
        roll_up(tenant)
    zone = find_zone(place)
    counted = Counter((label_of(at, zone, step), status) for at, status in ended)
    for came_in_at, _ in [*ended, (NOW, "")]:
        edges = cut_period(came_in_at - 3 * HOUR, came_in_at + 3 * HOUR, step, zone)
        for point in read(tenant, edges):
            label = label_of(point.at, zone, step)
            assert counts(point)[1:] == tuple(counted[label, status] for status in STATUSES)
            has_latency = counted[label, "success"] > 0
            assert (point.latency_p50_ms is not None) == has_latency
            if has_latency:
                assert point.latency_p50_ms == pytest.approx(60_000, rel=0.1)


def test_calls_after_midnight_of_a_half_hour_zone_are_of_the_new_day(tenant: Tenant) -> None:
    zone = find_zone("Asia/Kolkata")
    midnight = (NOW.astimezone(zone) - timedelta(days=2)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    end(tenant, [(midnight - timedelta(seconds=1), "error"), (midnight, "success")])
    before, after = read(tenant, cut_period(midnight - HOUR, midnight + HOUR, Step.DAY, zone))
    assert (counts(before), counts(after)) == ((0, 0, 1, 0), (0, 1, 0, 0))


def count_rows(tenant: Tenant, table: type[Base]) -> int:
    with tenant.database.begin() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def test_old_days_take_one_row_a_kind_and_what_changes_later_is_added(tenant: Tenant) -> None:
    day = (NOW - timedelta(days=ROLL_UP_AFTER_DAYS + 2)).replace(hour=0, minute=0, second=0)
    end(tenant, [(day + number * HOUR, "error") for number in range(20)] + [(NOW, "error")])
    assert roll_up(tenant) == 20
    assert roll_up(tenant) == 0
    assert count_rows(tenant, DailyTally) == 1
    assert count_rows(tenant, Tally) == 1
    # A person had one of them tried again.
    tenant.change(["hs_3"], status="skipped")
    hours = cut_period(day, day + 20 * HOUR, Step.HOUR, find_zone("UTC"))
    expected = [(0, 0, 1, 0)] * 20
    expected[3] = (0, 0, 0, 1)
    for _ in range(2):
        assert [counts(each) for each in read(tenant, hours)][:20] == expected
        roll_up(tenant)
    assert count_rows(tenant, Tally) == 1


def test_tallies_of_many_tenants_are_rolled_up_a_batch_at_a_time(
    make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.log.tallies.MOST_AT_ONCE", 7)
    tenant = make_tenant("user_0")
    with tenant.database.begin() as session:
        session.execute(
            text("""
                INSERT INTO hubspot_sync_tallies (user_id, workspace_id, hour, status, calls)
                SELECT 'user_' || u, :workspace_id,
                       date_trunc('day', now(), 'UTC') - make_interval(days => :days)
                           - q * interval '15 minutes',
                       'error', q
                FROM generate_series(0, 4) u, generate_series(1, 5) q
            """).bindparams(
                bindparam("workspace_id", "ws_1"), bindparam("days", ROLL_UP_AFTER_DAYS + 1)
            )
        )
    moved: list[int] = []
    while not moved or moved[-1] == 7:
        moved.append(roll_up(tenant))
    assert moved == [7, 7, 7, 4]
    until = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
        days=ROLL_UP_AFTER_DAYS + 1
    )
    for number in range(5):
        other = Tenant(tenant.database, f"user_{number}")
        (point,) = read(other, [until - 2 * HOUR, until])
        assert counts(point) == (0, 0, 15, 0)
