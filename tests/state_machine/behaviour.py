"""What HubSpot may say to a worker, and what the service makes of the simpler answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.claims import ClaimedCall
from shared.hubspot.errors import (
    GrantRevokedError,
    RateLimitedError,
    TokenRejectedError,
    UnavailableError,
)
from shared.outcomes import Outcome
from shared.phone import InvalidNumberError
from worker import transitions

PHONE: Final = "+12025550123"
JITTER: Final = 0.5


class LookUp(Enum):
    """What a search says of a call's number."""

    FOUND = auto()
    NOBODY = auto()
    NOBODY_BY_CALCULATED = auto()
    SEVERAL = auto()
    NO_NUMBER = auto()
    UNAVAILABLE = auto()
    PERMISSION_WITHDRAWN = auto()


class Answer(Enum):
    """What HubSpot does with one note of a create, and what the worker hears of it."""

    CREATED = auto()
    REFUSED = auto()
    LIMITED = auto()
    TOKEN_REFUSED = auto()
    SEND_AGAIN = auto()  # certainly nothing was written, and the same worker marks anew
    LOST_BUT_WRITTEN = auto()
    LOST = auto()  # HubSpot may still write it until it cuts the request off


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How HubSpot behaves while a worker goes on.

    Attributes:
        look_ups: What searches say, call by call, over and over.
        contact: Which of the contacts has the number.
        answers: What creates are answered, note by note, over and over.
        is_vague: Reading back gets a 404 for contacts that are there.
        fails: Reading back gets a 503.
    """

    look_ups: Sequence[LookUp] = (LookUp.FOUND,)
    contact: int = 0
    answers: Sequence[Answer] = (Answer.CREATED,)
    is_vague: bool = False
    fails: bool = False


PROPER: Final = Behaviour()

Event = Callable[[ClaimedCall], Outcome]

LOOK_UPS: Final[dict[LookUp, Event]] = {
    LookUp.NOBODY: lambda call: transitions.contact_missing(call, PHONE),
    LookUp.NOBODY_BY_CALCULATED: lambda call: transitions.raw_lookup_wanted(call, PHONE),
    LookUp.SEVERAL: lambda call: transitions.contact_ambiguous(call, PHONE, {"11", "12"}),
    LookUp.NO_NUMBER: lambda call: transitions.number_unusable(call, InvalidNumberError("x")),
    LookUp.UNAVAILABLE: lambda call: transitions.errored(
        call, UnavailableError("x"), jitter=JITTER, in_doubt=False
    ),
    LookUp.PERMISSION_WITHDRAWN: lambda call: transitions.errored(
        call, GrantRevokedError("x"), jitter=JITTER, in_doubt=False
    ),
}

DEFINITE: Final[dict[Answer, Event]] = {
    Answer.LIMITED: lambda call: transitions.postponed(
        call, RateLimitedError("x", policy="TEN_SECONDLY_ROLLING", definite=True), seconds=10
    ),
    Answer.TOKEN_REFUSED: lambda call: transitions.errored(
        call, TokenRejectedError("x", definite=True), jitter=JITTER, in_doubt=False
    ),
}
