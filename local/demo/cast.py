"""Who is in the demo's HubSpot account, which calls they make, and what must become of each.

All numbers are set aside for fiction: 555-01xx in North America, 020 7946 0xxx in London.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.reasons import Reason, Status


@dataclass(frozen=True, slots=True)
class DemoCall:
    """A call of the demo.

    Attributes:
        call_id: the producer's id.
        story: what the call shows.
        number: the caller's number as the voice platform spells it.
        contact: whose timeline must get the note; None if nobody's may.
        status: how the call must end.
        reason: the error code it must end with.
        summary: what was talked about.
        grows: the summary comes by a second delivery, once the note is there.
    """

    call_id: str
    story: str
    number: str
    summary: str
    contact: str | None = None
    status: Status = Status.SUCCESS
    reason: Reason | None = None
    grows: bool = False


CONTACTS: Final[Mapping[str, Mapping[str, str]]] = {
    "Ada Lovelace": {"phone": "(202) 555-0123"},
    "Grace Hopper": {"phone": "+1 202-555-0144"},
    "Alan Turing": {"mobilephone": "+44 (0)20 7946 0018"},
    "Mary Jackson": {"phone": "2025550156"},
    "Joan Clarke": {"mobilephone": "+44 20 7946 0321"},
    "Edsger Dijkstra": {"phone": "202.555.0178"},
    "Barbara Liskov": {"phone": "1 (202) 555-0182"},
    "Radia Perlman": {"phone": "+12025550190"},
    "Tony Hoare": {"phone": "+44 20 7946 0777"},
    "Smith & Sons": {"phone": "202-555-0167"},
    "Jane Smith": {"mobilephone": "+1 202 555 0167"},
}

EARLY_BEFORE: Final = DemoCall(
    "call_01", "before HubSpot is connected", "+12025550156", "Asks for a quote.", "Mary Jackson"
)
REFUSED: Final = DemoCall(
    "call_02",
    "its note is refused by HubSpot",
    "+12025550144",
    "Wants to change an order.",
    status=Status.ERROR,
    reason=Reason.REJECTED_BY_HUBSPOT,
)
EARLY_AFTER: Final = DemoCall(
    "call_03", "same batch as the refused one", "+442079460321", "Books a demo.", "Joan Clarke"
)
UNKNOWN: Final = DemoCall(
    "call_04",
    "nobody has this number",
    "+12025550199",
    "A new caller.",
    status=Status.SKIPPED,
    reason=Reason.CONTACT_NOT_FOUND,
)
SPELLED: Final = (
    DemoCall("call_05", "found: E.164", "+12025550123", "Interested in a demo.", "Ada Lovelace"),
    DemoCall(
        "call_06", "found: dots, no country", "202.555.0144", "Confirms a visit.", "Grace Hopper"
    ),
    DemoCall(
        "call_07", "found: 00 and blanks", "0044 20 7946 0018", "Asks about prices.", "Alan Turing"
    ),
)
AMBIGUOUS: Final = DemoCall(
    "call_08",
    "two contacts, policy skip",
    "+12025550167",
    "Left a message.",
    status=Status.SKIPPED,
    reason=Reason.AMBIGUOUS_CONTACT,
)
WITHHELD: Final = DemoCall(
    "call_09",
    "number withheld",
    "anonymous",
    "Did not say a name.",
    status=Status.SKIPPED,
    reason=Reason.NO_PHONE_NUMBER,
)
AFTER_EXPIRY: Final = DemoCall(
    "call_10", "token expired in mid-run", "+12025550178", "Renews a contract.", "Edsger Dijkstra"
)
IN_BURST: Final = DemoCall(
    "call_11",
    "HubSpot answers 429 three times",
    "+12025550182",
    "Has a question.",
    "Barbara Liskov",
)
UNANSWERED: Final = DemoCall(
    "call_12", "HubSpot's answer was lost", "+12025550190", "Reports a problem.", "Radia Perlman"
)
TWICE: Final = DemoCall(
    "call_13", "webhook delivered twice", "+442079460777", "Wants to be called back.", "Tony Hoare"
)
GROWING: Final = DemoCall(
    "call_14",
    "its summary comes later",
    "+12025550144",
    "Agrees to a trial.",
    "Grace Hopper",
    grows=True,
)
EARLY: Final = (EARLY_BEFORE, REFUSED, EARLY_AFTER)
CALLS: Final = (
    *EARLY,
    UNKNOWN,
    *SPELLED,
    AMBIGUOUS,
    WITHHELD,
    AFTER_EXPIRY,
    IN_BURST,
    UNANSWERED,
    TWICE,
    GROWING,
)
