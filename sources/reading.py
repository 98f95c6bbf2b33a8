"""Reading vendors' JSON leniently: digging by dotted paths, and what texts, numbers and times mean.

Whatever a body holds, nothing here raises: what cannot be read is None, or left out.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final, TypeVar, cast
from urllib.parse import urlsplit

from sources.adapter import Facts, Json, Unreadable

T = TypeVar("T")

UNKNOWN: Final = "unknown"
# An empty list takes 20 times its bytes in memory, a short text 12 times. Eight hours of a call
# with a time for each word have fewer of both.
MOST_CONTAINERS: Final = 250_000
MOST_VALUES: Final = 1_000_000
MOST_DIGITS: Final = 400
# More than any activity can show: of a hostile body no more is copied.
MOST_LEVELS: Final = 12
MOST_ITEMS: Final = 1000
MOST_TURNS: Final = 20_000
LONGEST_TRANSCRIPT: Final = 1_000_000
LONGEST_PATH: Final = 200
LONGEST_LINK: Final = 8000
LONGEST_TIME: Final = 64
LONGEST_ID: Final = 255
LONGEST_PHONE: Final = 200
FIRST_S, LAST_S = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2000, 2100))

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_SIP: Final = re.compile(r"sips?:(\+?\d{7,15})@", re.ASCII | re.IGNORECASE)
# Telephone networks spell ANONYMOUS, UNAVAILABLE, BLOCKED, UNKNOWN and RESTRICTED on the keypad.
_WITHHELD: Final = re.compile(
    r"\+?(?:266696687|86282452253|2562533|8566696|8656696)|\+7378742833", re.ASCII
)
# Letters that a number may hold: `ext. 5`, `x5`.
_EXTENSION: Final = re.compile(r"(?:extension|ext|x)[.:\s]*\d{1,7}$", re.ASCII | re.IGNORECASE)
_WITHOUT_PLUS: Final = re.compile(r"[1-9]\d{7,14}", re.ASCII)
# `secret__key`, `apiKey`, `X-Auth-Token`: names of what opens a door somewhere.
_CREDENTIAL: Final = re.compile(
    r"secret(?!ar)|token|passw|credential|bearer|authori[sz]ation|auth_?header|jwt"
    r"|(?:api|access|private|signing|encryption|auth)_?key",
)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def parse_object(body: bytes) -> dict[str, Json] | Unreadable:
    """The JSON object that a body is.

    A byte order mark is ignored; of a name that stands twice the last value counts. NaN, the
    infinities and numbers of hundreds of digits become floats that no reader takes.
    """
    if body.count(b"[") + body.count(b"{") > MOST_CONTAINERS or body.count(b",") > MOST_VALUES:
        return Unreadable(UNKNOWN, "The body holds more values than a call can have.")
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_int=_parse_integer)
    except UnicodeDecodeError:
        return Unreadable(UNKNOWN, "The body is not UTF-8.")
    except json.JSONDecodeError as error:
        return Unreadable(UNKNOWN, f"The body is not JSON (at character {error.pos}).")
    except RecursionError:
        return Unreadable(UNKNOWN, "The body is nested too deeply.")
    if not isinstance(value, dict):
        return Unreadable(UNKNOWN, "The body is JSON, but not an object.")
    return value


def _parse_integer(digits: str) -> float:
    return int(digits) if len(digits) <= MOST_DIGITS else math.inf


def dig(value: Json, path: str) -> Json:
    """What stands at a dotted path; None if nothing does.

    A number is a place in a list. A name may hold dots itself: `data.a.b` also finds `a.b` in
    `data`.
    """
    parts = path.split(".") if len(path) <= LONGEST_PATH else []
    start = 0
    while start < len(parts):
        if isinstance(value, list):
            place = parts[start]
            if not (place.isascii() and place.isdigit() and int(place) < len(value)):
                return None
            value, start = value[int(place)], start + 1
        elif isinstance(value, dict):
            ends = range(start + 1, len(parts) + 1)
            end = next((end for end in ends if ".".join(parts[start:end]) in value), None)
            if end is None:
                return None
            value, start = value[".".join(parts[start:end])], end
        else:
            return None
    return value if parts else None


def read_first(read: Callable[[Json], T | None], value: Json, paths: Iterable[str]) -> T | None:
    """What the first path holds that a reader takes."""
    for path in paths:
        found = read(dig(value, path))
        if found is not None:
            return found
    return None


def find_text(value: Json, *paths: str) -> str | None:
    """The first text that is not blank, without blanks around it; numbers are texts too."""
    return read_first(read_text, value, paths)


def find_id(value: Json, *paths: str) -> str | None:
    """The first text that can be an id: of at most 255 printable characters."""
    return read_first(read_id, value, paths)


def find_number(value: Json, *paths: str) -> float | None:
    """The first finite number, also one in a text."""
    return read_first(read_number, value, paths)


def find_time(value: Json, *paths: str) -> datetime | None:
    """The first time, in any of the ways of `read_time`."""
    return read_first(read_time, value, paths)


def find_phone(value: Json, *paths: str, plus: bool = False) -> str | None:
    """The first number that is not withheld. `plus`: the vendor leaves out the `+`."""
    return read_first(lambda found: read_phone(found, plus=plus), value, paths)


def find_link(value: Json, *paths: str) -> str | None:
    """The first https link."""
    return read_first(read_link, value, paths)


def find_object(value: Json, *paths: str) -> dict[str, Json]:
    """The first object that has a name in it, or an empty one."""
    return (
        read_first(lambda each: each if isinstance(each, dict) and each else None, value, paths)
        or {}
    )


def find_list(value: Json, *paths: str) -> list[Json]:
    """The first list that has an item, or an empty one."""
    return (
        read_first(lambda each: each if isinstance(each, list) and each else None, value, paths)
        or []
    )


def read_text(value: Json) -> str | None:
    """A text, without what Postgres and UTF-8 cannot hold: NUL and halves of surrogate pairs."""
    if isinstance(value, str):
        text = value if value.isascii() else value.encode("utf-8", "ignore").decode()
        return text.replace("\0", "").strip() or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return str(value)  # exact, however large
    if not math.isfinite(value):
        return None
    return str(int(value)) if value == int(value) else str(value)


def read_id(value: Json) -> str | None:
    """A text that can be an id, also a number; what is too long, or holds a line end, is none."""
    text = read_text(value)
    return text if text and len(text.encode()) <= LONGEST_ID and text.isprintable() else None


def read_number(value: Json) -> float | None:
    """A finite number, also one in a text (`"45.5"`)."""
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    with suppress(OverflowError):
        return float(value) if math.isfinite(value) else None
    return None


def read_bool(value: Json) -> bool | None:
    """True or false, also in words."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    return {"true": True, "false": False}.get(word) if word else None


