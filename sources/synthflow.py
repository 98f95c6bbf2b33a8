"""Synthflow: one post for a finished call, signed over the call's id alone.

Neither what a delivery says nor when it was sent is covered by the signature, so the address of the
source has to stay as secret as a password; it holds 128 random bits.
"""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from sources import reading, signing
from sources.adapter import (
    Adapter,
    Delivery,
    Event,
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

# The documents name the header as WSGI would: `HTTP_SYNTHFLOW_SIGNATURE`. How it is spelled on the
# wire is not verified, so all of these are taken; servers may drop names with an underscore.
SIGNATURES: Final = (
    "synthflow-signature",
    "x-synthflow-signature",
    "http-synthflow-signature",
    "http_synthflow_signature",
)
# From then on the links in webhooks end after 24 hours (recordings migration guide).
LINKS_END_FROM: Final = datetime(2027, 1, 10, tzinfo=UTC)
DIGEST_BYTES: Final = 32
ENDED: Final = "call"

_BY_STATUS: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "completed": Outcome.COMPLETED,
        "left_voicemail": Outcome.VOICEMAIL,
        "hangup_on_voicemail": Outcome.VOICEMAIL,
        "no-answer": Outcome.NO_ANSWER,
        "busy": Outcome.BUSY,
        "failed": Outcome.FAILED,
        "canceled": Outcome.CANCELED,
        "user-canceled": Outcome.CANCELED,
    }
)
_RUNNING: Final = frozenset({"in-progress", "pending", "queued", "ringing", "initiated"})
_ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {"bot": "assistant", "assistant": "assistant", "human": "user", "user": "user"}
)
MISPLACED: Final = (
    "Synthflow waits for an answer to this request, which is sent before an inbound call, and this"
    " address has none. Enter the address as the webhook after a call instead."
)
NOT_LINKED: Final = (
    "Synthflow has a recording of this call. Its link works for 24 hours only, so it is not shown:"
    " open the call in Synthflow."
)


def _verify(delivery: Delivery, secrets: Sequence[Secret], _options: Options) -> Secret:
    signing.require_secrets(secrets)
    digest = _read_signature(delivery)
    body = reading.parse_object(delivery.body)
    call = None if isinstance(body, Unreadable) else _find_call(body)
    if call is None:
        raise RefusedError(
            Refusal.WRONG_SIGNATURE,
            "Synthflow signs the id of the call, and this delivery has none.",
        )
    signed = call.encode()
    return signing.prove(
        secrets,
        lambda secret: hmac.compare_digest(signing.sign(secret.value.encode(), signed), digest),
        "Check that the secret is the one under Settings, Security, Webhooks of the Synthflow"
        " workspace that the call comes from.",
    )


def _read_signature(delivery: Delivery) -> bytes:
    """The digest, whichever of its headers it comes in, in base64, or perhaps in hex."""
    name = next((each for each in SIGNATURES if delivery.has_header(each)), SIGNATURES[0])
    given = signing.require_header(delivery, name)
    digest = signing.read_base64(given, DIGEST_BYTES) or signing.read_hex(given, DIGEST_BYTES)
    if digest is None:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, f"The header {name} holds no signature in base64 or hex."
        )
    return digest


def _find_call(body: Mapping[str, Json]) -> str | None:
    """The call's id, which is also what is signed."""
    return reading.find_text(body, "call.call_id", "call_id")


def _read(delivery: Delivery, _options: Options) -> Sequence[Reading]:
    body = reading.parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return [body]
    if "call_inbound" in body or reading.find_text(body, "event") == "call_inbound":
        return [Ignored("call_inbound", MISPLACED)]
    call, status = _find_call(body), _read_status(body)
    if call is None:
        return [Unreadable(ENDED, "The delivery does not say which call it is about.")]
    if status is None or status in _RUNNING:
        return [Ignored(reading.read_name(f"{ENDED}.{status or 'update'}"))]
    started_at = reading.find_time(body, "call.start_time")
    duration = reading.find_number(body, "call.duration")
    recording = reading.find_link(body, "call.recording_url")
    is_short_lived = recording is not None and delivery.received_at >= LINKS_END_FROM
    user_id, workspace_id = reading.find_tenant(
        reading.dig(body, "lead.prompt_variables"), reading.dig(body, "metadata")
    )
    agent_id = reading.find_text(body, "call.model_id")
    ended_at = _read_end(started_at, duration)
    return [
        Event(
            name=ENDED,
            call=call,
            facts=reading.make_facts(
                **_read_sides(body),
                agent_id=agent_id,
                started_at=started_at,
                duration_seconds=duration,
                outcome=_read_outcome(body, status),
                transcript=reading.read_lines(reading.find_text(body, "call.transcript"), _ROLES),
                recording_url=None if is_short_lived else recording,
                structured_data=_read_data(body),
            ),
            occurred_at=ended_at,
            is_end=True,
            # It is sent when everything has been extracted.
            is_final=True,
            tenant=reading.keep_known(agent_id),
            user_id=user_id,
            workspace_id=workspace_id,
            notices=(NOT_LINKED,) if is_short_lived else (),
        )
    ]


