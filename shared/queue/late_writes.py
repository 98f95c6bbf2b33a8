"""Creates that stayed unanswered after their call had been taken over: looked for until it is sure.

The worker that sent one was frozen for longer than its lease. Whoever has the call now knows
nothing of that create, so a note of it would stay beside theirs, or unnoticed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

# From one look at HubSpot to the next: beyond the time in which a create can still commit.
LOOK_EVERY_S: Final = 120


@dataclass(frozen=True, slots=True)
class UnansweredWrite:
    """Where the note of a call may have been written."""

    log_id: str
    hub_id: int
    contact_id: str


@dataclass(frozen=True, slots=True)
class LateWriteDue:
    """A late write to look for, with a live connection of its account; `id` is the log id.

    `marked_for` is its age in seconds, `read_back_misses` counts the looks so far.
    """

    id: str
    hub_id: int
    contact_id: str
    connection_id: str
    received_at: datetime
    marked_for: float
    read_back_misses: int


# A call that waits is reconciled before it is written again, like any other in doubt. What is
# claimed, done, or in doubt about another contact has a state that must not be touched.
_REMEMBER = text("""
    WITH late AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:hub_ids AS bigint[]),
                             CAST(:contact_ids AS text[])) AS w (log_id, hub_id, contact_id)
    ), marked AS (
        UPDATE hubspot_sync_logs l
        SET last_write_at = clock_timestamp(), read_back_misses = 0,
            hub_id = late.hub_id, contact_id = late.contact_id
        FROM late
        WHERE l.id = late.log_id AND l.status <> 'success' AND l.claimed_by IS NULL
          AND (l.last_write_at IS NULL
               OR (l.hub_id, l.contact_id) = (late.hub_id, late.contact_id))
        RETURNING l.id, l.next_attempt_at IS NOT NULL AS is_waiting
    )
    INSERT INTO hubspot_late_writes (log_id, hub_id, contact_id)
    SELECT late.log_id, late.hub_id, late.contact_id
    FROM late JOIN hubspot_sync_logs l ON l.id = late.log_id
    WHERE late.log_id NOT IN (SELECT id FROM marked WHERE is_waiting)
    ORDER BY late.log_id, late.hub_id
    ON CONFLICT (log_id, hub_id) DO UPDATE
    SET contact_id = excluded.contact_id, written_at = excluded.written_at,
        next_attempt_at = excluded.next_attempt_at, read_back_misses = 0
""")


_HOLD = text("""
    SELECT id FROM hubspot_sync_logs WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE
""")


def remember_late_writes(session: Session, writes: Sequence[UnansweredWrite]) -> None:
    """Keep in mind that these notes may have been written just now."""
    if writes:
        # A statement before the other: a call that is erased meanwhile is waited for, and is gone.
        session.execute(_HOLD, {"ids": [each.log_id for each in writes]})
        session.execute(
            _REMEMBER,
            {
                "ids": [each.log_id for each in writes],
                "hub_ids": [each.hub_id for each in writes],
                "contact_ids": [each.contact_id for each in writes],
            },
        )


_TAKE = text("""
    WITH found AS MATERIALIZED (
        SELECT d.log_id, d.hub_id, min(c.id) AS connection_id
        FROM hubspot_late_writes d
        JOIN hubspot_oauth_tokens c ON c.hub_id = d.hub_id AND c.state = 'connected'
        WHERE d.next_attempt_at <= now()
        GROUP BY d.log_id, d.hub_id
        LIMIT :most
    ), due AS MATERIALIZED (
        SELECT found.* FROM hubspot_late_writes d JOIN found USING (log_id, hub_id)
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE hubspot_late_writes w SET next_attempt_at = now() + make_interval(secs => :every)
    FROM due
    JOIN hubspot_sync_logs l ON l.id = due.log_id
    LEFT JOIN calls ON calls.log_id = l.id
    WHERE w.log_id = due.log_id AND w.hub_id = due.hub_id
    RETURNING w.log_id AS id, w.hub_id, w.contact_id, due.connection_id,
              coalesce(calls.received_at, l.created_at) AS received_at,
              extract(epoch FROM now() - w.written_at)::float8 AS marked_for, w.read_back_misses
""")


def take_late_writes(session: Session, *, most: int) -> list[LateWriteDue]:
    """Late writes to look for now; they come again until `forget_late_write`."""
    rows = session.execute(_TAKE, {"every": LOOK_EVERY_S, "most": most}).mappings()
    return [LateWriteDue(**row) for row in rows]


_COUNT_LOOK = text("""
    UPDATE hubspot_late_writes SET read_back_misses = read_back_misses + 1
    WHERE log_id = :log_id AND hub_id = :hub_id
""")


def count_look(session: Session, write: LateWriteDue) -> None:
    """HubSpot answered, and may still write the note."""
    session.execute(_COUNT_LOOK, {"log_id": write.id, "hub_id": write.hub_id})


_MOVE = text("""
    UPDATE hubspot_late_writes SET contact_id = :contact_id, read_back_misses = 0
    WHERE log_id = :log_id AND hub_id = :hub_id
""")


def move_late_write(session: Session, write: LateWriteDue, contact_id: str) -> None:
    """The contact was merged into another one, which has its notes now."""
    session.execute(_MOVE, {"log_id": write.id, "hub_id": write.hub_id, "contact_id": contact_id})


_FORGET = text("DELETE FROM hubspot_late_writes WHERE log_id = :log_id AND hub_id = :hub_id")


def forget_late_write(session: Session, write: LateWriteDue) -> None:
    """Whatever it has written is known by now."""
    session.execute(_FORGET, {"log_id": write.id, "hub_id": write.hub_id})
