"""Transcripts and structured data in the shapes that producers give them."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from api.intake.readings import Reading, UnreadableError, is_nothing, kind_of

# A transcript within an object within a text, say.
MOST_WRAPPERS: Final = 4
WRAPPERS: Final = (
    *("turns", "messages", "utterances", "segments", "entries", "items", "lines"),
    *("transcript", "transcription", "conversation", "dialogue"),
)
SPEAKERS: Final = (
    *("role", "speaker", "speaker_name", "speaker_label", "name", "participant", "from", "author"),
    *("sender", "user", "channel"),
)
SPOKEN: Final = (
    *("text", "content", "message", "utterance", "transcript", "body", "value", "sentence"),
    *("parts", "words"),
)
NAMED: Final = (("name", "value"), ("key", "value"), ("field", "value"), ("label", "value"))

# `Agent: Hello`, also behind a time or a dash.
_LINE: Final = re.compile(
    r"(?:[-*•]\s+)?(?:[\[(]?\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?[\])]?\s*[-–]?\s*)?"
    r"\**([^\W\d_][\w .'()-]{0,39}?)\**\s?:\**(?:\s+(.*)|$)"
)


def read_transcript(value: Any) -> Reading:
    """Reads lists of turns, whatever they call speaker and text, and plain texts of lines.

    The value is a list of `{"role": …, "text": …}`.
    """
    return _read_transcript(value, MOST_WRAPPERS)


def read_structured_data(value: Any) -> Reading:
    """Reads objects, JSON in a text, lists (of names and values, or of anything), and texts."""
    match value:
        case dict():
            return Reading(value)
        case str():
            parsed = _parse_json(value)
            return Reading({"text": value}) if parsed is None else read_structured_data(parsed)
        case list():
            return Reading(_name_items(value))
    raise UnreadableError(f"is {kind_of(value)}, which is no object: it was left out")


def _read_transcript(value: Any, wrappers: int) -> Reading:
    if isinstance(value, str) and not is_nothing(value):
        parsed = _parse_json(value)
        if parsed is None:
            return Reading(list(_split_lines(value)))
        value = parsed
    elif isinstance(value, dict):
        value = _unwrap_turns(value)
    if wrappers == 0 or not isinstance(value, list | dict | str | None):
        raise UnreadableError(f"is {kind_of(value)}, which is no transcript: it was left out")
    if isinstance(value, list):
        return _read_turns(value)
    return Reading(None) if is_nothing(value) else _read_transcript(value, wrappers - 1)


def _unwrap_turns(value: dict[str, Any]) -> Any:
    """The turns that an object holds under one of the usual names, or itself as the only turn."""
    inside = next((value[name] for name in WRAPPERS if value.get(name)), None)
    if isinstance(inside, str) and any(value.get(name) for name in SPEAKERS):
        inside = None
    return [value] if inside is None and value else inside


def _read_turns(items: list[Any]) -> Reading:
    turns: list[dict[str, str]] = []
    left_out = 0
    for item in items:
        if is_nothing(item):
            continue
        found = list(_split_lines(item)) if isinstance(item, str) else _read_turn(item)
        left_out += found is None
        turns.extend(found or ())
    if not left_out:
        return Reading(turns)
    if not turns:
        raise UnreadableError("holds nothing that can be read as speaker and text: it was left out")
    return Reading(turns, f"has entries without a text: they were left out ({left_out:,})")


def _read_turn(item: Any) -> list[dict[str, str]] | None:
    """The turn; none at all if nothing was said, None if it cannot be read."""
    match item:
        case [str(role), str(text)]:
            return [{"role": role, "text": text}]
        case dict():
            said: Any = next((item[name] for name in SPOKEN if name in item), item)
            spoken = "" if is_nothing(said) else _read_spoken(said)
            if spoken is None:
                return None
            role = next((item[name] for name in SPEAKERS if not is_nothing(item.get(name))), "")
            return [{"role": _read_speaker(role), "text": spoken}] if spoken else []
    return None


def _read_spoken(value: Any) -> str | None:
    match value:
        case str():
            return value
        case int() | float() if not isinstance(value, bool):
            return str(value)
        case {"text": str(text)} | {"content": str(text)} | {"word": str(text)}:
            return text
        case list():
            parts = [_read_spoken(each) for each in value if not isinstance(each, list)]
            return " ".join(part for part in parts if part) or None
    return None


def _read_speaker(value: Any) -> str:
    match value:
        case str():
            return value
        case int() if not isinstance(value, bool):
            return f"speaker {value}" if abs(value) < 10**6 else ""
        case {"name": str(name)} | {"role": str(name)} | {"id": str(name)}:
            return name
    return ""


def _split_lines(text: str) -> Iterator[dict[str, str]]:
    """A text's lines as turns, those without a speaker with the turn before them."""
    role, spoken = "", list[str]()
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found is None:
            spoken.append(line)
            continue
        if any(map(str.strip, spoken)):
            yield {"role": role, "text": "\n".join(spoken)}
        role, spoken = found[1].strip(), [found[2] or ""]
    if any(map(str.strip, spoken)):
        yield {"role": role, "text": "\n".join(spoken)}


def _name_items(items: list[Any]) -> dict[str, Any]:
    for name, value in NAMED:
        if all(isinstance(each, dict) and isinstance(each.get(name), str) for each in items):
            named = {each[name]: each.get(value) for each in items}
            if len(named) == len(items) and all(value in each for each in items):
                return named
    if len(items) == 1 and isinstance(items[0], dict):
        return dict(items[0])
    return {"items": items}


def _parse_json(text: str) -> Any:
    """What a text holds if it is a list or an object in JSON, else None."""
    if text.lstrip()[:1] in {"[", "{"}:
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    return None
