"""What HubSpot may say to a worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.activities.destination import (
    GrantRevokedError,
    RateLimitedError,
    RejectedError,
    TokenRejectedError,
    TokenRenewedError,
    UnavailableError,
)


class LookUp(Enum):
    """What a search says of a number; the last two are about all numbers of a search."""

    FOUND = auto()
    NOBODY = auto()
    SEVERAL = auto()
    REFUSED = auto()
    OUT_OF_BUDGET = auto()
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
        look_ups: What a search says: the first is about the whole, if it is such; then number by
            number, over and over.
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

# What a search is answered as a whole.
FAILED_SEARCHES: Final[dict[LookUp, Callable[[], Exception]]] = {
    LookUp.UNAVAILABLE: lambda: UnavailableError("x"),
    LookUp.PERMISSION_WITHDRAWN: lambda: GrantRevokedError("x"),
}

# Answers to a whole create that has certainly written nothing.
REFUSALS: Final[dict[Answer, Callable[[], Exception]]] = {
    Answer.LIMITED: lambda: RateLimitedError("x", policy="TEN_SECONDLY_ROLLING", definite=True),
    Answer.TOKEN_REFUSED: lambda: TokenRejectedError("x", definite=True),
    Answer.SEND_AGAIN: TokenRenewedError,
    Answer.REFUSED: lambda: RejectedError("x", definite=True),
}
