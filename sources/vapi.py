"""Vapi: server messages, of which `end-of-call-report` is the whole call.

From Vapi's OpenAPI document, docs.vapi.ai (server events, server authentication) and public
captures. Not documented, and therefore read in any of its ways: the unit of `x-timestamp`, and
whether a time is ISO or a number.
"""

import json
from collections.abc import Callable, Sequence
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
from sources.hmac_options import HmacOptions

CURE: Final = (
    "Compare it with the secret of the credential that the server URL uses at Vapi, and the scheme"
    " with the kind of that credential."
)
MISPLACED: Final = (
    "Vapi waits for an answer to this message that only your own service can give: tools, and"
    " assistants that are chosen during the call, need a server URL of their own. Enter this"
    " address only where calls are reported."
)
REQUESTS: Final = frozenset(
    {
        *("assistant-request", "tool-calls", "function-call", "transfer-destination-request"),
        *("handoff-destination-request", "knowledge-base-request", "voice-request"),
        *("call.endpointing.request", "phone-call-control"),
    }
)
TENANTS: Final = (
    "call.assistantOverrides.metadata",
    "assistant.metadata",
    "call.assistant.metadata",
    "call.metadata",
    "call.assistantOverrides.variableValues",
    "artifact.variableValues",
)
CUSTOMERS: Final = ("customer.number", "call.customer.number", "customer.sipUri")
OURS: Final = ("phoneNumber.number", "call.phoneNumber.number")
RECORDINGS: Final = (
    "artifact.recordingUrl",
    "recordingUrl",
    "artifact.recording.mono.combinedUrl",
    "artifact.stereoRecordingUrl",
    "stereoRecordingUrl",
    "artifact.recording.stereoUrl",
)
PASSING: Final = ("artifact.presignedMonoUrl", "artifact.presignedStereoUrl", "presignedMonoUrl")
PASSING_LINK: Final = (
    "The recording has only links that stop working soon, so none was written; it can be heard at"
    " Vapi."
)
ROLES: Final = {"bot": "assistant", "assistant": "assistant", "user": "user"}
SPEAKERS: Final = {**ROLES, "ai": "assistant", "customer": "user"}

# `endedReason` has more than 600 values. These first, then the beginnings, then whether it holds
# `error`; all others are calls that took place.
OUTCOMES: Final = {
    "voicemail": Outcome.VOICEMAIL,
    "customer-busy": Outcome.BUSY,
    "call.forwarding.operator-busy": Outcome.BUSY,
    "customer-did-not-answer": Outcome.NO_ANSWER,
    "call.forwarding.no-answer": Outcome.NO_ANSWER,
    "manually-canceled": Outcome.CANCELED,
    "scheduled-call-deleted": Outcome.CANCELED,
    "call-deleted": Outcome.CANCELED,
    "call.ringing.sip-inbound-caller-hungup-before-call-connect": Outcome.CANCELED,
    "assistant-join-timed-out": Outcome.FAILED,
    "twilio-failed-to-connect-call": Outcome.FAILED,
    "twilio-reported-customer-misdialed": Outcome.FAILED,
    "vonage-failed-to-connect-call": Outcome.FAILED,
    "vonage-rejected": Outcome.FAILED,
    "customer-did-not-give-microphone-permission": Outcome.FAILED,
}
FAILURES: Final = ("assistant-request-", "assistant-not-", "phone-call-provider-", "worker-")


class VapiOptions(Options):
    """The options of a Vapi source."""

    hmac: HmacOptions = HmacOptions()
    """How the scheme `hmac` was set up at Vapi; what is left out is Vapi's default."""


_DEFAULT_HMAC: Final = HmacOptions()


def verify(delivery: Delivery, secrets: Sequence[Secret], options: VapiOptions) -> Secret:
    """The secret that proves a delivery, each by its own scheme."""
    ways = {
        "any": lambda: _verify_any(delivery),
        "hmac": lambda: options.hmac.verify(delivery),
        "standard": lambda: signing.verify_standard(delivery),
    }
    return signing.prove_by_scheme(secrets, ways, CURE)


def _verify_any(delivery: Delivery) -> Callable[[Secret], bool]:
    """Vapi's three plain ways: a bearer token, `X-Vapi-Secret`, HMAC with Vapi's defaults."""
    bearer = _strip_bearer(delivery.header("authorization"))
    given = [each for each in (bearer, delivery.header("x-vapi-secret")) if each]
    signs = None
    try:
        signs = _DEFAULT_HMAC.verify(delivery)
    except RefusedError as error:
        if not given:
            raise _explain(error) from error

    def proves(secret: Secret) -> bool:
        shown = [signing.is_equal(each, secret.value) for each in given]
        return any(shown) | (signs is not None and signs(secret))

    return proves


