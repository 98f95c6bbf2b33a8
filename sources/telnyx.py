"""Telnyx: Call Control, AI assistants and TeXML, signed with Ed25519.

Telnyx's hang-up does not say who called whom; only `call.initiated` does. Links to recordings work
for ten minutes, so none is kept unless the account publishes its recordings.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field

from sources import forms, reading, signing
from sources.adapter import (
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

SIGNATURE: Final = "telnyx-signature-ed25519"
TIMESTAMP: Final = "telnyx-timestamp"
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
SEED: Final = "seed:"
# The first leg of a session gets its id in the same millisecond as the session.
SAME_MOMENT: Final = timedelta(milliseconds=100)
UUID_EPOCH: Final = datetime(1582, 10, 15, tzinfo=UTC)

NOT_LINKED: Final = (
    "Telnyx has a recording of this call. Its link works for ten minutes only, so it is not shown:"
    " look it up in the Telnyx portal."
)

_BY_CAUSE: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "normal_clearing": Outcome.COMPLETED,
        "time_limit": Outcome.COMPLETED,
        "user_busy": Outcome.BUSY,
        "no_answer": Outcome.NO_ANSWER,
        "timeout": Outcome.NO_ANSWER,
        "originator_cancel": Outcome.CANCELED,
        "call_rejected": Outcome.FAILED,
        "not_found": Outcome.FAILED,
        "unspecified": Outcome.FAILED,
    }
)
_BY_STATUS: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "completed": Outcome.COMPLETED,
        "no-answer": Outcome.NO_ANSWER,
        "busy": Outcome.BUSY,
        "failed": Outcome.FAILED,
        "canceled": Outcome.CANCELED,
    }
)
# What answering machine detection calls a machine; only the first word is documented.
_MACHINES: Final = frozenset({"machine", "voice_mail", "voicemail"})


class TelnyxOptions(Options):
    """The options of a Telnyx source."""

    summary_insight: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The id of the insight that is the summary; the first one that is a text if left out."""


def _check_key(value: str) -> None:
    if signing.read_base64(value, KEY_BYTES) is None:
        raise InvalidSecretError(
            "This is not a Telnyx public key: those are 44 letters, digits and signs and end with"
            " =. An API key (it begins with KEY) is something else."
        )


def _verify(delivery: Delivery, secrets: Sequence[Secret], _options: TelnyxOptions) -> Secret:
    signing.require_secrets(secrets)
    text = signing.require_header(delivery, SIGNATURE)
    stamp = signing.require_header(delivery, TIMESTAMP)
    # One spelling counts: base64url or missing padding would give a delivery a second signature.
    signature = signing.read_base64(text, SIGNATURE_BYTES)
    if signature is None:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, f"The header {SIGNATURE} is not 64 bytes in base64."
        )
    signing.require_fresh(stamp, delivery.received_at)
    signed = b"%b|%b" % (stamp.encode(), delivery.body)
    return signing.prove(
        secrets,
        lambda secret: _is_signed(secret.value, signature, signed),
        "Check that the public key is the one that the Telnyx portal shows for the account that the"
        " calls come from.",
    )


def _is_signed(public_key: str, signature: bytes, signed: bytes) -> bool:
    key = signing.read_base64(public_key, KEY_BYTES)
    if key is None:
        return False
    with suppress(InvalidSignature, ValueError):
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
        return True
    return False


@dataclass(frozen=True, slots=True)
class _Post:
    """An event that is read: its name, its call, what it says of it, and when it happened."""

    name: str
    call: str
    payload: dict[str, Json]
    at: datetime | None


def _read(delivery: Delivery, options: TelnyxOptions) -> Sequence[Reading]:
    if not delivery.body.lstrip().startswith(b"{") and b"=" in delivery.body:
        return [_read_texml(delivery.body)]
    body = reading.parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return [body]
    name = reading.read_name(reading.find_text(body, "data.event_type"))
    reader = _READERS.get(name)
    if reader is None:
        return [Ignored(name)]
    payload = reading.find_object(body, "data.payload")
    call = reading.find_text(payload, "call_session_id", "call_leg_id", "call_control_id")
    if call is None:
        return [Unreadable(name, "The event does not say which call it is about.")]
    post = _Post(name, call, payload, reading.find_time(body, "data.occurred_at"))
    return list(reader(post, options))


