"""Periods are cut into the hours and days that a clock of the place shows."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.log.periods import HOUR, MOST_STEPS, QUARTER, Step, cut_period, find_zone

UTC_ZONE = find_zone("UTC")
MINUTE = timedelta(minutes=1)
NOTHING = timedelta(0)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
# Off UTC by 5:30, 5:45, 12:45 with an hour of summer time, and 10:30 with half an hour of it.
UNEVEN = ("Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "Australia/Lord_Howe")
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"}))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_hours_are_widened_to_whole_ones() -> None:
    edges = cut_period(at("2026-11-22T09:59"), at("2026-11-22T11:01"), Step.HOUR, UTC_ZONE)
    assert edges == [at(f"2026-11-22T{hour:02}:00") for hour in (9, 10, 11, 12)]


def test_period_that_ends_on_an_edge_has_no_step_beyond_it() -> None:
    edges = cut_period(at("2026-11-22T09:00"), at("2026-11-22T10:00"), Step.HOUR, UTC_ZONE)
    assert edges == [at("2026-11-22T09:00"), at("2026-11-22T10:00")]


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        ("Europe/Berlin", "2026-10-23T22:00", [24, 25, 24]),  # the clock goes back
        ("America/New_York", "2026-10-24T04:00", [24, 24, 24]),
        ("Asia/Kolkata", "2026-10-23T18:30", [24, 24, 24]),
        ("Asia/Kathmandu", "2026-10-23T18:15", [24, 24, 24]),
        ("America/St_Johns", "2026-10-24T02:30", [24, 24, 24]),
    ],
)
def test_days_are_those_of_the_place(zone: str, first: str, hours: list[int]) -> None:
    since = at("2026-10-24T12:00")
    edges = cut_period(since, since + timedelta(days=2), Step.DAY, find_zone(zone))
    assert edges[0] == at(first)
    lengths = [(end - begin) / HOUR for begin, end in pairwise(edges)]
    assert lengths == hours


def test_day_that_a_place_left_out_is_left_out() -> None:
    # Samoa went from 29 to 31 December 2011.
    edges = cut_period(
        at("2011-12-29T12:00"), at("2011-12-31T12:00"), Step.DAY, find_zone("Pacific/Apia")
    )
    assert edges == sorted(set(edges))


@settings(deadline=None)
@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(hours=MOST_STEPS - 1)), ZONES)
def test_edges_enclose_the_period_without_gap_or_excess(
    since: datetime, length: timedelta, zone_name: str
) -> None:
    zone = find_zone(zone_name)
    until = since + length
    for step in Step:
        edges = cut_period(since, until, step, zone)
        assert edges == sorted(set(edges))
        assert all((edge - EPOCH) % QUARTER == NOTHING for edge in edges)
        assert edges[0] <= since
        assert edges[-1] >= until
        assert len(edges) <= 2 or edges[-2] < until


def label_of(moment: datetime, zone: ZoneInfo, step: Step) -> object:
    """What a clock of the place shows of the step: its date, or date, hour and side of a change."""
    shown = moment.astimezone(zone)
    return shown.date() if step == Step.DAY else (shown.date(), shown.hour, shown.utcoffset())


@settings(deadline=None)
@given(MOMENTS, st.integers(1, 96), st.sampled_from(UNEVEN) | ZONES, st.sampled_from(Step))
def test_steps_are_the_runs_of_minutes_of_which_the_clock_shows_the_same(
    since: datetime, quarters: int, zone_name: str, step: Step
) -> None:
    zone, until = find_zone(zone_name), since + quarters * QUARTER
    edges = cut_period(since, until, step, zone)
    for begin, end in pairwise(edges):
        minutes = range(round((end - begin) / MINUTE))
        labels = {label_of(begin + minute * MINUTE, zone, step) for minute in minutes}
        assert len(labels) == 1, (begin, end)
    labels_of_steps = [label_of(edge, zone, step) for edge in edges]
    assert len(set(labels_of_steps)) == len(labels_of_steps)
    before = label_of(edges[0] - MINUTE, zone, step)
    assert before != labels_of_steps[0]


@pytest.mark.parametrize(
    ("zone", "since", "lengths"),
    [
        ("Asia/Kolkata", "2026-11-22T10:00", [60, 60, 60]),
        ("Australia/Lord_Howe", "2026-04-04T14:00", [60, 30, 60]),  # 02:00 is 01:30 again
        ("Australia/Lord_Howe", "2026-10-03T14:30", [60, 30, 60]),  # 02:00 is 02:30 at once
        ("Pacific/Chatham", "2026-04-04T13:15", [45, 15, 60]),  # 03:45 is 02:45 again
        ("Europe/Berlin", "2026-10-25T00:00", [60, 60, 60]),  # two o'clock comes twice
    ],
)
def test_hours_are_those_of_the_place(zone: str, since: str, lengths: list[int]) -> None:
    begin = at(since)
    edges = cut_period(begin, begin + timedelta(hours=2.25), Step.HOUR, find_zone(zone))
    assert [(end - each) / MINUTE for each, end in pairwise(edges)][: len(lengths)] == lengths


@pytest.mark.parametrize(
    ("zone", "since", "hours"),
    [
        ("Australia/Lord_Howe", "2026-04-04T13:00", 24.5),
        ("Australia/Lord_Howe", "2026-10-03T16:00", 23.5),
        ("Pacific/Chatham", "2026-04-04T12:00", 25),
        ("Pacific/Chatham", "2026-09-26T12:00", 23),
        ("Africa/Cairo", "2026-04-24T12:00", 23),  # has no midnight
        ("America/Havana", "2026-11-01T12:00", 25),  # has midnight twice
    ],
)
def test_day_of_a_change_is_as_long_as_it_is(zone: str, since: str, hours: float) -> None:
    begin, end = cut_period(at(since), at(since) + MINUTE, Step.DAY, find_zone(zone))
    assert (end - begin) / HOUR == hours


def test_too_many_steps_are_refused() -> None:
    since = at("2026-01-01T00:00")
    assert len(cut_period(since, since + MOST_STEPS * HOUR, Step.HOUR, UTC_ZONE)) == MOST_STEPS + 1
    for step in Step:
        with pytest.raises(ValueError, match=f"more than {MOST_STEPS} {step}s"):
            cut_period(since, since + timedelta(days=MOST_STEPS + 1), step, UTC_ZONE)
    off = since + timedelta(minutes=30)
    with pytest.raises(ValueError, match="more than"):
        cut_period(off, off + MOST_STEPS * HOUR, Step.HOUR, UTC_ZONE)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/UTC", "America", "a\0b"])
def test_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be a time zone such as"):
        find_zone(name)
