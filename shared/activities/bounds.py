"""What of a call is kept: as much as its note can hold, and where something is cut, a warning."""

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from shared.activities.recording import UnlinkableError, parse_recording_url
from shared.activities.rendering import (
    MAX_BODY_UNITS,
    MAX_DETAIL_UNITS,
    MAX_DETAILS_UNITS,
    MAX_FACT_CHARACTERS,
    MAX_SUMMARY_UNITS,
    SHORTENED,
)
from shared.activities.text import clean_text
from shared.calls.content import CallContent, FieldWarning, TranscriptTurn, make_storable
from shared.calls.directions import MAX_NUMBER_CHARACTERS

MAX_LINK_CHARACTERS: Final = 8192
MAX_NESTING: Final = 20
# Values that are empty take no room in the note, but are kept.
MAX_DATA_UNITS: Final = 2 * MAX_DETAILS_UNITS
# What a turn costs beside its text: the speaker's tags in the note, the names in JSON.
TURN_UNITS: Final = 25
VALUE_UNITS: Final = 4
# Beyond these a number takes hundreds of digits in Postgres; as text it reads the same.
LARGEST_NUMBER: Final = 10**15
SMALLEST_NUMBER: Final = 1e-6


ContentT = TypeVar("ContentT", bound=CallContent)


def fit_to_note(call: ContentT) -> tuple[ContentT, list[FieldWarning]]:
    """Cut a call to what a note can hold, some 76,000 characters at most.

    What Postgres cannot hold goes as well: some characters, NaN and infinities, and whatever is
    nested more than `MAX_NESTING` levels deep.
    """
    warnings: list[FieldWarning] = []
    changes: dict[str, Any] = {}
    room = MAX_BODY_UNITS
    for name in ("phone_number", "from_number", "to_number"):
        number: str | None = getattr(call, name)
        if number and len(number) > MAX_NUMBER_CHARACTERS:
            changes[name] = number[:MAX_NUMBER_CHARACTERS]
            message = f"was cut to {MAX_NUMBER_CHARACTERS} characters: no number is as long"
            warnings.append(FieldWarning(name, message))
    if call.recording_url:
        changes |= _check_link(call.recording_url, warnings)
    if call.summary:
        if len(call.summary) > MAX_SUMMARY_UNITS // 2:
            changes |= _cut_summary(call.summary, warnings)
        room -= _units(changes.get("summary", call.summary))
    if call.structured_data is not None:
        data = _DataCutter()
        changes["structured_data"] = data.cut_object(call.structured_data)
        room -= min(MAX_DATA_UNITS - data.room, MAX_DETAILS_UNITS)
        warnings.extend(FieldWarning("structured_data", message) for message in data.messages)
    if call.transcript:
        changes |= _cut_transcript(call.transcript, room, warnings)
    return (call.model_copy(update=changes) if changes else call), warnings


def _check_link(url: str, warnings: list[FieldWarning]) -> dict[str, str | None]:
    try:
        parse_recording_url(url)
    except UnlinkableError as error:
        warnings.append(FieldWarning("recording_url", f"{error}: the note has no link to it"))
    return {"recording_url": None} if len(url) > MAX_LINK_CHARACTERS else {}


def _cut_summary(summary: str, warnings: list[FieldWarning]) -> dict[str, str]:
    if _units(summary) <= MAX_SUMMARY_UNITS:
        return {}
    cleaned = clean_text(summary)
    kept = cut_text(cleaned, MAX_SUMMARY_UNITS)
    if kept != cleaned:
        message = f"was cut to {MAX_SUMMARY_UNITS:,} characters, which is what a note shows of it"
        warnings.append(FieldWarning("summary", message))
    return {"summary": kept}


def _cut_transcript(
    transcript: list[TranscriptTurn], room: int, warnings: list[FieldWarning]
) -> dict[str, list[TranscriptTurn]]:
    # Every character is two units at most: what is short by this count is not looked at.
    most = sum(2 * (len(each["role"]) + len(each["text"])) + TURN_UNITS for each in transcript)
    if most <= room and all(len(each["role"]) <= MAX_FACT_CHARACTERS for each in transcript):
        return {}
    kept: list[TranscriptTurn] = []
    is_cut = False
    for turn in transcript:
        spoken = clean_text(turn["text"])
        if not spoken:
            continue
        role = clean_text(turn["role"])
        speaker = cut_text(role, MAX_FACT_CHARACTERS)
        room -= TURN_UNITS + _units(speaker)
        shown = cut_text(spoken, room)
        kept.append({"role": speaker, "text": shown})
        is_cut = is_cut or shown != spoken or speaker != role
        room -= _units(shown)
        if shown != spoken:
            break
    if is_cut:
        message = f"was cut: a note holds some {MAX_BODY_UNITS:,} characters in all"
        warnings.append(FieldWarning("transcript", message))
    return {"transcript": kept}


def cut_text(text: str, most: int) -> str:
    """The beginning of a text, and a word that it is one, if it has more than `most` UTF-16 units.

    Never less than that word.
    """
    if 2 * len(text) <= most or _units(text) <= most:
        return text
    room = max(0, most - len(SHORTENED))
    # Half of a surrogate pair at the end is left out.
    beginning = text.encode("utf-16-le", "surrogatepass")[: 2 * room]
    return beginning.decode("utf-16-le", "ignore") + SHORTENED


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class _DataCutter:
    """Walks structured data until there is no more room."""

    def __init__(self) -> None:
        self.room = MAX_DATA_UNITS
        self._is_deep = self._is_cut = self._is_infinite = False

    @property
    def messages(self) -> list[str]:
        """What was left out."""
        told = {
            f"was cut: a note shows at most {MAX_DETAIL_UNITS:,} characters of a value and"
            f" {MAX_DETAILS_UNITS:,} in all": self._is_cut,
            f"is nested deeper than {MAX_NESTING} levels: what is deeper was left out": (
                self._is_deep
            ),
            "holds numbers that are out of range: they were left out": self._is_infinite,
        }
        return [message for message, is_so in told.items() if is_so]

    def cut_object(self, value: Mapping[str, Any], nesting: int = 0) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, item in value.items():
            if self.room <= 0:
                self._is_cut = True
                break
            name = self._cut_text(key)
            kept[name] = self._cut(item, nesting + 1)
        return kept

    def _cut_list(self, value: list[Any] | tuple[Any, ...], nesting: int) -> list[Any]:
        kept = []
        for item in value:
            if self.room <= 0:
                self._is_cut = True
                break
            kept.append(self._cut(item, nesting + 1))
        return kept

    def _cut(self, value: Any, nesting: int) -> Any:
        self.room -= VALUE_UNITS
        match value:
            case str():
                return self._cut_text(value)
            case Mapping() | list() | tuple() if nesting >= MAX_NESTING:
                self._is_deep = True
                return None
            case Mapping():
                return self.cut_object(value, nesting)
            case list() | tuple():
                return self._cut_list(value, nesting)
            case int() | float():
                return self._cut_number(value)
        return value

    def _cut_text(self, text: str) -> str:
        storable = make_storable(text)
        kept = cut_text(storable, MAX_DETAIL_UNITS)
        self._is_cut = self._is_cut or kept != storable
        self.room -= len(kept)
        return kept

    def _cut_number(self, number: float) -> float | str | None:
        self.room -= 8
        if isinstance(number, float) and not math.isfinite(number):
            self._is_infinite = True
            return None
        size = abs(number)
        if size < LARGEST_NUMBER and (size > SMALLEST_NUMBER or not number):
            return number
        return self._cut_text(str(number))
