"""ElevenLabs Agents: `post_call_transcription` after a conversation, `call_initiation_failure`.

From ElevenLabs' Python SDK and elevenlabs.io (post-call webhooks, webhooks). Not documented, and
therefore read leniently: bare values among the collected data, the numbers among the system
variables, how a voicemail shows.
"""

import hmac
import json
import re
from collections.abc import Iterator, Sequence
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

HEADER: Final = "elevenlabs-signature"
_SIGNATURE: Final = re.compile(r"t=(\d{10}),v0=([0-9a-fA-F]{64})", re.ASCII)
# The vendor's own SDK takes what is half an hour old: a conversation is analysed before it is sent.
FRESH_S: Final = 30 * 60
CURE: Final = (
    "Copy the secret of this webhook again: ElevenLabs shows it once, when the webhook is made."
)
TRANSCRIPTION: Final = "post_call_transcription"
FAILURE: Final = "call_initiation_failure"
AUDIO: Final = "post_call_audio"
# Audio is many MB of base64 behind (or before) the event's name, which is all that matters of it.
_AUDIO: Final = re.compile(rb'"type"\s{0,8}:\s{0,8}"post_call_audio"')
AUDIO_MARGIN: Final = 4096
MISPLACED_AUDIO: Final = (
    "ElevenLabs also sends each call's audio, which is not used: switch audio off in the webhook's"
    " settings."
)
LONGEST_S: Final = 7 * 24 * 3600
ROLES: Final = {"agent": "assistant", "user": "user"}
VARIABLES: Final = "conversation_initiation_client_data.dynamic_variables"
TWILIO_STATUS: Final = {
    "busy": Outcome.BUSY,
    "no-answer": Outcome.NO_ANSWER,
    "canceled": Outcome.CANCELED,
    "failed": Outcome.FAILED,
}


def verify(delivery: Delivery, secrets: Sequence[Secret], _options: Options) -> Secret:
    """The secret that signed a delivery: HMAC of the time, a dot and the body."""
    signing.require_secrets(secrets)
    found = _SIGNATURE.fullmatch(signing.require_header(delivery, HEADER))
    if found is None:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE,
            "The header ElevenLabs-Signature is not of the form t=<seconds>,v0=<64 hex digits>.",
        )
    stamp, digest = found[1], bytes.fromhex(found[2])
    signing.require_fresh(stamp, delivery.received_at, FRESH_S)
    signed = f"{stamp}.".encode() + delivery.body
    return signing.prove(
        secrets,
        lambda secret: hmac.compare_digest(_sign(secret, signed), digest),
        CURE,
    )


def _sign(secret: Secret, signed: bytes) -> bytes:
    return signing.sign(secret.value.encode(), signed)


def read(delivery: Delivery, _options: Options) -> Sequence[Reading]:
    """What an event says of a conversation."""
    if _is_audio(delivery.body):
        return (Ignored(AUDIO, MISPLACED_AUDIO),)
    body = reading.parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return (body,)
    name = reading.read_name(body.get("type"))
    if name not in {TRANSCRIPTION, FAILURE}:
        return (Ignored(name, MISPLACED_AUDIO if name == AUDIO else None),)
    data = reading.find_object(body, "data")
    call = reading.find_id(data, "conversation_id")
    if call is None:
        return (Unreadable(name, "The event has no data.conversation_id."),)
    at = reading.find_time(body, "event_timestamp")
    variables = reading.dig(data, VARIABLES)
    user_id, workspace_id = reading.find_tenant(variables)
    facts = _read_conversation(data) if name == TRANSCRIPTION else _read_failure(data, at)
    # Neither `initiated` nor `processing`: the analysis is there.
    is_final = name == FAILURE or reading.find_text(data, "status") in {"done", "failed"}
    event = Event(
        name=name,
        call=call,
        facts=facts,
        occurred_at=at,
        rank=30 if name == TRANSCRIPTION else 10,
        is_end=True,
        is_final=is_final,
        tenant=reading.keep_known(
            reading.find_text(data, "agent_id"),
            reading.find_text(data, "metadata.phone_call.phone_number_id"),
            reading.find_phone(data, "metadata.phone_call.agent_number"),
        ),
        user_id=user_id or (reading.find_id(data, "user_id") if workspace_id else None),
        workspace_id=workspace_id,
    )
    return (event,)


