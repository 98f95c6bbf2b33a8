"""Calls of a paused source, which wait as skipped: they are written or dropped by a person."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.queue.lanes import REQUEUED
from shared.reasons import DROPPED_MESSAGE, Reason

AT_ONCE: Final = 1000

_COUNT = text("""
    SELECT source_id, count(*) AS total FROM hubspot_sync_logs l
    WHERE source_id = ANY(:ids) AND status = 'skipped' AND error_code = :held
      AND EXISTS (SELECT FROM calls WHERE calls.log_id = l.id)
    GROUP BY source_id
""")
_PAGE: Final = """
    SELECT l.id FROM hubspot_sync_logs l
    WHERE l.source_id = :source_id AND l.status = 'skipped' AND l.error_code = :held
      AND EXISTS (SELECT FROM calls WHERE calls.log_id = l.id)
    ORDER BY l.id
    LIMIT :most
    FOR NO KEY UPDATE OF l
"""
_WRITE = text(f"""
    WITH held AS MATERIALIZED ({_PAGE}), written AS (
        UPDATE hubspot_sync_logs l
        SET {REQUEUED}, fence = l.fence + 1
        FROM held WHERE l.id = held.id
        RETURNING l.user_id, l.workspace_id
    )
    SELECT written.user_id, written.workspace_id, count(*) AS calls,
           (SELECT c.id FROM hubspot_oauth_tokens c
             WHERE c.user_id = written.user_id AND c.workspace_id = written.workspace_id
               AND c.state = 'connected') AS connection_id
    FROM written GROUP BY written.user_id, written.workspace_id
""")  # noqa: S608 - constants of ours
_DROP = text(f"""
    WITH held AS MATERIALIZED ({_PAGE}), locked AS MATERIALIZED (
        SELECT log_id FROM calls WHERE log_id IN (SELECT id FROM held) ORDER BY log_id FOR UPDATE
    ), dropped AS (
        UPDATE hubspot_sync_logs l SET error_message = :message, updated_at = now()
        FROM held WHERE l.id = held.id
    ), gone AS (
        DELETE FROM calls USING locked WHERE calls.log_id = locked.log_id RETURNING 1
    )
    SELECT count(*) FROM gone
""")  # noqa: S608 - constants of ours


def count_held(session: Session, source_ids: list[str]) -> dict[str, int]:
    """How many calls of each source wait."""
    rows = session.execute(_COUNT, {"ids": source_ids, "held": Reason.HELD})
    return dict.fromkeys(source_ids, 0) | {row.source_id: int(row.total) for row in rows}


def write_held(session: Session, source_id: str) -> tuple[int, list[str]]:
    """Make a batch of held calls pending; returns how many, and the connections to be woken.

    Fewer than `AT_ONCE` say that none is left.
    """
    wanted = {"source_id": source_id, "held": Reason.HELD, "most": AT_ONCE}
    rows = session.execute(_WRITE, wanted).all()
    return sum(row.calls for row in rows), [row.connection_id for row in rows if row.connection_id]


def drop_held(session: Session, source_id: str) -> int:
    """Delete the contents of a batch of held calls, which stay as skipped; returns how many."""
    wanted = {
        "source_id": source_id,
        "held": Reason.HELD,
        "most": AT_ONCE,
        "message": DROPPED_MESSAGE,
    }
    return int(session.execute(_DROP, wanted).scalar_one())
