"""How calls ended over time, and how long they took: read from tallies, not from the log."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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


_ENDED = text("""
    SELECT width_bucket(hour, CAST(:edges AS timestamptz[])) - 1 AS step, status,
           greatest(sum(calls), 0)::bigint AS total
    FROM hubspot_sync_tallies
    WHERE user_id = :user_id AND workspace_id = :workspace_id
      AND hour >= :since AND hour < :until
    GROUP BY 1, 2
""")

_LATENCIES = text("""
    SELECT width_bucket(hour, CAST(:edges AS timestamptz[])) - 1 AS step, bin,
           sum(calls)::bigint AS total
    FROM hubspot_sync_latencies
    WHERE user_id = :user_id AND workspace_id = :workspace_id
      AND hour >= :since AND hour < :until
    GROUP BY 1, 2
""")

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
    """A point for each pair of neighbouring edges, which are whole hours in ascending order."""
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
    latencies: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for row in session.execute(_LATENCIES, asked):
        latencies[row.step][row.bin] = row.total
    return [
        Point(
            at=begins_at,
            pending=pending.get(step, 0),
            success=ended.get((step, "success"), 0),
            error=ended.get((step, "error"), 0),
            skipped=ended.get((step, "skipped"), 0),
            latency_p50_ms=find_percentile(latencies[step], 0.5),
            latency_p95_ms=find_percentile(latencies[step], 0.95),
        )
        for step, begins_at in enumerate(begins)
    ]


def find_percentile(calls_by_bin: Mapping[int, int], share: float) -> int | None:
    """The latency in ms below which `share` of the calls were; None when there are none.

    The bin `b` holds latencies from 2^(b/4) to 2^((b+1)/4) ms, of which the middle is told.
    """
    left = share * sum(calls_by_bin.values())
    for number, calls in sorted(calls_by_bin.items()):
        if calls >= left > 0:
            return round(2 ** ((number + 0.5) / BINS_PER_DOUBLING))
        left -= calls
    return None
