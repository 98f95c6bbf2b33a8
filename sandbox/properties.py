"""The properties that contacts and notes have, and what kind of value each holds."""

import dataclasses
import enum
from collections.abc import Iterable, Mapping

from sandbox.phones import CALCULATED_PROPERTIES


class Kind(enum.Enum):
    """How a value is compared: HubSpot ignores case except in enumerations."""

    STRING = enum.auto()
    ENUMERATION = enum.auto()
    NUMBER = enum.auto()
    DATETIME = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Schema:
    """One object type's properties.

    Attributes:
        kinds: every property that may be filtered, sorted or read.
        read_only: those that only HubSpot writes.
        always_returned: answered whatever was asked for.
        returned_by_default: answered when no property was asked for.
        query_searched: what the free-text `query` of a search looks in.
    """

    kinds: Mapping[str, Kind]
    read_only: frozenset[str]
    always_returned: tuple[str, ...]
    returned_by_default: tuple[str, ...]
    query_searched: tuple[str, ...]

    def without(self, hidden: Iterable[str]) -> "Schema":
        """Return the schema of an account that lacks some of these properties."""
        lacking = frozenset(hidden)
        kept = {name: kind for name, kind in self.kinds.items() if name not in lacking}
        return dataclasses.replace(self, kinds=kept)


def _all(kind: Kind, names: Iterable[str]) -> dict[str, Kind]:
    return dict.fromkeys(names, kind)


_CONTACT_STRINGS = (
    "firstname",
    "lastname",
    "email",
    "phone",
    "mobilephone",
    "fax",
    "hs_whatsapp_phone_number",
    "company",
    "jobtitle",
    "address",
    "city",
    "country",
    "website",
    "hubspot_owner_id",
    "hs_additional_emails",
    "hs_merged_object_ids",
)
CONTACTS = Schema(
    kinds={
        **_all(Kind.STRING, _CONTACT_STRINGS),
        **_all(Kind.STRING, CALCULATED_PROPERTIES),
        **_all(Kind.ENUMERATION, ("lifecyclestage", "hs_lead_status")),
        **_all(Kind.NUMBER, ("hs_object_id",)),
        **_all(Kind.DATETIME, ("createdate", "lastmodifieddate")),
    },
    read_only=CALCULATED_PROPERTIES
    | {"hs_object_id", "createdate", "lastmodifieddate", "hs_merged_object_ids"},
    always_returned=("createdate", "hs_object_id", "lastmodifieddate"),
    returned_by_default=("email", "firstname", "lastname"),
    query_searched=(
        "firstname",
        "lastname",
        "email",
        "phone",
        "hs_additional_emails",
        "fax",
        "mobilephone",
        "company",
    ),
)
NOTES = Schema(
    kinds={
        **_all(Kind.STRING, ("hs_note_body", "hubspot_owner_id", "hs_attachment_ids")),
        **_all(Kind.NUMBER, ("hs_object_id", "associations.contact")),
        **_all(Kind.DATETIME, ("hs_timestamp", "hs_createdate", "hs_lastmodifieddate")),
    },
    read_only=frozenset(
        {"hs_object_id", "hs_createdate", "hs_lastmodifieddate", "associations.contact"}
    ),
    always_returned=("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
    returned_by_default=(),
    query_searched=("hs_note_body",),
)