def _read_end(started_at: datetime | None, duration: float | None) -> datetime | None:
    with suppress(OverflowError):
        return started_at + timedelta(seconds=duration or 0) if started_at else None
    return started_at


def _read_status(body: Mapping[str, Json]) -> str | None:
    status = reading.find_text(body, "call.status", "status")
    return status.lower() if status else None


def _read_sides(body: Mapping[str, Json]) -> dict[str, Json]:
    """The customer is the lead. A direction is not promised, and read where it stands by luck."""
    direction = reading.read_direction(reading.dig(body, "call.direction")) or (
        reading.read_direction(reading.dig(body, "call.type_of_call"))
    )
    customer = reading.find_phone(body, "lead.phone_number")
    return reading.name_sides(direction, customer, None)


def _read_outcome(body: Mapping[str, Json], status: str) -> str:
    if reading.find_text(body, "call.end_call_reason") == "voicemail_message_left":
        return Outcome.VOICEMAIL
    return _BY_STATUS.get(status, status)


def _read_data(body: Mapping[str, Json]) -> dict[str, Json]:
    """What was extracted. Other actions hold answers of other services, and are left out.

    `analysis` holds a judge's yes and no, not texts: `"call_summary": "true"`.
    """
    data: dict[str, Json] = {}
    for name, action in reading.find_object(body, "executed_actions").items():
        if reading.find_text(action, "action_type") == "EXTRACT_INFO":
            found = reading.read_embedded(reading.dig(action, "return_value"))
            data |= found if isinstance(found, dict) else {name: found}
    for name, variable in reading.find_object(body, "collected_variables").items():
        value = variable.get("value") if isinstance(variable, dict) else variable
        data.setdefault(name, value)
    return reading.collect(**data)


def _sample(secret: Secret, _url: str, at: datetime, _options: Options) -> Sequence[Sample]:
    """A call of a minute, from which a number of seats was extracted."""
    call = f"sample-{int(at.timestamp())}"
    content = {
        "status": "completed",
        "lead": {"name": "Ada", "phone_number": "+12025550112", "prompt_variables": {}},
        "call": {
            "status": "completed",
            "end_call_reason": "human_hangup",
            "model_id": "sample-agent",
            "call_id": call,
            "duration": 64,
            "start_time": (at - timedelta(minutes=2)).isoformat(),
            "transcript": "\nbot: Hello. \nhuman: Three seats, please.",
            "telephony_duration": 64300,
        },
        "executed_actions": {
            "info_extractor_seats": {"action_type": "EXTRACT_INFO", "return_value": '{"seats": 3}'}
        },
    }
    digest = signing.sign(secret.value.encode(), call.encode())
    headers = {
        "Content-Type": "application/json",
        SIGNATURES[0]: base64.b64encode(digest).decode(),
    }
    return [Sample(name=ENDED, headers=headers, body=json.dumps(content).encode())]


ADAPTER: Final = Adapter(
    vendor="synthflow",
    title="Synthflow",
    schemes=(
        Scheme(
            name="shared_secret",
            title="Webhook secret",
            hint=(
                "In Synthflow: Settings, Security, Webhooks. It only proves that a delivery comes"
                " from your workspace."
            ),
            check=signing.check_secret,
        ),
    ),
    steps=(
        "In Synthflow, open Settings, Security, Webhooks, create a secret key, and paste it here.",
        (
            "Open your agent, and enter {url} as its webhook after a call (external webhook URL)."
            " Do this for each agent."
        ),
        "Treat the address like a password, and show it to nobody: see below why.",
        (
            "If your agent has a HubSpot action that writes calls, switch that off: otherwise every"
            " call is there twice."
        ),
    ),
    caveats=(
        (
            "Synthflow signs only the number of a call, not what it says about the call. Whoever"
            " gets hold of one delivery and of this address could send that call again with other"
            " contents. If the address has become known, add a new source and remove this one."
        ),
        "Summaries are not sent: the transcript and what your agent extracts are.",
        (
            "From 10 January 2027, Synthflow's links to recordings work for 24 hours only. They are"
            " left out from then on."
        ),
        "When many calls end at once, Synthflow has been seen to lose deliveries.",
    ),
    signature_headers=SIGNATURES,
    verify=_verify,
    read=_read,
    sample=_sample,
)
