"""Aircall: events of calls, which carry the webhook's token in their body, and no signature."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sources.adapter import (
    Adapter,
    Delivery,
    Event,
    Facts,
    Ignored,
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
from sources.reading import (
    collect,
    find_link,
    find_list,
    find_object,
    find_phone,
    find_text,
    find_time,
    keep_known,
    make_facts,
    name_sides,
    parse_object,
    read_direction,
    read_link,
    read_name,
    read_text,
    read_turns,
    seconds_between,
)
from sources.signing import check_secret, is_equal, prove, require_secrets

# The body is parsed to find the token, so before we know who sent it. Aircall's have some 10 kB.
MOST_BYTES: Final = 1024 * 1024
SHORT_LIVED: Final = (
    "Aircall sent only a link to the recording that ends within about an hour. It is left out."
)

# The later a call's event is made, the more it knows of the call.
_CALL_RANKS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "call.hungup": 5,
        "call.ended": 10,
        "call.voicemail_left": 15,
        "call.comm_assets_generated": 20,
        "call.tagged": 25,
        "call.untagged": 25,
        "call.commented": 25,
    }
)
_ENDS: Final = frozenset({"call.hungup", "call.ended", "call.voicemail_left"})
_SIDES: Final = MappingProxyType({"internal": "assistant", "external": "user"})
_REGION: Final = re.compile(r"[A-Za-z]{2}", re.ASCII)


def _verify(delivery: Delivery, secrets: Sequence[Secret], _options: Options) -> Secret:
    require_secrets(secrets)
    if len(delivery.body) > MOST_BYTES:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, "The body is larger than any that Aircall sends."
        )
    body = parse_object(delivery.body)
    if isinstance(body, Unreadable):
        raise RefusedError(Refusal.MALFORMED_SIGNATURE, body.message)
    token = body.get("token")
    if not isinstance(token, str) or not token:
        raise RefusedError(Refusal.MISSING_SIGNATURE, "The body has no token.")
    return prove(
        secrets,
        lambda secret: is_equal(secret.value, token),
        "Each webhook at Aircall has a token of its own: copy it from the webhook that has this"
        " address.",
    )


def _read(delivery: Delivery, _options: Options) -> Sequence[Reading]:
    body = parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return [body]
    name, data = read_name(find_text(body, "event")), find_object(body, "data")
    is_agent = name in {"ai_voice_agent.ended", "ai_voice_agent.summary"}
    if not (is_agent or name in _CALL_RANKS or name in _ADDITIONS):
        return [Ignored(name)]
    # What is added names the call beside its own id.
    paths = ("call_id", "id") if is_agent else ("id",) if name in _CALL_RANKS else ("call_id",)
    call = find_text(data, *paths)
    if call is None:
        return [Unreadable(name, "The event does not say which call it is about.")]
    occurred_at = find_time(body, "timestamp")
    if name in _CALL_RANKS:
        return [_read_call(name, call, data, occurred_at)]
    facts = _read_agent(data) if is_agent else _ADDITIONS[name](data)
    if not facts:
        return [Ignored(name)]
    return [Event(name=name, call=call, facts=facts, occurred_at=occurred_at, rank=30)]


def _read_call(name: str, call: str, data: dict[str, Json], occurred_at: datetime | None) -> Event:
    answered_at, ended_at = find_time(data, "answered_at"), find_time(data, "ended_at")
    # `status` may still say `answered` in call.ended.
    is_over = name in _ENDS or ended_at is not None
    is_whole = is_over and "answered_at" in data
    ours = find_phone(data, "number.digits")
    link = _find_recording(data)
    has_voicemail = name == "call.voicemail_left" or _has_voicemail(data)
    outcome: str | None = None
    if has_voicemail:
        outcome = Outcome.VOICEMAIL
    elif is_whole:
        outcome = Outcome.COMPLETED if answered_at else Outcome.NO_ANSWER
    # `duration` is not used: it counts the ringing in some captures, and in others not.
    duration = seconds_between(answered_at, ended_at) if answered_at else 0.0 if is_whole else None
    is_short_lived = link is None and read_link(data.get("recording") or data.get("voicemail"))
    return Event(
        name=name,
        call=call,
        facts=make_facts(
            **name_sides(
                read_direction(find_text(data, "direction")), find_phone(data, "raw_digits"), ours
            ),
            region=_read_region(data),
            started_at=find_time(data, "started_at"),
            ended_at=ended_at,
            duration_seconds=duration,
            agent_name=find_text(data, "user.name"),
            agent_email=find_text(data, "user.email"),
            agent_id=find_text(data, "user.id"),
            outcome=outcome,
            recording_url=link,
            structured_data=collect(
                tags=[find_text(each, "name") for each in find_list(data, "tags")],
                comments=[find_text(each, "content") for each in find_list(data, "comments")],
                missed_call_reason=find_text(data, "missed_call_reason"),
            ),
        ),
        occurred_at=occurred_at,
        rank=_CALL_RANKS[name],
        is_end=is_over,
        tenant=keep_known(find_text(data, "number.id"), _compact(ours), find_text(data, "user.id")),
        notices=(SHORT_LIVED,) if is_short_lived else (),
    )


def _compact(number: str | None) -> str | None:
    """A number as tables of tenants write it: `+12025550199`."""
    return re.sub(r"[^\d+]", "", number) if number else None


def _has_voicemail(data: dict[str, Json]) -> bool:
    return find_link(data, "voicemail", "voicemail_short_url") is not None


def _find_recording(data: dict[str, Json]) -> str | None:
    """The lasting link. Recall, not verified: `recording` and `voicemail` end within an hour."""
    return find_link(data, "asset", "recording_short_url", "voicemail_short_url")


def _read_region(data: dict[str, Json]) -> str | None:
    country = find_text(data, "number.country") or ""
    return country.upper() if _REGION.fullmatch(country) else None


def _read_agent(data: dict[str, Json]) -> Facts:
    """What an AI voice agent reports. Its part ends before the call does if it passes the call on.

    Summary, agent's name and intake answers are documented. The other names are recall, not
    verified, out of public code that receives these events.
    """
    direction = read_direction(find_text(data, "initial_direction", "direction"))
    return make_facts(
        **name_sides(
            direction,
            find_phone(data, "external_caller_number", "raw_digits"),
            find_phone(data, "aircall_number", "number.digits"),
        ),
        agent_name=find_text(data, "agent_name", "ai_voice_agent_name"),
        summary=find_text(data, "summary", "summary.text", "summary.content"),
        structured_data=_read_intake(data),
    )


def _read_intake(data: dict[str, Json]) -> dict[str, Json]:
    answers = find_list(data, "intake_answers", "intake_questions")
    pairs = [(find_text(each, "question"), find_text(each, "answer")) for each in answers]
    extracted = find_object(data, "extracted_data")
    questions = find_list(extracted, "question")
    if not pairs and questions:
        given = find_list(extracted, "answer", "response")
        pairs = [
            (read_text(each), read_text(said)) for each, said in zip(questions, given, strict=False)
        ]
    elif not pairs:
        return collect(intake=extracted)
    return collect(intake={question: answer for question, answer in pairs if question})


def _read_summary(data: dict[str, Json]) -> Facts:
    """Recall, not verified: the text may be in the event, or must be fetched by API."""
    return make_facts(summary=find_text(data, "content", "summary", "summary.content"))


def _read_transcription(data: dict[str, Json]) -> Facts:
    """Recall, not verified: the utterances may be in the event, or must be fetched by API."""
    said = find_list(data, "content.utterances", "utterances")
    return make_facts(transcript=read_turns(said, "participant_type", ("text", "content"), _SIDES))


_ADDITIONS: Final = MappingProxyType(
    {"summary.created": _read_summary, "transcription.created": _read_transcription}
)


def _sample(secret: Secret, _url: str, at: datetime, _options: Options) -> Sequence[Sample]:
    end = int(at.timestamp())
    asset = "https://assets.example.net/calls/1/recording"
    ended: dict[str, Any] = {
        "id": 3980000001,
        "call_uuid": "5a5a5a5a-5a5a-4a5a-8a5a-5a5a5a5a5a5a",
        "direction": "outbound",
        "status": "done",
        "missed_call_reason": None,
        "started_at": end - 100,
        "answered_at": end - 90,
        "ended_at": end,
        "duration": 100,
        "voicemail": None,
        "raw_digits": "+1 202-555-0108",
        "user": {"id": 5, "name": "Max", "email": "max@example.com"},
        "number": {"id": 7, "name": "Main", "digits": "+1 202-555-0199", "country": "US"},
        "tags": [{"id": 1, "name": "sales"}],
        "comments": [{"id": 1, "content": "Call back on Monday."}],
    }
    assets = {"id": ended["id"], "direction": "outbound", "voicemail": None, "asset": asset}
    events = (("call.ended", ended, 30), ("call.comm_assets_generated", assets, 40))
    return [
        Sample(
            name=name,
            headers={"Content-Type": "application/json", "aircall-origin": "webhooks"},
            body=json.dumps(
                {
                    "resource": "call",
                    "event": name,
                    "timestamp": int((at + timedelta(seconds=later)).timestamp()),
                    "token": secret.value,
                    "data": data,
                }
            ).encode(),
        )
        for name, data, later in events
    ]


ADAPTER: Final = Adapter(
    vendor="aircall",
    title="Aircall",
    schemes=(
        Scheme(
            name="token",
            title="Webhook token",
            hint=(
                "The token that Aircall shows with the webhook, after it was saved. It only proves"
                " that Aircall sent something: nobody can do anything else with it."
            ),
            check=check_secret,
        ),
    ),
    steps=(
        "In the Aircall Dashboard open Integrations → Webhooks and choose Create (or “Add”).",
        "Enter a name, and {url} as the URL.",
        (
            "Choose these events of calls: Call ended, Communication assets generated, Voicemail"
            " left, Call tagged, Call commented. With Aircall's AI also: summary created, AI voice"
            " agent summary. Save."
        ),
        "Copy the token that Aircall now shows for this webhook, and paste it here.",
        (
            "If Aircall's own HubSpot integration logs calls, switch its logging off, or each call"
            " is there twice."
        ),
        "Make a call and hang up: it appears here about half a minute later.",
    ),
    caveats=(
        (
            "Aircall does not sign what it sends; the token is in every delivery. We compare it"
            " and never keep it. Whoever reads it somewhere else could send calls in your name:"
            " make a new webhook then."
        ),
        (
            "The duration is counted from the moment when the call was answered. Missed calls have"
            " a duration of 0."
        ),
        "The link to a recording opens in Aircall and asks for a login there.",
        "Aircall switches a webhook off after many failed deliveries. Look there if calls stop.",
        (
            "Texts of transcripts, and with some plans of summaries, are not sent by Aircall; they"
            " stay in Aircall."
        ),
    ),
    signature_headers=("aircall-origin",),
    verify=_verify,
    read=_read,
    sample=_sample,
)
