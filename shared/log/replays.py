"""Replays: what a person wants tried again, and no note that may exist is forgotten."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.log.sync_logs import LogFilter, Position, find_logs
from shared.queue.lanes import REQUEUED
from shared.reasons import Status

RETRYABLE: Final = (Status.ERROR.value, Status.SKIPPED.value)
# Of updates, as `shared.log.growth.UPDATES` calls them, and the states of those.
RETRYABLE_UPDATES: Final[Mapping[str, tuple[str, ...]]] = {
    "failed": ("failed",),
    "waiting": ("held",),
}

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


# The call stays a success; its mark stays too, of a write that nobody knows the end of. Whoever has
# the log's rows may want those of updates: they are locked behind them.
_REQUEUE_UPDATES = text("""
    WITH wanted AS (
        SELECT u.log_id
        FROM activity_updates u JOIN hubspot_sync_logs l ON l.id = u.log_id
        WHERE u.log_id = ANY(:ids) AND l.user_id = :user_id AND l.workspace_id = :workspace_id
          AND l.status = 'success' AND u.state = ANY(:states)
          AND EXISTS (SELECT FROM calls WHERE calls.log_id = l.id)
        ORDER BY u.log_id
        FOR NO KEY UPDATE OF u
    ), requeued AS (
        UPDATE activity_updates u
        SET state = 'waiting', due_at = now(), first_news_at = now(), error = NULL,
            failures = 0, failing_since = NULL, suspect_size = NULL, solo_crashes = 0
        FROM wanted WHERE u.log_id = wanted.log_id
        RETURNING u.log_id
    )
    SELECT count(*) FROM requeued
""")


def requeue_calls(
    session: Session, ids: Collection[str], *, user_id: str, workspace_id: str
) -> int:
    """Make failed and skipped calls pending again, and updates due that failed or are held.

    Left out are calls of others, calls that are synced with nothing more to write or wait already,
    and calls whose contents are deleted. Returns how many calls were requeued.
    """
    wanted = {"ids": list(ids), "user_id": user_id, "workspace_id": workspace_id}
    calls = session.execute(_REQUEUE, wanted).scalar_one()
    states = [state for each in RETRYABLE_UPDATES.values() for state in each]
    updates = session.execute(_REQUEUE_UPDATES, {**wanted, "states": states}).scalar_one()
    return int(calls) + int(updates)


def list_retryable(wanted: LogFilter, *, status: str | None, update: str | None) -> list[LogFilter]:
    """What of a filter can be retried, as filters that do not meet.

    Args:
        wanted: Without status and update.
        status: Calls that ended so: one of `RETRYABLE`, or success with an update.
        update: Calls whose update is in this state: one of `RETRYABLE_UPDATES`. With neither this
            nor `status`, all that can be retried is meant.
    """
    if update is not None:
        statuses = (status or Status.SUCCESS.value,)
        return [replace(wanted, statuses=statuses, updates=RETRYABLE_UPDATES[update])]
    if status is not None:
        return [replace(wanted, statuses=(status,))]
    states = tuple(state for each in RETRYABLE_UPDATES.values() for state in each)
    return [
        replace(wanted, statuses=RETRYABLE),
        replace(wanted, statuses=(Status.SUCCESS.value,), updates=states),
    ]


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