def _is_audio(body: bytes) -> bool:
    """Whether a body is audio, by its beginning and its end: the rest is not looked at."""
    return any(_AUDIO.search(part) for part in (body[:AUDIO_MARGIN], body[-AUDIO_MARGIN:]))


def _read_conversation(data: Json) -> Facts:
    started_at = reading.find_time(data, "metadata.start_time_unix_secs")
    seconds = reading.find_number(data, "metadata.call_duration_secs")
    seconds = None if seconds is None or not 0 <= seconds < LONGEST_S else seconds
    turns = reading.find_list(data, "transcript")
    return reading.make_facts(
        **_read_numbers(data),
        started_at=started_at,
        ended_at=_add(started_at, seconds),
        duration_seconds=seconds,
        agent_name=reading.find_text(data, "agent_name"),
        agent_id=reading.find_text(data, "agent_id"),
        outcome=_read_outcome(data, turns, seconds),
        summary=reading.find_text(data, "analysis.transcript_summary"),
        # Tools have turns of their own, without a message.
        transcript=reading.read_turns(turns, "role", ("message",), ROLES),
        structured_data=_read_structured(data),
    )


def _add(time: datetime | None, seconds: float | None) -> datetime | None:
    return None if time is None or seconds is None else time + timedelta(seconds=seconds)


def _read_numbers(data: Json) -> dict[str, Json]:
    """The numbers of a phone call; a conversation in the browser has none."""
    phone = reading.find_object(data, "metadata.phone_call")
    direction = reading.read_direction(phone.get("direction"))
    variables = reading.find_object(data, VARIABLES)
    # Not verified: that these two are caller and called in either direction.
    ends = variables.get("system__caller_id"), variables.get("system__called_number")
    caller, called = map(reading.read_phone, ends)
    customer, ours = {"inbound": (caller, called), "outbound": (called, caller)}.get(
        direction or "", (None, None)
    )
    customer = reading.find_phone(phone, "external_number") or customer
    ours = reading.find_phone(phone, "agent_number") or ours
    if direction is None and customer is None:
        return reading.read_ends(None, *ends)
    return reading.name_sides(direction, customer, ours)


def _read_structured(data: Json) -> dict[str, Json]:
    """What was extracted; variables are left out, among which are secrets."""
    results = reading.find_object(data, "analysis.data_collection_results")
    return reading.collect(
        **{
            "title": reading.find_text(data, "analysis.call_summary_title"),
            "call_successful": reading.find_text(data, "analysis.call_successful"),
            "language": reading.find_text(data, "metadata.main_language"),
        }
        | {name: _read_result(result) for name, result in results.items()}
    )


def _read_result(result: Json) -> Json:
    """The value, which may stand without its explanation."""
    is_explained = isinstance(result, dict) and ("value" in result or "rationale" in result)
    return result.get("value") if is_explained else result


def _read_outcome(data: Json, turns: Sequence[Json], seconds: float | None) -> Outcome | None:
    if any("voicemail" in each.lower() for each in _find_words(data, turns)):
        return Outcome.VOICEMAIL
    status = reading.find_text(data, "status")
    if status == "failed":
        return Outcome.FAILED
    if status != "done":
        return None
    has_spoken = any(
        reading.find_text(turn, "role") == "user" and reading.find_text(turn, "message")
        for turn in turns
    )
    return Outcome.NO_ANSWER if seconds == 0 and not has_spoken else Outcome.COMPLETED


def _find_words(data: Json, turns: Sequence[Json]) -> Iterator[str]:
    """Why the conversation ended, and the names of the tools that were called. Not verified."""
    yield reading.find_text(data, "metadata.termination_reason") or ""
    for turn in turns:
        for call in reading.find_list(turn, "tool_calls"):
            yield reading.find_text(call, "tool_name", "name") or ""


