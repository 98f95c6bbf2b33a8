"""What HubSpot may say to a worker, and what the service makes of the simpler answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.hubspot.errors import (
    GrantRevokedError,
    RateLimitedError,
    RejectedError,
    TokenRejectedError,
    UnavailableError,
)
from shared.phone import InvalidNumberError
from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from worker.rounds import transitions
from worker.rounds.pacing import TokenRenewedError

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
    """What HubSpot does with a create, or with one note of it, and what the worker hears of it."""

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
        answers: What creates are answered: the first is about the whole, unless HubSpot creates;
            then note by note, over and over.
        is_vague: Reading back gets a 404 for contacts that are there.
        fails: Reading back gets a 503.
    """

    look_ups: Sequence[LookUp] = (LookUp.FOUND,)
    contact: int = 0
    answers: Sequence[Answer] = (Answer.CREATED,)
    is_vague: bool = False
    fails: bool = False


PROPER: Final = Behaviour()

LOOK_UPS: Final[dict[LookUp, Callable[[ClaimedCall, str], Outcome]]] = {
    LookUp.NOBODY: transitions.contact_missing,
    LookUp.NOBODY_BY_CALCULATED: transitions.raw_lookup_wanted,
    LookUp.SEVERAL: lambda call, number: transitions.contact_ambiguous(call, number, {"11", "12"}),
    LookUp.NO_NUMBER: lambda call, _: transitions.number_unusable(call, InvalidNumberError("x")),
    LookUp.UNAVAILABLE: lambda call, _: transitions.errored(
        call, UnavailableError("x"), jitter=JITTER, in_doubt=False
    ),
    LookUp.PERMISSION_WITHDRAWN: lambda call, _: transitions.errored(
        call, GrantRevokedError("x"), jitter=JITTER, in_doubt=False
    ),
}

# Answers to a whole create that has certainly written nothing.
REFUSALS: Final[dict[Answer, Callable[[], Exception]]] = {
    Answer.LIMITED: lambda: RateLimitedError("x", policy="TEN_SECONDLY_ROLLING", definite=True),
    Answer.TOKEN_REFUSED: lambda: TokenRejectedError("x", definite=True),
    Answer.SEND_AGAIN: TokenRenewedError,
    Answer.REFUSED: lambda: RejectedError("x", definite=True),
}
