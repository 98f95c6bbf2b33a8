"""Reading HubSpot back: is a note that may have been written there?"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared.activities.rendering import marker_ref
from shared.hubspot.models import Note
from worker.rounds.pacing import PacedHubSpot
from worker.rounds.transitions import LATE_COMMIT_S, Doubt, may_write_again

NOTES_A_READ: Final = 100
# Of a longer timeline only the newest notes are read one by one; the rest is asked by search, whose
# index has caught up by the time that a rewrite is considered.
NEWEST_NOTES_READ: Final = 300
CLOCK_SLACK: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Found:
    """The call's note; `surplus` are further notes of the same call."""

    note_id: str
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Missed:
    """HubSpot answered, and the note is not among the contact's."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """HubSpot did not answer for the contact; `contact_id` is the survivor of a merge."""

    contact_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContactGone:
    """The contact does not exist any more, and a late commit is ruled out."""


Finding = Found | Missed | Unknown | ContactGone


def read_back(hubspot: PacedHubSpot, calls: Sequence[Doubt]) -> dict[str, Finding]:
    """Look for the note of each call on the contact that its mark names; keyed by log id.

    Goes through associations, which do not lag as the search index does. Always the stored
    contact, never a new match.

    Raises:
        HubSpotError, OutOfBudgetError: Nothing is known of any of them.
    """
    answer = hubspot.notes_of_contacts({call.contact_id for call in calls if call.contact_id})
    newest = {
        contact_id: sorted(ids, key=_newness, reverse=True)[:NEWEST_NOTES_READ]
        for contact_id, ids in answer.note_ids.items()
    }
    by_ref = _read_refs(hubspot, {each for ids in newest.values() for each in ids})
    findings: dict[str, Finding] = {}
    for call in calls:
        found = by_ref.get(call.id)
        contact_id = call.contact_id or ""
        is_long = contact_id in answer.truncated or (
            len(answer.note_ids.get(contact_id, ())) > NEWEST_NOTES_READ
        )
        if found is None and is_long and may_write_again(call):
            created_from = call.received_at - CLOCK_SLACK
            found = _by_ref(
                hubspot.search_notes(
                    contact_id, created_from_ms=int(created_from.timestamp() * 1000)
                )
            ).get(call.id)
        if found is not None:
            findings[call.id] = Found(found[0], tuple(found[1:]))
        elif contact_id in answer.unknown:
            findings[call.id] = _ask_for_contact(hubspot, call, contact_id, otherwise=Unknown())
        elif may_write_again(call):
            findings[call.id] = _ask_for_contact(hubspot, call, contact_id, otherwise=Missed())
        else:
            findings[call.id] = Missed()
    return findings


def _ask_for_contact(
    hubspot: PacedHubSpot, call: Doubt, contact_id: str, *, otherwise: Finding
) -> Finding:
    # An empty answer may mean a merge: before writing again, and after a 404, the contact itself
    # is read. That it exists says nothing of its notes.
    contact = hubspot.read_contact(contact_id)
    if contact is None:
        is_late = (call.marked_for or 0) >= LATE_COMMIT_S
        return ContactGone() if is_late else Unknown()
    return otherwise if contact.id == contact_id else Unknown(contact.id)


def _read_refs(hubspot: PacedHubSpot, note_ids: Collection[str]) -> dict[str, list[str]]:
    """As `_by_ref`, of notes that are read first; their texts are dropped as they come."""
    ids = sorted(note_ids, key=_newness)
    found: dict[str, list[str]] = {}
    for start in range(0, len(ids), NOTES_A_READ):
        notes = hubspot.read_notes(ids[start : start + NOTES_A_READ]).values()
        for ref, of_ref in _by_ref(notes).items():
            found.setdefault(ref, []).extend(of_ref)
    return found


def _by_ref(notes: Iterable[Note]) -> dict[str, list[str]]:
    """Note ids by the log id that their last line names, oldest first."""
    found: dict[str, list[str]] = {}
    for note in sorted(notes, key=lambda note: _newness(note.id)):
        ref = marker_ref(note.body)
        if ref is not None:
            found.setdefault(ref, []).append(note.id)
    return found


def _newness(record_id: str) -> tuple[int, str]:
    """HubSpot's ids are numbers that grow; as text they would sort wrongly."""
    return len(record_id), record_id
