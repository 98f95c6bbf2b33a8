"""What waits, over all connections: figures for operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

# Beyond this a backlog is simply long; counting it further would cost what it is about.
MOST_LOOKED_AT: Final = 200_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """Calls in the queue, at most `MOST_LOOKED_AT`, and connections by state.

    `oldest_due_seconds` says for how long the oldest due call has waited to be taken up.
    """

    pending: int
    due: int
    claimed: int
    oldest_due_seconds: float
    connections: Mapping[str, int]


_QUEUE = text("""
    SELECT count(*) FILTER (WHERE status = 'pending'),
           count(*) FILTER (WHERE next_attempt_at <= now()),
           coalesce(extract(epoch FROM now() - least(min(next_attempt_at), now())), 0)::float8
    FROM (SELECT status, next_attempt_at FROM hubspot_sync_logs
          WHERE next_attempt_at IS NOT NULL AND claimed_by IS NULL
          LIMIT :most) AS queue
""")
_CLAIMS = text("SELECT count(*) FROM hubspot_sync_logs WHERE claimed_by IS NOT NULL")
_CONNECTIONS = text("SELECT state, count(*) AS total FROM hubspot_oauth_tokens GROUP BY state")


def read_backlog(session: Session) -> Backlog:
    """Read the figures; takes up to some 100 ms when the backlog is long."""
    pending, due, waited = session.execute(_QUEUE, {"most": MOST_LOOKED_AT}).one()
    return Backlog(
        pending=pending,
        due=due,
        claimed=session.execute(_CLAIMS).scalar_one(),
        oldest_due_seconds=waited,
        connections={row.state: row.total for row in session.execute(_CONNECTIONS)},
    )
