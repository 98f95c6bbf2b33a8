"""Retell AI: `call_ended` when a call is over, `call_analyzed` when its analysis is done.

From Retell's Python SDK, docs.retellai.com (webhook overview) and a public capture.
"""

import hmac
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sources import reading, signing
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

HEADER: Final = "x-retell-signature"
_SIGNATURE: Final = re.compile(r"v=(\d{13}),d=([0-9a-fA-F]{64})", re.ASCII)
CURE: Final = (
    "Retell signs with the API key that has the webhook badge in its dashboard: copy that one."
)
# What is known when: the analysis tells all that the end told, and more.
RANKS: Final = {"call_ended": 10, "call_analyzed": 30}
OVER: Final = frozenset({"ended", "not_connected", "error"})
ROLES: Final = {"agent": "assistant", "user": "user", "transfer_target": "transfer target"}
SCRUBBED: Final = "scrubbed_transcript_with_tool_calls"
SCRUBBED_RECORDING: Final = "scrubbed_recording_url"
# A redacted transcript or recording exists: the first one must not be kept.
REDACTED: Final = {"transcript": SCRUBBED, "recording_url": SCRUBBED_RECORDING}

OUTCOMES: Final = {
    "voicemail_reached": Outcome.VOICEMAIL,
    "dial_busy": Outcome.BUSY,
    "dial_no_answer": Outcome.NO_ANSWER,
    "user_declined": Outcome.NO_ANSWER,
    "dial_failed": Outcome.FAILED,
    "invalid_destination": Outcome.FAILED,
    "sip_routing_error": Outcome.FAILED,
    "concurrency_limit_reached": Outcome.FAILED,
    "no_concurrency_fallback": Outcome.FAILED,
    "no_valid_payment": Outcome.FAILED,
    "scam_detected": Outcome.FAILED,
    "marked_as_spam": Outcome.FAILED,
    "registered_call_timeout": Outcome.FAILED,
}
FAILURES: Final = ("telephony_provider_", "error_")
# Without a conversation, what a person stopped was never a call.
STOPPED: Final = frozenset({"manual_stopped", "transfer_cancelled"})


def verify(delivery: Delivery, secrets: Sequence[Secret], _options: Options) -> Secret:
    """The API key that signed a delivery: HMAC of the body and the time, in milliseconds."""
    signing.require_secrets(secrets)
    found = _SIGNATURE.fullmatch(signing.require_header(delivery, HEADER))
    if found is None:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE,
            "The header X-Retell-Signature is not of the form v=<milliseconds>,d=<64 hex digits>.",
        )
    stamp, digest = found[1], bytes.fromhex(found[2])
    signing.require_fresh(stamp, delivery.received_at)
    signed = delivery.body + stamp.encode()
    return signing.prove(
        secrets,
        lambda secret: hmac.compare_digest(_sign(secret, signed), digest),
        CURE,
    )


def _sign(secret: Secret, signed: bytes) -> bytes:
    return signing.sign(secret.value.encode(), signed)


def read(delivery: Delivery, _options: Options) -> Sequence[Reading]:
    """What an event says of a call that is over, or of its analysis."""
    body = reading.parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return (body,)
    name = reading.read_name(body.get("event"))
    if name not in RANKS:
        return (Ignored(name),)
    call = reading.find_object(body, "call")
    call_id = reading.find_id(call, "call_id")
    if call_id is None:
        return (Unreadable(name, "The event has no call.call_id."),)
    ended_at = reading.find_time(call, "end_timestamp")
    # When a call is handed to a person, its analysis can come before that person hangs up.
    is_over = ended_at is not None or reading.find_text(call, "call_status") in OVER
    is_end = name == "call_ended" or is_over
    user_id, workspace_id = reading.find_tenant(
        call.get("metadata"), call.get("retell_llm_dynamic_variables")
    )
    event = Event(
        name=name,
        call=call_id,
        facts=_read_facts(call),
        # Both events tell when the call ended, but not each when it was sent.
        occurred_at=ended_at or reading.find_time(body, "event_timestamp"),
        rank=RANKS[name],
        is_end=is_end,
        is_final=is_end and name == "call_analyzed",
        withdrawn=frozenset(
            field for field, scrubbed in REDACTED.items() if _is_redacted(call.get(scrubbed))
        ),
        tenant=reading.keep_known(reading.find_text(call, "agent_id"), _find_ours(call)),
        user_id=user_id,
        workspace_id=workspace_id,
    )
    return (event,)


def _read_facts(call: Json) -> Facts:
    started_at = reading.find_time(call, "start_timestamp")
    ended_at = reading.find_time(call, "end_timestamp")
    duration = reading.seconds_between(started_at, ended_at)
    if duration is None:
        milliseconds = reading.find_number(call, "duration_ms")
        duration = None if milliseconds is None else milliseconds / 1000
    return reading.make_facts(
        **_read_numbers(call),
        started_at=started_at,
        ended_at=ended_at,
        duration_seconds=duration,
        agent_name=reading.find_text(call, "agent_name"),
        agent_id=reading.find_text(call, "agent_id"),
        outcome=_read_outcome(call, duration),
        summary=reading.find_text(call, "call_analysis.call_summary"),
        recording_url=_find_recording(call),
        transcript=_read_transcript(call),
        structured_data=_read_structured(call),
    )


