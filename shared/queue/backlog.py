"""What waits, over all connections: figures for operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.queue.waiting import HEADS
from shared.reasons import Lane

# Beyond this a backlog is simply long; counting it further would cost what it is about.
MOST_LOOKED_AT: Final = 200_000


@dataclass(frozen=True, slots=True)
class Lateness:
    """For how many seconds the oldest due call has waited to be taken up; 0 when none waits.

    Attributes:
        due: Of the calls that a worker could take up now.
        backfill: Of those that may wait behind them: imports, and late looks for a contact.
        paused: Of the calls of accounts that are being left alone: no worker can help them.
    """

    due: float
    backfill: float
    paused: float


_LATENESS = text(f"""{HEADS}, late AS (
        SELECT head.lane, coalesce(a.paused_until > now(), false) AS is_paused,
               extract(epoch FROM now() - head.next_attempt_at)::float8 AS seconds
        FROM head
        LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
        LEFT JOIN hubspot_accounts a ON a.hub_id = c.hub_id
        WHERE head.next_attempt_at <= now()
    )
    SELECT coalesce(max(seconds) FILTER (WHERE NOT is_paused AND lane <> :backfill), 0) AS due,
           coalesce(max(seconds) FILTER (WHERE NOT is_paused AND lane = :backfill), 0) AS backfill,
           coalesce(max(seconds) FILTER (WHERE is_paused), 0) AS paused
    FROM late
""")  # noqa: S608 - a constant of ours


def measure_lateness(session: Session) -> Lateness:
    """Measure it; costs as much as a sweep, whatever the length of the queue."""
    row = session.execute(_LATENESS, {"backfill": Lane.BACKFILL}).mappings().one()
    return Lateness(**row)


_WAITING = text("""
    SELECT count(*) FILTER (WHERE next_attempt_at <= now()) AS due,
           count(*) FILTER (WHERE next_attempt_at > now()) AS scheduled
    FROM (SELECT next_attempt_at FROM hubspot_sync_logs
          WHERE next_attempt_at IS NOT NULL AND claimed_by IS NULL
          LIMIT :most) AS queue
""")
_CLAIMED = text("SELECT count(*) FROM hubspot_sync_logs WHERE claimed_by IS NOT NULL")


def count_waiting_calls(session: Session) -> Mapping[str, int]:
    """Calls that are `due` and `scheduled` for later, `MOST_LOOKED_AT` together at most.

    Takes up to some 100 ms when there are many.
    """
    row = session.execute(_WAITING, {"most": MOST_LOOKED_AT}).mappings().one()
    return {name: int(total) for name, total in row.items()}


def count_claimed_calls(session: Session) -> int:
    """Calls in workers' hands."""
    return int(session.execute(_CLAIMED).scalar_one())


_CONNECTIONS = text("SELECT state, count(*) AS total FROM hubspot_oauth_tokens GROUP BY state")


def count_connections(session: Session) -> Mapping[str, int]:
    """Connections by state."""
    return {row.state: row.total for row in session.execute(_CONNECTIONS)}
