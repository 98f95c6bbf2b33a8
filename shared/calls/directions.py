"""Which end of a call is the customer's, from the words of many voice platforms."""

import re
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

from shared.phone import (
    MAX_TEXT,
    NO_REGION,
    InvalidNumberError,
    PhoneError,
    WithheldNumberError,
    parse_phone,
)

MAX_WORD: Final = 1000
# One more than the longest text that is ever read as a number, so that cutting makes none valid.
MAX_NUMBER_CHARACTERS: Final = MAX_TEXT + 1


class Direction(StrEnum):
    """`INBOUND`: the customer called. `OUTBOUND`: the customer was called."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


# What a platform's word begins with: inbound, inboundPhoneCall, incoming; outbound-api, outgoing,
# originate; the same in other languages.
_BEGINNINGS: Final = {
    Direction.INBOUND: (
        *("inbound", "incoming", "incall", "receiv", "eingehend", "eingang"),
        *(
            "ankommend",
            "entrant",
            "entrada",
            "entrat",
            "recibid",
            "recebid",
            "ingresso",
            "inkommande",
        ),
        *("indgående", "inngående", "inkomend", "binnenkomend", "saapuv", "przychodz", "příchoz"),
        *("bejövő", "gelen", "masuk", "входящ", "вхідн", "εισερχ", "وارد", "着信", "呼入", "来电"),
        *("來電", "수신"),
    ),
    Direction.OUTBOUND: (
        *("outbound", "outgoing", "outcall", "outdial", "callout", "dialout", "originat", "placed"),
        *("dialed", "dialled", "ausgehend", "ausgang", "abgehend", "salient", "salida", "saída"),
        *("realizad", "efetuad", "sortant", "uscent", "uscita", "utgående", "udgående", "uitgaand"),
        *("lähtev", "wychodz", "odchoz", "kimenő", "giden", "keluar", "исходящ", "вихідн", "εξερχ"),
        *("صادر", "発信", "呼出", "去电", "去電", "발신"),
    ),
}
# Whole words only: "calling" and "dialing" are done in both directions.
_WHOLE: Final = {"callin": Direction.INBOUND, "dialin": Direction.INBOUND}
_SHORT: Final = {"in": Direction.INBOUND, "out": Direction.OUTBOUND}
# What may follow them; "in progress" is no direction.
_AFTER_SHORT: Final = frozenset(
    {"bound", "call", "calls", "coming", "dial", "going", "phone", "in", "out", "and", "or"}
)
# Directly before the direction: "no answer" denies none.
_NEGATIONS: Final = frozenset({"not", "non", "no", "never"})
_ARTICLES: Final = frozenset({"a", "an", "the"})
_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def read_direction(text: str | None) -> Direction | None:
    """Return what a producer's word for the direction means; None if it says neither or both."""
    if text is None or len(text) > MAX_WORD:
        return None
    words = [word.casefold() for word in _WORD.findall(_HUMP.sub(" ", text))]
    words = [word for word in words if word not in _ARTICLES]
    if any(word.startswith("trunk") for word in words):
        return None  # a trunk's operators call originating what others call terminating
    found = {
        direction
        for before, word, after in zip(["", *words], words, [*words[1:], None], strict=False)
        if before not in _NEGATIONS and (direction := _read_word(word, after))
    }
    return found.pop() if len(found) == 1 else None


def _read_word(word: str, after: str | None) -> Direction | None:
    if word in _SHORT:
        return _SHORT[word] if after is None or after in _AFTER_SHORT else None
    if word in _WHOLE:
        return _WHOLE[word]
    beginnings = _BEGINNINGS.items()
    return next((each for each, words in beginnings if word.startswith(words)), None)


class UnknownDirectionError(PhoneError):
    """There are numbers, but nothing says whether the customer called or was called."""


def choose_end(direction: str | None, from_number: str | None, to_number: str | None) -> str | None:
    """Return the customer's end as it was written; None if the direction says neither."""
    match read_direction(direction):
        case Direction.INBOUND:
            return from_number
        case Direction.OUTBOUND:
            return to_number
        case None:
            return None


def find_customers_number(fields: Mapping[str, Any]) -> str | None:
    """The customer's number to store: in E.164 if it names its country; None if withheld."""
    ends = choose_end(fields.get("direction"), fields.get("from_number"), fields.get("to_number"))
    for raw in (fields.get("phone_number"), ends):
        with suppress(WithheldNumberError):
            return _storable_number(raw)
    return None


def _storable_number(raw: str | None) -> str:
    try:
        number = parse_phone(raw, NO_REGION)
    except InvalidNumberError:
        return (raw or "")[:MAX_NUMBER_CHARACTERS]  # the worker says why it cannot be called
    return number.e164 if number.names_country else (raw or "")[:MAX_NUMBER_CHARACTERS]


def read_customers_end(payload: Mapping[str, Any]) -> str | None:
    """Return the customer's end of a stored call that came without the customer's number.

    Raises UnknownDirectionError if it has numbers and says not whose: either may be your own line.
    """
    ends = payload.get("from_number"), payload.get("to_number")
    direction = payload.get("direction")
    is_withheld = bool((payload.get("phone_number") or "").strip())  # or it were the customer's
    if read_direction(direction) is None and not is_withheld and any(map(is_sent, ends)):
        raise UnknownDirectionError(
            "The call does not say whether it was inbound or outbound, so it is not known which"
            " number is the customer's. Send phone_number, or inbound or outbound as direction."
        )
    return choose_end(direction, *ends)


def is_sent(number: str | None) -> bool:
    """Whether there is a number at all, readable or not: it is neither absent nor withheld."""
    with suppress(InvalidNumberError):
        try:
            parse_phone(number, NO_REGION)
        except WithheldNumberError:
            return False
    return True