def _read_numbers(call: Json) -> dict[str, Json]:
    """Who called whom. A call in the browser has neither numbers nor a direction."""
    return reading.name_ends(
        reading.read_direction(reading.dig(call, "direction")),
        # Of a SIP call it can be the name of the trunk.
        reading.find_phone(call, "from_number"),
        reading.find_phone(call, "to_number"),
    )


def _find_ours(call: Json) -> str | None:
    is_outbound = reading.read_direction(reading.dig(call, "direction")) == "outbound"
    return reading.find_phone(call, "from_number" if is_outbound else "to_number")


def _is_redacted(scrubbed: Json) -> bool:
    """Whether a redacted version exists: a list, though it may be empty, or a link."""
    return isinstance(scrubbed, list) or reading.read_text(scrubbed) is not None


def _find_recording(call: Json) -> str | None:
    if _is_redacted(reading.dig(call, SCRUBBED_RECORDING)):
        return reading.find_link(call, SCRUBBED_RECORDING)
    return reading.find_link(call, "recording_url", "recording_multi_channel_url")


def _read_transcript(call: Json) -> list[dict[str, str]]:
    scrubbed = reading.dig(call, SCRUBBED)
    if isinstance(scrubbed, list):
        return reading.read_turns(scrubbed, "role", ("content",), ROLES)
    said = reading.find_list(call, "transcript_object", "transcript_with_tool_calls")
    return reading.read_turns(said, "role", ("content",), ROLES) or reading.read_lines(
        reading.find_text(call, "transcript"), ROLES
    )


def _read_structured(call: Json) -> dict[str, Json]:
    """What was found out in the call; what it was started with may hold credentials."""
    return reading.collect(
        **reading.find_object(call, "collected_dynamic_variables")
        | {
            "user_sentiment": reading.find_text(call, "call_analysis.user_sentiment"),
            "call_successful": reading.dig(call, "call_analysis.call_successful"),
        }
        | reading.find_object(call, "call_analysis.custom_analysis_data")
    )


def _read_outcome(call: Json, duration: float | None) -> Outcome | None:
    reason = reading.find_text(call, "disconnection_reason")
    if reading.read_bool(reading.dig(call, "call_analysis.in_voicemail")):
        return Outcome.VOICEMAIL
    if reason is None:
        return None
    if reason in STOPPED and not duration:
        return Outcome.CANCELED
    is_failure = reason.startswith(FAILURES)
    return OUTCOMES.get(reason, Outcome.FAILED if is_failure else Outcome.COMPLETED)


def sample(secret: Secret, _url: str, at: datetime, _options: Options) -> Sequence[Sample]:
    """One call of a minute: its end, and its analysis a few seconds later."""
    ended_at = at - timedelta(seconds=5)
    started_at = ended_at - timedelta(seconds=61.5)
    call = {
        "call_id": f"sample_{int(at.timestamp())}",
        "call_type": "phone_call",
        "direction": "inbound",
        "from_number": "+12025550103",
        "to_number": "+12025550199",
        "agent_name": "Max",
        "call_status": "ended",
        "start_timestamp": _milliseconds(started_at),
        "end_timestamp": _milliseconds(ended_at),
        "duration_ms": 61_500,
        "disconnection_reason": "user_hangup",
        "transcript_object": [
            {"role": "agent", "content": "Hello, this is Max."},
            {"role": "user", "content": "I would like to book a table."},
        ],
    }
    analysis = {"call_summary": "Ada booked a table.", "custom_analysis_data": {"guests": 4}}
    analyzed = {**call, "call_analysis": analysis}
    return tuple(
        _make_sample(secret, name, content, at)
        for name, content in (("call_ended", call), ("call_analyzed", analyzed))
    )


def _make_sample(secret: Secret, name: str, call: Json, at: datetime) -> Sample:
    body = json.dumps({"event": name, "call": call}).encode()
    stamp = str(_milliseconds(at))
    digest = _sign(secret, body + stamp.encode()).hex()
    headers = {"Content-Type": "application/json", "X-Retell-Signature": f"v={stamp},d={digest}"}
    return Sample(name=name, headers=headers, body=body)


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


ADAPTER: Final = Adapter(
    vendor="retell",
    title="Retell AI",
    schemes=(
        Scheme(
            name="api_key",
            title="API key for webhooks",
            hint=(
                "The API key that has the webhook badge, under Keys in Retell's dashboard. Whoever"
                " has it can also use your Retell account: it is kept encrypted here and never"
                " shown again."
            ),
            check=signing.check_secret,
        ),
    ),
    steps=(
        (
            "In Retell's dashboard, open the page of your API keys and copy the key that has the"
            " webhook badge."
        ),
        "Paste that key here as the secret.",
        (
            "Enter this address as the webhook URL, in the account's webhook settings or in those"
            " of one agent: {url}"
        ),
        "Leave the events call_ended and call_analyzed switched on. The others are not needed.",
        (
            "If Retell is connected to HubSpot already and logs calls there, switch that off, or"
            " every call is there twice."
        ),
        "Make a test call by phone and hang up.",
    ),
    caveats=(
        "The summary comes in a second message, some seconds after the call; it is added then.",
        "Calls on numbers that Retell uses need no Twilio source: they would be there twice.",
        "An agent with a webhook URL of its own does not use the account's.",
        "Calls in the browser have no phone number and are not written to a contact.",
        (
            "Where Retell removes personal data, only that version of transcript and recording is"
            " kept."
        ),
        "If recording links are signed in your agent's settings, they stop working after a day.",
    ),
    signature_headers=(HEADER,),
    verify=verify,
    read=read,
    sample=sample,
)