def read_time(value: Json) -> datetime | None:
    """A time between 2000 and 2100, as aware UTC: epoch s, ms or µs, ISO 8601, or RFC 2822.

    One without a zone is UTC; a date alone is no time.
    """
    number = read_number(value)
    if number is not None:
        for unit in (1, 10**3, 10**6):
            if FIRST_S <= number / unit < LAST_S:
                return datetime.fromtimestamp(number / unit, UTC)
        return None
    if not isinstance(value, str) or len(value) > LONGEST_TIME:
        return None
    text = value.strip()
    for parse in (_parse_iso, parsedate_to_datetime):
        with suppress(ValueError, TypeError, IndexError, OverflowError):
            time = parse(text)
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
            return time if FIRST_S <= time.timestamp() < LAST_S else None
    return None


def _parse_iso(text: str) -> datetime:
    if len(text) <= len("2025-11-28"):
        raise ValueError(text)
    return datetime.fromisoformat(text.upper())


def read_phone(value: Json, *, plus: bool = False) -> str | None:
    """A number as it is written; None if it is withheld, or the name of a trunk or a SIP user.

    Args:
        value: As the vendor gives it.
        plus: The vendor leaves out the `+`: 8 to 15 digits that begin with a country code get it.
    """
    text = read_text(value)
    if text is None or len(text) > LONGEST_PHONE:
        return None
    if sip := _SIP.match(text):
        text = sip[1]
    is_name = any(each.isalpha() for each in _EXTENSION.sub("", text))
    if is_name or _WITHHELD.fullmatch(text) or not any("1" <= each <= "9" for each in text):
        return None
    return f"+{text}" if plus and _WITHOUT_PLUS.fullmatch(text) else text


