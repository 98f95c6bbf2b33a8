"""Vonage Voice: events of calls, each with a JWT that holds the hash of what it came with.

A call is a conversation at Vonage; the legs in it, and its recording, name the same one. The field
list is of 2021; names of events and signing were confirmed in 2026.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

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
from sources.forms import Fields, find_query, name_values, parse_form
from sources.reading import (
    UNKNOWN,
    collect,
    find_link,
    find_number,
    find_phone,
    find_text,
    find_time,
    keep_known,
    make_facts,
    name_ends,
    parse_object,
    read_direction,
    read_name,
)
from sources.signing import (
    check_secret,
    is_equal,
    prove,
    read_hex,
    require_fresh,
    require_header,
    require_secrets,
    sign,
)

LONGEST_JWT: Final = 8000
MISPLACED: Final = (
    "This address was entered as the answer URL. Vonage waits there for instructions that we cannot"
    " give, so callers hear nothing. Enter it as the event URL instead, and put back the answer URL"
    " that was there before."
)
ASKS: Final = (
    "The recording is at Vonage for 30 days. Its link opens only with the key of your Vonage"
    " application, not in a browser."
)

_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}", re.ASCII)
_BEARER: Final = re.compile(r"bearer +(\S+)", re.ASCII | re.IGNORECASE)
_OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "completed": Outcome.COMPLETED,
        "busy": Outcome.BUSY,
        "cancelled": Outcome.CANCELED,
        "unanswered": Outcome.NO_ANSWER,
        "timeout": Outcome.NO_ANSWER,
        "rejected": Outcome.FAILED,
        "failed": Outcome.FAILED,
    }
)


class VonageOptions(Options):
    """The options of a Vonage source."""

    legs: Literal["all", "inbound", "outbound"] = "all"
    """Which legs are calls with a customer. `inbound`, if you pass incoming calls on to your own
    people: Vonage sends the leg to them as an outbound call, and nothing says whom it was for."""


def _verify(delivery: Delivery, secrets: Sequence[Secret], _options: VonageOptions) -> Secret:
    require_secrets(secrets)
    bearer = _BEARER.fullmatch(require_header(delivery, "authorization"))
    token = bearer[1] if bearer else ""
    claims = _read_claims(token)
    if claims is None:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE,
            "The Authorization header holds no JWT signed with HS256. Switch on signed webhooks"
            " for the application at Vonage.",
        )
    text, _, signature = token.rpartition(".")
    found = prove(
        secrets,
        lambda secret: is_equal(_sign(secret, text), signature),
        "Check that the signature secret is the one of the Vonage account (API settings).",
    )
    wanted = read_hex(find_text(claims, "payload_hash") or "", 32)
    if wanted is None:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, "The JWT does not say what it was sent with."
        )
    if wanted != _hash(delivery):
        raise RefusedError(Refusal.WRONG_SIGNATURE, "The body is not the one that Vonage signed.")
    require_fresh(find_text(claims, "iat"), delivery.received_at)
    return found


def _read_claims(token: str) -> dict[str, Json] | None:
    """The claims of a JWT, not verified; None for anything that is not signed with HS256.

    PyJWT is not used: it decodes more than one spelling of a signature, and warns about secrets of
    less than 32 bytes, which Vonage gives out.
    """
    if len(token) > LONGEST_JWT or not _JWT.fullmatch(token):
        return None
    header, claims = (_decode(part) for part in token.split(".")[:2])
    if header is None or claims is None or header.get("alg") != "HS256" or "crit" in header:
        return None
    return claims


def _decode(part: str) -> dict[str, Json] | None:
    try:
        value = parse_object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return None
    return None if isinstance(value, Unreadable) else value


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _sign(secret: Secret, text: str) -> str:
    return _encode(sign(secret.value.encode(), text.encode()))


def _hash(delivery: Delivery) -> bytes:
    """The hash of the body; of a GET, of its query as a compact JSON object in the same order."""
    content = delivery.body
    if delivery.method == "GET":
        # Recall, not verified: blank values, and how signs beyond ASCII are written.
        pairs = parse_form(find_query(delivery.url)) or []
        fields = name_values(pairs)
        if len(fields) != len(pairs):
            raise RefusedError(Refusal.WRONG_SIGNATURE, "The query has a name twice.")
        content = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    return hashlib.sha256(content).digest()


def _read(delivery: Delivery, options: VonageOptions) -> Sequence[Reading]:
    body: Fields | Unreadable
    if delivery.method == "GET":
        body = name_values(parse_form(find_query(delivery.url)) or ())
    else:
        body = parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return [body]
    status = (find_text(body, "status") or "").lower()
    if status in _OUTCOMES:
        return _read_end(status, body, _find_application(delivery), options)
    return [_read_other(status, body, _find_application(delivery))]


def _read_other(status: str, body: Fields, application: str | None) -> Reading:
    tenant = keep_known(application)
    if status == "machine":
        # Sent during the call: a machine answered, and the call goes on.
        return _make_event("machine", body, {"outcome": Outcome.VOICEMAIL}, rank=20, tenant=tenant)
    if status:
        return Ignored(read_name(status))
    if "recording_url" in body:
        link = find_link(body, "recording_url")
        if link is None:
            return Unreadable("record", "recording_url is not an https link.")
        facts = {"recording_url": link}
        return _make_event("record", body, facts, rank=20, tenant=tenant, notices=(ASKS,))
    # Beside the request for instructions there are digits that were pressed, speech, transfers,
    # and errors in the instructions.
    is_waiting = all(each in body for each in ("from", "to", "uuid")) and "timestamp" not in body
    is_input = any(each in body for each in ("dtmf", "speech"))
    if is_waiting and not is_input:
        return Ignored("answer", MISPLACED)
    return Ignored(UNKNOWN)


def _read_end(
    status: str, body: Fields, application: str | None, options: VonageOptions
) -> Sequence[Reading]:
    direction = read_direction(find_text(body, "direction"))
    if options.legs != "all" and direction not in {options.legs, None}:
        return [Ignored(f"leg.{status}")]
    from_number = find_phone(body, "from", plus=True)
    to_number = find_phone(body, "to", plus=True)
    started_at = find_time(body, "start_time")
    outcome = _OUTCOMES[status]
    # `completed` says that somebody or something answered, which was so from the start on; an
    # event `machine` in between says what. So that outcome has the time of the start, and loses.
    is_open = outcome is Outcome.COMPLETED and direction == "outbound" and started_at is not None
    ours = {"inbound": to_number, "outbound": from_number}.get(direction or "")
    facts: dict[str, Json] = {
        **name_ends(direction, from_number, to_number),
        "started_at": started_at,
        "ended_at": find_time(body, "end_time", "timestamp"),
        "duration_seconds": find_number(body, "duration"),
        "outcome": None if is_open else outcome,
        "structured_data": collect(detail=find_text(body, "detail")),
    }
    end = _make_event(
        status,
        body,
        facts,
        is_end=True,
        is_final=outcome is not Outcome.COMPLETED,
        tenant=keep_known(ours, application),
    )
    if not is_open:
        return [end]
    answered = {"outcome": outcome}
    return [
        end,
        _make_event(
            status,
            body,
            answered,
            rank=5,
            occurred_at=started_at,
            tenant=keep_known(ours, application),
        ),
    ]


def _make_event(name: str, body: Fields, facts: dict[str, Json], **more: Any) -> Reading:
    call = find_text(body, "conversation_uuid")
    if call is None:
        return Unreadable(name, "The event does not say which conversation it is about.")
    more.setdefault("occurred_at", find_time(body, "timestamp"))
    return Event(name=name, call=call, facts=make_facts(**facts), **more)


def _find_application(delivery: Delivery) -> str | None:
    """The Vonage application, by which a platform finds the tenant; the JWT was verified before."""
    bearer = _BEARER.fullmatch(delivery.header("Authorization") or "")
    return find_text(_read_claims(bearer[1]) if bearer else None, "application_id")


def _sample(secret: Secret, _url: str, at: datetime, _options: VonageOptions) -> Sequence[Sample]:
    def spell(time: datetime) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    conversation = "CON-5a5a5a5a-5a5a-4a5a-8a5a-5a5a5a5a5a5a"
    started_at = at - timedelta(seconds=31)
    completed = {
        "from": "12025550113",
        "to": "12025550199",
        "uuid": "5a5a5a5a-5a5a-4a5a-8a5a-5a5a5a5a5a5b",
        "conversation_uuid": conversation,
        "status": "completed",
        "direction": "inbound",
        "start_time": spell(started_at),
        "end_time": spell(at),
        "duration": "31",
        "timestamp": spell(at),
    }
    record = {
        "conversation_uuid": conversation,
        "recording_uuid": "5a5a5a5a-5a5a-4a5a-8a5a-5a5a5a5a5a5c",
        "recording_url": "https://api.nexmo.com/v1/files/5a5a5a5a-5a5a-4a5a-8a5a-5a5a5a5a5a5c",
        "start_time": spell(started_at),
        "end_time": spell(at),
        "size": 12000,
        "timestamp": spell(at + timedelta(seconds=1)),
    }
    samples = []
    for name, event in (("completed", completed), ("record", record)):
        body = json.dumps(event).encode()
        claims = {
            "iat": int(at.timestamp()),
            "jti": f"sample-{name}",
            "iss": "Vonage",
            "payload_hash": hashlib.sha256(body).hexdigest(),
        }
        parts = ({"alg": "HS256", "typ": "JWT"}, claims)
        text = ".".join(_encode(json.dumps(part).encode()) for part in parts)
        bearer = f"Bearer {text}.{_sign(secret, text)}"
        headers = {"Content-Type": "application/json", "Authorization": bearer}
        samples.append(Sample(name=name, headers=headers, body=body))
    return samples


ADAPTER: Final = Adapter(
    vendor="vonage",
    title="Vonage",
    schemes=(
        Scheme(
            name="jwt",
            title="Signature secret",
            hint=(
                "The signature secret of your Vonage account, in the dashboard under API settings."
                " Together with your API key it can also sign text messages in your name. It is"
                " neither the API secret nor the private key of an application."
            ),
            check=check_secret,
        ),
    ),
    steps=(
        "In the Vonage dashboard open Applications, choose yours and then Edit.",
        (
            "Under Capabilities → Voice, enter {url} as the Event URL and choose HTTP POST. Leave"
            " the Answer URL as it is."
        ),
        "There, leave “Use signed webhooks” switched on, or switch it on. Save.",
        "Open API settings, copy the Signature secret, and paste it here.",
        (
            "If you record calls, leave the address for recordings (eventUrl of the record action)"
            " empty, so that they are sent here too, or enter {url} there."
        ),
        "Make a call and hang up: it appears here within some seconds.",
    ),
    caveats=(
        (
            "If you pass incoming calls on to your own people, choose “inbound” legs: Vonage sends"
            " the leg to them as one more outbound call, and it would count as a call with a"
            " customer."
        ),
        (
            "A link to a recording opens only with the key of your Vonage application, and for 30"
            " days. It is sent once: if that delivery is lost, so is the link."
        ),
        "Vonage repeats a failed delivery only once.",
        "Vonage sends no summary and no transcript.",
        (
            "Some dashboard edits were seen to switch signed webhooks off. Unsigned deliveries are"
            " refused: look there if calls stop."
        ),
    ),
    options=VonageOptions,
    signature_headers=("authorization",),
    methods=("POST", "GET"),
    verify=_verify,
    read=_read,
    sample=_sample,
)
