"""How calls ended over time, and how long they took: read from tallies, not from the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

MOST_PENDING: Final = 10_000
BINS_PER_DOUBLING: Final = 4


@dataclass(frozen=True, slots=True)
class Point:
    """The calls that came in from `at` to the next point; `pending` ones at most `MOST_PENDING`.

    Latencies are those of the calls that became notes, from the webhook to the note, at most 10 %
    off; None when there is none.
    """

    at: datetime
    pending: int
    success: int
    error: int
    skipped: int
    latency_p50_ms: int | None
    latency_p95_ms: int | None


# What is old lies in one row a day (`shared.log.tallies`); in one statement, or what is being moved
# there meanwhile would be counted twice or not at all.
_TALLIED = """
    SELECT width_bucket(quarter, CAST(:edges AS timestamptz[])) - 1 AS step, {kind},
           {total} AS total
    FROM (
        SELECT hour AS quarter, {kind}, calls FROM {table}
        WHERE user_id = :user_id AND workspace_id = :workspace_id
          AND hour >= :since AND hour < :until
        UNION ALL
        SELECT (day + each.quarter * interval '15 minutes') AT TIME ZONE 'UTC', {kind}, each.calls
        FROM {days}, unnest(quarters, calls) AS each (quarter, calls)
        WHERE user_id = :user_id AND workspace_id = :workspace_id
          AND day >= CAST(:since AT TIME ZONE 'UTC' AS date)
          AND day <= CAST(:until AT TIME ZONE 'UTC' AS date)
    ) AS tallied
    WHERE quarter >= :since AND quarter < :until
    GROUP BY 1, 2
    HAVING {total} > 0
"""
_ENDED = text(
    _TALLIED.format(
        kind="status",
        total="sum(calls)::bigint",
        table="hubspot_sync_tallies",
        days="hubspot_daily_tallies",
    )
)

# Counted up from the fastest, the bins in which half of a step's calls, and 95 %, are reached: to
# read all bins would take longer than to count them. Floats are exact up to 2^53.
_COUNTED_UP: Final = """
    SELECT step, min(bin) FILTER (WHERE up_to >= 0.5 * every) AS p50,
           min(bin) FILTER (WHERE up_to >= 0.95 * every) AS p95
    FROM (
        SELECT step, bin, sum(total) OVER (PARTITION BY step ORDER BY bin) AS up_to,
               sum(total) OVER (PARTITION BY step) AS every
        FROM ({bins}) AS bins) AS counted_up
    GROUP BY step
"""
_LATENCIES = text(
    _COUNTED_UP.format(
        bins=_TALLIED.format(
            kind="bin",
            total="sum(calls::float8)",
            table="hubspot_sync_latencies",
            days="hubspot_daily_latencies",
        )
    )
)

# Calls that wait are counted where they are: to tally them would have every webhook of a tenant
# wait for the one before it.
_PENDING = text("""
    SELECT step.number - 1 AS step, waiting.total
    FROM unnest(CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[]))
             WITH ORDINALITY AS step (begins_at, ends_at, number)
    CROSS JOIN LATERAL (
        SELECT count(*) AS total FROM (
            SELECT FROM hubspot_sync_logs
            WHERE user_id = :user_id AND workspace_id = :workspace_id AND status = 'pending'
              AND created_at >= step.begins_at AND created_at < step.ends_at
            LIMIT :most) AS found) AS waiting
    WHERE waiting.total > 0
""")


def read_statistics(
    session: Session, *, user_id: str, workspace_id: str, edges: Sequence[datetime]
) -> list[Point]:
    """A point for each pair of neighbouring edges: whole quarters of an hour in ascending order."""
    begins, ends = edges[:-1], edges[1:]
    asked: dict[str, Any] = {
        "user_id": user_id,
        "workspace_id": workspace_id,
        "edges": list(edges),
        "since": edges[0],
        "until": edges[-1],
        "begins": list(begins),
        "ends": list(ends),
        "most": MOST_PENDING,
    }
    ended = {(row.step, row.status): row.total for row in session.execute(_ENDED, asked)}
    pending = {row.step: row.total for row in session.execute(_PENDING, asked)}
    latencies = {
        row.step: (middle_of(row.p50), middle_of(row.p95))
        for row in session.execute(_LATENCIES, asked)
    }
    return [
        Point(
            at=begins_at,
            pending=pending.get(step, 0),
            success=ended.get((step, "success"), 0),
            error=ended.get((step, "error"), 0),
            skipped=ended.get((step, "skipped"), 0),
            latency_p50_ms=p50,
            latency_p95_ms=p95,
        )
        for step, begins_at in enumerate(begins)
        for p50, p95 in [latencies.get(step, (None, None))]
    ]


def middle_of(number: int) -> int:
    """The middle, in ms, of the latencies of a bin: `b` holds those from 2^(b/4) to 2^((b+1)/4)."""
    return round(2 ** ((number + 0.5) / BINS_PER_DOUBLING))
