"""HubSpot as a history needs it: contacts, the notes on them, and creates that commit late."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from shared.activities.destination import NewActivity
from shared.activities.hubspot import TYPES
from shared.hubspot.models import Contact, ContactEngagements, Engagement, EngagementType

# HubSpot cuts a request off after so long; until then an unanswered create may still commit.
CUT_OFF_S: Final = 100.0

_note_ids = count(1)


@dataclass(frozen=True, slots=True)
class Create:
    """A create as HubSpot got it.

    `is_frozen` says that its worker was frozen between mark and POST for longer than it may take:
    the residual risk that the service documents.
    """

    hub_id: int
    note: NewActivity
    is_frozen: bool


@dataclass(frozen=True, slots=True)
class WrittenNote:
    """A note on a timeline, and the create that wrote it."""

    id: str
    create: Create


@dataclass(slots=True)
class Account:
    """One HubSpot account.

    Attributes:
        hub_id: Its id.
        notes: What is on its timelines, by note id.
        recorded: Note ids that workers have recorded.
        reported: Creates whose workers lived to record what they knew of them.
        found: Which numbers searches have found on which contacts.
        unanswered: Creates that may still commit, and until when on the history's clock.
        survivors: Contacts that were merged away, and into which.
        gone: Contacts that were deleted.
    """

    hub_id: int
    contact_ids: Sequence[str] = ("11", "12", "13")
    notes: dict[str, WrittenNote] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    reported: set[Create] = field(default_factory=set)
    found: set[tuple[str, str]] = field(default_factory=set)
    unanswered: list[tuple[Create, float]] = field(default_factory=list)
    survivors: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def live_contacts(self) -> list[str]:
        return [
            each
            for each in self.contact_ids
            if each not in self.survivors and each not in self.gone
        ]

    def survivor(self, contact_id: str) -> str:
        """The contact that has this one's notes now."""
        while contact_id in self.survivors:
            contact_id = self.survivors[contact_id]
        return contact_id

    def aliases(self, contact_id: str) -> list[str]:
        """All contacts, merged away or not, whose notes are on the same timeline."""
        now = self.survivor(contact_id)
        return [each for each in self.contact_ids if self.survivor(each) == now]

    def commit(self, create: Create) -> str | None:
        """Write the note, on the survivor if its contact was merged; None if it is gone."""
        if self.survivor(create.note.contact_id) in self.gone:
            return None
        note_id = str(next(_note_ids))
        self.notes[note_id] = WrittenNote(note_id, create)
        return note_id

    def leave_unanswered(self, create: Create, *, now: float) -> None:
        self.unanswered.append((create, now + CUT_OFF_S))

    def surplus(self) -> list[str]:
        """Calls with several notes, all of them by creates that were reported."""
        refs = Counter(
            note.create.note.log_id for note in self.notes.values() if note.create in self.reported
        )
        return [ref for ref, notes in refs.items() if notes > 1]

    def cut_off(self, *, now: float) -> None:
        """End the requests that took too long."""
        self.unanswered = [each for each in self.unanswered if each[1] >= now]

    def delete_contact(self, contact_id: str) -> None:
        """Delete a contact and what is on its timeline."""
        self.gone.add(contact_id)
        self.notes = {
            note_id: note
            for note_id, note in self.notes.items()
            if self.survivor(note.create.note.contact_id) not in self.gone
        }


@dataclass
class Reader:
    """What reading back asks of an account; `is_vague` answers 404 for contacts that are there."""

    account: Account
    is_vague: bool

    def engagements_of_contacts(
        self, kind: EngagementType, contact_ids: Collection[str]
    ) -> ContactEngagements:
        if self.is_vague:
            return ContactEngagements({}, frozenset(contact_ids), frozenset())
        gone = self.account.gone & set(contact_ids)
        # A contact that was merged away has nothing on its timeline any more.
        found = {each: tuple(self._on(kind, each)) for each in contact_ids if each not in gone}
        return ContactEngagements(found, frozenset(gone), frozenset())

    def read_engagements(self, kind: EngagementType, ids: Sequence[str]) -> dict[str, Engagement]:
        found = {
            each: self.account.notes[each].create.note for each in ids if each in self.account.notes
        }
        return {
            each: Engagement(each, {kind.body: note.body, **note.properties})
            for each, note in found.items()
            if TYPES[note.kind] == kind
        }

    def search_engagements(
        self, kind: EngagementType, contact_id: str, *, created_from_ms: int
    ) -> tuple[Engagement, ...]:
        raise NotImplementedError  # no timeline is that long

    def read_contact(self, contact_id: str) -> Contact | None:
        now = self.account.survivor(contact_id)
        return None if now in self.account.gone else Contact(now, {})

    def _on(self, kind: EngagementType, contact_id: str) -> Iterator[str]:
        for note in self.account.notes.values():
            new = note.create.note
            if TYPES[new.kind] == kind and self.account.survivor(new.contact_id) == contact_id:
                yield note.id
