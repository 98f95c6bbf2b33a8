"""Handovers: what a connect does to the calls that waited, page by page in the background.

Any number of calls may wait, so `connect` only notes what is to be done. Calls that waited for the
account connected before are *parted* from the new one first: until that is done, no round claims
calls of the connection. Then the calls that waited for this account are *requeued*.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.queue.lanes import REQUEUED
from shared.reasons import DOUBT_ELSEWHERE_MESSAGE, OTHER_ACCOUNT_MESSAGE, Reason

REQUEUE_DAYS: Final = 7
# A few tenths of a second: what locks a handover or a call waits no longer for it.
PAGE: Final = 2_000
# In this order; those that wait for a connection at all only for `REQUEUE_DAYS`.
_REQUEUED: Final = (Reason.NOT_CONNECTED, Reason.RECONNECT_REQUIRED, Reason.MISSING_SCOPES)

_BEGIN_PARTING = text("""
    INSERT INTO hubspot_handovers (connection_id, kind, hub_id, before)
    VALUES (:connection_id, 'part', :hub_id, coalesce(CAST(:before AS timestamptz), now()))
""")


def begin_parting(
    session: Session, connection_id: str, *, hub_id: int, before: datetime | None
) -> None:
    """Part the calls that came before a moment (None: now) and waited for the account `hub_id`."""
    session.execute(
        _BEGIN_PARTING, {"connection_id": connection_id, "hub_id": hub_id, "before": before}
    )


_BEGIN_REQUEUEING = text("""
    INSERT INTO hubspot_handovers (connection_id, kind, hub_id, error_code, before)
    SELECT :connection_id, 'requeue', :hub_id, code, now()
    FROM unnest(CAST(:codes AS text[])) WITH ORDINALITY AS codes (code, place)
    ORDER BY place
""")


def begin_requeueing(session: Session, connection_id: str, *, hub_id: int) -> None:
    """Requeue the calls that waited for the account, newest first, in place of an earlier one."""
    end_requeueing(session, connection_id)
    session.execute(
        _BEGIN_REQUEUEING,
        {"connection_id": connection_id, "hub_id": hub_id, "codes": list(_REQUEUED)},
    )


_END_REQUEUEING = text("""
    DELETE FROM hubspot_handovers WHERE connection_id = :connection_id AND kind = 'requeue'
""")


def end_requeueing(session: Session, connection_id: str) -> None:
    """Requeue no further calls; waits for a page that is being moved. A parting goes on."""
    session.execute(_END_REQUEUEING, {"connection_id": connection_id})


_IS_PARTING = text("""
    SELECT EXISTS (SELECT FROM hubspot_handovers
                   WHERE connection_id = :connection_id AND kind = 'part')
""")


def is_parting(session: Session, connection_id: str) -> bool:
    """Whether calls of an earlier account still wait: none may be claimed for the new one.

    Ask after the connection's generation was read: a round that began under an earlier one is
    refused its marks anyhow.
    """
    return bool(session.execute(_IS_PARTING, {"connection_id": connection_id}).scalar_one())


@dataclass(frozen=True, slots=True)
class MovedPage:
    """One page of a handover: how many calls changed, and whether it was the last."""

    connection_id: str
    kind: str
    moved: int
    is_last: bool


# One handover of a connection after the other; among connections, whose turn was longest ago.
_TAKE = text("""
    SELECT h.id, h.connection_id, h.kind, h.hub_id, h.error_code, h.before, h.before_id,
           c.user_id, c.workspace_id, c.state
    FROM hubspot_handovers h JOIN hubspot_oauth_tokens c ON c.id = h.connection_id
    WHERE (CAST(:connection_id AS text) IS NULL OR h.connection_id = :connection_id)
      AND NOT EXISTS (SELECT FROM hubspot_handovers earlier
                      WHERE earlier.connection_id = h.connection_id AND earlier.id < h.id)
    ORDER BY h.moved_at, h.id
    LIMIT 1
    FOR UPDATE OF h SKIP LOCKED
