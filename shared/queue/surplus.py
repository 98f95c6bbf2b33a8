"""Second notes of one call: remembered until HubSpot has archived them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

RETRY_EVERY_S: Final = 300


@dataclass(frozen=True, slots=True)
class SurplusNoteDue:
    """A note to archive, and a live connection of its account to do it with."""

    hub_id: int
    note_id: str
    log_id: str
    connection_id: str


_ADD = text("""
    INSERT INTO hubspot_surplus_notes (hub_id, note_id, log_id)
    SELECT :hub_id, note_id, :log_id FROM unnest(CAST(:note_ids AS text[])) AS n (note_id)
    ORDER BY note_id
    ON CONFLICT DO NOTHING
""")


def add_surplus_notes(
    session: Session, *, hub_id: int, log_id: str, note_ids: Sequence[str]
) -> None:
    """Remember notes of a call beside the one that its log names."""
    session.execute(_ADD, {"hub_id": hub_id, "log_id": log_id, "note_ids": list(note_ids)})


# A note may have been found surplus in the moment in which another worker recorded it.
_TAKE = text("""
    WITH found AS MATERIALIZED (
        SELECT d.hub_id, d.note_id, min(c.id) AS connection_id
        FROM hubspot_surplus_notes d
        JOIN hubspot_oauth_tokens c ON c.hub_id = d.hub_id AND c.state = 'connected'
        WHERE d.next_attempt_at <= now()
          AND NOT EXISTS (SELECT FROM hubspot_sync_logs l
                          WHERE l.hub_id = d.hub_id AND l.engagement_id = d.note_id)
        GROUP BY d.hub_id, d.note_id
        LIMIT :most
    ), due AS MATERIALIZED (
        SELECT found.* FROM hubspot_surplus_notes d JOIN found USING (hub_id, note_id)
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE hubspot_surplus_notes s
    SET attempts = s.attempts + 1, next_attempt_at = now() + make_interval(secs => :retry)
    FROM due
    WHERE s.hub_id = due.hub_id AND s.note_id = due.note_id
    RETURNING s.hub_id, s.note_id, s.log_id, due.connection_id
""")


def take_surplus_notes(session: Session, *, most: int) -> list[SurplusNoteDue]:
    """Surplus notes to archive now; they come again until `forget_surplus_note`."""
    rows = session.execute(_TAKE, {"retry": RETRY_EVERY_S, "most": most}).mappings()
    return [SurplusNoteDue(**row) for row in rows]


_FORGET = text("DELETE FROM hubspot_surplus_notes WHERE hub_id = :hub_id AND note_id = :note_id")


def forget_surplus_note(session: Session, note: SurplusNoteDue) -> None:
    """HubSpot has archived it."""
    session.execute(_FORGET, {"hub_id": note.hub_id, "note_id": note.note_id})