def read_link(value: Json) -> str | None:
    """An https link without a name and password in it."""
    text = read_text(value)
    if text is None or len(text) > LONGEST_LINK or any(each <= " " for each in text):
        return None
    with suppress(ValueError):
        parts = urlsplit(text)
        if parts.scheme.lower() == "https" and parts.hostname and "@" not in parts.netloc:
            return text
    return None


def read_name(value: Json) -> str:
    """An event's name, to be shown and counted; anything else than a short word is `unknown`."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else UNKNOWN


def read_direction(value: Json) -> str | None:
    """`inbound` or `outbound`, of words that begin so: `incoming`, `outbound-api`."""
    word = (read_text(value) or "").lower()
    if word.startswith(("inbound", "incoming")):
        return "inbound"
    return "outbound" if word.startswith(("outbound", "outgoing")) else None


def make_facts(**known: Json) -> Facts:
    """Facts of what is known: None and what is empty are left out."""
    return cast("Facts", {name: value for name, value in known.items() if value not in _NOTHING})


_NOTHING: Final[tuple[Json, ...]] = (None, "", [], {})


def name_sides(direction: str | None, customer: str | None, ours: str | None) -> dict[str, Json]:
    """Facts about the numbers of a call, for vendors that say which one is the customer's."""
    ends = {"inbound": (customer, ours), "outbound": (ours, customer)}.get(direction or "")
    from_number, to_number = ends or (None, None)
    return {
        "phone_number": customer,
        "direction": direction,
        "from_number": from_number,
        "to_number": to_number,
    }


def name_ends(
    direction: str | None, from_number: str | None, to_number: str | None
) -> dict[str, Json]:
    """Facts about the numbers of a call, for vendors that only say who called whom."""
    if direction is None:
        return {"parties": (from_number, to_number) if from_number or to_number else None}
    return {"direction": direction, "from_number": from_number, "to_number": to_number}


def read_ends(direction: str | None, caller: Json, called: Json) -> dict[str, Json]:
    """Facts about the numbers of a call, of its two ends as a vendor gives them.

    Without a direction, a number whose other end is withheld or missing is left out as well: a
    caller who withholds the number is the customer, and what remains is our own number. A number
    whose other end is an address of SIP, such as an assistant's, is the customer's.
    """
    numbers = read_phone(caller), read_phone(called)
    ends = zip(numbers, (caller, called), strict=True)
    if direction is None and not all(number or is_address(value) for number, value in ends):
        return {}
    return name_ends(direction, *numbers)


def is_address(value: Json) -> bool:
    """Whether a call's end is an address of SIP, without a number in it."""
    text = read_text(value) or ""
    return read_phone(text) is None and ("@" in text or text.lower().startswith("sip"))


def seconds_between(started_at: datetime | None, ended_at: datetime | None) -> float | None:
    """The duration that two times give; None if one is missing or they are in the wrong order."""
    if started_at is None or ended_at is None or ended_at < started_at:
        return None
    return (ended_at - started_at).total_seconds()


