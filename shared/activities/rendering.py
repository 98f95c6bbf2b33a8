"""The body of a note or Call object: its HTML, its time, and the last line it is known by.

The last line is `Call ID: <call id> · Ref: <log id>`, written after everything a caller, an
agent or a producer had a say in, and the Ref is the last word of it. Only the last line counts
when a note is read back, so no text elsewhere can pass for it.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from shared.activities.recording import UnlinkableError, parse_recording_url
from shared.activities.text import clean_line, clean_text, list_details, to_html, utf16_units
from shared.calls.content import CallContent, TranscriptTurn
from shared.calls.directions import read_direction

# HubSpot takes fewer than 65,536 characters without saying what it counts. UTF-16 units are the
# most cautious reading of "characters"; the distance is for what its sanitiser adds to our tags.
MAX_BODY_UNITS = 64_000
MAX_FACT_CHARACTERS = 200
MAX_CALL_ID_CHARACTERS = 255
MAX_SUMMARY_UNITS = 20_000
MAX_DETAILS_UNITS = 12_000
MAX_DETAIL_UNITS = 2_000

SHORTENED = "… (shortened)"
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(days=1)

_BLANK = re.compile(r"[\s\u200b\ufeff]+")
_LINE_END = re.compile(
    r"</?(?:p|div|br|ul|ol|li|h[1-6]|blockquote|pre|table|tr|td|th|hr|section)\b[^<>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[/!]?[a-z-][^<>]*>", re.IGNORECASE)
_MARKER = re.compile(r"Call ID:.* · Ref: (hs_[0-9a-z]+)")


def render_note(call: CallContent, *, call_id: str, log_id: str) -> str:
    """Return the note's HTML, at most `MAX_BODY_UNITS` UTF-16 units; the last line always fits."""
    blocks, last_line = render_blocks(call, call_id=call_id, log_id=log_id)
    return "".join(blocks.values()) + last_line


def render_blocks(call: CallContent, *, call_id: str, log_id: str) -> tuple[dict[str, str], str]:
    """Return the note's blocks by name, in their order and without empty ones, and its last line.

    Together they are what `render_note` returns.
    """
    shown_id = to_html(clean_line(call_id, MAX_CALL_ID_CHARACTERS))
    last_line = f"<p>Call ID: {shown_id} · Ref: {html.escape(log_id)}</p>"
    blocks = {
        "facts": _render_facts(call),
        "summary": _render_summary(call.summary),
        "recording": _render_recording(call.recording_url),
        "details": _render_details(call),
    }
    room = MAX_BODY_UNITS - utf16_units("".join(blocks.values()) + last_line)
    blocks["transcript"] = _render_transcript(call.transcript or (), room)
    return {name: block for name, block in blocks.items() if block}, last_line


def marker_ref(body: str) -> str | None:
    """Return the log id in a note's last line, None if that line is not ours.

    `body` is HTML as HubSpot gives it back: it may have added attributes, wrapped lines in other
    tags, changed entities and white space, or have kept nothing but the text.
    """
    in_html = _last_line(_BLANK.sub(" ", body))  # in HTML only tags end a line
    match = _MARKER.fullmatch(in_html) or _MARKER.fullmatch(_last_line(body))
    return match[1] if match else None


def note_timestamp_ms(call: CallContent, received_at: datetime) -> int:
    """Return the note's place on the timeline, in epoch milliseconds: when the call began.

    Args:
        call: Its end stands in for a start that is unknown or cannot be true.
        received_at: When we learnt of the call, which bounds both and stands in for them.
    """
    latest = received_at + CLOCK_TOLERANCE
    for time in (call.started_at, call.ended_at):
        if time is not None and EARLIEST <= time <= latest:
            return int(time.timestamp() * 1000)
    return int(received_at.timestamp() * 1000)


def _last_line(body: str) -> str:
    text = html.unescape(_TAG.sub("", _LINE_END.sub("\n", body)))
    lines = (_BLANK.sub(" ", line).strip() for line in reversed(text.split("\n")))
    return next((line for line in lines if line), "")


