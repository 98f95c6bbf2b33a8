"""What of a call is kept: as much as its note can hold, and where something is cut, a warning."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

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
from shared.calls.call_details import MAX_NESTING, CallDetails, FieldWarning, Utterance
from shared.phone import MAX_TEXT

MAX_LINK_CHARACTERS: Final = 8192
# One more than the longest text that is ever read as a number, so that cutting makes none valid.
MAX_NUMBER_CHARACTERS: Final = MAX_TEXT + 1
# Values that are empty take no room in the note, but are kept.
MAX_DATA_UNITS: Final = 2 * MAX_DETAILS_UNITS
# What an utterance costs beside its text: the speaker's tags in the note, the names in JSON.
UTTERANCE_UNITS: Final = 25
VALUE_UNITS: Final = 4
# Beyond these a number takes hundreds of digits in Postgres; as text it reads the same.
LARGEST_NUMBER: Final = 10**15
SMALLEST_NUMBER: Final = 1e-6


def fit_to_note(call: CallDetails) -> tuple[CallDetails, list[FieldWarning]]:
    """Cut a call to what a note can hold, some 76,000 characters at most."""
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
    return (replace(call, **changes) if changes else call), warnings


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
    transcript: tuple[Utterance, ...], room: int, warnings: list[FieldWarning]
) -> dict[str, tuple[Utterance, ...]]:
    # Every character is two units at most: what is short by this count is not looked at.
    most = sum(2 * (len(role) + len(text)) + UTTERANCE_UNITS for role, text in transcript)
    if most <= room and all(len(role) <= MAX_FACT_CHARACTERS for role, _ in transcript):
        return {}
    kept: list[Utterance] = []
    is_cut = False
    for role, text in transcript:
        spoken = clean_text(text)
        if not spoken:
            continue
        speaker = cut_text(clean_text(role), MAX_FACT_CHARACTERS)
        room -= UTTERANCE_UNITS + _units(speaker)
        shown = cut_text(spoken, room)
        kept.append(Utterance(speaker, shown))
        is_cut = is_cut or shown != spoken or speaker != clean_text(role)
        room -= _units(shown)
        if shown != spoken:
            break
    if is_cut:
        message = f"was cut: a note holds some {MAX_BODY_UNITS:,} characters in all"
        warnings.append(FieldWarning("transcript", message))
    return {"transcript": tuple(kept)}


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
        kept = cut_text(text, MAX_DETAIL_UNITS)
        self._is_cut = self._is_cut or kept != text
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