def read_turns(
    items: Iterable[Json], role: str, texts: Sequence[str], roles: Mapping[str, str]
) -> list[dict[str, str]]:
    """The turns of a transcript that is a list of objects.

    Args:
        items: The objects.
        role: The path of who spoke.
        texts: The paths of what was said, the first that is not empty counts.
        roles: Our word for each of the vendor's; what others "said" (prompts, tools) is left out.
    """
    turns = []
    for item in islice(items, MOST_TURNS):
        who = roles.get((find_text(item, role) or "").lower())
        text = find_text(item, *texts)
        if who and text:
            turns.append({"role": who, "text": text})
    return turns


def read_lines(text: str | None, roles: Mapping[str, str]) -> list[dict[str, str]]:
    """The turns of a transcript that is a text of lines: `AI: Hello`.

    A line that begins with nobody's name goes on with what was said before it.
    """
    turns: list[tuple[str, list[str]]] = []
    for line in (text or "")[:LONGEST_TRANSCRIPT].splitlines()[:MOST_TURNS]:
        name, colon, said = line.partition(":")
        role = roles.get(name.strip().lower()) if colon else None
        if role:
            turns.append((role, [said.strip()]))
        elif turns:
            turns[-1][1].append(line.strip())
        elif line.strip():
            turns.append(("unknown", [line.strip()]))
    joined = ({"role": role, "text": "\n".join(lines).strip()} for role, lines in turns)
    return [turn for turn in joined if turn["text"]]


def read_embedded(value: Json) -> Json:
    """What a value means that may be JSON in a text: that JSON, a text that is none, or itself.

    A text that begins as JSON does and is broken means nothing: what it holds cannot be cleaned.
    """
    if not isinstance(value, str):
        return value
    # Within an object, any JSON can be parsed.
    found = parse_object(f'{{"value":{value}}}'.encode("utf-8", "replace"))
    if isinstance(found, dict) and found.keys() == {"value"}:
        return found["value"]
    return None if value.lstrip().startswith(("{", "[")) else value


def clean(value: Json, levels: int = MOST_LEVELS) -> Json:
    """What JSON holds, without nulls, without what is nested too deeply, and without credentials.

    For objects that a customer fills (extracted data): a name that says `secret`, `token`,
    `password` or `api key` is left out with its value.
    """
    if isinstance(value, dict):
        if not levels:
            return None
        items = (
            (read_text(name), each)
            for name, each in islice(value.items(), MOST_ITEMS)
            if not is_credential(name)
        )
        cleaned = ((name, clean(each, levels - 1)) for name, each in items if name)
        return {name: each for name, each in cleaned if each not in _NOTHING}
    if isinstance(value, list):
        each_cleaned = (clean(each, levels - 1) for each in value[:MOST_ITEMS]) if levels else ()
        return [each for each in each_cleaned if each not in _NOTHING]
    return value if isinstance(value, bool) else _clean_leaf(value)


def _clean_leaf(value: Json) -> Json:
    if isinstance(value, str):
        return read_text(value)
    is_number = isinstance(value, int | float) and read_number(value) is not None
    return value if is_number else None


def is_credential(name: str) -> bool:
    """Whether a name says that its value is secret."""
    return _CREDENTIAL.search(_HUMP.sub("_", name).lower()) is not None


def collect(**named: Json) -> dict[str, Json]:
    """Structured data of named values, each cleaned; what says nothing is left out."""
    return cast("dict[str, Json]", clean(named))


def find_tenant(*holders: Json) -> tuple[str | None, str | None]:
    """User and workspace that a call's metadata names, of the first object that names a workspace.

    Both come out of one object: two objects may speak of two tenants.
    """
    for holder in holders:
        workspace_id = find_id(holder, "workspace_id", "workspaceId")
        if workspace_id:
            return find_id(holder, "user_id", "userId"), workspace_id
    return None, None


def keep_known(*ids: str | None) -> tuple[str, ...]:
    """The ids that are known, in order, each once."""
    return tuple(dict.fromkeys(each for each in ids if each))
