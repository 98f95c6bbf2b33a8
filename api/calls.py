"""Receives webhooks: a call that ended is stored durably, then its connection is woken."""

import structlog
from flask import Blueprint, Response, request
from structlog.contextvars import bound_contextvars

from api.answers import CallAccepted, WebhookIgnored, answer
from api.bodies import parse_model, parse_object, read_body
from api.call_ended import EVENT_TYPE, CallEnded
from api.errors import InvalidRequestError
from api.services import services
from shared.calls import store_call
from shared.metrics import WEBHOOKS

log = structlog.get_logger(__name__)

blueprint = Blueprint("calls", __name__, url_prefix="/api/webhooks")


@blueprint.after_request
def count_answer(response: Response) -> Response:
    WEBHOOKS.labels(response.status_code).inc()
    return response


@blueprint.post("/call-ended")
def receive_call() -> Response:
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
    with services().database.begin() as session:
        stored = store_call(
            session,
            user_id=call.user_id,
            workspace_id=call.workspace_id,
            call_id=call.call_id,
            phone_number=call.customer_number,
            payload=call.details().to_payload(),
        )
    with bound_contextvars(log_id=stored.log_id):
        if stored.connection_id is not None:
            services().waker.wake(stored.connection_id)
        log.info(
            "call_accepted",
            connection_id=stored.connection_id,
            is_duplicate=stored.is_duplicate,
        )
    return answer(CallAccepted(id=stored.log_id, duplicate=stored.is_duplicate), 202)
