"""Strays: activities of which a call may have one too many, until it is sure that it has not.

Some have to be found: the worker that sent a create was frozen for longer than its lease, and got
no answer. Whoever has the call now knows nothing of that create, so what it wrote would stay
beside theirs, or unnoticed. Others are known, and have to be archived.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

# From one look at HubSpot to the next: beyond the time in which a create can still commit.
LOOK_EVERY_S: Final = 120
ARCHIVE_EVERY_S: Final = 300


@dataclass(frozen=True, slots=True)
class UnansweredWrite:
    """Where the activity of a call may have been written."""

    log_id: str
    hub_id: int
    contact_id: str


@dataclass(frozen=True, slots=True)
class Surplus:
    """A second activity of a call, of which HubSpot has said that it is there."""

    log_id: str
    hub_id: int | None
    activity_id: str | None


@dataclass(frozen=True, slots=True)
class StrayToFind:
    """An unanswered write, with a live connection of its account; `id` is the log id.

    `marked_for` is its age in seconds, `read_back_misses` counts the looks so far.
    """

    stray_id: int
    id: str
    hub_id: int
    contact_id: str
    connection_id: str
    received_at: datetime
    marked_for: float
    read_back_misses: int
    activity: str


@dataclass(frozen=True, slots=True)
class StrayToArchive:
    """A second activity of a call, and a live connection of its account to archive it with."""

    stray_id: int
    log_id: str
    hub_id: int
    activity_id: str
    connection_id: str
    activity: str


_HOLD = text("""
    SELECT id FROM hubspot_sync_logs WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE
""")
# A call that waits is reconciled before it is written again, like any other in doubt. What is
# claimed, done, or in doubt about another contact has a state that must not be touched.
_ADD_UNANSWERED = text("""
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
    INSERT INTO hubspot_strays (log_id, hub_id, kind, contact_id)
    SELECT late.log_id, late.hub_id, l.activity, late.contact_id
    FROM late JOIN hubspot_sync_logs l ON l.id = late.log_id
    WHERE late.log_id NOT IN (SELECT id FROM marked WHERE is_waiting)
    ORDER BY late.log_id, late.hub_id
    ON CONFLICT (sought_id, hub_id) DO UPDATE
    SET contact_id = excluded.contact_id, written_at = excluded.written_at,
        next_attempt_at = excluded.next_attempt_at, attempts = 0
""")


def add_unanswered_writes(session: Session, writes: Sequence[UnansweredWrite]) -> None:
    """Remember that these may have been written just now."""
    if writes:
        # A statement before the other: a call that is erased meanwhile is waited for, and is gone.
        session.execute(_HOLD, {"ids": [each.log_id for each in writes]})
        session.execute(
            _ADD_UNANSWERED,
            {
                "ids": [each.log_id for each in writes],
                "hub_ids": [each.hub_id for each in writes],
                "contact_ids": [each.contact_id for each in writes],
            },
        )


# Not what the log names, which another worker may have recorded meanwhile.
_ADD_SURPLUS = text("""
    INSERT INTO hubspot_strays (log_id, hub_id, kind, activity_id)
    SELECT n.log_id, n.hub_id, l.activity, n.activity_id
    FROM unnest(CAST(:log_ids AS text[]), CAST(:hub_ids AS bigint[]), CAST(:activity_ids AS text[]))
             AS n (log_id, hub_id, activity_id)
    JOIN hubspot_sync_logs l ON l.id = n.log_id
    WHERE (l.hub_id, l.engagement_id) IS DISTINCT FROM (n.hub_id, n.activity_id)
    ORDER BY n.hub_id, n.activity_id
    ON CONFLICT DO NOTHING
