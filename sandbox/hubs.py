"""A HubSpot account with its contacts, its notes and its limits."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from sandbox.limits import AccountLimits
from sandbox.moments import iso_time
from sandbox.phones import calculate_phones
from sandbox.properties import CONTACTS, NOTES
from sandbox.records import Record
from sandbox.search_index import SearchIndex


class Hub:
    """One account.

    Args:
        hub_id: HubSpot's number of the account.
        default_country: the region in which numbers without a country code are read.
        ui_domain: the host of the account's web pages.
        hidden_properties: properties of contacts that this account lacks.
        new_ids: numbers of new objects; shared, since HubSpot's ids are unique across accounts.
        now: the sandbox's clock, in seconds.
        index_lag: the current index lag, in seconds.
    """

    def __init__(
        self,
        hub_id: int,
        *,
        default_country: str,
        ui_domain: str,
        hidden_properties: Iterable[str],
        new_ids: Iterator[int],
        now: Callable[[], float],
        index_lag: Callable[[], float],
    ) -> None:
        self.hub_id = hub_id
        self.default_country = default_country
        self.ui_domain = ui_domain
        self.contact_schema = CONTACTS.without(hidden_properties)
        self.note_schema = NOTES
        self.contacts: dict[str, Record] = {}
        self.notes: dict[str, Record] = {}
        self.survivors: dict[str, str] = {}
        self.contact_index = SearchIndex()
        self.note_index = SearchIndex()
        self.limits = AccountLimits()
        self._note_ids_by_contact: dict[str, list[str]] = {}
        self._contact_ids_by_email: dict[str, str] = {}
        self._new_ids = new_ids
        self._now = now
        self._index_lag = index_lag

    def contact(self, contact_id: str) -> Record | None:
        """Return a contact that exists under this very id: not archived, not merged away."""
        found = self.contacts.get(contact_id)
        return None if found is None or found.archived else found

    def surviving_contact(self, contact_id: str) -> Record | None:
        """Return the contact, or the one that it was merged into."""
        while contact_id in self.survivors:
            contact_id = self.survivors[contact_id]
        return self.contact(contact_id)

    def contact_with_email(self, email: str) -> Record | None:
        """Return the contact that has this address; HubSpot allows one."""
        contact = self.contact(self._contact_ids_by_email.get(email.lower(), ""))
        if contact is None or contact.properties.get("email", "").lower() != email.lower():
            return None
        return contact

    def add_contact(self, properties: Mapping[str, str]) -> Record:
        """Create a contact and calculate its phone properties."""
        contact = self._new_record()
        self.contacts[contact.id] = contact
        self._note_ids_by_contact[contact.id] = []
        contact.properties["createdate"] = iso_time(contact.created_ms)
        self.change_contact(contact, properties)
        return contact

    def change_contact(self, contact: Record, properties: Mapping[str, str]) -> None:
        """Set properties; an empty value clears one."""
        merged = {**contact.properties, **properties}
        kept = {
            name: value
            for name, value in merged.items()
            if value and not name.startswith(("hs_calculated_", "hs_searchable_calculated_"))
        }
        calculated = calculate_phones(kept, self.default_country)
        known = self.contact_schema.kinds
        contact.properties = kept | {
            name: value for name, value in calculated.items() if name in known
        }
        contact.updated_ms = self._now_ms()
        contact.properties["lastmodifieddate"] = iso_time(contact.updated_ms)
        if email := contact.properties.get("email"):
            self._contact_ids_by_email[email.lower()] = contact.id
        self._index(self.contact_index, contact)

    def archive_contact(self, contact: Record) -> None:
        """Move a contact to the recycling bin; its notes stay but lose it."""
        contact.archived = True
        self.contact_index.remove(contact.id)
        for note in self.notes_of(contact.id):
            note.contact_ids.discard(contact.id)
            self._index(self.note_index, note)
        self._note_ids_by_contact[contact.id] = []

    def merge_contacts(self, primary: Record, merged: Record) -> Record:
        """Merge the second contact into the first, which keeps its id and gains the notes."""
        for note in self.notes_of(merged.id):
            note.contact_ids.discard(merged.id)
            if primary.id not in note.contact_ids:
                note.contact_ids.add(primary.id)
                self._note_ids_by_contact[primary.id].append(note.id)
            self._index(self.note_index, note)
        self._note_ids_by_contact[merged.id] = []
        self.survivors[merged.id] = primary.id
        merged.archived = True
        self.contact_index.remove(merged.id)
        earlier = primary.properties.get("hs_merged_object_ids", "")
        merged_ids = ";".join(filter(None, (earlier, merged.id)))
        filled = {**merged.properties, **primary.properties, "hs_merged_object_ids": merged_ids}
        self.change_contact(primary, filled)
        return primary

    def add_note(self, properties: Mapping[str, str], contact_ids: Iterable[str]) -> Record:
        """Create a note on the timelines of these contacts."""
        note = self._new_record()
        note.properties |= properties
        note.properties["hs_createdate"] = iso_time(note.created_ms)
        note.properties["hs_lastmodifieddate"] = iso_time(note.updated_ms)
        note.contact_ids = set(contact_ids)
        self.notes[note.id] = note
        for contact_id in note.contact_ids:
            self._note_ids_by_contact[contact_id].append(note.id)
        self._index(self.note_index, note)
        return note

    def note(self, note_id: str) -> Record | None:
        """Return a note that is not archived."""
        found = self.notes.get(note_id)
        return None if found is None or found.archived else found

    def notes_of(self, contact_id: str) -> list[Record]:
        """Return a contact's notes that are not archived, oldest first."""
        ids = self._note_ids_by_contact.get(contact_id, [])
        return [note for note in map(self.notes.__getitem__, ids) if not note.archived]

    def archive_note(self, note: Record) -> None:
        """Move a note to the recycling bin."""
        note.archived = True
        self.note_index.remove(note.id)

    def _new_record(self) -> Record:
        now_ms = self._now_ms()
        record_id = str(next(self._new_ids))
        return Record(record_id, {"hs_object_id": record_id}, now_ms, now_ms)

    def _index(self, index: SearchIndex, record: Record) -> None:
        now = self._now()
        index.put(record, visible_at=now + self._index_lag())
        # Kept up here too, so that the first search after a large import is as fast as the next.
        index.catch_up(now)

    def _now_ms(self) -> int:
        return int(self._now() * 1000)
