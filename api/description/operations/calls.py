"""The webhook."""

from api.description.operations.failures import (
    ENCODED,
    FIELDS_WRONG,
    INVALID_WEBHOOK,
    UNSIGNED,
    WEBHOOK_TOO_LARGE,
    WEBHOOK_UNAVAILABLE,
    WRONG_WORKSPACE,
)
from api.description.operations.operation import Operation
from api.description.operations.samples import LOG_ID, WARNING
from api.intake.call_ended import CallEnded, CallsEnded
from api.responses.base import FieldProblem, Problem
from api.responses.call_arrays import CallsReceived, RefusedResult, StoredResult
from api.responses.sync_log import CallAccepted, WebhookIgnored

OPERATIONS = (
    Operation(
        method="post",
        path="/api/webhooks/call-ended",
        name="receiveCall",
        tag="webhooks",
        summary="Record a finished call, or up to 1,000 earlier ones",
        description=(
            "An answer of 202 means that the call is stored durably: it ends as one note, or with"
            " a reason in the sync log. HubSpot being down, no connection, or a number that cannot"
            " be read never fails a webhook. The call's identity is user, workspace and `call_id`:"
            " sent again with more or other facts, as `call.ended` or `call.updated`, it completes"
            " the same note and is answered with `updated`; with nothing new, with `duplicate`."
            " Only its type, the three ids, and JSON that is broken refuse it: a field of another"
            " kind is read where it can be read"
            ' (`"67"` is 67, epochs are times, a text may be a transcript), else it is left out;'
            " what is longer than a note is cut. `warnings` names what was left out, cut or"
            " guessed. Send it again after any 5xx. The typed client has no method for it, because"
            " signing needs the secret.\n\nAn array of up to"
            " 1,000 calls and 16 MiB, each of at most 1 MiB, is signed as one body; its calls are"
            " synced behind live ones. A call that is wrong refuses only itself: `results` tells"
            " of each in order."
        ),
        answer=CallAccepted | WebhookIgnored | CallsReceived,
        answered={
            "accepted": CallAccepted(id=LOG_ID, duplicate=False, updated=False),
            "with a warning": CallAccepted(
                id=LOG_ID, duplicate=False, updated=False, warnings=[WARNING]
            ),
            "more of a call": CallAccepted(id=LOG_ID, duplicate=False, updated=True),
            "copy": CallAccepted(id=LOG_ID, duplicate=True, updated=False),
            "ignored": WebhookIgnored(),
            "array": CallsReceived(
                results=[
                    StoredResult(call_id="call_1", id=LOG_ID, duplicate=False, updated=False),
                    RefusedResult(
                        call_id="call_2",
                        error=Problem(
                            code="invalid_request",
                            message=FIELDS_WRONG,
                            fields=[FieldProblem(field="user_id", message="Field required")],
                        ),
                    ),
                ],
                accepted=1,
                refused=1,
                new=1,
                updated=0,
                duplicates=0,
            ),
        },
        status=202,
        failures=(
            *(INVALID_WEBHOOK, UNSIGNED, WRONG_WORKSPACE),
            *(WEBHOOK_TOO_LARGE, ENCODED, WEBHOOK_UNAVAILABLE),
        ),
        security="signature",
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
    ),
)
