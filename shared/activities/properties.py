"""What a Call object of HubSpot says beside its body, under HubSpot's names."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from shared.activities.recording import UnlinkableError, parse_recording_url
from shared.activities.rendering import (
    MAX_FACT_CHARACTERS,
    find_duration,
    find_outcome,
)
from shared.activities.text import clean_line
from shared.calls.content import CallContent, normalise_outcome
from shared.calls.directions import Direction, read_direction
from shared.phone import NO_REGION, PhoneError, parse_phone

TITLE: Final = "hs_call_title"
DIRECTION: Final = "hs_call_direction"
STATUS: Final = "hs_call_status"
DISPOSITION: Final = "hs_call_disposition"
DURATION: Final = "hs_call_duration"
FROM: Final = "hs_call_from_number"
TO: Final = "hs_call_to_number"
RECORDING: Final = "hs_call_recording_url"
EXTERNAL_ID: Final = "hs_call_external_id"

LABELS: Final[Mapping[str, str]] = {
    TITLE: "title",
    DIRECTION: "direction",
    STATUS: "status",
    DISPOSITION: "outcome",
    DURATION: "duration",
    FROM: "caller's number",
    TO: "called number",
    RECORDING: "recording",
    EXTERNAL_ID: "external id",
}
"""The properties that are sent, as people call them. A Call can do without any of them."""

# A refusal of one of their few values concerns other calls too.
_CHOICES: Final = frozenset({DIRECTION, STATUS, DISPOSITION})
_PLAYED: Final = (".mp3", ".wav")
# What HubSpot says of properties that an account lacks, or that are not for us to write.
_OF_ANY_VALUE: Final = ("doesnt_exist", "does not exist", "read_only", "read only")

# HubSpot's default outcomes; an account's administrators may delete them (Calls guide).
DISPOSITIONS: Final[Mapping[str, str]] = {
    "Busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "Connected": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "Left live message": "a4c4c377-d246-4b32-a13b-75a56a4cd0ff",
    "Left voicemail": "b2cf5968-551e-4856-9783-52b3da59a7d0",
    "No answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "Wrong number": "17b47fee-58de-441e-a44c-c6300d46f273",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How HubSpot shows that a call ended: its status, and the label of its outcome if any."""

    status: str
    disposition: str | None = None


ENDINGS: Final[Mapping[str, Ending]] = {
    "completed": Ending("COMPLETED", "Connected"),
    "voicemail": Ending("COMPLETED", "Left voicemail"),
    "no_answer": Ending("NO_ANSWER", "No answer"),
    "busy": Ending("BUSY", "Busy"),
    "failed": Ending("FAILED"),
    "canceled": Ending("CANCELED"),
    # HubSpot's own words
    "connected": Ending("COMPLETED", "Connected"),
    "left_live_message": Ending("COMPLETED", "Left live message"),
    "left_voicemail": Ending("COMPLETED", "Left voicemail"),
    "wrong_number": Ending("COMPLETED", "Wrong number"),
}
"""By the outcome of a call in lower case; any other outcome, or none, is `COMPLETED` alone."""
_RUNNING: Final[Mapping[str, str]] = {
    "queued": "QUEUED",
    "initiated": "CONNECTING",
    "ringing": "RINGING",
    "in_progress": "IN_PROGRESS",
    "ongoing": "IN_PROGRESS",
}


def call_properties(call: CallContent, *, log_id: str, region: str = NO_REGION) -> dict[str, str]:
    """Return a Call object's properties without its body and time; what is unknown is left out.

    `region` is where numbers that name no country are read.
    """
    direction = read_direction(call.direction)
    ending = find_ending(call)
    caller, called = _ends(call, direction, region)
    duration = find_duration(call)
    properties = {
        TITLE: _title(call, direction, caller, called, region),
        DIRECTION: direction.upper() if direction else None,
        STATUS: ending.status,
        DISPOSITION: DISPOSITIONS[ending.disposition] if ending.disposition else None,
        DURATION: None if duration is None else str(round(duration / timedelta(milliseconds=1))),
        FROM: caller,
        TO: called,
        RECORDING: played_recording(call.recording_url),
        EXTERNAL_ID: log_id,
    }
    return {name: value for name, value in properties.items() if value}


