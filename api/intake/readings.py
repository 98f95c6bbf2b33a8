"""What a field of a call says that is of another kind than it should be: numbers for texts, say.

A reader takes what JSON holds, tells what it means, and raises UnreadableError if that would be a
guess between meanings. Messages go on from the field's name and quote nothing.
"""

import math
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from api.http.webhook_json import Repeated
from shared.calls.content import SECONDS_PER_YEAR

LARGEST_EXACT: Final = 2**53
NEITHER_NOR: Final = "is {kind}, which is no {wanted}: it was left out"
FIRST_EPOCH, LAST_EPOCH = (
    int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2100)
)

# No time and no duration is written with more characters.
MOST_CHARACTERS: Final = 100
_ZONE: Final = re.compile(r"\s*(?:\b(?:UTC|GMT)|Z)(?:\s*([+-]\d\d):?(\d\d))?$", re.IGNORECASE)
_SPACED_OFFSET: Final = re.compile(r"\s+([+-]\d\d(?::?\d\d)?)$")
# `(Coordinated Universal Time)` of JavaScript, `[Europe/Berlin]` of Java.
_ZONE_NAME: Final = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])$")
_ISO: Final = re.compile(r"\d{4}([-/]?)\d\d\1\d\d(?:[T ].+)?", re.ASCII | re.IGNORECASE)
_DECIMAL: Final = re.compile(r"-?\d+(?:[.,]\d+)?", re.ASCII)
_THOUSANDS: Final = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_CLOCK: Final = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d\d(?:[.,]\d+)?)", re.ASCII)
_UNITS: Final = re.compile(
    r"(?:pt)?\s*(?:(\d+(?:[.,]\d+)?)\s*h(?:(?:ou)?rs?)?)?"
    r"[\s,]*(?:(\d+(?:[.,]\d+)?)\s*m(?:in(?:ute)?s?)?)?"
    r"[\s,]*(?:(\d+(?:[.,]\d+)?)\s*s(?:ec(?:ond)?s?)?)?",
    re.ASCII | re.IGNORECASE,
)


class UnreadableError(ValueError):
    """The value cannot be read; the message goes on from the field's name."""


class Reading(NamedTuple):
    """What a value means, and what had to be guessed or left out for it."""

    value: Any
    message: str | None = None


Reader = Callable[[Any], Reading]


def kind_of(value: object) -> str:
    """What JSON calls a value, in words."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case dict():
            return "an object"
        case list():
            return "a list"
    return "null"


def is_nothing(value: object) -> bool:
    """Whether a value says nothing: null, a blank text, an empty object, a list of nothing else."""
    match value:
        case str():
            return not value.strip()
        case list():
            return not _flatten(value)
        case dict():
            return not value
    return value is None


def _flatten(values: list[Any]) -> list[Any]:
    """What a list says, and the lists in it, however deep: no level costs a level of the stack."""
    said = []
    waiting = values[::-1]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(reversed(value))
        elif not is_nothing(value):
            said.append(value)
    return said


def read_text(*names: str, separator: str = ", ") -> Reader:
    """Reads texts, numbers, lists of them, and objects that have one under one of `names`."""

    def read(value: Any) -> Reading:
        match value:
            case str():
                return Reading(value)
            case int() | float() if not isinstance(value, bool):
                return Reading(_spell_number(value))
            case list():
                return _join(_flatten(value))
            case dict():
                return _look_inside(value, names, read)
        raise _unreadable(value, "text")

    def _join(items: list[Any]) -> Reading:
        readings = [read(item) for item in items]
        messages = [each.message for each in readings if each.message]
        return Reading(
            separator.join(each.value for each in readings if each.value) or None,
            messages[0] if messages else None,
        )

    return read


def read_one_text(*names: str) -> Reader:
    """Like `read_text`, but of several different ones none is taken: they may be two people's."""
    read = read_text(*names)

    def read_one(value: Any) -> Reading:
        if not isinstance(value, list):
            return read(value)
        readings = [read(each) for each in _flatten(value)]
        if len({each.value for each in readings}) > 1:
            raise UnreadableError("has several values, and only one can count: it was left out")
        return readings[0] if readings else Reading(None)

    return read_one


def read_first_text(*names: str) -> Reader:
    """Like `read_text`, but of several the first is taken."""
    read = read_text(*names)

    def read_first(value: Any) -> Reading:
        if not isinstance(value, list):
            return read(value)
        items = _flatten(value)
        first = read(items[0]) if items else Reading(None)
        return Reading(first.value, "has several values: the first counts") if items[1:] else first

    return read_first


def read_outcome(value: Any) -> Reading:
    """Like `read_text`; true and false are words of a kind."""
    if isinstance(value, bool):
        return Reading("yes" if value else "no", "is true or false: it reads yes or no")
    return read_text("name", "value", "label", "result", "status", "outcome")(value)


def read_flag(value: Any) -> Reading:
    """Reads true and false, also as texts and as 1 and 0."""
    value = _unwrap(value)
    said = value.strip().lower() if isinstance(value, str) else value
    if said in ("true", "yes", "1", 1, True):
        return Reading(value=True)
    if said in ("false", "no", "0", 0, False):
        return Reading(value=False)
    raise UnreadableError(f"is {kind_of(value)}, which is neither true nor false: it was left out")


