"""What a call's state is and why: the stable words that queue, logs, API and metrics share."""

from collections.abc import Collection
from enum import IntEnum, StrEnum
from typing import Final


class Status(StrEnum):
    """What a person sees of a call."""

    PENDING = "pending"
    SUCCESS = "success"
    ERROR = "error"
    SKIPPED = "skipped"


class Lane(IntEnum):
    """Where a call waits: each lane that has calls gets its share, the first ones first."""

    LIVE = 0
    REQUEUED = 1
    SECOND_LOOK = 2
    BACKFILL = 3


class Reason(StrEnum):
    """`error_code` of the sync log."""

    CONTACT_NOT_FOUND = "contact_not_found"
    AMBIGUOUS_CONTACT = "ambiguous_contact"
    NO_PHONE_NUMBER = "no_phone_number"
    INVALID_PHONE_NUMBER = "invalid_phone_number"
    UNKNOWN_DIRECTION = "unknown_direction"
    HELD = "held"
    FILTERED = "filtered"
    NOT_CONNECTED = "not_connected"
    RECONNECT_REQUIRED = "reconnect_required"
    MISSING_SCOPES = "missing_scopes"
    REJECTED_BY_HUBSPOT = "rejected_by_hubspot"
    RATE_LIMITED = "rate_limited"
    HUBSPOT_UNAVAILABLE = "hubspot_unavailable"
    NETWORK_ERROR = "network_error"
    UNCONFIRMED = "unconfirmed"
    CONFIGURATION_ERROR = "configuration_error"
    POISON = "poison"
    PAYLOAD_EXPIRED = "payload_expired"


# Those that say that no contact is the caller's.
CONTACTLESS: Final = (
    Reason.CONTACT_NOT_FOUND,
    Reason.AMBIGUOUS_CONTACT,
    Reason.NO_PHONE_NUMBER,
    Reason.INVALID_PHONE_NUMBER,
    Reason.UNKNOWN_DIRECTION,
    Reason.FILTERED,
)


# Messages that more than one place gives.
NOT_FOUND_MESSAGE: Final = "No HubSpot contact has this phone number."
END_UNREPORTED_MESSAGE: Final = (
    "The call has no phone number of a customer, and its end was never reported."
)
HELD_MESSAGE: Final = (
    "The call source was paused when this call came. Take the pause off, and you are asked whether"
    " to write such calls or to drop them; or retry this one."
)
DROPPED_MESSAGE: Final = "The call came while its call source was paused, and was dropped."
NOT_CONNECTED_MESSAGE: Final = (
    "HubSpot was not connected when this call waited. Calls of the last 7 days are synced when"
    " the workspace connects; older ones can be retried by hand."
)
RECONNECT_MESSAGE: Final = (
    "HubSpot withdrew its permission. Reconnect HubSpot, and this call is synced by itself."
)
POISON_MESSAGE: Final = (
    "Working on this call alone ended its worker three times. It is set aside; retry it by hand"
    " once the cause is mended."
)
DOUBT_ELSEWHERE_MESSAGE: Final = (
    "A note may have been written to the HubSpot account that was connected before; it cannot"
    " be asked any more."
)
OTHER_ACCOUNT_MESSAGE: Final = (
    "This call waited for another HubSpot account when the connection changed. Retry it to sync"
    " it to the account that is connected now."
)


def describe_ambiguity(contact_ids: Collection[str]) -> str:
    """Say that several contacts have the number, and which."""
    return f"{len(contact_ids)} HubSpot contacts have this phone number: " + ", ".join(
        sorted(contact_ids)[:10]
    )
