"""Twilio: status and recording callbacks, signed over the address and the form.

The first leg of a call counts as the call, under its `CallSid`: recordings name it too. Legs that
`<Dial>` adds to it carry a `ParentCallSid` and ring the customer's own people; they are ignored.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from types import MappingProxyType
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

from pydantic import Field

from sources.adapter import (
    Adapter,
    Delivery,
    Event,
    Ignored,
    InvalidSecretError,
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
from sources.forms import FORM, Fields, find_query, name_values, parse_form
from sources.reading import (
    UNKNOWN,
    collect,
    find_link,
    find_number,
    find_phone,
    find_tenant,
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
    prove,
    read_base64,
    read_hex,
    require_header,
    require_secrets,
    sign,
)

SIGNATURE: Final = "x-twilio-signature"
SETTINGS: Final = "x-twilio-webhooks-signature-settings"
LONGEST_CALL_S: Final = 7 * 24 * 3600

TOO_LARGE: Final = "The form is larger than any that Twilio sends."
MAY_ASK: Final = "The link to the recording may ask for a Twilio login."
MISPLACED: Final = (
    "This address was entered where Twilio asks what to do with a call (“A call comes in”)."
    " Twilio waits there for instructions that we cannot give, so callers hear an error. Enter it"
    " under “Call status changes” instead, and put back what was there before."
)
MISPLACED_MESSAGE: Final = (
    "This address was entered where Twilio asks what to do with a text message (“A message comes"
    " in”). Only calls are read here: enter it under “Call status changes” of the number."
)

_ALGORITHMS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {"HMAC_SHA1": ("sha1", 20), "HMAC_SHA256": ("sha256", 32)}
)
_OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "completed": Outcome.COMPLETED,
        "busy": Outcome.BUSY,
        "failed": Outcome.FAILED,
        "no-answer": Outcome.NO_ANSWER,
        "canceled": Outcome.CANCELED,
    }
)
_KEYS: Final = MappingProxyType(
    {
        "auth_token": "the account's Auth Token (a subaccount has its own)",
        "shared_key": "the shared key of a webhook rule",
    }
)
_PORT: Final = re.compile(r":\d{1,5}$", re.ASCII)
_SID: Final = re.compile(r"(AC|SK|CR|CA|PN)[0-9a-fA-F]{32}", re.ASCII)
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{2,4}$", re.ASCII)


class TwilioOptions(Options):
    """The options of a Twilio source."""

    default_region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    """The country of numbers without a country code, as a SIP phone dials them: `US`."""


def _check(value: str) -> None:
    check_secret(value)
    if _SID.fullmatch(value):
        raise InvalidSecretError(
            "This is an id (SID), not a secret: it is public. Copy the Auth Token that stands"
            " below the Account SID, or the secret that was shown when the shared key was made."
        )


def _verify(delivery: Delivery, secrets: Sequence[Secret], _options: TwilioOptions) -> Secret:
    require_secrets(secrets)
    signature = require_header(delivery, SIGNATURE)
    # The settings header is not signed itself. So it only chooses between kinds of secrets that
    # never stand in for each other, and between algorithms that are all good enough.
    is_shared = delivery.has_header(SETTINGS)
    settings = require_header(delivery, SETTINGS) if is_shared else "algorithm=HMAC_SHA1"
    algorithm, length = _choose_algorithm(settings)
    scheme = "shared_key" if is_shared else "auth_token"
    usable = [secret for secret in secrets if secret.scheme == scheme]
    if not usable:
        raise RefusedError(Refusal.NO_SECRET, f"Twilio signed with {_KEYS[scheme]}. Add it here.")
    digest = read_base64(signature, length)
    if digest is None and is_shared:
        # Recall, not verified: Twilio says that only the hash changes with a shared key. Hex of
        # 32 bytes cannot be taken for base64 of as many, so both are read.
        digest = read_hex(signature, length)
    if digest is None:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, f"The header {SIGNATURE} is not {length} bytes in base64."
        )
    wanted, parameters = digest, _list_parameters(delivery)
    texts = [url.encode("utf-8", "replace") + parameters for url in _spell_addresses(delivery.url)]

    def proves(secret: Secret) -> bool:
        key = secret.value.encode()
        return any(hmac.compare_digest(sign(key, each, algorithm), wanted) for each in texts)

    return prove(
        usable,
        proves,
        f"Twilio signed with {_KEYS[scheme]}: check that it is the one entered here, and that"
        " Twilio calls exactly this address, with https and its query.",
    )


def _choose_algorithm(settings: str) -> tuple[str, int]:
    """The algorithm of `key=<sid>,algorithm=HMAC_SHA256`."""
    pairs = [each.strip().partition("=") for each in settings.split(",")]
    named = [value for name, _, value in pairs if name == "algorithm"]
    if len(named) != 1 or named[0] not in _ALGORITHMS:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE,
            f"The header {SETTINGS} names no algorithm that we know: HMAC_SHA256 is one.",
        )
    return _ALGORITHMS[named[0]]


def _spell_addresses(url: str) -> list[str]:
    """The address as it is, and with its port dropped, or the usual one added: Twilio does both."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    host = parts.netloc
    rest = url[len(parts.scheme) + len("://") + len(host) :]
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    other = _PORT.sub("", host) if _PORT.search(host) else host + usual
    return [url, f"{parts.scheme}://{other}{rest}"]


