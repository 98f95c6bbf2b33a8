"""Periods of time cut into hours or days, on the clock of any time zone. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

MOST_STEPS: Final = 400
HOUR: Final = timedelta(hours=1)


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
    """Where the steps of a period begin, and as the last where it ends: whole hours of UTC.

    The first step contains `since`, the last ends at or after `until`. A day is from midnight to
    midnight in the zone; where midnight is not at a full hour of UTC, from the next full hour.

    Raises:
        ValueError: These are more than `MOST_STEPS`.
        OverflowError: They reach beyond the calendar.
    """
    problem = ValueError(f"must not span more than {MOST_STEPS} {step}s")
    if (until - since) / LENGTHS[step] > MOST_STEPS:
        raise problem
    begins = _hours(since) if step == Step.HOUR else _days(since, zone)
    edges = [next(begins)]
    while edges[-1] < until:
        edges.append(next(begins))
    if len(edges) > MOST_STEPS + 1:
        raise problem
    return edges


def _hours(since: datetime) -> Iterator[datetime]:
    begins_at = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while True:
        yield begins_at
        begins_at += HOUR


def _days(since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    day = since.astimezone(zone).date()
    begins_at = _midnight(day, zone)
    yield begins_at
    while True:
        day += timedelta(days=1)
        # A zone that moved across the date line has left a day out.
        if (next_begins_at := _midnight(day, zone)) > begins_at:
            begins_at = next_begins_at
            yield begins_at


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    midnight = datetime.combine(day, time(), zone).astimezone(UTC)
    return midnight + (-timedelta(minutes=midnight.minute, seconds=midnight.second) % HOUR)