""")


def add_surplus(session: Session, found: Sequence[Surplus]) -> None:
    """Remember activities of calls beside those that their logs name; those that do are left out.

    A statement of its own: inside the one that records outcomes, an activity that is recorded
    concurrently would be invisible.
    """
    if found:
        session.execute(
            _ADD_SURPLUS,
            {
                "log_ids": [each.log_id for each in found],
                "hub_ids": [each.hub_id for each in found],
                "activity_ids": [each.activity_id for each in found],
            },
        )


# Of what is due and `{wanted}`, with the first live connection of its account.
_DUE: Final = """
    WITH found AS MATERIALIZED (
        SELECT d.id, d.sought_id, min(c.id) AS connection_id
        FROM hubspot_strays d
        JOIN hubspot_oauth_tokens c ON c.hub_id = d.hub_id AND c.state = 'connected'
        WHERE d.next_attempt_at <= now() AND {wanted}
        GROUP BY d.id
        LIMIT :most
    ), due AS MATERIALIZED (
        SELECT found.* FROM hubspot_strays d JOIN found USING (id) FOR UPDATE OF d SKIP LOCKED
    )
"""
_TAKE_TO_FIND = text(f"""
    {_DUE.format(wanted="d.activity_id IS NULL")}
    UPDATE hubspot_strays s SET next_attempt_at = now() + make_interval(secs => :every)
    FROM due
    JOIN hubspot_sync_logs l ON l.id = due.sought_id
    LEFT JOIN calls ON calls.log_id = l.id
    WHERE s.id = due.id
    RETURNING s.id AS stray_id, s.log_id AS id, s.hub_id, s.contact_id, due.connection_id,
              coalesce(calls.received_at, l.created_at) AS received_at,
              extract(epoch FROM now() - s.written_at)::float8 AS marked_for,
              s.attempts AS read_back_misses, s.kind AS activity
""")  # noqa: S608 - our own text
# A note may have been found surplus in the moment in which another worker recorded it.
_UNNAMED: Final = """
    d.activity_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM hubspot_sync_logs l
                    WHERE l.hub_id = d.hub_id AND l.activity = d.kind
                      AND l.engagement_id = d.activity_id)
"""
_TAKE_TO_ARCHIVE = text(f"""
    {_DUE.format(wanted=_UNNAMED)}
    UPDATE hubspot_strays s
    SET attempts = s.attempts + 1, next_attempt_at = now() + make_interval(secs => :every)
    FROM due
    WHERE s.id = due.id
    RETURNING s.id AS stray_id, s.log_id, s.hub_id, s.activity_id, due.connection_id,
              s.kind AS activity
""")  # noqa: S608 - our own text


def take_strays_to_find(session: Session, *, most: int) -> list[StrayToFind]:
    """Unanswered writes to look for now; they come again until `forget_stray`."""
    rows = session.execute(_TAKE_TO_FIND, {"every": LOOK_EVERY_S, "most": most}).mappings()
    return [StrayToFind(**row) for row in rows]


def take_strays_to_archive(session: Session, *, most: int) -> list[StrayToArchive]:
    """Activities to archive now; they come again until `forget_stray`."""
    rows = session.execute(_TAKE_TO_ARCHIVE, {"every": ARCHIVE_EVERY_S, "most": most}).mappings()
    return [StrayToArchive(**row) for row in rows]


_COUNT_LOOK = text("UPDATE hubspot_strays SET attempts = attempts + 1 WHERE id = :id")
_MOVE = text("UPDATE hubspot_strays SET contact_id = :contact_id, attempts = 0 WHERE id = :id")
_FORGET = text("DELETE FROM hubspot_strays WHERE id = :id")


def count_look(session: Session, stray: StrayToFind) -> None:
    """HubSpot answered, and may still write the note."""
    session.execute(_COUNT_LOOK, {"id": stray.stray_id})


def move_stray(session: Session, stray: StrayToFind, contact_id: str) -> None:
    """The contact was merged into another one, which has its notes now."""
    session.execute(_MOVE, {"id": stray.stray_id, "contact_id": contact_id})


def forget_stray(session: Session, stray: StrayToFind | StrayToArchive) -> None:
    """Whatever was written is known by now, or HubSpot has archived it."""
    session.execute(_FORGET, {"id": stray.stray_id})
