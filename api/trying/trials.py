"""Trying the service out: a test call, without a telephone."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self
from uuid import uuid4

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from api.context.quotas import TEST_CALLING
from api.context.rationing import ration
from api.context.services import services
from api.context.tenants import current_tenant, guard
from api.description.operations import Operation
from api.http.bodies import read_model
from api.http.responses import Success, respond
from api.intake.call_ended import parse_data
from api.log.auditing import audit
from api.log.entries import LOG_ID
from api.webhooks.accepting import accept_call
from shared.calls.content import STRICT, StorableText
from shared.phone import MAX_TEXT
from shared.privacy.audit import Action
from shared.telemetry.tracing import carried

blueprint = Blueprint("trials", __name__, url_prefix="/api/hubspot")
guard(blueprint)

LASTED: Final = timedelta(minutes=3)
AGENT_NAME: Final = "Test call"
SUMMARY: Final = "This is a test call, sent from the dashboard. Nobody was on the telephone."


class OrderedTestCall(BaseModel):
    """Whose number the test call comes from."""

    model_config = STRICT

    phone_number: Annotated[StorableText, Field(min_length=1, max_length=MAX_TEXT)]
    """In any spelling."""


class SentTestCall(Success):
    """The test call is stored like any other."""

    id: str
    """Its entry in the sync log, where it can be followed."""
    call_id: str
    """Begins with `test_`."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {"sent": cls(id=LOG_ID, call_id="test_5f2b1c9d8e7a")}


@blueprint.post("/test-call")
@Operation(
    "sendTestCall",
    "trials",
    body=OrderedTestCall,
    asked={"a number": {"phone_number": "+1 202 555 0123"}},
    response=SentTestCall,
    status=202,
)
def send_test_call() -> Response:
    """Send a test call.

    Stores a finished call as the webhook would, marked as a test in its summary. If a contact has
    the number, a note is written to it. At most 10 a minute.
    """
    tenant, order = current_tenant(), read_model(OrderedTestCall)
    ration(TEST_CALLING, tenant)
    ended_at = datetime.now(UTC)
    call = parse_data(
        {
            "call_id": f"test_{uuid4().hex[:12]}",
            "user_id": tenant.user_id,
            "workspace_id": tenant.workspace_id,
            "phone_number": order.phone_number,
            "direction": "inbound",
            "started_at": (ended_at - LASTED).isoformat(),
            "ended_at": ended_at.isoformat(),
            "duration_seconds": LASTED.total_seconds(),
            "agent_name": AGENT_NAME,
            "summary": SUMMARY,
            "final": True,  # whatever the settings would wait for
        },
        carried(),
    )
    # The call is stored together with others', in a transaction that is nobody's own.
    with services().database.begin() as session:
        audit(session, Action.TEST_CALL_SENT, **asdict(tenant), call_id=call.call_id)
    stored = accept_call(call)
    return respond(SentTestCall(id=stored.log_id, call_id=call.call_id), 202)
