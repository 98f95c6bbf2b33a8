"""Receives webhooks: checks who signed and what is said, and hands the calls to intake."""

from collections.abc import Callable

from flask import Blueprint, Response, request
from opentelemetry.trace import SpanKind
from werkzeug.exceptions import RequestEntityTooLarge

from api.answers.base import answer
from api.answers.sync_log import CallAccepted, WebhookIgnored, describe_warnings
from api.bodies import MAX_BODY_BYTES, read_body
from api.body_limits import takes_body
from api.call_arrays import MAX_ARRAY_BYTES, CheckedArray, check_array, store_array
from api.call_ended import parse_call
from api.errors import TooLargeError
from api.intake import accept_call
from api.json_arrays import is_array
from api.rationing import admit_calls, admit_signer
from api.services import services
from api.signatures import SIGNATURE_HEADERS
from api.webhook_json import parse_event
from shared.calls import NewCall
from shared.metrics import WEBHOOK_SECONDS, WEBHOOKS
from shared.tracing import TRACEPARENT, carried, span

blueprint = Blueprint("calls", __name__, url_prefix="/api/webhooks")


@blueprint.after_request
def count_answer(response: Response) -> Response:
    WEBHOOKS.labels(response.status_code).inc()
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
        raise TooLargeError("The array is larger than 16 MiB. Send it in several.")
    if size > MAX_BODY_BYTES:
        with services().array_slots.held(), services().room.taken(size):
            return _record(_read_large_array)
    with services().room.taken(size):
        return _record(read_body)


def _read_large_array() -> bytes:
    request.max_content_length = MAX_ARRAY_BYTES
    body = read_body(MAX_ARRAY_BYTES)
    if not is_array(body):
        raise RequestEntityTooLarge
    return body


def _record(read: Callable[[], bytes]) -> Response:
    checked = _check(read)  # the body is gone, and what is kept of it no larger
    if checked is None:
        return answer(WebhookIgnored(), 202)
    if isinstance(checked, CheckedArray):
        return store_array(checked)
    stored = accept_call(checked)
    return answer(
        CallAccepted(
            id=stored.log_id,
            duplicate=stored.is_duplicate,
            warnings=describe_warnings(checked.warnings),
        ),
        202,
    )


def _check(read: Callable[[], bytes]) -> NewCall | CheckedArray | None:
    """What is to be stored of a body; None if it is of no interest."""
    body = read()
    given = request.headers
    sent = {name: value for name in SIGNATURE_HEADERS if (value := given.get(name)) is not None}
    with services().room.parsing(len(body)):
        signers = services().verifier.verify(body, sent)
        admit_signer(signers, len(body))
        if is_array(body):
            checked = check_array(body, signers)
            admit_calls(signers, checked.calls, len(body))
            return checked
        call = parse_call(parse_event(body), carried())
        if call is not None:
            signers.require(user_id=call.user_id, workspace_id=call.workspace_id)
            admit_calls(signers, [call], len(body))
        return call
