"""Receives webhooks: checks who signed and what is said, and hands the call to intake."""

from flask import Blueprint, Response, request
from opentelemetry.trace import SpanKind

from api.answers.base import answer
from api.answers.sync_log import CallAccepted, WebhookIgnored
from api.bodies import parse_model, parse_object, read_body
from api.call_ended import EVENT_TYPE, CallEnded
from api.errors import InvalidRequestError
from api.intake import accept_call
from api.services import services
from shared.metrics import WEBHOOK_SECONDS, WEBHOOKS
from shared.tracing import TRACEPARENT, span

blueprint = Blueprint("calls", __name__, url_prefix="/api/webhooks")


@blueprint.after_request
def count_answer(response: Response) -> Response:
    WEBHOOKS.labels(response.status_code).inc()
    return response


@blueprint.post("/call-ended")
def receive_call() -> Response:
    traceparent = request.headers.get(TRACEPARENT)
    with (
        WEBHOOK_SECONDS.time(),
        span("webhook call-ended", SpanKind.SERVER, traceparent=traceparent),
    ):
        return _receive()


def _receive() -> Response:
    body = read_body()
    signers = services().verifier.verify(body, dict(request.headers))
    event = parse_object(body)
    event_type = event.get("type")
    if not isinstance(event_type, str):
        raise InvalidRequestError.of("type", f'must be a string; "{EVENT_TYPE}" is recorded')
    if event_type != EVENT_TYPE:
        return answer(WebhookIgnored(), 202)
    call = parse_model(CallEnded, event).data
    signers.require(call.workspace_id)
    stored = accept_call(call)
    return answer(CallAccepted(id=stored.log_id, duplicate=stored.is_duplicate), 202)