def _render_facts(call: CallContent) -> str:
    direction = read_direction(call.direction)
    title = f"{direction.title()} call" if direction else "Call"
    duration = _describe_duration(find_duration(call))
    facts = {
        "From": call.from_number,
        "To": call.to_number,
        "Phone": None if call.from_number or call.to_number else call.phone_number,
        "Agent": call.agent_name,
        "Outcome": find_outcome(call),
    }
    lines = [f"<strong>{title}</strong>" + (f" · {duration}" if duration else "")]
    for label, value in facts.items():
        shown = clean_line(value or "", MAX_FACT_CHARACTERS)
        if shown:
            lines.append(f"{label}: {to_html(shown)}")
    return f"<p>{'<br>'.join(lines)}</p>"


def find_outcome(call: CallContent) -> str | None:
    """How the call ended, in its producer's words."""
    outcome = call.outcome or (call.structured_data or {}).get("outcome")
    return outcome if isinstance(outcome, str) else None


def find_duration(call: CallContent) -> timedelta | None:
    """How long the call lasted, None if that is unknown or cannot be true."""
    seconds = call.duration_seconds
    if seconds is None and call.started_at and call.ended_at:
        seconds = (call.ended_at - call.started_at).total_seconds()
    if seconds is None or not 0 <= seconds < timedelta.max.total_seconds():
        return None
    return timedelta(seconds=seconds)


def _describe_duration(duration: timedelta | None) -> str:
    if duration is None:
        return ""
    minutes, rest = divmod(round(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def _render_summary(summary: str | None) -> str:
    text = clean_text(summary or "")
    if not text:
        return ""
    return f"<p><strong>Summary</strong><br>{_fit(text, MAX_SUMMARY_UNITS)}</p>"


def _render_recording(url: str | None) -> str:
    try:
        recording = parse_recording_url(url)
    except UnlinkableError:
        return ""  # the sync log's entry says why
    if recording is None:
        return ""
    link = html.escape(recording.url)
    return (
        f'<p><a href="{link}" target="_blank" rel="noopener noreferrer">Recording</a>'
        f" ({to_html(recording.host)})</p>"
    )


def _render_details(call: CallContent) -> str:
    items: list[str] = []
    room = MAX_DETAILS_UNITS
    outcome = find_outcome(call)
    for name, value in list_details(call.structured_data or {}):
        if (name, value) == ("outcome", outcome):
            continue  # said above
        item = f"<li>{_fit(f'{name}: {value}', MAX_DETAIL_UNITS)}</li>"
        room -= utf16_units(item)
        if room < 0:
            items.append(f"<li>{SHORTENED}</li>")
            break
        items.append(item)
    return f"<p><strong>Details</strong></p><ul>{''.join(items)}</ul>" if items else ""


def _render_transcript(transcript: Sequence[TranscriptTurn], room: int) -> str:
    opening, closing = "<p><strong>Transcript</strong>", "</p>"
    ending = f"<br>{SHORTENED}"
    room -= utf16_units(opening + closing + ending)
    lines: list[str] = []
    for turn in transcript:
        text = clean_text(turn["text"])
        if not text:
            continue
        speaker = to_html(clean_line(turn["role"], MAX_FACT_CHARACTERS).capitalize() or "Unknown")
        start = f"<br><strong>{speaker}:</strong> "
        room -= utf16_units(start)
        if room <= 0:
            lines.append(ending)
            break
        line = _fit(text, room)
        lines.append(start + line)
        room -= utf16_units(line)
    return f"{opening}{''.join(lines)}{closing}" if lines else ""


def _fit(text: str, max_units: int) -> str:
    """Return cleaned text as HTML of at most `max_units`, cut at the end if need be."""
    # every character is at least one unit, so nothing beyond the first `max_units` can fit
    text_in_reach = text[: max_units + 1]
    whole = to_html(text_in_reach)
    if utf16_units(whole) <= max_units:
        return whole
    room = max_units - utf16_units(SHORTENED)
    kept = bisect_right(
        range(1, len(text_in_reach) + 1),
        room,
        key=lambda length: utf16_units(to_html(text[:length])),
    )
    return to_html(text[:kept]) + SHORTENED
