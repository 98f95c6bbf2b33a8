"""Ultravox: `call.ended`, and `call.billed` when everything is counted.

From docs.ultravox.ai (webhooks, securing webhooks, SIP). No event has a field for the customer's
number: it comes from the call's metadata, which the customer fills. Not documented for webhooks,
and therefore read leniently: the numbers in `medium`, the agent, what SIP adds to the metadata.
"""

import hmac
import json
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

SIGNATURE: Final = "x-ultravox-webhook-signature"
TIMESTAMP: Final = "x-ultravox-webhook-timestamp"
CURE: Final = "Copy the secret of this webhook again from Ultravox's settings."
# The summary may be ready only when the call is billed.
RANKS: Final = {"call.ended": 10, "call.billed": 30}
OUTCOMES: Final = {
    "unjoined": Outcome.NO_ANSWER,
    "hangup": Outcome.COMPLETED,
    "agent_hangup": Outcome.COMPLETED,
    "timeout": Outcome.COMPLETED,
    "connection_error": Outcome.FAILED,
    "system_error": Outcome.FAILED,
}
CUSTOMERS: Final = (
    *("customer_number", "customerNumber", "customer_phone", "customerPhone"),
    *("phone_number", "phoneNumber", "phone"),
)
CALLERS: Final = (
    *("from_number", "fromNumber", "caller_number", "callerNumber", "caller_id", "from"),
    "ultravox.sip.caller_id",
)
CALLED: Final = ("to_number", "toNumber", "called_number", "calledNumber", "to")
AGENTS: Final = ("agentId", "agent.agentId")
MEDIA: Final = ("twilio", "telnyx", "plivo", "exotel", "sip")
NO_NUMBER: Final = (
    "Ultravox said no customer's number: give the call the metadata customer_number and direction."
)


def verify(delivery: Delivery, secrets: Sequence[Secret], _options: Options) -> Secret:
    """The secret that signed a delivery: HMAC of the body and the text of the time.

    While secrets are rotated there are several signatures.
    """
    signing.require_secrets(secrets)
    given = signing.require_header(delivery, SIGNATURE).split(",")[: signing.MOST_SIGNATURES]
    read_digests = [signing.read_hex(each.strip(), 32) for each in given]
    digests = [each for each in read_digests if each is not None]
    if not digests:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE,
            "The header X-Ultravox-Webhook-Signature holds no 64 hex digits.",
        )
    stamp = signing.require_header(delivery, TIMESTAMP)
    signing.require_fresh_time(stamp, delivery.received_at)
    signed = delivery.body + stamp.encode("utf-8", "replace")

    def proves(secret: Secret) -> bool:
        made = _sign(secret, signed)
        return any(hmac.compare_digest(made, each) for each in digests)

    return signing.prove(secrets, proves, CURE)


def _sign(secret: Secret, signed: bytes) -> bytes:
    return signing.sign(secret.value.encode(), signed)


def read(delivery: Delivery, _options: Options) -> Sequence[Reading]:
    """What an event says of a call that is over."""
    body = reading.parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return (body,)
    name = reading.read_name(body.get("event"))
    if name not in RANKS:
        return (Ignored(name),)
    call = reading.find_object(body, "call")
    call_id = reading.find_id(call, "callId")
    if call_id is None:
        return (Unreadable(name, "The event has no call.callId."),)
    metadata = reading.find_object(call, "metadata")
    numbers = _read_numbers(call, metadata)
    has_number = any(numbers.get(each) for each in ("phone_number", "from_number", "to_number"))
    user_id, workspace_id = reading.find_tenant(metadata)
    event = Event(
        name=name,
        call=call_id,
        facts=_read_facts(call, numbers),
        # No event has a time of its own; both tell when the call ended.
        occurred_at=reading.find_time(call, "ended"),
        rank=RANKS[name],
        is_end=True,
        is_final=name == "call.billed",
        tenant=reading.keep_known(reading.find_text(call, *AGENTS), _find_ours(numbers)),
        user_id=user_id,
        workspace_id=workspace_id,
        notices=() if has_number or numbers.get("parties") else (NO_NUMBER,),
    )
    return (event,)


