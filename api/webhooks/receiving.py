"""Receives webhooks: checks who signed and what is said, and hands the calls to intake."""

from contextlib import ExitStack
from http import HTTPStatus
from typing import Final, Literal, Self

from flask import Blueprint, Response, request
from opentelemetry.trace import SpanKind
from pydantic import Field
from werkzeug.exceptions import RequestEntityTooLarge

from api.context.rationing import admit_calls, admit_signer, give_back
from api.context.services import services
from api.description.operations import Failures, Operation
from api.http.bodies import MAX_BODY_BYTES, read_body, refuse_compressed, takes_body
from api.http.errors import (
    ApiError,
    BusyError,
    InvalidRequestError,
    InvalidSignatureError,
    OverQuotaError,
    UnavailableError,
    UnsupportedEncodingError,
    WebhookTooLargeError,
    WrongWorkspaceError,
)
from api.http.responses import Success, respond
from api.http.webhook_json import parse_event
from api.intake.call_ended import CallEnded, CallsEnded, parse_call
from api.intake.json_arrays import is_array
from api.intake.signatures import Signature, Signers
from api.log.entries import LOG_ID, IntakeWarning, describe_warnings
from api.webhooks.accepting import accept_call
from api.webhooks.arrays import (
    MAX_ARRAY_BYTES,
    CallsReceived,
    CheckedArray,
    NoCallAcceptedError,
    WebhookFailure,
    check_array,
    count_elements,
    store_array,
)
from shared.calls.intake import NewCall
from shared.telemetry.metrics import WEBHOOK_SECONDS, WEBHOOKS
from shared.telemetry.tracing import TRACEPARENT, carried, span

blueprint = Blueprint("calls", __name__, url_prefix="/api/webhooks")


class CallAccepted(Success):
    """The call is stored durably and will be worked on."""

    id: str
    """Its entry in the sync log; the first delivery's if this is a copy."""
    duplicate: bool
    """Whether it was stored before, and this delivery says nothing new of it."""
    updated: bool
    """Whether it was stored before, and this delivery completes or changes it."""
    warnings: list[IntakeWarning] = Field(default=[], exclude_if=lambda warnings: not warnings)
    """What of this delivery was left out, cut or guessed; absent if nothing was."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        warnings = [*IntakeWarning.examples().values()]
        return {
            "accepted": cls(id=LOG_ID, duplicate=False, updated=False),
            "with a warning": cls(id=LOG_ID, duplicate=False, updated=False, warnings=warnings),
            "more of a call": cls(id=LOG_ID, duplicate=False, updated=True),
            "copy": cls(id=LOG_ID, duplicate=True, updated=False),
        }


class WebhookIgnored(Success):
    """The webhook is of another type and was not recorded."""

    ignored: Literal[True] = True
    """Always true."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {"ignored": cls()}


INVALID_WEBHOOK: Final = Failures(
    "InvalidWebhook",
    "A single call has wrong fields, the body cannot be read, or every call of an array is refused;"
    " `fields` or `results` name what is wrong.",
    (InvalidRequestError.of("data.call_id", "Field required"), NoCallAcceptedError),
    WebhookFailure,
)
UNAVAILABLE: Final = Failures(
    "WebhookUnavailable",
    "The database is away, another array of more than 1 MiB is being stored, or more calls come in"
    " for the tenant than `WEBHOOK_CALLS_PER_MINUTE` allows. Send it again: what was stored is"
    " known.",
    (BusyError, OverQuotaError, UnavailableError),
)


@blueprint.after_request
def count_response(response: Response) -> Response:
    WEBHOOKS.labels(response.status_code).inc()
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        give_back()
    return response


