"""Who calls in a history, and what a person must see of it: said by the script, not by the code."""

import html
import re
from dataclasses import dataclass
from typing import Final, Self

# The statuses and reasons that docs/troubleshooting.md lists; a call that waits may say why.
ENDINGS: Final[dict[str, set[str | None]]] = {
    "success": {None},
    "pending": {
        None,
        "contact_not_found",
        "rate_limited",
        "hubspot_unavailable",
        "network_error",
        "configuration_error",
    },
    "skipped": {
        "contact_not_found",
        "ambiguous_contact",
        "no_phone_number",
        "invalid_phone_number",
        "unknown_direction",
        "not_connected",
    },
    "error": {
        "reconnect_required",
        "missing_scopes",
        "rejected_by_hubspot",
        "rate_limited",
        "hubspot_unavailable",
        "network_error",
        "unconfirmed",
        "poison",
        "payload_expired",
    },
}
CONTACTLESS: Final = {
    "contact_not_found",
    "ambiguous_contact",
    "no_phone_number",
    "invalid_phone_number",
    "unknown_direction",
}
# What messages must say, in words that stand nowhere in the service.
MESSAGES: Final = {
    "contact_not_found": r"[Nn]o .*contact has this phone number",
    "ambiguous_contact": r"contacts have this phone number",
    "not_connected": r"not connected when|another HubSpot account",
    "reconnect_required": r"[Rr]econnect",
    "unconfirmed": r"note may have been written",
    "payload_expired": r"content was deleted",
    "poison": r"ended its worker three times",
}
_LAST_LINE: Final = re.compile(r"<p>(?:[^<]* · )?Call ID: ([^<]*) · Ref: (hs_[0-9a-z]+)</p>\Z")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is on the phone in one call.

    Attributes:
        call_id: The call.
        spelling: The number as the voice platform gives it.
        number: The same in full.
        summary: What was said, which every note of the call must show.
    """

    call_id: str
    spelling: str
    number: str
    summary: str

    @classmethod
    def of(cls, call_id: str) -> Self:
        digit = call_id.removeprefix("call_")
        return cls(
            call_id, f"(202) 555-012{digit}", f"+1202555012{digit}", f"Asked <{digit}> & answered."
        )

    def describes(self, body: str, log_id: str) -> bool:
        """Whether a note's words are about this call, and its last line names it."""
        last_line = _LAST_LINE.search(body)
        return (
            last_line is not None
            and (html.unescape(last_line[1]), last_line[2]) == (self.call_id, log_id)
            and html.escape(self.summary) in body
        )
