"""The properties that contacts, notes and calls have, and what kind of value each holds."""

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
        options: the values that an enumeration may have.
    """

    kinds: Mapping[str, Kind]
    read_only: frozenset[str]
    always_returned: tuple[str, ...]
    returned_by_default: tuple[str, ...]
    query_searched: tuple[str, ...]
    options: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)

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
# What notes and calls have in common; the preview is derived from the body.
PREVIEW = ("hs_body_preview", "hs_body_preview_html", "hs_body_preview_is_truncated")
_ACTIVITY_KINDS = {
    **_all(
        Kind.STRING,
        (
            "hubspot_owner_id",
            "hs_attachment_ids",
            "hs_at_mentioned_owner_ids",
            "hs_unique_creation_key",
            *PREVIEW,
        ),
    ),
    **_all(Kind.NUMBER, ("hs_object_id", "associations.contact")),
    **_all(Kind.DATETIME, ("hs_timestamp", "hs_createdate", "hs_lastmodifieddate")),
}
_ACTIVITY_READ_ONLY = frozenset(
    {
        "hs_object_id",
        "hs_createdate",
        "hs_lastmodifieddate",
        "hs_unique_creation_key",
        "associations.contact",
        *PREVIEW,
    }
)
_ALWAYS_OF_ACTIVITIES = ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")
NOTES = Schema(
    kinds=_ACTIVITY_KINDS | {"hs_note_body": Kind.STRING},
    read_only=_ACTIVITY_READ_ONLY,
    always_returned=_ALWAYS_OF_ACTIVITIES,
    returned_by_default=(),
    query_searched=("hs_note_body",),
)

# Names: HubSpot's calls guide. That nobody but HubSpot writes these four is assumed.
_CALL_READ_ONLY = frozenset(
    {
        "hs_call_has_voicemail",
        "hs_call_has_transcript",
        "hs_call_summary",
        "hs_call_transcription",
    }
)
_CALL_STRINGS = (
    "hs_call_title",
    "hs_call_body",
    "hs_call_from_number",
    "hs_call_to_number",
    "hs_call_recording_url",
    "hs_call_app_id",
    "hs_call_external_id",
    "hs_call_external_account_id",
    *_CALL_READ_ONLY,
)
CALL_STATUSES = frozenset(
    {
        "BUSY",
        "CALLING_CRM_USER",
        "CANCELED",
        "COMPLETED",
        "CONNECTING",
        "FAILED",
        "IN_PROGRESS",
        "NO_ANSWER",
        "QUEUED",
        "RINGING",
    }
)
CALLS = Schema(
    kinds={
        **_ACTIVITY_KINDS,
        **_all(Kind.STRING, _CALL_STRINGS),
        **_all(
            Kind.ENUMERATION,
            (
                "hs_activity_type",
                "hs_call_callee_object_type",
                "hs_call_direction",
                "hs_call_disposition",
                "hs_call_source",
                "hs_call_status",
            ),
        ),
        **_all(Kind.NUMBER, ("hs_call_duration", "hs_call_callee_object_id")),
    },
    read_only=_ACTIVITY_READ_ONLY | _CALL_READ_ONLY,
    always_returned=_ALWAYS_OF_ACTIVITIES,
    returned_by_default=(),
    query_searched=("hs_call_title", "hs_body_preview"),
    # Dispositions are no options of the property: an account lists them elsewhere. Types of
    # activities are an account's own, and no account of the sandbox has any.
    options={
        "hs_activity_type": frozenset(),
        "hs_call_callee_object_type": frozenset({"CONTACT", "COMPANY"}),
        "hs_call_direction": frozenset({"INBOUND", "OUTBOUND"}),
        "hs_call_source": frozenset({"INTEGRATIONS_PLATFORM"}),
        "hs_call_status": CALL_STATUSES,
    },
)