def _read_numbers(call: Json, metadata: Json) -> dict[str, Json]:
    """Who called whom, as the metadata says; else as the telephone provider was asked."""
    outgoing = reading.find_object(call, *(f"medium.{each}.outgoing" for each in MEDIA))
    direction = reading.read_direction(metadata.get("direction"))
    if direction is None:
        is_incoming = "ultravox.sip.caller_id" in metadata or any(
            isinstance(reading.dig(call, f"medium.{each}.incoming"), dict) for each in MEDIA
        )
        direction = "outbound" if outgoing else "inbound" if is_incoming else None
    caller = reading.find_phone(metadata, *CALLERS) or reading.find_phone(outgoing, "from")
    called = reading.find_phone(metadata, *CALLED) or reading.find_phone(outgoing, "to")
    customer = reading.find_phone(metadata, *CUSTOMERS)
    if customer is None:
        return reading.read_ends(direction, caller, called)
    return reading.name_sides(direction, customer, called if direction == "inbound" else caller)


def _find_ours(numbers: Json) -> str | None:
    is_inbound = numbers.get("direction") == "inbound"
    return reading.find_text(numbers, "to_number" if is_inbound else "from_number")


def _read_facts(call: Json, numbers: dict[str, Json]) -> Facts:
    joined_at = reading.find_time(call, "joined")
    ended_at = reading.find_time(call, "ended")
    duration = reading.seconds_between(joined_at, ended_at)
    return reading.make_facts(
        **numbers,
        started_at=joined_at or reading.find_time(call, "created"),
        # A call that nobody joined lasted no time, though it rang.
        ended_at=ended_at if joined_at else None,
        duration_seconds=_read_seconds(call) if duration is None else duration,
        agent_name=reading.find_text(call, "agent.name", "metadata.agent_name"),
        agent_id=reading.find_text(call, *AGENTS),
        outcome=_read_outcome(call, joined_at),
        summary=reading.find_text(call, "summary", "shortSummary"),
    )


def _read_seconds(call: Json) -> float | None:
    """The duration that is billed, a text with its unit: `45.5s`."""
    text = reading.find_text(call, "billedDuration") or ""
    return reading.read_number(text.removesuffix("s"))


def _read_outcome(call: Json, joined_at: datetime | None) -> Outcome | None:
    reason = reading.find_text(call, "endReason")
    if reason is None:
        return None
    other = Outcome.FAILED if reason.endswith("_error") else Outcome.COMPLETED
    return OUTCOMES.get(reason, other if joined_at else Outcome.FAILED)


def sample(secret: Secret, _url: str, at: datetime, _options: Options) -> Sequence[Sample]:
    """One call of three quarters of a minute, that names the customer in its metadata."""
    ended_at = at - timedelta(seconds=5)
    joined_at = ended_at - timedelta(seconds=45.5)
    call = {
        "callId": f"sample-{int(at.timestamp())}",
        "created": (joined_at - timedelta(seconds=2)).isoformat(),
        "joined": joined_at.isoformat(),
        "ended": ended_at.isoformat(),
        "endReason": "hangup",
        "summary": "Ada ordered two boxes.",
        "metadata": {"customer_number": "+12025550114", "direction": "inbound"},
    }
    body = json.dumps({"event": "call.ended", "call": call}).encode()
    stamp = at.isoformat()
    headers = {
        "Content-Type": "application/json",
        "X-Ultravox-Webhook-Timestamp": stamp,
        "X-Ultravox-Webhook-Signature": _sign(secret, body + stamp.encode()).hex(),
    }
    return (Sample(name="call.ended", headers=headers, body=body),)


ADAPTER: Final = Adapter(
    vendor="ultravox",
    title="Ultravox",
    schemes=(
        Scheme(
            name="shared_secret",
            title="Webhook secret",
            hint="The secret of the webhook at Ultravox. It opens nothing else.",
            check=signing.check_secret,
        ),
    ),
    steps=(
        (
            "At Ultravox, make a webhook with this address for the events call.ended and"
            " call.billed: {url}"
        ),
        "Copy the webhook's secret and paste it here.",
        (
            "Ask whoever starts your calls to give each one two pieces of metadata:"
            " customer_number, the customer's phone number with its country code, and direction,"
            " which is inbound or outbound."
        ),
        (
            "If calls reach HubSpot in another way already, switch that off, or every call is"
            " there twice."
        ),
        "Make a test call by phone and hang up.",
    ),
    caveats=(
        (
            "Ultravox does not say the customer's number by itself: without the metadata a call"
            " cannot be written to a contact, unless Ultravox dialled the number."
        ),
        "Transcript and recording are not in its messages: they can be seen at Ultravox.",
        "The summary may come only when the call is billed; it is added then.",
        (
            "Calls on numbers that came from Twilio or Telnyx need no source for those: they would"
            " be there twice."
        ),
    ),
    signature_headers=(SIGNATURE, TIMESTAMP),
    verify=verify,
    read=read,
    sample=sample,
)
