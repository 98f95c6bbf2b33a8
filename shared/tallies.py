"""Counts for the dashboard that cost the same whatever the length of the sync log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

MOST_PENDING: Final = 10_000
# A retry makes an older call the one that was synced last; this far back that is noticed.
SUCCESSES_LOOKED_AT: Final = 100


@dataclass(frozen=True, slots=True)
class CallCounts:
    """Calls waiting now, at most `MOST_PENDING`, and how those of the last 24 hours ended.

    The day has the resolution of an hour: the current hour and the 23 before it. `has_any` says
    whether there ever was a call.
    """

    pending: int
    success: int
    error: int
    skipped: int
    last_sync_at: datetime | None
    has_any: bool


_TALLY = text("""
    SELECT status, greatest(sum(calls), 0)::bigint AS total FROM hubspot_sync_tallies
    WHERE user_id = :user_id AND workspace_id = :workspace_id
      AND hour > date_trunc('hour', now(), 'UTC') - interval '24 hours'
    GROUP BY status
""")

_COUNT_PENDING = text("""
    SELECT count(*) FROM (
        SELECT FROM hubspot_sync_logs
        WHERE user_id = :user_id AND workspace_id = :workspace_id AND status = 'pending'
        LIMIT :most) AS pending
""")

_LAST_SYNC = text("""
    SELECT max(updated_at) FROM (
        SELECT updated_at FROM hubspot_sync_logs
        WHERE user_id = :user_id AND workspace_id = :workspace_id AND status = 'success'
        ORDER BY created_at DESC, id DESC
        LIMIT :looked_at) AS newest
""")

_HAS_ANY = text("""
    SELECT EXISTS (SELECT FROM hubspot_sync_logs
                   WHERE user_id = :user_id AND workspace_id = :workspace_id)
""")


def count_calls(session: Session, *, user_id: str, workspace_id: str) -> CallCounts:
    """Count the calls of a user and workspace."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    tallies: dict[str, int] = {row.status: row.total for row in session.execute(_TALLY, tenant)}
    return CallCounts(
        pending=session.execute(_COUNT_PENDING, {**tenant, "most": MOST_PENDING}).scalar_one(),
        success=tallies.get("success", 0),
        error=tallies.get("error", 0),
        skipped=tallies.get("skipped", 0),
        last_sync_at=session.execute(
            _LAST_SYNC, {**tenant, "looked_at": SUCCESSES_LOOKED_AT}
        ).scalar_one(),
        has_any=session.execute(_HAS_ANY, tenant).scalar_one(),
    )