def _list_parameters(delivery: Delivery) -> bytes:
    """What is signed behind the address: nothing of a GET, whose address says it all, and of JSON.

    JSON is signed by its hash in the address.
    """
    if delivery.method == "GET":
        return b""
    if _is_json(delivery):
        query = name_values(parse_form(find_query(delivery.url)) or ())
        wanted = read_hex(query.get("bodySHA256", ""), 32)
        if wanted is None or not hmac.compare_digest(
            wanted, hashlib.sha256(delivery.body).digest()
        ):
            raise RefusedError(
                Refusal.WRONG_SIGNATURE, "The body is not the one that Twilio signed."
            )
        return b""
    form = parse_form(delivery.body)
    if form is None:
        raise RefusedError(Refusal.MALFORMED_SIGNATURE, TOO_LARGE)
    # Blank values count, and of equal ones one.
    return b"".join(name + value for name, value in sorted(set(form)))


def _is_json(delivery: Delivery) -> bool:
    kind = (delivery.header("Content-Type") or "").lower()
    return "json" in kind or (FORM not in kind and delivery.body.startswith(b"{"))


def _read(delivery: Delivery, options: TwilioOptions) -> Sequence[Reading]:
    is_get = delivery.method == "GET"
    if not is_get and _is_json(delivery):
        return [_read_json(delivery.body)]
    query = parse_form(find_query(delivery.url))
    form = query if is_get else parse_form(delivery.body)
    if query is None or form is None:
        return [Unreadable(UNKNOWN, TOO_LARGE)]
    return [_read_fields(name_values(form), name_values(query), options)]


def _read_json(body: bytes) -> Reading:
    """Voice Intelligence and Event Streams post JSON; what it is about must be fetched."""
    value = parse_object(body)
    if isinstance(value, Unreadable):
        return value
    return Ignored(read_name(find_text(value, "event_type", "type")))


def _read_fields(fields: Fields, query: Fields, options: TwilioOptions) -> Reading:
    if "CallSid" not in fields and ("MessageSid" in fields or "SmsSid" in fields):
        is_incoming = "Body" in fields
        return Ignored("message", MISPLACED_MESSAGE if is_incoming else None)
    for field, read in _READERS.items():
        if field in fields:
            return read(fields, query, options)
    named = next((each for each in _OTHERS if each in fields), None)
    if named:
        return Ignored(named)
    return Unreadable(UNKNOWN, "The form says neither the status of a call nor of a recording.")


def _read_recording(fields: Fields, query: Fields, _options: TwilioOptions) -> Reading:
    status = find_text(fields, "RecordingStatus") or UNKNOWN
    name = read_name(f"recording.{status}")
    if status != "completed":
        return Ignored(name)
    call, link = find_text(fields, "CallSid"), _link_recording(fields)
    if call is None:
        # Of a conference: it belongs to no single call.
        return Ignored(name)
    if link is None:
        return Unreadable(name, "RecordingUrl is not an https link.")
    started_at = find_time(fields, "RecordingStartTime")
    return _make_event(
        name,
        call,
        {"recording_url": link},
        fields,
        query,
        occurred_at=_move(started_at, _read_seconds(fields, "RecordingDuration")),
        rank=20,
        notices=(MAY_ASK,),
    )