def _strip_bearer(value: str | None) -> str | None:
    scheme, _, token = (value or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else value


def _explain(error: RefusedError) -> RefusedError:
    if error.code is not Refusal.MISSING_SIGNATURE:
        return error
    return RefusedError(
        error.code,
        "The delivery has no usable Authorization, X-Vapi-Secret or X-Signature header: choose a"
        " credential for the server URL at Vapi.",
    )


def read(delivery: Delivery, _options: VapiOptions) -> Sequence[Reading]:
    """What a message says: the report at the end, and that a call has ended."""
    body = reading.parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return (body,)
    message = reading.find_object(body, "message")
    if not reading.find_text(message, "type"):
        return (Unreadable(reading.read_name(None), "The body has no message.type."),)
    name = reading.read_name(message["type"])
    is_report = name == "end-of-call-report"
    if not is_report and not (name == "status-update" and message.get("status") == "ended"):
        return (Ignored(name, MISPLACED if name in REQUESTS else None),)
    call = reading.find_id(message, "call.id")
    if call is None:
        return (Unreadable(name, "The message has no call.id."),)
    user_id, workspace_id = reading.find_tenant(
        *(reading.dig(message, path) for path in TENANTS),
    )
    has_consent = not _is_consent_refused(message)
    is_left_out = is_report and has_consent and _has_only_passing_link(message)
    event = Event(
        name=name,
        call=call,
        facts=_read_report(message, has_consent=has_consent) if is_report else _read_end(message),
        occurred_at=reading.find_time(message, "timestamp", "endedAt"),
        rank=30 if is_report else 10,
        is_end=True,
        is_final=is_report,
        withdrawn=frozenset() if has_consent else frozenset({"recording_url"}),
        tenant=reading.keep_known(
            reading.find_text(message, "assistant.id", "call.assistantId", "call.assistant.id"),
            reading.find_text(
                message, "phoneNumber.id", "call.phoneNumberId", "call.phoneNumber.id"
            ),
            reading.find_phone(message, *OURS),
        ),
        user_id=user_id,
        workspace_id=workspace_id,
        notices=(PASSING_LINK,) if is_left_out else (),
    )
    return (event,)


def _read_end(message: Json) -> Facts:
    """What is known of every call that has ended."""
    return reading.make_facts(
        **reading.name_sides(
            reading.read_direction(reading.dig(message, "call.type")),
            reading.find_phone(message, *CUSTOMERS),
            reading.find_phone(message, *OURS),
        ),
        started_at=reading.find_time(message, "startedAt", "call.startedAt"),
        ended_at=reading.find_time(message, "endedAt", "call.endedAt", "timestamp"),
        agent_name=reading.find_text(message, "assistant.name", "call.assistant.name"),
        agent_id=reading.find_text(
            message, "assistant.id", "call.assistantId", "call.assistant.id"
        ),
        outcome=_read_outcome(reading.find_text(message, "endedReason", "call.endedReason")),
    )


def _read_report(message: Json, *, has_consent: bool) -> Facts:
    started_at = reading.find_time(message, "startedAt", "call.startedAt")
    said = reading.find_list(message, "artifact.messages", "messages")
    facts = reading.make_facts(
        duration_seconds=_read_duration(message, started_at),
        summary=reading.find_text(message, "analysis.summary", "summary"),
        recording_url=reading.find_link(message, *RECORDINGS) if has_consent else None,
        transcript=reading.read_turns(said, "role", ("message", "content"), ROLES)
        or reading.read_lines(
            reading.find_text(message, "artifact.transcript", "transcript"), SPEAKERS
        ),
        structured_data=_read_structured(message),
    )
    return {**_read_end(message), **facts}


def _read_duration(message: Json, started_at: datetime | None) -> float | None:
    between = reading.seconds_between(
        started_at, reading.find_time(message, "endedAt", "call.endedAt")
    )
    if between is not None:
        return between
    for name, unit in (("durationSeconds", 1), ("durationMs", 0.001), ("durationMinutes", 60)):
        number = reading.find_number(message, name)
        if number is not None:
            return number * unit
    return None


def _read_structured(message: Json) -> dict[str, Json]:
    """What was extracted: nothing else, since variables and assistants may hold credentials."""
    results = reading.find_object(message, "artifact.structuredOutputs").values()
    outputs = ((reading.find_text(each, "name"), reading.dig(each, "result")) for each in results)
    return reading.collect(
        **{name: result for name, result in outputs if name}
        | {
            "success_evaluation": reading.dig(message, "analysis.successEvaluation"),
            "structured_data_multi": reading.find_list(message, "analysis.structuredDataMulti"),
        }
        | reading.find_object(message, "analysis.structuredData")
    )


def _read_outcome(reason: str | None) -> Outcome | None:
    if reason is None:
        return None
    if reason in OUTCOMES:
        return OUTCOMES[reason]
    is_failure = reason.startswith(FAILURES) or "error" in reason
    return Outcome.FAILED if is_failure else Outcome.COMPLETED


def _is_consent_refused(message: Json) -> bool:
    """Whether recording was asked for and not granted: the only such flag of all vendors."""
    consents = [
        reading.dig(message, path)
        for path in ("compliance.recordingConsent", "call.compliance.recordingConsent")
    ]
    return any(
        isinstance(each, dict) and not reading.find_text(each, "grantedAt") for each in consents
    )


def _has_only_passing_link(message: Json) -> bool:
    return (
        reading.find_link(message, *RECORDINGS) is None
        and reading.find_link(message, *PASSING) is not None
    )


def sample(secret: Secret, url: str, at: datetime, options: VapiOptions) -> Sequence[Sample]:
    """The report of one call of a minute and a half."""
    ended_at = at - timedelta(seconds=5)
    started_at = ended_at - timedelta(seconds=90)
    message = {
        "type": "end-of-call-report",
        "timestamp": int(at.timestamp() * 1000),
        "endedReason": "customer-ended-call",
        "startedAt": started_at.isoformat(),
        "endedAt": ended_at.isoformat(),
        "analysis": {"summary": "Ada asked for a quote.", "structuredData": {"seats": 12}},
        "artifact": {
            "messages": [
                {"role": "bot", "message": "Hello, this is Max.", "secondsFromStart": 1.2},
                {"role": "user", "message": "I need a quote.", "secondsFromStart": 3},
            ]
        },
        "call": {"id": f"sample-{int(at.timestamp())}", "type": "inboundPhoneCall"},
        "customer": {"number": "+12025550101"},
        "phoneNumber": {"number": "+12025550199"},
        "assistant": {"name": "Max"},
    }
    body = json.dumps({"message": message}).encode()
    return (
        Sample(
            name="end-of-call-report",
            headers={"Content-Type": "application/json", **_sign(secret, url, at, body, options)},
            body=body,
        ),
    )


def _sign(
    secret: Secret, url: str, at: datetime, body: bytes, options: VapiOptions
) -> dict[str, str]:
    if secret.scheme == "standard":
        return signing.sign_standard(secret.value, "msg_sample", at, body)
    if secret.scheme == "any":
        return {"Authorization": f"Bearer {secret.value}"}
    hmac = options.hmac
    headers = {hmac.message_id_header: "msg_sample"} if "{svix-id}" in hmac.payload else {}
    if hmac.timestamp_header:
        headers[hmac.timestamp_header] = str(int(at.timestamp()))
    delivery = Delivery(url=url, headers=tuple(headers.items()), body=body, received_at=at)
    return headers | hmac.sign(secret.value, delivery)


ADAPTER: Final = Adapter(
    vendor="vapi",
    title="Vapi",
    schemes=(
        Scheme(
            name="any",
            title="Secret or bearer token",
            hint=(
                "The token of the credential that you choose for the server URL at Vapi (kind"
                " Bearer Token, or HMAC with Vapi's own settings), or the older server secret. It"
                " is made up by you and opens nothing else; use a long random one."
            ),
            check=signing.check_secret,
        ),
        Scheme(
            name="hmac",
            title="HMAC with settings of your own",
            hint=(
                "The secret key of an HMAC credential at Vapi whose headers, algorithm or payload"
                " format you changed. Enter the same settings here as options."
            ),
            check=signing.check_secret,
        ),
        Scheme(
            name="standard",
            title="Standard Webhooks",
            hint=(
                "A secret that begins with whsec_, for an HMAC credential that was set up at Vapi"
                " to sign as Standard Webhooks does."
            ),
            check=signing.check_key,
        ),
    ),
    steps=(
        (
            "At Vapi, make a credential of the kind Bearer Token among the custom credentials of"
            " your organisation. Its token is a long password that you make up."
        ),
        "Paste that token here as the secret.",
        (
            "Open the assistant (or the organisation's settings, to cover all assistants), find the"
            " server URL, and enter this address: {url}"
        ),
        "Choose the credential that you made for the server URL.",
        (
            "Among the server messages, leave end-of-call-report switched on. The others are not"
            " needed."
        ),
        (
            "Ask whoever set Vapi up to give the server a backoff plan (retries): without one, Vapi"
            " sends each call only once, and a call that meets a moment without network is lost."
        ),
        (
            "If Vapi is connected to HubSpot already and logs calls there, switch that off, or"
            " every call is there twice."
        ),
        "Make a test call and hang up.",
    ),
    caveats=(
        "Vapi does not send a message again unless its server has a backoff plan.",
        "Calls on numbers that Vapi uses need no Twilio source: they would be there twice.",
        (
            "An assistant whose tools use the same server URL would wait for answers that do not"
            " come from here: give its tools a URL of their own."
        ),
        "Calls in the browser have no phone number and are not written to a contact.",
        "Where Vapi asks the caller for consent and it was not given, the recording is not linked.",
        "Vapi's sign-in by OAuth 2.0 for server URLs is not supported: use a bearer token.",
    ),
    options=VapiOptions,
    # A bearer token is no header of Vapi's alone, but scanners send none.
    signature_headers=("authorization", "x-vapi-secret", "x-signature", "webhook-signature"),
    verify=verify,
    read=read,
    sample=sample,
)
