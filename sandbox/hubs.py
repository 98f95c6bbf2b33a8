"""A HubSpot account with its contacts, their activities, its owners and its limits."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping

from sandbox.activities import Activities
from sandbox.activity_kinds import ACTIVITY_KINDS
from sandbox.limits import AccountLimits
from sandbox.moments import iso_time
from sandbox.phones import calculate_phones
from sandbox.properties import CONTACTS
from sandbox.records import Record
from sandbox.search_index import SearchIndex


@dataclasses.dataclass(slots=True)
class Owner:
    """Somebody whom records can belong to; an archived one can get no more."""

    id: str
    email: str
    archived: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Disposition:
    """An outcome of calls; a deleted one is still listed."""

    id: str
    label: str
    deleted: bool = False


# The same in every account, until an administrator changes them.
DEFAULT_DISPOSITIONS = (
    Disposition("9d9162e7-6cf3-4944-bf63-4dff82258764", "Busy"),
    Disposition("f240bbac-87c9-4f6e-bf70-924b57d47db7", "Connected"),
    Disposition("a4c4c377-d246-4b32-a13b-75a56a4cd0ff", "Left live message"),
    Disposition("b2cf5968-551e-4856-9783-52b3da59a7d0", "Left voicemail"),
    Disposition("73a0d17f-1163-4015-bdd5-ec830791da20", "No answer"),
    Disposition("17b47fee-58de-441e-a44c-c6300d46f273", "Wrong number"),
)


class Hub:
    """One account.

    Args:
        hub_id: HubSpot's number of the account.
        default_country: the region in which numbers without a country code are read.
        ui_domain: the host of the account's web pages.
        hidden_properties: properties of contacts and activities that this account lacks.
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
        hidden = frozenset(hidden_properties)
        self.contact_schema = CONTACTS.without(hidden)
        self.contacts: dict[str, Record] = {}
        self.activities = {
            name: Activities(
                kind,
                schema=kind.schema.without(hidden),
                new_ids=new_ids,
                now=now,
                index_lag=index_lag,
            )
            for name, kind in ACTIVITY_KINDS.items()
        }
        self.owners: dict[str, Owner] = {}
        self.dispositions: tuple[Disposition, ...] = DEFAULT_DISPOSITIONS
        self.survivors: dict[str, str] = {}
        self.contact_index = SearchIndex()
        self.limits = AccountLimits()
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
        self._index(contact)

    def archive_contact(self, contact: Record) -> None:
        """Move a contact to the recycling bin; its activities stay but lose it."""
        contact.archived = True
        self.contact_index.remove(contact.id)
        for activities in self.activities.values():
            activities.lose_contact(contact.id)

    def merge_contacts(self, primary: Record, merged: Record) -> Record:
        """Merge the second contact into the first, which keeps its id and gains the timeline."""
        for activities in self.activities.values():
            activities.move(merged.id, primary.id)
        self.survivors[merged.id] = primary.id
        merged.archived = True
        self.contact_index.remove(merged.id)
        earlier = primary.properties.get("hs_merged_object_ids", "")
        merged_ids = ";".join(filter(None, (earlier, merged.id)))
        filled = {**merged.properties, **primary.properties, "hs_merged_object_ids": merged_ids}
        self.change_contact(primary, filled)
        return primary

    def add_owner(self, email: str) -> Owner:
        """Add a person or queue that records can belong to."""
        owner = Owner(str(next(self._new_ids)), email)
        self.owners[owner.id] = owner
        return owner

    def _new_record(self) -> Record:
        now_ms = self._now_ms()
        record_id = str(next(self._new_ids))
        return Record(record_id, {"hs_object_id": record_id}, now_ms, now_ms)

    def _index(self, contact: Record) -> None:
        now = self._now()
        self.contact_index.put(contact, visible_at=now + self._index_lag())
        # Kept up here too, so that the first search after a large import is as fast as the next.
        self.contact_index.catch_up(now)

    def _now_ms(self) -> int:
        return int(self._now() * 1000)