def find_ending(call: CallContent) -> Ending:
    """How HubSpot is to show that the call ended, or that it is not known to have."""
    outcome = normalise_outcome(find_outcome(call) or "")
    if outcome in _RUNNING and call.ended_at is None and call.duration_seconds is None:
        return Ending(_RUNNING[outcome])
    return ENDINGS.get(outcome, Ending("COMPLETED"))


def played_recording(url: str | None) -> str | None:
    """The link to a recording if HubSpot plays it in place: it goes by the end of the path."""
    try:
        recording = parse_recording_url(url)
    except UnlinkableError:
        return None
    if recording is None or not urlsplit(recording.url).path.lower().endswith(_PLAYED):
        return None
    return recording.url


def without_refused(
    properties: Mapping[str, str], refused: Collection[str]
) -> tuple[dict[str, str], frozenset[str]]:
    """The properties that may be sent, and the names of those left out.

    `refused` has names, for which any value is left out, and `name=value`.
    """
    left_out = frozenset(
        name
        for name, value in properties.items()
        if name in refused or f"{name}={value}" in refused
    )
    return {name: properties[name] for name in properties if name not in left_out}, left_out


def refused_of(named: Collection[str], sent: Mapping[str, str]) -> frozenset[str]:
    """Which of the properties that were sent may be left out because a refusal names them."""
    return frozenset(named) & sent.keys() & LABELS.keys()


def is_of_any_value(message: str) -> bool:
    """Whether a refusal is about properties that the account lacks or does not let us write."""
    return any(each in message.lower() for each in _OF_ANY_VALUE)


def to_remember(names: Iterable[str], sent: Mapping[str, str], message: str) -> frozenset[str]:
    """What a refusal of these says of other calls of the account, as `without_refused` reads it."""
    if is_of_any_value(message):
        return frozenset(names)
    return frozenset(f"{name}={sent[name]}" for name in names if name in _CHOICES)


def describe_left_out(names: Collection[str]) -> tuple[str, ...]:
    """Say what of a call HubSpot refuses, and where it is instead; nothing if it is nothing."""
    left_out = [label for name, label in LABELS.items() if name in names]
    if not left_out:
        return ()
    *most, last = left_out
    what = f"{', '.join(most)} and {last}" if most else last
    sentences = [f"HubSpot does not accept this call's {what}: the Call was written without."]
    sentences += [sentence for name, sentence in _INSTEAD.items() if name in names]
    return (" ".join(sentences),)


_INSTEAD: Final = {
    DISPOSITION: "Its text names the outcome.",
    RECORDING: "Its text has a link to the recording.",
}


def _ends(
    call: CallContent, direction: Direction | None, region: str
) -> tuple[str | None, str | None]:
    """Who called, and who was called; the customer's number stands for the end it belongs to."""
    caller, called = call.from_number, call.to_number
    if direction is Direction.INBOUND:
        caller = caller or call.phone_number
    elif direction is Direction.OUTBOUND:
        called = called or call.phone_number
    return _spell(caller, region), _spell(called, region)


def _spell(number: str | None, region: str) -> str | None:
    """A number in E.164 if it is one, else as it was written."""
    with suppress(PhoneError):
        parsed = parse_phone(number, region)
        if region != NO_REGION or parsed.names_country:
            return parsed.e164
    return clean_line(number or "", MAX_FACT_CHARACTERS) or None


def _title(
    call: CallContent,
    direction: Direction | None,
    caller: str | None,
    called: str | None,
    region: str,
) -> str:
    match direction:
        case Direction.INBOUND:
            return f"Inbound call from {caller}" if caller else "Inbound call"
        case Direction.OUTBOUND:
            return f"Outbound call to {called}" if called else "Outbound call"
    other = _spell(call.phone_number, region) or caller or called
    return f"Call with {other}" if other else "Call"