def _read_transcription(fields: Fields, query: Fields, _options: TwilioOptions) -> Reading:
    """What `<Record transcribe>` heard; recall, not verified. Only the caller is recorded there."""
    name = read_name(f"transcription.{find_text(fields, 'TranscriptionStatus') or UNKNOWN}")
    call, text = find_text(fields, "CallSid"), find_text(fields, "TranscriptionText")
    if call is None or text is None:
        return Ignored(name)
    turns = [{"role": "user", "text": text}]
    return _make_event(name, call, {"transcript": turns}, fields, query, rank=20)


def _read_status(fields: Fields, query: Fields, options: TwilioOptions) -> Reading:
    status = find_text(fields, "CallStatus") or ""
    outcome = _OUTCOMES.get(status)
    if outcome is None:
        # A callback says when and in what order it came; a request for instructions does not.
        is_callback = any(
            each in fields for each in ("CallbackSource", "SequenceNumber", "Timestamp")
        )
        is_waiting = status in {"ringing", "in-progress"} and not is_callback
        return Ignored(read_name(f"call.{status}"), MISPLACED if is_waiting else None)
    if find_text(fields, "ParentCallSid"):
        return Ignored(read_name(f"leg.{status}"))
    name, call = read_name(f"call.{status}"), find_text(fields, "CallSid")
    if call is None:
        return Unreadable(name, "The form does not say which call it is about (CallSid).")
    answered_by = find_text(fields, "AnsweredBy") or ""
    if outcome is Outcome.COMPLETED and answered_by.startswith("machine"):
        outcome = Outcome.VOICEMAIL
    ended_at = find_time(fields, "Timestamp")
    # `Duration` beside it is in minutes, rounded up.
    duration = _read_seconds(fields, "CallDuration")
    link = _link_recording(fields)
    return _make_event(
        name,
        call,
        {
            **_name_numbers(fields),
            "region": options.default_region,
            "started_at": _move(ended_at, duration, back=True),
            "ended_at": ended_at,
            "duration_seconds": duration,
            "outcome": outcome.value,
            "recording_url": link,
            "structured_data": collect(
                answered_by=find_text(fields, "AnsweredBy"),
                caller_name=find_text(fields, "CallerName"),
                sip_response_code=find_text(fields, "SipResponseCode"),
            ),
        },
        fields,
        query,
        occurred_at=ended_at,
        is_end=True,
        is_final=outcome not in {Outcome.COMPLETED, Outcome.VOICEMAIL},
        notices=(MAY_ASK,) if link else (),
    )


_READERS: Final = MappingProxyType(
    {
        "RecordingStatus": _read_recording,
        "TranscriptionStatus": _read_transcription,
        "CallStatus": _read_status,
    }
)
# What else may be sent to the same address: conferences, media streams, answering machine
# detection that goes on beside the call (its result is only in the status callback if it waited).
_OTHERS: Final = ("StatusCallbackEvent", "StreamEvent", "TranscriptionEvent", "AnsweredBy")


def _make_event(
    name: str,
    call: str,
    facts: Fields,
    fields: Fields,
    query: Fields,
    **more: Any,
) -> Event:
    user_id, workspace_id = find_tenant(query)
    ours = facts.get("to_number" if facts.get("direction") == "inbound" else "from_number")
    return Event(
        name=name,
        call=call,
        facts=make_facts(**facts),
        tenant=keep_known(ours, find_text(fields, "AccountSid")),
        user_id=user_id,
        workspace_id=workspace_id,
        **more,
    )


def _name_numbers(fields: Fields) -> Fields:
    direction = read_direction(find_text(fields, "Direction"))
    # Recall, not verified: a call out of a browser or an app comes in at Twilio, from `client:ada`,
    # and the customer is the one whom it goes to.
    if direction == "inbound" and (find_text(fields, "From") or "").startswith("client:"):
        direction = "outbound"
    return name_ends(direction, find_phone(fields, "From"), find_phone(fields, "To"))


def _link_recording(fields: Fields) -> str | None:
    """The link to a recording, which Twilio gives without the suffix that makes it playable."""
    link = find_link(fields, "RecordingUrl")
    if link is None or "?" in link or _SUFFIX.search(link):
        return link
    return f"{link}.mp3"


def _read_seconds(fields: Fields, name: str) -> float | None:
    seconds = find_number(fields, name)
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_CALL_S else None


def _move(time: datetime | None, seconds: float | None, *, back: bool = False) -> datetime | None:
    if time is None or seconds is None:
        return None
    return time + timedelta(seconds=-seconds if back else seconds)


