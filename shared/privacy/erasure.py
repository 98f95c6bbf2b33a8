"""Forgetting a person: every call of a phone number loses what says whose it was.

The sync log's row stays as evidence: ids, times and outcome. Notes in HubSpot belong to the
customer; they are named, so that they can be deleted there.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Result, text
from sqlalchemy.orm import Session

from shared.privacy.audit import Action, Actor, Deed, record_deed

ERASED_MESSAGE: Final = "The caller asked to be forgotten: the call's content was erased."


@dataclass(frozen=True, slots=True)
class NoteLeft:
    """A note in HubSpot, or a contact on which one may be: `note_id` is None while in doubt.

    `ui_domain` is the host of the account's pages, None where it is not known.
    """

    log_id: str
    hub_id: int
    contact_id: str
    note_id: str | None
    ui_domain: str | None


@dataclass(slots=True)
class Erasure:
    """What was removed, and what is left to the customer.

    Attributes:
        calls: Calls that lost their number.
        contents: Those whose content was still kept: numbers, summary, transcript, recording.
        messages: Attempts whose message was removed.
        stopped: Calls that still waited for their note and will not get one.
        notes: What is in HubSpot, or may be.
    """

    calls: int = 0
    contents: int = 0
    messages: int = 0
    stopped: int = 0
    notes: list[NoteLeft] = field(default_factory=list)

    def add(self, other: "Erasure") -> None:
        """Count what another batch removed."""
        self.calls += other.calls
        self.contents += other.contents
        self.messages += other.messages
        self.stopped += other.stopped
        self.notes += other.notes


_LOCK = text("""
    SELECT id, user_id, workspace_id, next_attempt_at IS NOT NULL AS is_waiting
    FROM hubspot_sync_logs WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE
""")

# A new fence takes the call from the worker that holds it: no mark of it is granted any more. A
# write under way keeps its mark; should its answer still come, the note is recorded as ever. Until
# then the call says so, also one that was only looked up again: see `may_write`. What a reconnect
# would requeue is ended too, because there is nothing left to write.
_ERASE = text("""
    UPDATE hubspot_sync_logs
    SET phone_number = NULL, next_attempt_at = NULL, fence = fence + 1,
        claimed_by = NULL, claimed_until = NULL, claim_size = NULL,
        suspect_size = NULL, solo_crashes = 0, raw_lookup = false, updated_at = now(),
        status = CASE WHEN status = 'pending' OR error_code = 'not_connected'
                           OR (status = 'skipped' AND last_write_at IS NOT NULL) THEN 'error'
                      ELSE status END,
        error_code = CASE WHEN status = 'pending'
                               OR (status = 'skipped' AND last_write_at IS NOT NULL)
                               OR error_code IN ('not_connected', 'reconnect_required',
                                                 'missing_scopes')
                          THEN 'payload_expired' ELSE error_code END,
        error_message = CASE WHEN status <> 'success' THEN :message END, notices = NULL
    WHERE id = ANY(:ids)
""")
# With every delivery of them. Locked in order: whoever appends deliveries locks several too.
_ERASE_CONTENTS = text("""
    WITH held AS MATERIALIZED (
        SELECT log_id FROM calls WHERE log_id = ANY(:ids) ORDER BY log_id FOR UPDATE
    )
    DELETE FROM calls USING held WHERE calls.log_id = held.log_id
""")
# What an activity was written from, and what is still to be written to it.
_ERASE_ACTIVITIES = text("DELETE FROM activities WHERE log_id = ANY(:ids)")
_ERASE_UPDATES = text("DELETE FROM activity_updates WHERE log_id = ANY(:ids)")
_ERASE_MESSAGES = text("""
    UPDATE hubspot_sync_attempts SET message = NULL
    WHERE log_id = ANY(:ids) AND message IS NOT NULL
""")
_NOTES_LEFT = text("""
    SELECT l.id AS log_id, l.hub_id, l.contact_id, l.engagement_id AS note_id,
           CASE WHEN c.hub_id = l.hub_id THEN c.ui_domain END AS ui_domain
    FROM hubspot_sync_logs l LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    WHERE l.id = ANY(:ids) AND (l.engagement_id IS NOT NULL OR l.last_write_at IS NOT NULL)
    ORDER BY l.id
""")


def erase_calls(session: Session, ids: Collection[str]) -> Erasure:
    """Remove what says whose these calls were, and end the work that was left to do on them.

    Takes calls from workers that hold them; what such a worker learns afterwards is dropped, but
    for the id of a note that it has written. The audit trail of each tenant says how many it were.
    """
    wanted = {"ids": list(ids)}
    locked = session.execute(_LOCK, wanted).all()
    notes = [NoteLeft(**row) for row in session.execute(_NOTES_LEFT, wanted).mappings()]
    session.execute(_ERASE, {**wanted, "message": ERASED_MESSAGE})
    for query in (_ERASE_UPDATES, _ERASE_ACTIVITIES):
        session.execute(query, wanted)
    tenants = Counter((row.user_id, row.workspace_id) for row in locked)
    for (user_id, workspace_id), calls in tenants.items():
        record_deed(
            session,
            Deed(
                user_id=user_id,
                workspace_id=workspace_id,
                actor=Actor.OPERATOR,
                action=Action.PERSON_ERASED,
                details={"calls": calls},
            ),
        )
    return Erasure(
        calls=len(locked),
        contents=_count(session.execute(_ERASE_CONTENTS, wanted)),
        messages=_count(session.execute(_ERASE_MESSAGES, wanted)),
        stopped=sum(row.is_waiting for row in locked),
        notes=notes,
    )


def _count(result: Result[Any]) -> int:
    return result.rowcount  # type: ignore[attr-defined,no-any-return]