def _read_failure(data: Json, at: datetime | None) -> Facts:
    """A call that never connected, made by the agent unless Twilio says otherwise."""
    body = reading.find_object(data, "metadata.body")
    direction = reading.read_direction(body.get("Direction")) or "outbound"
    ends = (
        reading.find_phone(body, "to_number", "To"),
        reading.find_phone(body, "from_number", "From"),
    )
    customer, ours = ends if direction == "outbound" else ends[::-1]
    reason = reading.find_text(data, "failure_reason")
    status = reading.find_text(body, "CallStatus") or ""
    return reading.make_facts(
        **reading.name_sides(direction, customer, ours),
        started_at=at,
        agent_id=reading.find_text(data, "agent_id"),
        agent_name=reading.find_text(data, "agent_name"),
        outcome={"busy": Outcome.BUSY, "no-answer": Outcome.NO_ANSWER}.get(
            reason or "", TWILIO_STATUS.get(status, Outcome.FAILED)
        ),
    )


def sample(secret: Secret, _url: str, at: datetime, _options: Options) -> Sequence[Sample]:
    """One conversation of two minutes."""
    stamp = int(at.timestamp())
    data = {
        "agent_id": "agent_sample",
        "agent_name": "Max",
        "conversation_id": f"conv_sample_{stamp}",
        "status": "done",
        "transcript": [
            {"role": "agent", "message": "Hello, this is Max.", "time_in_call_secs": 0},
            {"role": "user", "message": "When do you open?", "time_in_call_secs": 2},
        ],
        "metadata": {
            "start_time_unix_secs": stamp - 130,
            "call_duration_secs": 120,
            "phone_call": {
                "direction": "inbound",
                "agent_number": "+12025550199",
                "external_number": "+12025550104",
            },
        },
        "analysis": {
            "call_successful": "success",
            "transcript_summary": "Ada asked for the opening hours.",
            "data_collection_results": {"topic": {"value": "opening hours"}},
        },
    }
    event = {"type": TRANSCRIPTION, "event_timestamp": stamp, "data": data}
    body = json.dumps(event).encode()
    digest = _sign(secret, f"{stamp}.".encode() + body).hex()
    headers = {
        "Content-Type": "application/json",
        "ElevenLabs-Signature": f"t={stamp},v0={digest}",
    }
    return (Sample(name=TRANSCRIPTION, headers=headers, body=body),)


ADAPTER: Final = Adapter(
    vendor="elevenlabs",
    title="ElevenLabs Agents",
    schemes=(
        Scheme(
            name="shared_secret",
            title="Webhook secret",
            hint=(
                "The secret that ElevenLabs shows once, when the webhook is made (it begins with"
                " wsec_). It opens nothing else."
            ),
            check=signing.check_secret,
        ),
    ),
    steps=(
        (
            "At ElevenLabs, open the settings of Agents and make a webhook with this address, with"
            " HMAC as its authentication: {url}"
        ),
        "Copy the secret that is shown then, and paste it here. It is shown only once.",
        (
            "Choose this webhook as the post-call webhook, for all agents in the settings or for"
            " one agent among its own."
        ),
        (
            "Switch on transcripts and, if calls are made by the agent, failures to connect. Leave"
            " audio off."
        ),
        "Switch on retries, so that a call is sent again if a delivery fails.",
        (
            "If ElevenLabs is connected to HubSpot already and logs calls there, switch that off,"
            " or every call is there twice."
        ),
        "Make a test call by phone and hang up.",
    ),
    caveats=(
        "A conversation arrives when it has been analysed, some seconds to a minute after its end.",
        "There is no link to a recording: it can be heard at ElevenLabs.",
        "Conversations in the browser have no phone number and are not written to a contact.",
        "Calls on numbers that came from Twilio need no Twilio source: they would be there twice.",
        "After ten failed deliveries in a row ElevenLabs may switch the webhook off by itself.",
    ),
    signature_headers=(HEADER,),
    verify=verify,
    read=read,
    sample=sample,
)