def _read_start(post: _Post, _options: TelnyxOptions) -> Iterator[Reading]:
    """`call.initiated`: the only event that says who called whom."""
    if _is_later_leg(post.payload):
        yield _later_leg(post)
    else:
        started_at = reading.find_time(post.payload, "start_time")
        yield _event(post, rank=1, started_at=started_at, **_ends(post.payload))


def _read_hangup(post: _Post, _options: TelnyxOptions) -> Iterator[Reading]:
    if _is_later_leg(post.payload):
        yield _later_leg(post)
        return
    started_at = reading.find_time(post.payload, "start_time")
    facts = {
        **_ends(post.payload),
        "started_at": started_at,
        "ended_at": reading.find_time(post.payload, "end_time") or post.at,
    }
    cause = reading.find_text(post.payload, "hangup_cause")
    outcome = _BY_CAUSE.get(cause or "", cause)
    if outcome is not Outcome.COMPLETED or started_at is None:
        yield _event(post, is_end=True, outcome=outcome, **facts)
        return
    yield _event(post, is_end=True, **facts)
    # Who spoke with a machine hangs up normally as well. Dated back to the call's start, this loses
    # to the detection of a machine, which happened before the hang-up.
    yield _event(replace(post, at=started_at), rank=0, is_end=True, outcome=outcome)


def _read_machine(post: _Post, _options: TelnyxOptions) -> Iterator[Reading]:
    if reading.find_text(post.payload, "result") not in _MACHINES:
        yield Ignored(post.name)
    else:
        yield _event(post, rank=5, outcome=Outcome.VOICEMAIL)


def _read_voicemail(post: _Post, _options: TelnyxOptions) -> Iterator[Reading]:
    """`calls.voicemail.completed` of a SIP connection: somebody called and left a message."""
    sides = reading.name_sides(
        "inbound", reading.find_phone(post.payload, "from"), reading.find_phone(post.payload, "to")
    )
    notices = (NOT_LINKED,) if reading.find_text(post.payload, "recording_url") else ()
    yield _event(post, is_end=True, rank=20, notices=notices, outcome=Outcome.VOICEMAIL, **sides)


def _read_conversation(post: _Post, _options: TelnyxOptions) -> Iterator[Reading]:
    duration = reading.find_number(post.payload, "duration_sec")
    yield _event(post, is_end=True, rank=15, duration_seconds=duration, **_ends(post.payload))


def _read_recording(post: _Post, _options: TelnyxOptions) -> Iterator[Reading]:
    link = reading.find_link(post.payload, "public_recording_urls.mp3", "public_recording_urls.wav")
    yield _event(
        post,
        rank=20,
        notices=() if link else (NOT_LINKED,),
        recording_url=link,
        structured_data=reading.collect(
            telnyx_recording_id=reading.find_text(post.payload, "recording_id")
        ),
    )


def _read_insights(post: _Post, options: TelnyxOptions) -> Iterator[Reading]:
    """Insights as they are generated, and again in `call.analyzed`, which comes last."""
    is_last = post.name == "call.analyzed"
    results = [*reading.find_list(post.payload, "results")]
    for group in reading.find_list(post.payload, "conversation_insights"):
        # The name stands twice, one within the other.
        results += reading.find_list(group, "conversation_insights") or [group]
    summary, details = _split_insights(results, options.summary_insight)
    yield _event(
        post,
        rank=40 if is_last else 30,
        is_end=is_last,
        is_final=is_last,
        summary=summary,
        structured_data=reading.collect(**details),
        **_ends(post.payload),
    )


def _split_insights(
    results: Sequence[Json], wanted: str | None
) -> tuple[str | None, dict[str, Json]]:
    """The insight that is the summary, and what the others say."""
    summary: str | None = None
    details: dict[str, Json] = {}
    for place, each in enumerate(results, start=1):
        insight = reading.find_text(each, "insight_id")
        # That what is structured may also come as JSON in a text is not verified.
        found = reading.read_embedded(reading.dig(each, "result"))
        if isinstance(found, dict):
            details |= found
        elif isinstance(found, str) and summary is None and wanted in {None, insight}:
            summary = reading.read_text(found)
        else:
            details[insight or f"insight {place}"] = found
    return summary, details


