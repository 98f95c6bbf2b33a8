"""Receives webhooks: checks who signed and what is said, and hands the calls to intake."""

from contextlib import ExitStack
from http import HTTPStatus

from flask import Blueprint, Response, request
from opentelemetry.trace import SpanKind
from werkzeug.exceptions import RequestEntityTooLarge

from api.context.rationing import admit_calls, admit_signer, give_back
from api.context.services import services
from api.http.bodies import MAX_BODY_BYTES, read_body, refuse_compressed
from api.http.body_limits import takes_body
from api.http.errors import ApiError, TooLargeError
from api.http.webhook_json import parse_event
from api.intake.call_ended import parse_call
from api.intake.json_arrays import is_array
from api.intake.signatures import Signature, Signers
from api.responses.base import answer
from api.responses.sync_log import CallAccepted, WebhookIgnored, describe_warnings
from api.webhooks.accepting import accept_call
from api.webhooks.arrays import (
    MAX_ARRAY_BYTES,
    CheckedArray,
    check_array,
    count_elements,
    store_array,
)
from shared.calls.intake import NewCall
from shared.telemetry.metrics import WEBHOOK_SECONDS, WEBHOOKS
from shared.telemetry.tracing import TRACEPARENT, carried, span

blueprint = Blueprint("calls", __name__, url_prefix="/api/webhooks")


@blueprint.after_request
def count_answer(response: Response) -> Response:
    WEBHOOKS.labels(response.status_code).inc()
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        give_back()
    return response


# A slash behind it is a slip of whoever typed it: a POST that is redirected is lost.
@blueprint.post("/call-ended", strict_slashes=False)
@takes_body(None)
def receive_call() -> Response:
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
        raise TooLargeError(
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
        return answer(WebhookIgnored(), 202)
    if isinstance(checked, CheckedArray):
        return store_array(checked)
    stored = accept_call(checked)
    return answer(
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
