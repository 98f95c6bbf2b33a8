"""What the dashboard draws: which steps, where they begin, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.database.engines import Database
from tests.api.asking import Asker, read
from tests.api.rows import add_log

HOUR_MS = 3_600_000


def test_last_day_is_shown_by_hour_unless_asked_otherwise(database: Database, asker: Asker) -> None:
    add_log(database, asker, status="success")
    add_log(database, asker, status="error", minutes_ago=60)
    shown = asker.get("statistics")
    points = shown["points"]
    assert (shown["success"], shown["bucket"], len(points)) == (True, "hour", 24)
    assert [each["at"] for each in points] == list(range(shown["from"], shown["to"], HOUR_MS))
    assert 0 < shown["to"] - datetime.now(UTC).timestamp() * 1000 <= HOUR_MS
    assert sum(each["success"] for each in points) == 1
    assert points[-2]["error"] == 1
    assert points[0] == {
        "at": shown["from"],
        "pending": 0,
        "success": 0,
        "error": 0,
        "skipped": 0,
        "latency_p50_ms": None,
        "latency_p95_ms": None,
    }


def test_days_are_those_of_the_time_zone(asker: Asker) -> None:
    shown = asker.get(
        "statistics",
        bucket="day",
        time_zone="Europe/Berlin",
        **{"from": "2026-10-24T12:00:00Z", "to": "2026-10-26T12:00:00Z"},
    )
    begins = [datetime.fromtimestamp(each["at"] / 1000, UTC) for each in shown["points"]]
    assert [each.isoformat() for each in begins] == [
        "2026-10-23T22:00:00+00:00",
        "2026-10-24T22:00:00+00:00",
        "2026-10-25T23:00:00+00:00",
    ]


def test_thirty_days_are_shown_unless_asked_otherwise(asker: Asker) -> None:
    assert len(asker.get("statistics", bucket="day")["points"]) == 30


def test_period_without_length_has_no_points(asker: Asker) -> None:
    now = "2026-11-22T10:00:00Z"
    assert asker.get("statistics", **{"from": now, "to": now})["points"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"bucket": "week"}, "bucket"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}, "from"),
        ({"bucket": "day", "from": "0"}, "from"),
        ({"from": "9999-12-31T23:30:00Z", "to": "9999-12-31T23:59:00Z"}, "from"),
        ({"to": "0001-01-01T00:00:00Z"}, "from"),
        ({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "body"),
    ],
)
def test_wrong_periods_are_refused(asker: Asker, query: dict[str, Any], field: str) -> None:
    answer = asker.ask("GET", "statistics", query_string=query)
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == [field]


def test_answer_that_did_not_change_is_not_sent_again(database: Database, asker: Asker) -> None:
    query = {"from": (datetime.now(UTC) - timedelta(hours=2)).isoformat()}
    tag = asker.ask("GET", "statistics", query_string=query).headers["ETag"]

    def ask_again() -> int:
        headers = {**asker.headers, "If-None-Match": tag}
        path = "/api/hubspot/statistics"
        return asker.client.get(path, headers=headers, query_string=query).status_code

    assert ask_again() == 304
    add_log(database, asker)
    assert ask_again() == 200
