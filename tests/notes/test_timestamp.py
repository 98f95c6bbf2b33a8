from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.activities.rendering import note_timestamp_ms
from shared.calls.content import CallContent

RECEIVED = datetime(2026, 11, 22, 10, 0, 30, tzinfo=UTC)
START = datetime(2026, 11, 22, 9, 57, tzinfo=UTC)
END = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ABSURD = [datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]


def milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def test_a_note_stands_where_the_call_began() -> None:
    call = CallContent(started_at=START, ended_at=END)
    assert note_timestamp_ms(call, RECEIVED) == milliseconds(START) == 1795341420000


@pytest.mark.parametrize("start", [None, *ABSURD])
def test_the_end_stands_in_for_a_start_that_is_unknown_or_absurd(start: datetime | None) -> None:
    call = CallContent(started_at=start, ended_at=END)
    assert note_timestamp_ms(call, RECEIVED) == milliseconds(END)


@pytest.mark.parametrize("time", [None, *ABSURD, RECEIVED + timedelta(days=2)])
def test_the_time_of_receipt_stands_in_for_both(time: datetime | None) -> None:
    call = CallContent(started_at=time, ended_at=time)
    assert note_timestamp_ms(call, RECEIVED) == milliseconds(RECEIVED)


def test_a_clock_that_is_a_little_ahead_is_believed() -> None:
    ahead = (RECEIVED + timedelta(minutes=5)).astimezone(timezone(timedelta(hours=9)))
    call = CallContent(started_at=ahead)
    assert note_timestamp_ms(call, RECEIVED) == milliseconds(ahead)
