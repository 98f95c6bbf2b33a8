"""JustCall: calls of its phone system and its sales dialer, signed over address, event and time.

The keys are those on which several public receivers agree; a live capture is still missing. The
signature does not cover what is said about the call, so the address itself must stay unknown.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Annotated, Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from sources.adapter import (
    FRESH_S,
    Adapter,
    Delivery,
    Event,
    Ignored,
    InvalidSecretError,
    Json,
    Options,
    Outcome,
    Reading,
    Refusal,
    RefusedError,
    Sample,
    Scheme,
    Secret,
    Unreadable,
)
from sources.forms import find_query, name_values, parse_form
from sources.reading import (
    collect,
    find_link,
    find_list,
    find_number,
    find_phone,
    find_tenant,
    find_text,
    keep_known,
    make_facts,
    name_sides,
    parse_object,
    read_direction,
    read_name,
    read_text,
)
from sources.signing import (
    check_secret,
    is_equal,
    prove,
    read_hex,
    require_header,
    require_secrets,
    sign,
)

SIGNATURE: Final = "x-justcall-signature"
VERSION: Final = "x-justcall-signature-version"
TIMESTAMP: Final = "x-justcall-request-timestamp"
# encodeURIComponent leaves these as they are, besides letters and digits.
UNRESERVED: Final = "-_.!~*'()"
ZONELESS: Final = "%Y-%m-%d %H:%M:%S"
LONGEST_CALL_S: Final = 7 * 24 * 3600
UNKNOWN_ZONE: Final = (
    "The time of the call lies ahead of us, so it is not in the time zone that the source's options"
    " name. It is left out."
)

_RANKS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "call.completed": 10,
        "call.missed": 10,
        "call.voicemail": 15,
        "call.updated": 20,
        "call.ai_report": 30,
        "jc.call_ai_generated": 30,
        "sd.call_completed": 10,
        "sd.call_updated": 20,
        "sd.call_ai_generated": 30,
    }
)
_UPDATES: Final = frozenset({"call.updated", "sd.call_updated"})
_OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "answered": Outcome.COMPLETED,
        "completed": Outcome.COMPLETED,
        "missed": Outcome.NO_ANSWER,
        "unanswered": Outcome.NO_ANSWER,
        "no answer": Outcome.NO_ANSWER,
        "abandoned": Outcome.NO_ANSWER,
        "voicemail": Outcome.VOICEMAIL,
        "busy": Outcome.BUSY,
        "failed": Outcome.FAILED,
        "canceled": Outcome.CANCELED,
        "cancelled": Outcome.CANCELED,
    }
)
_CLOCK: Final = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)", re.ASCII)
_NATIONAL: Final = re.compile(r"[2-9]\d{2}[2-9]\d{6}", re.ASCII)


def _require_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no time zone: write it like America/New_York") from error
    return name


class JustCallOptions(Options):
    """The options of a JustCall source."""

    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_require_zone)] = "UTC"
    """The zone of the times that JustCall sends without one: `America/New_York`."""

    default_region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    """The country of numbers that come without a country code: `US`."""


def _check(value: str) -> None:
    if ":" in value:
        raise InvalidSecretError("Paste the API secret alone, without the API key and the colon.")
    check_secret(value)


def _verify(delivery: Delivery, secrets: Sequence[Secret], _options: JustCallOptions) -> Secret:
    require_secrets(secrets)
    signature = read_hex(require_header(delivery, SIGNATURE), 32)
    stamp = require_header(delivery, TIMESTAMP)
    if signature is None or (delivery.has_header(VERSION) and delivery.header(VERSION) != "v1"):
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE,
            f"The header {SIGNATURE} is not 32 bytes in hex, or not v1.",
        )
    body = parse_object(delivery.body)
    if isinstance(body, Unreadable):
        raise RefusedError(Refusal.MALFORMED_SIGNATURE, body.message)
    url, kind = body.get("webhook_url"), body.get("type")
    if not isinstance(url, str) or not isinstance(kind, str):
        raise RefusedError(Refusal.MALFORMED_SIGNATURE, "The body names no webhook_url or type.")
    # The address in the body is what is signed: one that was signed for somebody else's address
    # proves nothing here.
    if not is_equal(_spell(url), _spell(delivery.url)):
        raise RefusedError(
            Refusal.WRONG_SIGNATURE,
            "The delivery was signed for another address. Enter exactly this one at JustCall.",
        )
    return prove(
        secrets,
        lambda secret: is_equal(_sign(secret, url, kind, stamp).hex(), signature.hex()),
        "Check that the API secret is the one of the JustCall account with the webhook.",
    )


def _sign(secret: Secret, url: str, kind: str, stamp: str) -> bytes:
    encoded = quote(url, safe=UNRESERVED, errors="replace")
    signed = f"{secret.value}|{encoded}|{kind}|{stamp}"
    return sign(secret.value.encode(), signed.encode("utf-8", "replace"))


def _spell(url: str) -> str:
    """An address in one spelling: host in small letters, no usual port, no slash at the end."""
    with suppress(ValueError):
        parts = urlsplit(url)
        host = parts.netloc.lower()
        usual = {"https": ":443", "http": ":80"}.get(parts.scheme, ":")
        query = f"?{parts.query}" if parts.query else ""
        text = f"{parts.scheme}://{host.removesuffix(usual)}{parts.path.rstrip('/')}{query}"
        return text.encode("utf-8", "replace").decode()
    return ""


def _read(delivery: Delivery, options: JustCallOptions) -> Sequence[Reading]:
    body = parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return [body]
    name, data = read_name(find_text(body, "type")), body.get("data")
    rank = _RANKS.get(name)
    if rank is None:
        return [Ignored(name)]
    # Recall, not verified: `call_id` in events of the sales dialer without the other two.
    call = find_text(data, "call_sid", "id", "call_id")
    if call is None:
        return [Unreadable(name, "The event does not say which call it is about.")]
    started_at, notices = _read_start(data, delivery.received_at, options)
    outcome, total = _read_outcome(name, data), _read_total(data)
    ended_at = started_at + timedelta(seconds=total) if started_at and total is not None else None
    talked = find_number(data, "call_duration.conversation_time")
    ours = _read_number(data, "justcall_number")
    direction = read_direction(find_text(data, "call_info.direction", "call_direction"))
    customer = _read_number(data, "contact_number", ours)
    user_id, workspace_id = find_tenant(name_values(parse_form(find_query(delivery.url)) or ()))
    return [
        Event(
            name=name,
            call=call,
            facts=make_facts(
                **name_sides(direction, customer, ours),
                region=options.default_region,
                started_at=started_at,
                ended_at=ended_at,
                # The total has the ringing in it, which is all that there is of a missed call.
                duration_seconds=(talked or 0.0) if outcome == Outcome.NO_ANSWER else total,
                agent_name=find_text(data, "agent_name"),
                agent_email=find_text(data, "agent_email"),
                agent_id=find_text(data, "agent_id"),
                outcome=outcome,
                summary=find_text(data, "justcall_ai.call_summary", "call_summary"),
                recording_url=find_link(data, "call_info.recording"),
                transcript=_read_transcript(data),
                structured_data=_collect(data),
            ),
            # Events of a call have no time of their own. With that of its end in all of them, the
            # rank decides, whatever the order in which they come.
            occurred_at=ended_at,
            rank=rank,
            is_end=name not in _UPDATES or total is not None,
            tenant=keep_known(ours, find_text(data, "agent_id"), find_text(data, "agent_email")),
            user_id=user_id,
            workspace_id=workspace_id,
            notices=notices,
        )
    ]


def _read_number(data: Json, field: str, ours: str | None = None) -> str | None:
    """A number with its `+`, which JustCall may leave out.

    Ten digits that can be a number without the country code, beside an American line, stay as
    they are: with a `+` they would be somebody else's, abroad.
    """
    bare = find_phone(data, field)
    if bare and ours and ours.startswith("+1") and _NATIONAL.fullmatch(bare):
        return bare
    return find_phone(data, field, plus=True)


def _read_start(
    data: Json, received_at: datetime, options: JustCallOptions
) -> tuple[datetime | None, tuple[str, ...]]:
    """When the call began, of a date and a time without a zone."""
    text = f"{find_text(data, 'call_date')} {find_text(data, 'call_time')}"
    with suppress(ValueError, OverflowError):
        local = datetime.strptime(text, ZONELESS)  # noqa: DTZ007 -- the zone follows
        started_at = local.replace(tzinfo=_zone(options.time_zone)).astimezone(UTC)
        if (started_at - received_at).total_seconds() > FRESH_S:
            return None, (UNKNOWN_ZONE,)
        return started_at, ()
    return None, ()


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _read_outcome(name: str, data: Json) -> str | None:
    word = (find_text(data, "call_info.type", "call_info.status") or "").lower().replace("_", " ")
    if not word:
        return {"call.missed": Outcome.NO_ANSWER, "call.voicemail": Outcome.VOICEMAIL}.get(name)
    return _OUTCOMES.get(word, word)


def _read_total(data: Json) -> float | None:
    """Seconds, ringing included. An older form is one number, and the sales dialer has its own."""
    seconds = find_number(
        data,
        "call_duration.total_duration",
        "call_duration",
        "call_info.duration",
        "call_duration.conversation_time",
    )
    clock = _CLOCK.fullmatch(
        find_text(data, "call_duration.friendly_duration", "call_duration") or ""
    )
    if seconds is None and clock:
        hours, minutes, rest = (int(each) for each in clock.groups())
        seconds = hours * 3600 + minutes * 60 + rest
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_CALL_S else None


def _read_transcript(data: Json) -> list[dict[str, str]]:
    """Who said what. Recall, not verified: speaker 0 is the agent; a name may stand instead."""
    agent = (find_text(data, "agent_name") or "agent").lower()
    contact = (find_text(data, "contact_name") or "customer").lower()
    roles = {"0": "assistant", "agent": "assistant", agent: "assistant"}
    roles |= {"1": "user", "customer": "user", "contact": "user", contact: "user"}
    turns = []
    for each in find_list(data, "justcall_ai.call_transcription"):
        who = find_text(each, "speaker_id", "speaker", "speaker_name")
        text = find_text(each, "sentence", "text")
        if text:
            turns.append({"role": roles.get((who or "").lower(), who or "unknown"), "text": text})
    left = find_text(data, "call_info.voicemail_transcription")
    return turns or ([{"role": "user", "text": left}] if left else [])


def _collect(data: Json) -> dict[str, Json]:
    tags = [read_text(each) or find_text(each, "name", "tag") for each in find_list(data, "tags")]
    return collect(
        disposition=find_text(data, "call_info.disposition", "disposition"),
        notes=find_text(data, "call_info.notes", "notes"),
        tags=tags,
        missed_call_reason=find_text(data, "call_info.missed_call_reason"),
        customer_sentiment=find_text(data, "justcall_ai.customer_sentiment"),
        call_score=find_text(data, "justcall_ai.call_score"),
        campaign=find_text(data, "campaign.name"),
    )


def _sample(secret: Secret, url: str, at: datetime, options: JustCallOptions) -> Sequence[Sample]:
    started_at = (at - timedelta(seconds=64)).astimezone(_zone(options.time_zone))
    data: dict[str, Json] = {
        "id": 500001,
        "call_sid": "CA" + "5a" * 16,
        "contact_number": "12025550115",
        "contact_name": "Ada",
        "justcall_number": "12025550199",
        "justcall_line_name": "Sales",
        "agent_name": "Max",
        "agent_email": "max@example.com",
        "call_date": f"{started_at:%Y-%m-%d}",
        "call_time": f"{started_at:%H:%M:%S}",
        "call_info": {
            "direction": "Outgoing",
            "type": "answered",
            "disposition": "Interested",
            "notes": "",
            "recording": "https://rec.example.net/j1",
        },
        "call_duration": {"total_duration": 64, "conversation_time": 55, "ring_time": 9},
        "tags": [],
    }
    report = data | {
        "justcall_ai": {
            "call_summary": "Ada wants an offer for 12 seats.",
            "call_transcription": [
                {"speaker_id": 0, "sentence": "Hello, this is Max.", "timestamp": "00:00:01"},
                {"speaker_id": 1, "sentence": "Hello, Ada here.", "timestamp": "00:00:04"},
            ],
            "customer_sentiment": "Positive",
            "call_score": 90,
        }
    }
    stamp = f"{at.astimezone(UTC):{ZONELESS}}"
    return [
        Sample(
            name=name,
            headers={
                "Content-Type": "application/json",
                SIGNATURE: _sign(secret, url, name, stamp).hex(),
                VERSION: "v1",
                TIMESTAMP: stamp,
            },
            body=json.dumps(
                {"request_id": "rq-1", "webhook_url": url, "url_id": 7, "type": name, "data": each}
            ).encode(),
        )
        for name, each in (("call.completed", data), ("jc.call_ai_generated", report))
    ]


ADAPTER: Final = Adapter(
    vendor="justcall",
    title="JustCall",
    schemes=(
        Scheme(
            name="api_secret",
            title="API secret",
            hint=(
                "The API secret of your JustCall account, which stands beside the API key."
                " JustCall signs with it. Together with the API key it can do everything in your"
                " JustCall account, so never send it to anybody by mail."
            ),
            check=_check,
        ),
    ),
    steps=(
        "In JustCall open Settings → APIs & Webhooks. You must be an administrator.",
        "Copy the API secret, and paste it here. The API key is not needed.",
        (
            "Add a webhook with the address {url}, and switch signing (“dynamic webhook"
            " signature”) on, if JustCall asks."
        ),
        (
            "Choose the events for calls: completed, updated, and the AI report. For the sales"
            " dialer choose its three events too. JustCall may want one webhook for each event:"
            " give all of them the same address."
        ),
        (
            "If JustCall's own HubSpot integration logs calls, switch its logging off, or each"
            " call is there twice."
        ),
        "Make a call and hang up: it appears here. The summary comes a minute or two later.",
    ),
    caveats=(
        (
            "JustCall's signature covers the address, the kind of event and a time, but not what"
            " is said about the call. Keep the address to yourself."
        ),
        (
            "JustCall sends the times of calls without a time zone. We take them as UTC: if calls"
            " are some hours off, enter your time zone in the options."
        ),
        "Summary and transcript need JustCall's AI, and come only for calls with a conversation.",
        "A voicemail that answers when your people call counts as an answered call at JustCall.",
        (
            "This reading is built on public receivers of JustCall's events, not on its own"
            " description. If something is missing, tell us which event it is."
        ),
    ),
    options=JustCallOptions,
    signature_headers=(SIGNATURE, VERSION, TIMESTAMP),
    verify=_verify,
    read=_read,
    sample=_sample,
)
