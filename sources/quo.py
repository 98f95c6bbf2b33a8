"""Quo, formerly OpenPhone: up to five events for one call, in two generations of webhooks.

Webhooks of the API version 2026-03-30 are signed by Standard Webhooks and hold `data.resource` and
`data.context`. Older ones (`v3`, `v4`) have a signature of OpenPhone's own and hold `data.object`.
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sources import reading, signing
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

STANDARD: Final = "standard"
LEGACY: Final = "legacy"
STANDARD_HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
LEGACY_HEADER: Final = "openphone-signature"
DIGEST_BYTES: Final = 32

ENDED: Final = "call.completed"
MISSED: Final = "call.missed"
RECORDED: Final = "call.recording.completed"
SUMMARISED: Final = "call.summary.completed"
TRANSCRIBED: Final = "call.transcript.completed"
VOICEMAIL_LEFT: Final = "call.voicemail.completed"
# Of two events with the same time, the one with more processing behind it counts.
_RANKS: Final[Mapping[str, int]] = MappingProxyType(
    {
        MISSED: 5,
        ENDED: 10,
        RECORDED: 20,
        VOICEMAIL_LEFT: 25,
        SUMMARISED: 30,
        TRANSCRIBED: 30,
    }
)
# What public receivers have seen as a call's status; any other word says that nobody answered.
_BY_STATUS: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "answered": Outcome.COMPLETED,
        "completed": Outcome.COMPLETED,
        "busy": Outcome.BUSY,
        "failed": Outcome.FAILED,
        "canceled": Outcome.CANCELED,
        "cancelled": Outcome.CANCELED,
    }
)


def _check_standard(value: str) -> None:
    if not value.startswith("whsec_"):
        raise InvalidSecretError(
            "The signing secret of a Quo webhook begins with whsec_. If yours does not, the webhook"
            " is one of the older kind: choose the older signature."
        )
    signing.check_key(value)


def _check_legacy(value: str) -> None:
    if value.startswith("whsec_"):
        raise InvalidSecretError(
            "A secret that begins with whsec_ belongs to a webhook of the new kind: choose the"
            " signing secret."
        )
    signing.check_key(value)


def _verify(delivery: Delivery, secrets: Sequence[Secret], _options: Options) -> Secret:
    return signing.prove_by_scheme(
        secrets,
        {
            STANDARD: lambda: signing.verify_standard(delivery),
            LEGACY: lambda: _verify_legacy(delivery),
        },
        "Each webhook in Quo has a secret of its own: check that it is the one of the webhook with"
        " this address, and that its kind (new or older) is chosen here.",
    )


def _verify_legacy(delivery: Delivery) -> Callable[[Secret], bool]:
    """Checks `hmac;1;<milliseconds>;<base64>`, of which several may stand, with commas between."""
    given = signing.require_header(delivery, LEGACY_HEADER).split(",")[: signing.MOST_SIGNATURES]
    signatures = []
    for each in given:
        parts = each.strip().split(";")
        digest = signing.read_base64(parts[3], DIGEST_BYTES) if len(parts) == len("abcd") else None
        if digest is not None and parts[:2] == ["hmac", "1"]:
            signatures.append((parts[2], digest))
    if not signatures:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE,
            f"The header {LEGACY_HEADER} is not of the form hmac;1;time;signature.",
        )
    for stamp, _ in signatures:
        signing.require_fresh(stamp, delivery.received_at)

    def proves(secret: Secret) -> bool:
        try:
            key = signing.read_key(secret.value)
        except InvalidSecretError:
            return False
        return any(
            hmac.compare_digest(signing.sign(key, stamp.encode() + b"." + delivery.body), digest)
            for stamp, digest in signatures
        )

    return proves


def _read(delivery: Delivery, _options: Options) -> Sequence[Reading]:
    body = reading.parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return [body]
    name = reading.read_name(body.get("type"))
    if name not in _RANKS:
        return [Ignored(name)]
    said = reading.find_object(body, "data.resource", "data.object")
    # A voicemail has an id of its own beside the call's.
    call = reading.find_text(said, "callId", "id")
    if call is None:
        return [Unreadable(name, "The event does not say which call it is about.")]
    context = reading.find_object(body, "data.context")
    about = _read_content(name, said, context)
    if name in {SUMMARISED, TRANSCRIBED} and not any(about.values()):
        return [Ignored(name)]  # Quo had nothing to summarise
    sides = _read_sides(name, said, context)
    line = _read_first_phone(reading.find_list(context, "participants.workspace"))
    ours = sides["to_number"] if sides["direction"] == "inbound" else sides["from_number"]
    agent_id = reading.find_text(context, "userId") or reading.find_text(
        said, "userId", "answeredBy"
    )
    number_id = reading.find_text(context, "phoneNumberId") or reading.find_text(
        said, "phoneNumberId"
    )
    occurred_at = reading.find_time(body, "createdAt")
    if name == MISSED:
        # It repeats what `call.completed` says, and knows of no voicemail. Dated to the start of
        # the call it only fills what nothing else says.
        occurred_at = reading.find_time(said, "createdAt") or occurred_at
    return [
        Event(
            name=name,
            call=call,
            facts=reading.make_facts(agent_id=agent_id, **sides, **about),
            occurred_at=occurred_at,
            rank=_RANKS[name],
            is_end=name in {ENDED, MISSED, VOICEMAIL_LEFT},
            tenant=reading.keep_known(agent_id, number_id, line or ours),
            notices=_notice_parts(said) if name == RECORDED else (),
        )
    ]


def _read_sides(
    name: str, said: Mapping[str, Json], context: Mapping[str, Json]
) -> dict[str, Json]:
    """The numbers: named by side in the new events, from and to in the older ones.

    Numbers and direction are taken together from one event. Summaries and transcripts know no
    direction, so their numbers are left to the end of the call, which knows both.
    """
    direction = reading.read_direction(said.get("direction"))
    if direction is None and name == VOICEMAIL_LEFT:
        direction = "inbound"
    is_known = reading.find_text(context, "participants.resolution") != "unavailable"
    if direction is None or not is_known:
        return reading.name_sides(direction, None, None)
    customer = _read_first_phone(reading.find_list(context, "participants.external"))
    ours = _read_first_phone(reading.find_list(context, "participants.workspace"))
    if customer is None:
        ends = reading.find_phone(said, "from"), reading.find_phone(said, "to")
        customer, ours = ends if direction == "inbound" else ends[::-1]
    return reading.name_sides(direction, customer, ours)


def _read_first_phone(numbers: Sequence[Json]) -> str | None:
    return next(filter(None, map(reading.read_phone, numbers)), None)


def _read_content(
    name: str, said: Mapping[str, Json], context: Mapping[str, Json]
) -> dict[str, Json]:
    """What an event says beside whose call it is."""
    match name:
        case "call.summary.completed":
            return {
                "summary": _join(said.get("summary")),
                "structured_data": reading.collect(next_steps=reading.find_list(said, "nextSteps")),
            }
        case "call.transcript.completed":
            return {"transcript": _read_dialogue(said, context)}
        case "call.voicemail.completed":
            heard = reading.find_text(said, "transcript")
            return {
                "outcome": Outcome.VOICEMAIL,
                "recording_url": reading.find_link(said, "recordingUrl", "url"),
                "transcript": [{"role": "user", "text": heard}] if heard else None,
            }
        case "call.recording.completed":
            links = _read_recordings(said)
            return {"recording_url": links[0] if links else None, **_read_times(said)}
    return {
        "outcome": _read_outcome(name, said),
        "duration_seconds": reading.find_number(said, "duration"),
        # The older events bring recordings along.
        "recording_url": reading.find_link(said, "voicemail.url", "media.0.url"),
        **_read_times(said),
    }


def _read_times(said: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "started_at": reading.find_time(said, "createdAt"),
        "ended_at": reading.find_time(said, "completedAt"),
    }


def _read_outcome(name: str, said: Mapping[str, Json]) -> str | None:
    if reading.read_bool(said.get("hasVoicemail")) or reading.find_object(said, "voicemail"):
        return Outcome.VOICEMAIL
    if name == MISSED:
        return Outcome.NO_ANSWER
    if reading.find_text(said, "answeredAt"):
        return Outcome.COMPLETED
    status = (reading.find_text(said, "status") or "").lower()
    if not status and "answeredAt" not in said:
        return None
    found = _BY_STATUS.get(status, Outcome.NO_ANSWER)
    # "completed" is the older events' word for every end; `answeredAt: null` says more.
    return Outcome.NO_ANSWER if found is Outcome.COMPLETED and "answeredAt" in said else found


def _read_recordings(said: Mapping[str, Json]) -> list[str]:
    parts = reading.find_list(said, "recordings", "media")
    return [
        link for link in (reading.read_link(reading.dig(part, "url")) for part in parts) if link
    ]


def _notice_parts(said: Mapping[str, Json]) -> tuple[str, ...]:
    parts = len(_read_recordings(said))
    if parts <= 1:
        return ()
    return (f"Quo recorded this call in {parts} parts. The first one is linked.",)


def _read_dialogue(said: Mapping[str, Json], context: Mapping[str, Json]) -> list[dict[str, str]]:
    ours = {
        reading.read_text(each) for each in reading.find_list(context, "participants.workspace")
    }
    turns = []
    for each in reading.find_list(said, "dialogue"):
        text = reading.find_text(each, "content")
        is_ours = (
            reading.find_text(each, "userId") is not None
            or reading.find_text(each, "identifier") in ours
        )
        if text:
            turns.append({"role": "assistant" if is_ours else "user", "text": text})
    return turns


def _join(value: Json) -> str | None:
    """A summary, which is a list of lines."""
    lines = map(reading.read_text, value if isinstance(value, list) else [value])
    return "\n".join(line for line in lines if line) or None


def _sample(secret: Secret, _url: str, at: datetime, _options: Options) -> Sequence[Sample]:
    """An answered call with its recording, summary and transcript, as the secret's kind has it."""
    call, started_at = f"ACsample{int(at.timestamp())}", at - timedelta(minutes=3)
    ours, customer = "+12025550199", "+12025550107"
    times = {
        "createdAt": started_at.isoformat(),
        "answeredAt": (started_at + timedelta(seconds=5)).isoformat(),
        "completedAt": (started_at + timedelta(seconds=65)).isoformat(),
    }
    ended = {"id": call, "direction": "incoming", "status": "answered", "duration": 60, **times}
    dialogue = [
        {"content": "Hello.", "identifier": ours, "userId": "USsample"},
        {"content": "What does it cost?", "identifier": customer, "userId": None},
    ]
    summary = ["Ada asked about prices."]
    recording = {"id": "CRsample", "url": "https://recordings.example.com/sample.mp3"}
    said: tuple[tuple[str, int, dict[str, Any]], ...] = (
        (ENDED, 65, ended | {"hasVoicemail": False}),
        (RECORDED, 80, {"id": call, "recordings": [recording]}),
        (SUMMARISED, 100, {"callId": call, "summary": summary, "nextSteps": ["Send the list."]}),
        (TRANSCRIBED, 105, {"callId": call, "dialogue": dialogue}),
    )
    is_legacy = secret.scheme == LEGACY
    context = {
        "phoneNumberId": "PNsample",
        "participants": {"workspace": [ours], "external": [customer], "resolution": "available"},
    }
    samples = []
    for name, after_s, resource in said:
        if is_legacy:
            data = {"object": resource | {"from": customer, "to": ours, "direction": "incoming"}}
        else:
            data = {"resource": resource, "context": context}
        event_id = f"EVsample{after_s}{int(at.timestamp())}"
        body = json.dumps(
            {
                "id": event_id,
                "apiVersion": "v4" if is_legacy else "2026-03-30",
                "createdAt": (started_at + timedelta(seconds=after_s)).isoformat(),
                "type": name,
                "data": data,
            }
        ).encode()
        if is_legacy:
            signed = _sign_legacy(secret.value, at, body)
        else:
            signed = signing.sign_standard(secret.value, event_id, at, body)
        headers = {"Content-Type": "application/json", **signed}
        samples.append(Sample(name=name, headers=headers, body=body))
    return samples


