"""What we send to HubSpot and what we take from its answers.

Ids are strings throughout, whether HubSpot's JSON has a string or a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.hubspot.errors import RejectedError
from shared.hubspot.payload import JsonObject, encode

MAX_SEARCH_BODY = 3000
"""Characters in a search body; one more and HubSpot answers 400 (CRM search guide)."""
MAX_ENGAGEMENTS = 100
"""Notes or calls in one batch create, update or read (Notes guide, Calls guide)."""


@dataclass(frozen=True, slots=True)
class EngagementType:
    """A type of what stands on timelines, and all in which the types differ.

    Attributes:
        name: what paths and methods call it, in the plural.
        body: the property that holds its HTML.
        to_contact: association type id, from it to a contact (Associate records guide).
        further: properties that are read beside the body.
    """

    name: str
    body: str
    to_contact: int
    further: tuple[str, ...] = ()

    @property
    def properties(self) -> tuple[str, ...]:
        """What is read of it."""
        return (self.body, *self.further)


NOTES = EngagementType("notes", "hs_note_body", 202)
CALLS = EngagementType(
    "calls",
    "hs_call_body",
    194,
    (
        "hs_call_title",
        "hs_call_direction",
        "hs_call_status",
        "hs_call_disposition",
        "hs_call_duration",
        "hs_call_from_number",
        "hs_call_to_number",
        "hs_call_recording_url",
        "hs_call_external_id",
    ),
)


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
class NewEngagement:
    """A note or call to write on one contact.

    Attributes:
        trace_id: unique within a batch; HubSpot names it in results and errors. It is a
            correlation id, not an idempotency key.
        contact_id: the contact on whose timeline it appears.
        timestamp_ms: where on the timeline, in epoch milliseconds.
        properties: all others; texts of at most 65,536 characters.
    """

    trace_id: str
    contact_id: str
    timestamp_ms: int
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Engagement:
    """A note or call as HubSpot has it, without what is empty; or what is to change of it."""

    id: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateAnswer:
    """What became of each input of a batch create.

    Attributes:
        created: id by trace id.
        rejected: by trace id, inputs that HubSpot certainly refused.
        missing: trace ids of which the answer says nothing certain: what they ask for may exist.
        unmatched: what was created but carries none of our trace ids; each belongs to one of
            `missing`.
    """

    created: dict[str, str]
    rejected: dict[str, RejectedError]
    missing: frozenset[str]
    unmatched: tuple[Engagement, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateAnswer:
    """What became of each input of a batch update.

    Attributes:
        updated: by id, what HubSpot has now, as far as it said so.
        refused: by id, why HubSpot certainly did not change it; a NotFoundError if there is none.
        missing: ids of which the answer says nothing certain: read them.
    """

    updated: dict[str, Engagement]
    refused: dict[str, RejectedError]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class ContactEngagements:
    """Which notes, or calls, are on which contacts.

    Attributes:
        ids: by contact id; empty only if HubSpot says that there are none.
        unknown: contacts that HubSpot did not answer for: gone, merged or failed. Not a miss.
        truncated: contacts with more than were read; `ids` has the first of them.
    """

    ids: dict[str, tuple[str, ...]]
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
