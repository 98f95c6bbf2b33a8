"""Replays: calls that a person wants tried again. A note that may exist is never forgotten."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.log.sync_logs import LogFilter, Position, find_logs
from shared.queue.lanes import REQUEUED
from shared.reasons import Status

RETRYABLE: Final = (Status.ERROR.value, Status.SKIPPED.value)

# The mark stays, with its account and contact: a write in doubt is reconciled there first. A new
# fence takes the call from a worker that looks a skipped one up again: what that learns of it would
# undo the replay.
_REQUEUE = text(f"""
    WITH wanted AS (
        SELECT l.id FROM hubspot_sync_logs l
        WHERE l.id = ANY(:ids) AND l.user_id = :user_id AND l.workspace_id = :workspace_id
          AND l.status IN ('error', 'skipped')
          AND EXISTS (SELECT FROM calls WHERE calls.log_id = l.id)
        ORDER BY l.id
        FOR NO KEY UPDATE
    ), requeued AS (
        UPDATE hubspot_sync_logs l
        SET {REQUEUED}, fence = l.fence + 1,
            claimed_by = NULL, claimed_until = NULL, claim_size = NULL,
            hub_id = CASE WHEN l.last_write_at IS NOT NULL THEN l.hub_id END,
            contact_id = CASE WHEN l.last_write_at IS NOT NULL THEN l.contact_id END
        FROM wanted WHERE l.id = wanted.id
        RETURNING l.id
    )
    SELECT count(*) FROM requeued
""")  # noqa: S608 - our own text


def requeue_calls(
    session: Session, ids: Collection[str], *, user_id: str, workspace_id: str
) -> int:
    """Make failed and skipped calls pending again; returns how many were.

    Left out are calls of others, calls that are synced or wait already, and calls whose contents
    are deleted.
    """
    counted = session.execute(
        _REQUEUE, {"ids": list(ids), "user_id": user_id, "workspace_id": workspace_id}
    )
    return int(counted.scalar_one())


@dataclass(frozen=True, slots=True)
class ReplayedBatch:
    """How many entries a batch met and requeued, and where the next begins; None after the last."""

    met: int
    requeued: int
    next_position: Position | None


def requeue_batch(
    session: Session, wanted: LogFilter, *, size: int, after: Position | None
) -> ReplayedBatch:
    """Requeue the next `size` entries of a filter, newest first."""
    found = find_logs(session, wanted, limit=size, after=after)
    requeued = requeue_calls(
        session,
        [each.id for each in found.logs],
        user_id=wanted.user_id,
        workspace_id=wanted.workspace_id,
    )
    return ReplayedBatch(len(found.logs), requeued, found.next_position)
