"""HubSpot as a destination: an activity is a note, found again by the last line of its body."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from shared.activities.destination import (
    Activity,
    ActivityKind,
    Ambiguous,
    ContactGone,
    Created,
    Creation,
    Finding,
    Found,
    Gone,
    Missed,
    NewActivity,
    Rejected,
    Sought,
    Unknown,
    Update,
    Updated,
)
from shared.activities.rendering import marker_ref
from shared.hubspot.errors import NotFoundError
from shared.hubspot.models import MAX_NOTES, Contact, ContactNotes, NewNote, Note
from shared.matching.finding import Findings, find_contacts
from shared.matching.scope import SearchScope, Stage
from shared.pacing.client import PacedHubSpot
from shared.phone import PhoneNumber

# Of a longer timeline only the newest notes are read one by one; the rest is asked by search, whose
# index has caught up by the time that a rewrite is considered.
NEWEST_NOTES_READ: Final = 300
CLOCK_SLACK: Final = timedelta(minutes=15)


class HubSpotDestination:
    """A HubSpot account; implements `Destination`."""

    def __init__(self, client: PacedHubSpot) -> None:
        self._client = client
        self.hub_id = client.hub_id
        self.open = client.open
        self.may_find = client.may_search
        self.wait_to_write = client.wait_for_request_slot
        self.keep_place_to_write = client.keep_request_slot

    @property
    def has_answered(self) -> bool:
        return self._client.has_answered

    def find(self, numbers: Sequence[PhoneNumber], *, scope: SearchScope, stage: Stage) -> Findings:
        return find_contacts(
            self._client, numbers, scope=scope, stage=stage, may_search=self._client.may_search
        )

    def create(self, activities: Sequence[NewActivity]) -> Mapping[str, Creation]:
        answer = self._client.create_notes(
            [
                NewNote(each.log_id, each.contact_id, each.timestamp_ms, each.body)
                for each in activities
            ]
        )
        # A note that came back without its trace id is known by its last line.
        unmatched = {marker_ref(note.body): note.id for note in reversed(answer.unmatched)}
        created: dict[str, Creation] = {each.log_id: Ambiguous() for each in activities}
        for log_id, error in answer.rejected.items():
            created[log_id] = Rejected(error)
        for ref, note_id in (unmatched | answer.created).items():
            if ref in created:
                created[ref] = Created(note_id)
        return created

    def update(self, activities: Sequence[Activity]) -> Mapping[str, Update]:
        answer = self._client.update_notes([Note(each.id, each.body) for each in activities])
        found: dict[str, Update] = dict.fromkeys(answer.missing, Unknown())
        for note in answer.updated.values():
            found[note.id] = Updated(Activity(note.id, note.body))
        for note_id, error in answer.refused.items():
            found[note_id] = Gone() if isinstance(error, NotFoundError) else Rejected(error)
        return found

    def read(
        self,
        activity_ids: Sequence[str],
        *,
        kind: ActivityKind = ActivityKind.NOTE,
    ) -> Mapping[str, Activity]:
        notes = self._client.read_notes(activity_ids)
        return {note.id: Activity(note.id, note.body, kind) for note in notes.values()}

    def look_for(self, sought: Sequence[Sought]) -> Mapping[str, Finding]:
        return look_for_notes(self._client, sought)

    def archive(self, activity_id: str, *, kind: ActivityKind = ActivityKind.NOTE) -> None:  # noqa: ARG002
        self._client.archive_note(activity_id)

    def has_contact(self, contact_id: str) -> bool:
        contact = self._client.read_contact(contact_id)
        return contact is not None and contact.id == contact_id


class NoteReader(Protocol):
    """What looking for notes needs of the client."""

    def notes_of_contacts(self, contact_ids: Collection[str]) -> ContactNotes: ...
    def read_notes(self, note_ids: Sequence[str]) -> dict[str, Note]: ...
    def read_contact(self, contact_id: str) -> Contact | None: ...
    def search_notes(self, contact_id: str, *, created_from_ms: int) -> tuple[Note, ...]: ...


def look_for_notes(hubspot: NoteReader, sought: Sequence[Sought]) -> dict[str, Finding]:
    """Look for the note of each call on its contact; by log id.

    Goes through associations, which do not lag as the search index does.
    """
    listed = hubspot.notes_of_contacts({each.contact_id for each in sought if each.contact_id})
    newest = {
        contact_id: sorted(ids, key=_newness, reverse=True)[:NEWEST_NOTES_READ]
        for contact_id, ids in listed.note_ids.items()
    }
    by_ref = _read_refs(hubspot, {each for ids in newest.values() for each in ids})
    findings: dict[str, Finding] = {}
    for each in sought:
        found = by_ref.get(each.log_id)
        is_long = each.contact_id in listed.truncated or (
            len(listed.note_ids.get(each.contact_id, ())) > NEWEST_NOTES_READ
        )
        if found is None and is_long and each.is_last_look:
            since_ms = int((each.since - CLOCK_SLACK).timestamp() * 1000)
            notes = hubspot.search_notes(each.contact_id, created_from_ms=since_ms)
            found = _by_ref(notes).get(each.log_id)
        if found is not None:
            findings[each.log_id] = Found(found[0], tuple(found[1:]))
        elif each.contact_id in listed.unknown:
            findings[each.log_id] = _ask_for_contact(hubspot, each, otherwise=Unknown())
        elif each.is_last_look:
            findings[each.log_id] = _ask_for_contact(hubspot, each, otherwise=Missed())
        else:
            findings[each.log_id] = Missed()
    return findings


def _ask_for_contact(hubspot: NoteReader, sought: Sought, *, otherwise: Finding) -> Finding:
    # An empty answer may mean a merge: before writing again, and after a 404, the contact itself
    # is read. That it exists says nothing of its notes.
    contact = hubspot.read_contact(sought.contact_id)
    if contact is None:
        return ContactGone()
    return otherwise if contact.id == sought.contact_id else Unknown(contact.id)


def _read_refs(hubspot: NoteReader, note_ids: Collection[str]) -> dict[str, list[str]]:
    """As `_by_ref`, of notes that are read first; their texts are dropped as they come."""
    ids = sorted(note_ids, key=_newness)
    found: dict[str, list[str]] = {}
    for start in range(0, len(ids), MAX_NOTES):
        notes = hubspot.read_notes(ids[start : start + MAX_NOTES]).values()
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