# A slash behind it is a slip of whoever typed it: a POST that is redirected is lost.
@blueprint.post("/call-ended", strict_slashes=False)
@takes_body(None)
@Operation(
    "receiveCall",
    "webhooks",
    is_signed=True,
    body=CallEnded | CallsEnded,
    asked={
        "inbound call": {
            "type": "call.ended",
            "timestamp": "2026-11-22T10:00:00Z",
            "data": {
                "call_id": "call_xyz",
                "user_id": "user_1",
                "workspace_id": "ws_1",
                "phone_number": "+12025550123",
                "direction": "inbound",
                "from_number": "+12025550123",
                "to_number": "+12025550100",
                "started_at": "2026-11-22T09:57:00Z",
                "ended_at": "2026-11-22T10:00:00Z",
                "duration_seconds": 180,
                "summary": "Customer interested in product demo.",
                "recording_url": "https://recordings.example.com/call_xyz.wav",
                "transcript": [{"role": "user", "text": "I would like to see a demo."}],
                "agent_name": "Reception",
                "structured_data": {"intent": "demo"},
            },
        },
        "what came later": {
            "type": "call.updated",
            "timestamp": "2026-11-22T10:01:00Z",
            "data": {
                "call_id": "call_xyz",
                "user_id": "user_1",
                "workspace_id": "ws_1",
                "summary": "Customer interested in product demo.",
                "final": True,
            },
        },
        "as little as possible": {
            "type": "call.ended",
            "data": {"call_id": "call_abc", "user_id": "user_1", "workspace_id": "ws_1"},
        },
        "earlier calls": [
            {
                "call_id": "call_1",
                "user_id": "user_1",
                "workspace_id": "ws_1",
                "phone_number": "+12025550123",
                "started_at": "2026-01-02T03:04:05Z",
                "summary": "Asked for the price list.",
            },
            {
                "type": "call.ended",
                "data": {"call_id": "call_2", "user_id": "user_1", "workspace_id": "ws_1"},
            },
        ],
    },
    sent_headers={
        "webhook-id": "Names the delivery; part of what is signed.",
        "webhook-timestamp": "Epoch seconds, at most 5 minutes off; part of what is signed.",
    },
    response=CallAccepted | WebhookIgnored | CallsReceived,
    examples={
        **CallAccepted.examples(),
        **WebhookIgnored.examples(),
        **CallsReceived.examples(),
    },
    status=202,
    failures=(
        INVALID_WEBHOOK,
        InvalidSignatureError,
        Failures.of(WrongWorkspaceError, response=WebhookFailure),
        WebhookTooLargeError,
        UnsupportedEncodingError,
        UNAVAILABLE,
    ),
)
def receive_call() -> Response:
    """Record a finished call, or up to 1,000 earlier ones.

    A response of 202 means that the call is stored durably: it ends as one note, or with a reason
    in the sync log. HubSpot being down, no connection, or a number that cannot be read never fails
    a webhook. The call's identity is user, workspace and `call_id`: sent again with more or other
    facts, as `call.ended` or `call.updated`, it completes the same note, and the response says
    `updated`; with nothing new it says `duplicate`. Only its type, the three ids, and JSON that is
    broken refuse it: a field of another kind is read where it can be read (`"67"` is 67, epochs are
    times, a text may be a transcript), else it is left out; what is longer than a note is cut.
    `warnings` names what was left out, cut or guessed. Send it again after any 5xx. The typed
    client has no method for it, because signing needs the secret.

    An array of up to 1,000 calls and 16 MiB, each of at most 1 MiB, is signed as one body; its
    calls are synced behind live ones. A call that is wrong refuses only itself: `results` has
    each in order.
    """
    traceparent = request.headers.get(TRACEPARENT)
    with (
        WEBHOOK_SECONDS.time(),
        span("webhook call-ended", SpanKind.SERVER, traceparent=traceparent),
    ):
        return _receive()


def _receive() -> Response:
    announced = request.content_length
    size = MAX_BODY_BYTES if announced is None else announced
    if size > MAX_ARRAY_BYTES:
        raise WebhookTooLargeError(
            "The body is larger than 16 MiB. Send an array of calls in several, or a shorter"
            " transcript: one call has at most 1 MiB."
        )
    refuse_compressed()
    # Before a byte of the body is read, or waits for room.
    signature = services().verifier.read(request.headers)
    with ExitStack() as held:
        if size > MAX_BODY_BYTES:
            services().array_slots.require_free()
            held.enter_context(services().array_room.taken(size))
        held.enter_context(services().room.taken(size))
        return _record(_check(signature, size, held))


def _record(checked: NewCall | CheckedArray | None) -> Response:
    if checked is None:
        return respond(WebhookIgnored(), 202)
    if isinstance(checked, CheckedArray):
        return store_array(checked)
    stored = accept_call(checked)
    return respond(
        CallAccepted(
            id=stored.log_id,
            duplicate=stored.is_duplicate,
            updated=stored.is_updated,
            warnings=describe_warnings(checked.warnings),
        ),
        202,
    )


def _check(signature: Signature, size: int, held: ExitStack) -> NewCall | CheckedArray | None:
    """What is to be stored of a body; None if it is of no interest.

    The body is gone when this returns, and what is kept of it is no larger. A large array has the
    slot for them from when it is known to be genuine until `held` is closed.
    """
    body = _read(size)
    signers = services().verifier.verify(body, signature)
    if is_array(body):
        if len(body) > MAX_BODY_BYTES:
            held.enter_context(services().array_slots.held())
        admit_signer(services().quotas.importing, signers, len(body))
        with services().room.parsing(len(body)):
            return _check_array(body, signers)
    admit_signer(services().quotas.calling, signers, len(body))
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    with services().room.parsing(len(body)):
        call = parse_call(parse_event(body), carried())
    if call is not None:
        signers.require(user_id=call.user_id, workspace_id=call.workspace_id)
        admit_calls(services().quotas.calling, signers, [call], len(body))
    return call


def _check_array(body: bytes, signers: Signers) -> CheckedArray:
    quota = services().quotas.importing
    try:
        checked = check_array(body, signers)
    except ApiError:
        admit_calls(quota, signers, [], len(body), refused=count_elements(body))
        raise
    admit_calls(
        quota,
        signers,
        checked.calls,
        len(body),
        refused=len(checked.refused),
        ignored=len(checked.ignored),
    )
    return checked


def _read(size: int) -> bytes:
    if size <= MAX_BODY_BYTES:
        return read_body()
    request.max_content_length = MAX_ARRAY_BYTES
    return read_body(MAX_ARRAY_BYTES)