def _sign_legacy(secret: str, at: datetime, body: bytes) -> dict[str, str]:
    stamp = str(int(at.timestamp() * 1000))
    digest = signing.sign(signing.read_key(secret), f"{stamp}.".encode() + body)
    return {LEGACY_HEADER: f"hmac;1;{stamp};{base64.b64encode(digest).decode()}"}


ADAPTER: Final = Adapter(
    vendor="quo",
    title="Quo (OpenPhone)",
    schemes=(
        Scheme(
            name=STANDARD,
            title="Signing secret",
            hint=(
                "Quo shows it with the webhook; it begins with whsec_. It only proves that a"
                " delivery comes from that webhook."
            ),
            check=_check_standard,
        ),
        Scheme(
            name=LEGACY,
            title="Older signing secret",
            hint=(
                "For webhooks that were made as OpenPhone webhooks: the key that Quo shows with the"
                " webhook, without whsec_ in front. It only proves where a delivery comes from."
            ),
            check=_check_legacy,
        ),
    ),
    steps=(
        (
            "In Quo, switch off call logging in the HubSpot integration: otherwise every call is in"
            " HubSpot twice."
        ),
        "Open Settings, Webhooks, and create a webhook with the address {url}.",
        (
            "Choose the events call.completed, call.recording.completed, call.summary.completed,"
            " call.transcript.completed and call.voicemail.completed, and all phone numbers whose"
            " calls you want."
        ),
        "Copy the webhook's signing secret and paste it here.",
    ),
    caveats=(
        (
            "Recording, summary and transcript follow the end of the call, often minutes later:"
            " they are added to what was written."
        ),
        "Whether there are summaries and transcripts depends on your Quo plan.",
        "How long Quo's links to recordings work is not documented.",
    ),
    signature_headers=(LEGACY_HEADER, *STANDARD_HEADERS),
    verify=_verify,
    read=_read,
    sample=_sample,
)