def _sample(secret: Secret, url: str, at: datetime, _options: TwilioOptions) -> Sequence[Sample]:
    about = {
        "CallSid": "CA" + "5a" * 16,
        "AccountSid": "AC" + "5a" * 16,
        "ApiVersion": "2010-04-01",
    }
    started_at = at - timedelta(seconds=75)
    ended = about | {
        "From": "+12025550106",
        "To": "+12025550199",
        "Direction": "inbound",
        "CallStatus": "completed",
        "CallDuration": "75",
        "Duration": "2",
        "Timestamp": format_datetime(at),
        "CallbackSource": "call-progress-events",
        "SequenceNumber": "0",
        "FromZip": "",
    }
    recorded = about | {
        "RecordingSid": "RE" + "5a" * 16,
        "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{about['AccountSid']}"
        f"/Recordings/RE{'5a' * 16}",
        "RecordingStatus": "completed",
        "RecordingDuration": "70",
        "RecordingStartTime": format_datetime(started_at + timedelta(seconds=3)),
    }
    named = (("call.completed", ended), ("recording.completed", recorded))
    return [_sign_sample(name, secret, url, fields) for name, fields in named]


def _sign_sample(name: str, secret: Secret, url: str, fields: Mapping[str, str]) -> Sample:
    is_shared = secret.scheme == "shared_key"
    signed = url + "".join(each + value for each, value in sorted(fields.items()))
    digest = sign(secret.value.encode(), signed.encode(), "sha256" if is_shared else "sha1")
    headers = {"Content-Type": FORM, SIGNATURE: base64.b64encode(digest).decode()}
    if is_shared:
        headers[SETTINGS] = f"key=CR{'5a' * 16},algorithm=HMAC_SHA256"
    return Sample(name=name, headers=headers, body=urlencode(fields).encode())


ADAPTER: Final = Adapter(
    vendor="twilio",
    title="Twilio",
    schemes=(
        Scheme(
            name="auth_token",
            title="Auth Token",
            hint=(
                "The primary Auth Token, on the first page of the Twilio Console under “Account"
                " Info”. It can do everything in your Twilio account: if you can, use a shared key"
                " instead. A subaccount has an Auth Token of its own."
            ),
            check=_check,
        ),
        Scheme(
            name="shared_key",
            title="Shared key",
            hint=(
                "The secret that Twilio shows once, when a shared key for webhooks is made. It can"
                " do nothing but sign, so it is the safer choice."
            ),
            check=_check,
        ),
    ),
    steps=(
        (
            "So that we recognise Twilio, choose one of two ways. The safer one: make a shared "
            "key in the Twilio Console (Account → Webhooks, in beta), add a webhook rule for "
            "{url} that signs with it by HMAC_SHA256, and paste the key's secret here as "
            "“Shared key”."
        ),
        (
            "The other one: copy the Auth Token from the first page of the Twilio Console "
            "(“Account Info”) and paste it here as “Auth Token”."
        ),
        "In the Twilio Console open Phone Numbers → Manage → Active numbers, choose a number.",
        (
            "Under “Voice configuration”, enter {url} in “Call status changes”, choose HTTP "
            "POST and save. Do not enter it in “A call comes in”. Repeat this for each number."
        ),
        "For calls that your own program starts, it must name {url} as StatusCallback.",
        (
            "For links to recordings, whoever set up your recording enters {url} as "
            "recordingStatusCallback too (of <Record>, of <Dial>, or of the call)."
        ),
        "If Twilio's app in HubSpot logs calls, switch that off, or each call is there twice.",
        "Make a call and hang up: it appears here within some seconds.",
    ),
    caveats=(
        (
            "Calls of Vapi, Retell and the like need no Twilio source, even if their numbers "
            "come from Twilio: each would be there twice."
        ),
        (
            "Twilio repeats a failed delivery only if the address says so: put #rc=2&rp=all behind "
            "it where you enter it at Twilio."
        ),
        (
            "Twilio sends no summary and no transcript, and a link to the recording some time "
            "after the end. The link may ask for a Twilio login, if your account protects its "
            "media."
        ),
        (
            "When a call is passed on (<Dial>), the first leg counts as the call. The legs to "
            "your own people are ignored."
        ),
        "A number behind an Elastic SIP trunk sends nothing.",
    ),
    options=TwilioOptions,
    signature_headers=(SIGNATURE, SETTINGS),
    methods=("POST", "GET"),
    verify=_verify,
    read=_read,
    sample=_sample,
)
