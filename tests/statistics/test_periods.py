"""Periods are cut into whole hours, and into days as they are on the clock of a place."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.periods import HOUR, MOST_STEPS, Step, cut_period, find_zone

UTC_ZONE = find_zone("UTC")
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"]
)


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
        ("Asia/Kolkata", "2026-10-23T19:00", [24, 24, 24]),  # midnight is 18:30 in UTC
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


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(hours=MOST_STEPS - 1)), ZONES)
def test_edges_enclose_the_period_without_gap_or_excess(
    since: datetime, length: timedelta, zone_name: str
) -> None:
    zone = find_zone(zone_name)
    until = since + length
    for step in Step:
        edges = cut_period(since, until, step, zone)
        assert edges == sorted(set(edges))
        assert all(edge == edge.replace(minute=0, second=0, microsecond=0) for edge in edges)
        assert edges[0] - since < HOUR  # where midnight is not at a full hour
        assert edges[-1] >= until
        assert len(edges) <= 2 or edges[-2] < until


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