""")

# A call in a worker's hands is taken from it: what that learns about the old account is no longer
# wanted. A note that it has written counts all the same, see `record_outcomes`.
_PART_PAGE = text("""
    WITH page AS MATERIALIZED (
        (SELECT id FROM hubspot_sync_logs
         WHERE user_id = :user_id AND workspace_id = :workspace_id
           AND next_attempt_at IS NOT NULL AND claimed_by IS NULL AND created_at < :before
         ORDER BY lane, next_attempt_at LIMIT :size)
        UNION ALL
        (SELECT id FROM hubspot_sync_logs
         WHERE user_id = :user_id AND workspace_id = :workspace_id
           AND claimed_by IS NOT NULL AND created_at < :before
         ORDER BY claimed_until LIMIT :size)
        UNION ALL
        (SELECT id FROM hubspot_sync_logs
         WHERE user_id = :user_id AND workspace_id = :workspace_id
           AND error_code IN ('reconnect_required', 'missing_scopes')
           AND (hub_id IS NULL OR hub_id = :hub_id) AND created_at < :before
         LIMIT :size)
    ), waiting AS (
        SELECT l.id FROM hubspot_sync_logs l
        WHERE l.id IN (SELECT id FROM page)
          AND (l.next_attempt_at IS NOT NULL
               OR (l.error_code IN ('reconnect_required', 'missing_scopes')
                   AND (l.hub_id IS NULL OR l.hub_id = :hub_id)))
        ORDER BY l.id
        FOR NO KEY UPDATE
    ), moved AS (
        UPDATE hubspot_sync_logs l
        SET status = CASE WHEN last_write_at IS NOT NULL THEN 'error' ELSE 'skipped' END,
            error_code = CASE WHEN last_write_at IS NOT NULL THEN 'unconfirmed'
                              WHEN status = 'skipped' THEN error_code
                              ELSE 'not_connected' END,
            error_message = CASE WHEN last_write_at IS NOT NULL THEN :doubt
                                 WHEN status = 'skipped' THEN error_message ELSE :message END,
            hub_id = coalesce(hub_id, :hub_id), next_attempt_at = NULL,
            claimed_by = NULL, claimed_until = NULL, claim_size = NULL, updated_at = now()
        FROM waiting WHERE l.id = waiting.id
        RETURNING l.id
    )
    SELECT (SELECT count(*) FROM page) AS met, (SELECT count(*) FROM moved) AS moved
""")

# A repeated POST of the same call to the same account is excluded by the mark that is kept. What
# was met is not looked at again, whatever becomes of it meanwhile.
_REQUEUE_PAGE = text(f"""
    WITH page AS MATERIALIZED (
        SELECT id, created_at FROM hubspot_sync_logs
        WHERE user_id = :user_id AND workspace_id = :workspace_id AND error_code = :error_code
          AND (created_at, id) < (:before, :before_id)
          AND created_at > coalesce(now() - make_interval(days => :days), '-infinity')
        ORDER BY created_at DESC, id DESC
        LIMIT :size
    ), waiting AS (
        SELECT l.id FROM hubspot_sync_logs l
        WHERE l.id IN (SELECT id FROM page) AND l.error_code = :error_code
          AND (l.hub_id IS NULL OR l.hub_id = :hub_id)
        ORDER BY l.id
        FOR NO KEY UPDATE
    ), moved AS (
        UPDATE hubspot_sync_logs l
        SET {REQUEUED}
        FROM waiting WHERE l.id = waiting.id
        RETURNING l.id
    ), last AS (
        SELECT created_at, id FROM page ORDER BY created_at, id LIMIT 1
    ), advanced AS (
        UPDATE hubspot_handovers h SET before = last.created_at, before_id = last.id
        FROM last WHERE h.id = :id
    )
    SELECT (SELECT count(*) FROM page) AS met, (SELECT count(*) FROM moved) AS moved
""")  # noqa: S608 - our own text

_PUT_BACK = text("UPDATE hubspot_handovers SET moved_at = clock_timestamp() WHERE id = :id")
_FORGET = text("DELETE FROM hubspot_handovers WHERE id = :id")


def move_page(
    session: Session, *, connection_id: str | None = None, size: int = PAGE
) -> MovedPage | None:
    """Move the next `size` calls of a handover, by default of whichever waited longest.

    None when there is nothing to do, or others are doing it. Each page is a transaction of its own.
    """
    handover = session.execute(_TAKE, {"connection_id": connection_id}).mappings().one_or_none()
    if handover is None:
        return None
    is_parting = handover["kind"] == "part"
    met = moved = 0
    # What is requeued without a live connection would only be given its reason again.
    if is_parting or handover["state"] == "connected":
        days = REQUEUE_DAYS if handover["error_code"] == Reason.NOT_CONNECTED else None
        met, moved = session.execute(
            _PART_PAGE if is_parting else _REQUEUE_PAGE,
            {
                **handover,
                "size": size,
                "days": days,
                "message": OTHER_ACCOUNT_MESSAGE,
                "doubt": DOUBT_ELSEWHERE_MESSAGE,
            },
        ).one()
    is_last = met < size
    session.execute(_FORGET if is_last else _PUT_BACK, {"id": handover["id"]})
    return MovedPage(handover["connection_id"], handover["kind"], moved, is_last)