_READERS: Final[Mapping[str, Callable[[_Post, TelnyxOptions], Iterator[Reading]]]] = (
    MappingProxyType(
        {
            "call.initiated": _read_start,
            "call.hangup": _read_hangup,
            "call.machine.detection.ended": _read_machine,
            "call.machine.premium.detection.ended": _read_machine,
            "calls.voicemail.completed": _read_voicemail,
            "call.conversation.ended": _read_conversation,
            "call.conversation_insights.generated": _read_insights,
            "call.analyzed": _read_insights,
            "call.recording.saved": _read_recording,
        }
    )
)


def _event(
    post: _Post,
    *,
    rank: int = 10,
    is_end: bool = False,
    is_final: bool = False,
    notices: tuple[str, ...] = (),
    **facts: Json,
) -> Event:
    agent_id = reading.find_text(post.payload, "assistant_id")
    user_id, workspace_id = reading.find_tenant(
        _read_state(reading.find_text(post.payload, "client_state"))
    )
    ours = {"inbound": "to_number", "outbound": "from_number"}.get(facts.get("direction") or "")
    return Event(
        name=post.name,
        call=post.call,
        facts=reading.make_facts(agent_id=agent_id, **facts),
        occurred_at=post.at,
        rank=rank,
        is_end=is_end,
        is_final=is_final,
        tenant=reading.keep_known(
            agent_id,
            reading.find_text(post.payload, "connection_id"),
            facts.get(ours) if ours else None,
        ),
        user_id=user_id,
        workspace_id=workspace_id,
        notices=notices,
    )


def _ends(payload: Mapping[str, Json]) -> dict[str, Json]:
    direction = reading.read_direction(payload.get("direction"))
    return reading.read_ends(direction, payload.get("from"), payload.get("to"))


def _read_state(state: str | None) -> Json:
    """What the customer's own system put on the call, if it is an object in JSON."""
    with suppress(ValueError, RecursionError):
        return json.loads(base64.b64decode(state or "", validate=True))
    return None


def _later_leg(post: _Post) -> Event:
    """The ends of a later leg, dated before the session's start: they lose to the first leg's."""
    session_at = _read_uuid_time(post.payload.get("call_session_id"))
    before = session_at - timedelta(seconds=1) if session_at else post.at
    return _event(replace(post, at=before), rank=0, **_ends(post.payload))


def _is_later_leg(payload: Mapping[str, Json]) -> bool:
    """Whether this leg was added to a call that ran already: a transfer, or an agent's phone.

    Not documented, but so in every capture: both ids are UUIDs of version 1, which hold a time.
    What is not of that kind counts as the first leg.
    """
    leg_at, session_at = (
        _read_uuid_time(payload.get(name)) for name in ("call_leg_id", "call_session_id")
    )
    return leg_at is not None and session_at is not None and leg_at - session_at > SAME_MOMENT


