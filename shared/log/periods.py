"""Periods of time cut into hours or days, on the clock of any time zone. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

MOST_STEPS: Final = 400
HOUR: Final = timedelta(hours=1)
# Calls are tallied by it: no clock of today is off UTC by a fraction of it.
QUARTER: Final = timedelta(minutes=15)


class Step(StrEnum):
    """How a period is cut."""

    HOUR = "hour"
    DAY = "day"


LENGTHS: Final = {Step.HOUR: HOUR, Step.DAY: timedelta(days=1)}


def find_zone(name: str) -> ZoneInfo:
    """The zone of an IANA name such as Europe/Berlin; raises ValueError for an unknown one."""
    if name not in _zone_names():
        raise ValueError("must be a time zone such as UTC or Europe/Berlin")
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def cut_period(since: datetime, until: datetime, step: Step, zone: ZoneInfo) -> list[datetime]:
    """Where the steps of a period begin, and as the last where it ends: whole quarters of UTC.

    The first step contains `since`, the last ends at or after `until`. An hour begins when the
    minute hand of the place is at the top, or when its clock is changed; a day is from midnight to
    midnight there. Before some hundred years ago, when clocks were off UTC by odd minutes, both
    begin with the next quarter of UTC.

    Raises:
        ValueError: These are more than `MOST_STEPS`.
        OverflowError: They reach beyond the calendar.
    """
    problem = ValueError(f"must not span more than {MOST_STEPS} {step}s")
    if (until - since) / LENGTHS[step] > MOST_STEPS:
        raise problem
    begins = _hours(since, zone) if step == Step.HOUR else _days(since, zone)
    edges = [next(begins)]
    while edges[-1] < until:
        edges.append(next(begins))
    if len(edges) > MOST_STEPS + 1:
        raise problem
    return edges


def _hours(since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    quarter = _round_up(since.astimezone(UTC))
    if quarter > since:
        quarter -= QUARTER
    while not _begins_hour(quarter, zone):
        quarter -= QUARTER
    while True:
        if _begins_hour(quarter, zone):
            yield quarter
        quarter += QUARTER


def _begins_hour(quarter: datetime, zone: ZoneInfo) -> bool:
    shift = _shift(quarter, zone)
    past = (timedelta(minutes=quarter.minute) + shift) % HOUR
    return not past or shift != _shift(quarter - QUARTER, zone)


def _shift(moment: datetime, zone: ZoneInfo) -> timedelta:
    """By how much the zone's clock differs from UTC, in whole quarters."""
    offset = moment.astimezone(zone).utcoffset() or timedelta(0)
    return round(offset / QUARTER) * QUARTER


def _days(since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    day = since.astimezone(zone).date()
    begins_at = _midnight(day, zone)
    if begins_at > since:  # rounded up
        day -= timedelta(days=1)
        begins_at = _midnight(day, zone)
    yield begins_at
    while True:
        day += timedelta(days=1)
        # A zone that moved across the date line has left a day out.
        if (next_begins_at := _midnight(day, zone)) > begins_at:
            begins_at = next_begins_at
            yield begins_at


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return _round_up(datetime.combine(day, time(), zone).astimezone(UTC))


def _round_up(moment: datetime) -> datetime:
    """The next whole quarter of an hour of UTC, or the same moment."""
    past = timedelta(minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
    return moment + -past % QUARTER
