"""Bland: one flat object for a finished call, and perhaps a second with a corrected transcript.

The signature covers the body, but no time: what was sent once can be sent again, and is then a
repeat of the same call.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field

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

SIGNATURE: Final = "x-webhook-signature"
ENDED: Final = "call"
CORRECTED: Final = "call.corrected"
DIGEST_BYTES: Final = 32
SECONDS_PER_MINUTE: Final = 60
LONG_ENOUGH: Final = timedelta(days=1)

_BY_STATUS: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "completed": Outcome.COMPLETED,
        "failed": Outcome.FAILED,
        "busy": Outcome.BUSY,
        "no-answer": Outcome.NO_ANSWER,
        "canceled": Outcome.CANCELED,
    }
)
_RUNNING: Final = frozenset({"queued", "pending", "allocated", "started", "ringing", "in-progress"})
# What Bland itself puts among the variables, as far as is known.
_BLANDS_VARIABLES: Final = frozenset(
    {
        *("call_id", "from", "to", "phone_number", "short_from", "short_to", "now", "now_utc"),
        *("timestamp", "timezone", "city", "state", "zip", "country", "language", "metadata"),
    }
)
_ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {"user": "user", "assistant": "assistant", "robot": "assistant"}
)


class BlandOptions(Options):
    """The options of a Bland source."""

    default_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"
    """The country of numbers that Bland sends without a country code."""


def _verify(delivery: Delivery, secrets: Sequence[Secret], _options: BlandOptions) -> Secret:
    signing.require_secrets(secrets)
    digest = signing.read_hex(signing.require_header(delivery, SIGNATURE), DIGEST_BYTES)
    if digest is None:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, f"The header {SIGNATURE} holds no signature in hex."
        )
    # Bland's own example hashes a body that it has written anew, which for compact JSON gives the
    # same bytes. Other bytes than those that came are never accepted.
    return signing.prove(
        secrets,
        lambda secret: hmac.compare_digest(
            signing.sign(secret.value.encode(), delivery.body), digest
        ),
        "Check that the secret is the webhook signing secret of the Bland account that makes the"
        " calls.",
    )


def _read(delivery: Delivery, options: BlandOptions) -> Sequence[Reading]:
    body = reading.parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return [body]
    call, status = (
        reading.find_text(body, "call_id", "c_id"),
        (reading.find_text(body, "status") or "").lower(),
    )
    if call is None or not status or status in _RUNNING:
        # What Bland sends in the middle of a call, and about text messages.
        return [Ignored(_name_ignored(body))]
    if reading.read_bool(body.get("is_proxy_agent_call")):
        return [Ignored("call.proxy")]  # a helper's leg of a call that comes by itself
    is_corrected = "corrected_transcript" in body
    started_at = reading.find_time(body, "started_at", "created_at")
    ended_at = reading.find_time(body, "end_at")
    sides = _read_sides(body)
    recording, notices = _read_recording(body, ended_at or started_at)
    user_id, workspace_id = reading.find_tenant(_read_metadata(body))
    pathway = reading.find_text(body, "pathway_id")
    ours = {"inbound": "to_number", "outbound": "from_number"}.get(sides.get("direction") or "")
    return [
        Event(
            name=CORRECTED if is_corrected else ENDED,
            call=call,
            facts=reading.make_facts(
                **sides,
                region=options.default_region if _has_national(sides) else None,
                started_at=started_at,
                ended_at=ended_at,
                duration_seconds=_read_duration(body),
                outcome=_read_outcome(body, status),
                summary=reading.find_text(body, "summary"),
                transcript=_read_transcript(body),
                recording_url=recording,
                structured_data=_read_data(body),
            ),
            occurred_at=ended_at or started_at,
            rank=30 if is_corrected else 10,
            is_end=True,
            is_final=is_corrected,
            tenant=reading.keep_known(pathway, sides.get(ours) if ours else None),
            user_id=user_id,
            workspace_id=workspace_id,
            notices=notices,
        )
    ]


def _name_ignored(body: Mapping[str, Json]) -> str:
    """A name for what is not about a finished call; which one may be in it is not verified."""
    if reading.find_text(body, "event_type"):
        return "event"
    return "sms" if reading.find_text(body, "conversation_id") else "call.update"


def _read_sides(body: Mapping[str, Json]) -> dict[str, Json]:
    is_inbound = reading.read_bool(body.get("inbound"))
    if is_inbound is None:
        return reading.read_ends(None, body.get("from"), body.get("to"))
    from_number, to_number = reading.find_phone(body, "from"), reading.find_phone(body, "to")
    if is_inbound:
        return reading.name_sides("inbound", from_number, to_number)
    return reading.name_sides("outbound", to_number, from_number)


def _has_national(sides: Mapping[str, Json]) -> bool:
    """Whether a number comes without its country code.

    That Bland dials such a number as one of the United States is not verified; it is an option.
    """
    numbers = (sides.get("phone_number"), *(sides.get("parties") or ()))
    return any(number is not None and not number.startswith("+") for number in numbers)


def _read_duration(body: Mapping[str, Json]) -> float | None:
    """Seconds: `corrected_duration` is a text of them, `call_length` a number of minutes."""
    seconds = reading.find_number(body, "corrected_duration")
    minutes = reading.find_number(body, "call_length")
    if seconds is not None or minutes is None:
        return seconds
    return reading.read_number(minutes * SECONDS_PER_MINUTE)


def _read_outcome(body: Mapping[str, Json], status: str) -> str:
    """`completed: true` and an error message stand on calls of every outcome, and say nothing."""
    if reading.find_text(body, "answered_by") == "voicemail":
        return Outcome.VOICEMAIL
    if status == "unknown":
        return Outcome.COMPLETED if _read_duration(body) else Outcome.FAILED
    return _BY_STATUS.get(status, status)


def _read_transcript(body: Mapping[str, Json]) -> list[dict[str, str]]:
    corrected = _read_turns(body.get("corrected_transcript"))
    return (
        corrected
        or _read_turns(body.get("transcripts"))
        or _read_turns(body.get("concatenated_transcript"))
    )


def _read_turns(value: Json) -> list[dict[str, str]]:
    """Turns of a list, or of a text of lines.

    How a corrected transcript names its speakers is not verified, so several names are tried.
    """
    if isinstance(value, str):
        text = reading.read_text(value)
        turns = reading.read_lines(text, {**_ROLES, "agent-action": "action"})
        return [turn for turn in turns if turn["role"] != "action"]
    items = value if isinstance(value, list) else []
    tried = (
        reading.read_turns(items, role, ("text", "content"), _ROLES)
        for role in ("user", "speaker_label", "speaker", "role")
    )
    return next(filter(None, tried), [])


def _read_recording(
    body: Mapping[str, Json], ended_at: datetime | None
) -> tuple[str | None, tuple[str, ...]]:
    link = reading.find_link(body, "recording_url")
    if link is None or reading.read_bool(body.get("record")) is False:
        return None, ()
    expires_at = reading.find_time(body, "recording_expiration")
    if expires_at is None or ended_at is None or expires_at - ended_at >= LONG_ENOUGH:
        return link, ()
    return None, ("The link to the recording ends within a day, so it is not shown.",)


def _read_metadata(body: Mapping[str, Json]) -> Json:
    """The metadata of the call, which some hand over as JSON in a text."""
    found = reading.find_object(body, "metadata")
    if found or not isinstance(body.get("metadata"), str):
        return found
    return reading.parse_object(body["metadata"].encode("utf-8", "replace"))


def _read_data(body: Mapping[str, Json]) -> dict[str, Json]:
    variables = reading.find_object(body, "variables")
    own = {name: each for name, each in variables.items() if name not in _BLANDS_VARIABLES}
    analysis = reading.find_object(body, "analysis")
    return reading.collect(**own | analysis | {"disposition_tag": body.get("disposition_tag")})


def _sample(secret: Secret, _url: str, at: datetime, _options: BlandOptions) -> Sequence[Sample]:
    """A call that reached a person, and its second delivery with the corrected transcript."""
    started_at = at - timedelta(seconds=90)
    turns = [
        {"id": 1, "user": "assistant", "text": "Hello, shall we keep Tuesday?"},
        {"id": 2, "user": "user", "text": "Yes, please."},
    ]
    call = {
        "call_id": f"sample-{int(at.timestamp())}",
        "to": "+12025550109",
        "from": "+12025550199",
        "inbound": False,
        "status": "completed",
        "completed": True,
        "answered_by": "human",
        "created_at": started_at.isoformat(),
        "started_at": started_at.isoformat(),
        "end_at": (started_at + timedelta(seconds=75)).isoformat(),
        "call_length": 1.25,
        "corrected_duration": "75",
        "summary": "Ada confirmed Tuesday.",
        "transcripts": turns,
        "disposition_tag": "CONFIRMED",
    }
    samples = []
    for name, content in ((ENDED, call), (CORRECTED, call | {"corrected_transcript": turns})):
        body = json.dumps(content, separators=(",", ":")).encode()
        signature = signing.sign(secret.value.encode(), body).hex()
        headers = {"Content-Type": "application/json", SIGNATURE: signature}
        samples.append(Sample(name=name, headers=headers, body=body))
    return samples


ADAPTER: Final = Adapter(
    vendor="bland",
    title="Bland",
    schemes=(
        Scheme(
            name="shared_secret",
            title="Webhook signing secret",
            hint=(
                "In Bland: Account settings, Keys, Webhook secret. It only proves that a delivery"
                " comes from your account. Your API key is something else: keep it to yourself."
            ),
            check=signing.check_secret,
        ),
    ),
    steps=(
        (
            "In Bland, open Account settings, Keys, and create a webhook signing secret. Without"
            " one, Bland does not signing.sign what it sends, and it is refused here."
        ),
        "Paste the secret here.",
        (
            "Enter {url} as the webhook of your inbound numbers and pathways, or send it as webhook"
            " with each call that you start."
        ),
        (
            "If Bland also writes into HubSpot itself, switch that off: otherwise every call is"
            " there twice."
        ),
    ),
    caveats=(
        (
            "Bland's signature has no time. A delivery that somebody caught could be sent again; it"
            " would be recognised as the same call and change nothing."
        ),
        "A corrected transcript, where it is switched on, follows half a minute after the end.",
        "A link to a recording may ask for a login at Bland's telephone company.",
    ),
    options=BlandOptions,
    signature_headers=(SIGNATURE,),
    verify=_verify,
    read=_read,
    sample=_sample,
)