def _read_uuid_time(value: Json) -> datetime | None:
    with suppress(ValueError, OverflowError):
        found = UUID(value) if isinstance(value, str) else None
        if found is not None and found.version == 1:
            return UUID_EPOCH + timedelta(microseconds=found.time // 10)
    return None


def _read_texml(body: bytes) -> Reading:
    """A status callback of TeXML, which is a form in Twilio's words."""
    pairs = forms.parse_form(body)
    if pairs is None:
        return Unreadable("texml", "The form has more fields than a call can have.")
    form = forms.name_values(pairs)
    call = reading.find_text(form, "CallSessionId", "CallSid")
    if call is None:
        return Unreadable("texml", "The form does not say which call it is about.")
    status = (reading.find_text(form, "CallStatus") or "").lower()
    at = reading.find_time(form, "Timestamp", "EndTime")
    if reading.find_text(form, "RecordingSid", "RecordingUrl"):
        payload = {"recording_id": reading.find_text(form, "RecordingSid")}
        return next(_read_recording(_Post("texml.recording", call, payload, at), TelnyxOptions()))
    outcome = _BY_STATUS.get(status)
    if outcome is None:
        return Ignored(reading.read_name(f"texml.{status}"))
    # That TeXML names a machine as Twilio does is not verified.
    answered_by = reading.find_text(form, "AnsweredBy") or ""
    if outcome is Outcome.COMPLETED and answered_by.startswith("machine"):
        outcome = Outcome.VOICEMAIL
    direction = reading.read_direction(form.get("Direction"))
    return _event(
        _Post(f"texml.{status}", call, form, at),
        is_end=True,
        outcome=outcome,
        started_at=reading.find_time(form, "StartTime"),
        ended_at=reading.find_time(form, "EndTime", "Timestamp"),
        duration_seconds=reading.find_number(form, "CallDuration"),
        **reading.read_ends(direction, form.get("From"), form.get("To")),
    )


def _sample(secret: Secret, url: str, at: datetime, _options: TelnyxOptions) -> Sequence[Sample]:
    """A call of a minute, signed if the secret is `seed:` and 32 bytes in base64.

    A source knows Telnyx's public key, with which nobody can sign. Who wants to try a source out
    makes a key pair: the source gets the public key, the sample gets the seed of the private one.
    Raises InvalidSecretError for anything else.
    """
    seed = signing.read_base64(secret.value.removeprefix(SEED), KEY_BYTES)
    if seed is None or not secret.value.startswith(SEED):
        raise InvalidSecretError(
            "A public key cannot sign. Make a key pair of your own, give its public key to the"
            " source, and seed: and the 32 bytes of its private key in base64 to the sample."
        )
    key = Ed25519PrivateKey.from_private_bytes(seed)
    started_at = at - timedelta(seconds=90)
    ids = {
        "call_session_id": f"sample-{int(at.timestamp())}",
        "call_leg_id": f"sample-leg-{int(at.timestamp())}",
        "connection_id": "1684641123236054244",
    }
    ends = {"from": "+12025550110", "to": "+12025550199"}
    hangup = {"hangup_cause": "normal_clearing", "hangup_source": "caller"}
    insight = {"insight_id": "summary", "result": "Ada booked a room for two nights."}
    events: tuple[tuple[str, int, dict[str, Json]], ...] = (
        ("call.initiated", 0, {**ends, "direction": "incoming"}),
        ("call.hangup", 60, {**ends, **hangup}),
        (
            "call.conversation.ended",
            61,
            {**ends, "duration_sec": 58, "assistant_id": "assistant-1"},
        ),
        ("call.recording.saved", 70, {"recording_id": "sample-recording"}),
        ("call.analyzed", 80, {"conversation_insights": [{"conversation_insights": [insight]}]}),
    )
    samples = []
    for name, after_s, payload in events:
        occurred_at = started_at + timedelta(seconds=after_s)
        data = {
            "record_type": "event",
            "event_type": name,
            "id": f"sample-{after_s}",
            "occurred_at": occurred_at.isoformat(),
            "payload": {**ids, "start_time": started_at.isoformat(), **payload},
        }
        body = json.dumps({"data": data, "meta": {"attempt": 1, "delivered_to": url}}).encode()
        stamp = str(int(at.timestamp()))
        signature = base64.b64encode(key.sign(b"%b|%b" % (stamp.encode(), body))).decode()
        headers = {"Content-Type": "application/json", SIGNATURE: signature, TIMESTAMP: stamp}
        samples.append(Sample(name=name, headers=headers, body=body))
    return samples


ADAPTER: Final = Adapter(
    vendor="telnyx",
    title="Telnyx",
    schemes=(
        Scheme(
            name="ed25519",
            title="Public key",
            hint=(
                "In the Telnyx portal: Account settings, Keys & Credentials, Public Key. It only"
                " proves that a delivery comes from Telnyx, and can do nothing in your account."
            ),
            check=_check_key,
        ),
    ),
    steps=(
        (
            "In the Telnyx portal, open Account settings, Keys & Credentials, Public Key. Copy the"
            " key and paste it here."
        ),
        (
            "Open Voice, Programmable Voice, and your application (for an AI assistant: the"
            " assistant, then its settings for calling)."
        ),
        (
            "Paste {url} as the webhook URL, with API v2, and save. If another service uses that"
            " field already, let that service pass the deliveries on."
        ),
        (
            "Enter your own numbers under “own numbers” here: what Telnyx sends at a call's end"
            " does not say who called whom."
        ),
        (
            "For summaries, give the AI assistant an insight. If it has several, enter the id of"
            " the one that is the summary here."
        ),
    ),
    caveats=(
        (
            "Links to recordings work for ten minutes only. They are left out, unless your account"
            " publishes its recordings; the recording's id is kept, so that you can look it up."
        ),
        "A transferred call has several parts. Number and outcome come from the first one.",
        "Transcripts are not sent.",
    ),
    options=TelnyxOptions,
    signature_headers=(SIGNATURE, TIMESTAMP),
    verify=_verify,
    read=_read,
    sample=_sample,
)
