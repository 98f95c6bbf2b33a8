"""What we send to HubSpot and what we take from its answers.

Ids are strings throughout, whether HubSpot's JSON has a string or a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.hubspot.errors import RejectedError
from shared.hubspot.payload import JsonObject, encode

MAX_SEARCH_BODY = 3000
"""Characters in a search body; one more and HubSpot answers 400 (CRM search guide)."""
MAX_NOTES = 100
"""Notes in one batch create, update or read (Notes guide)."""


@dataclass(frozen=True, slots=True)
class ContactFilter:
    """Contacts whose `property` equals any of `values`, whatever their case."""

    property: str
    values: tuple[str, ...]

    def conditions(self) -> list[JsonObject]:
        """HubSpot's filters, which all hold. `IN` finds nothing in upper case (same guide)."""
        values = [value.lower() for value in self.values]
        return [{"propertyName": self.property, "operator": "IN", "values": values}]


@dataclass(frozen=True, slots=True)
class PieceFilter:
    """Contacts whose `property` has tokens that contain each of `pieces`, at most six.

    A token is what stands between blanks and punctuation (assumed from its name and from reports);
    `*` stands for any text within it (CRM search guide).
    """

    property: str
    pieces: tuple[str, ...]

    def conditions(self) -> list[JsonObject]:
        """HubSpot's filters, which all hold."""
        return [
            {"propertyName": self.property, "operator": "CONTAINS_TOKEN", "value": f"*{piece}*"}
            for piece in self.pieces
        ]


@dataclass(frozen=True, slots=True)
class ContactSearch:
    """Contacts that pass at least one of up to five filters (CRM search guide).

    These may have up to 18 conditions in all. `limit` is at most 200; `after` is the `next_after`
    of the page before.
    """

    filters: tuple[ContactFilter | PieceFilter, ...]
    properties: tuple[str, ...]
    sort_by: str
    descending: bool
    limit: int = 200
    after: str | None = None

    def body(self) -> bytes:
        """The JSON exactly as it is sent: ASCII, so its length in bytes and characters agree."""
        body: JsonObject = {
            "filterGroups": [{"filters": each.conditions()} for each in self.filters],
            "properties": self.properties,
            "sorts": [
                {
                    "propertyName": self.sort_by,
                    "direction": "DESCENDING" if self.descending else "ASCENDING",
                }
            ],
            "limit": self.limit,
        }
        if self.after is not None:
            body["after"] = self.after
        return encode(body)


@dataclass(frozen=True, slots=True)
class Contact:
    id: str
    properties: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ContactPage:
    """`total` counts every hit, also those on other pages; `next_after` is None on the last."""

    total: int
    contacts: tuple[Contact, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class NewNote:
    """A note to write on one contact.

    Attributes:
        trace_id: unique within a batch; HubSpot names it in results and errors. It is a
            correlation id, not an idempotency key.
        contact_id: the contact on whose timeline the note appears.
        timestamp_ms: where on the timeline, in epoch milliseconds.
        body: HTML, at most 65,536 characters.
    """

    trace_id: str
    contact_id: str
    timestamp_ms: int
    body: str


@dataclass(frozen=True, slots=True)
class Note:
    """A note as HubSpot has it; `body` is HTML, and empty if HubSpot left it out."""

    id: str
    body: str


@dataclass(frozen=True, slots=True)
class CreateNotesAnswer:
    """What became of each input of a batch create.

    Attributes:
        created: note id by trace id.
        rejected: by trace id, inputs that HubSpot certainly refused.
        missing: trace ids of which the answer says nothing certain: their notes may exist.
        unmatched: notes that were created but carry none of our trace ids; each belongs to
            one of `missing`.
    """

    created: dict[str, str]
    rejected: dict[str, RejectedError]
    missing: frozenset[str]
    unmatched: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateNotesAnswer:
    """What became of each input of a batch update.

    Attributes:
        updated: by note id, the notes as HubSpot has them now.
        refused: by note id, why HubSpot certainly did not change it; a NotFoundError if there is
            no such note.
        missing: note ids of which the answer says nothing certain: read them.
    """

    updated: dict[str, Note]
    refused: dict[str, RejectedError]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class ContactNotes:
    """Which notes are on which contacts.

    Attributes:
        note_ids: by contact id; empty only if HubSpot says that there are none.
        unknown: contacts that HubSpot did not answer for: gone, merged or failed. Not a miss.
        truncated: contacts with more notes than were read; `note_ids` has the first of them.
    """

    note_ids: dict[str, tuple[str, ...]]
    unknown: frozenset[str]
    truncated: frozenset[str]


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """The HubSpot account; `ui_domain` is the host that its pages are on."""

    hub_id: int
    ui_domain: str | None


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What the token endpoint gave; `expires_in` is in seconds, `refresh_token` may be absent."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    hub_id: int | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The X-HubSpot-RateLimit-* headers of an answer; all None on search, which sends none."""

    max: int | None
    remaining: int | None
    interval_ms: int | None