def read_time(value: Any) -> Reading:
    """Reads RFC 3339 and its relatives, RFC 2822, and epochs in s, ms, µs or ns, as aware UTC."""
    value = _unwrap(value)
    if isinstance(value, str) and len(value) <= MOST_CHARACTERS:
        return _read_time_text(value.strip())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _read_epoch(value)
    raise _unreadable(value, "date and time")


def read_duration(value: Any) -> Reading:
    """Reads seconds: numbers, texts of them, `1:07`, `1m 7s`, `PT1M7S`."""
    value = _unwrap(value)
    if isinstance(value, str) and len(value) <= MOST_CHARACTERS:
        reading = _read_duration_text(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        reading = Reading(value)
    else:
        raise _unreadable(value, "duration")
    if reading.value < 0:
        raise UnreadableError("is negative: it was left out")
    if not reading.value <= SECONDS_PER_YEAR:
        raise UnreadableError("is longer than a year or out of range: it was left out")
    return reading._replace(value=float(reading.value))


def _unreadable(value: object, wanted: str) -> UnreadableError:
    return UnreadableError(NEITHER_NOR.format(kind=kind_of(value), wanted=wanted))


def _unwrap(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def choose_value(value: Any, *, is_number: bool = False) -> Reading:
    """One of the values that a name was given with; raises UnreadableError."""
    if not isinstance(value, Repeated):
        return Reading(value)
    said = [each for each in value if not is_nothing(each)]
    if not said or all(each == said[0] for each in said):
        return Reading(said[0] if said else None)
    if is_number:
        raise UnreadableError("is given more than once, differently: it was left out")
    return Reading(said[-1], "is given more than once: the last value counts")


def _spell_number(number: float) -> str:
    if isinstance(number, int):
        return str(number)
    if not math.isfinite(number):
        raise UnreadableError("is a number that is out of range: it was left out")
    if not number.is_integer():
        return str(number)
    if abs(number) >= LARGEST_EXACT:
        raise UnreadableError("is a number that has lost digits: it was left out")
    return str(int(number))


def _look_inside(value: dict[str, Any], names: Iterable[str], read: Reader) -> Reading:
    for name in names:
        inside = value.get(name)
        if not is_nothing(inside):
            if isinstance(inside, dict | list):
                break
            return Reading(read(inside).value, f"is an object: its {name} was read")
    raise _unreadable(value, "text")


def _read_epoch(number: float) -> Reading:
    for unit in (1, 10**3, 10**6, 10**9):
        if FIRST_EPOCH * unit <= number < LAST_EPOCH * unit:
            seconds, rest = divmod(number, unit)
            moment = datetime.fromtimestamp(seconds, UTC)
            return Reading(
                moment.replace(microsecond=int(rest * 10**6 // unit)) if rest else moment
            )
    raise UnreadableError("is a number, but no time between 2000 and 2100: it was left out")


def _read_time_text(text: str) -> Reading:
    if _DECIMAL.fullmatch(text) and not _ISO.fullmatch(text):
        return _read_epoch(float(text.replace(",", ".")))
    plain = _ZONE_NAME.sub("", text)
    with suppress(ValueError, OverflowError):
        return _name_zone(_parse_time(plain), has_time=len(plain) > len("2026-11-22"))
    with suppress(ValueError, OverflowError, TypeError, IndexError):
        moment = parsedate_to_datetime(_ZONE.sub(_offset, plain))
        # RFC 2822: -0000 says UTC, and nothing of the place.
        is_utc = plain.endswith("-0000")
        return _name_zone(moment.replace(tzinfo=UTC) if is_utc else moment, has_time=True)
    raise UnreadableError(
        "is no date and time like 2026-11-22T10:00:00Z (RFC 3339): it was left out"
    )


def _parse_time(text: str) -> datetime:
    if not _ISO.fullmatch(text):
        raise ValueError
    text = _SPACED_OFFSET.sub(r"\1", _ZONE.sub(_offset, text))
    return datetime.fromisoformat(text.upper().replace("/", "-"))


def _offset(zone: re.Match[str]) -> str:
    return f" {zone[1]}{zone[2]}" if zone[1] else " +0000"


def _name_zone(moment: datetime, *, has_time: bool) -> Reading:
    if not has_time:
        message = "is a date without a time: read as midnight UTC"
        return Reading(moment.replace(tzinfo=UTC), message)
    if moment.tzinfo is None:
        return Reading(moment.replace(tzinfo=UTC), "has no time zone: read as UTC")
    return Reading(moment.astimezone(UTC))


def _read_duration_text(text: str) -> Reading:
    if _THOUSANDS.fullmatch(text) and "," in text:
        raise UnreadableError("may be thousands or a fraction of seconds: it was left out")
    if _DECIMAL.fullmatch(text):
        return Reading(_to_float(text))
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (_to_float(part or "0") for part in clock.groups())
        message = None if clock[1] else "is read as minutes and seconds"
        return Reading(hours * 3600 + minutes * 60 + seconds, message)
    units = _UNITS.fullmatch(text)
    if units is None or not any(units.groups()):
        raise UnreadableError("is no number of seconds: it was left out")
    hours, minutes, seconds = (_to_float(part or "0") for part in units.groups())
    return Reading(hours * 3600 + minutes * 60 + seconds)


def _to_float(text: str) -> float:
    return float(text.replace(",", "."))
