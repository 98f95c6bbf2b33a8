"""Trying the service out."""

from api.description.operations.failures import (
    CHANGING,
    HUBSPOT_NOT_ASKED,
    JSON_BODY,
    NO_CONNECTION,
    READ_ONLY,
    TOO_OFTEN,
    UNAUTHORIZED,
)
from api.description.operations.operation import Operation
from api.description.operations.samples import CONTACT_URL, LOG_ID
from api.responses.trials import Preview, PreviewedContact, SentTestCall
from api.trying.previews import PreviewOrder
from api.trying.trials import OrderedTestCall
from shared.reasons import NOT_FOUND_MESSAGE, Reason, Status

NOTE_HTML = (
    "<p><strong>Inbound call</strong><br>Phone: (202) 555-0123</p>"
    "<p><strong>Summary</strong><br>Wants a demo.</p>"
    "<p>Call ID: preview · Ref: hs_preview</p>"
)

OPERATIONS = (
    Operation(
        method="post",
        path="/api/hubspot/test-call",
        name="sendTestCall",
        tag="trials",
        summary="Send a test call",
        description=(
            "Stores a finished call as the webhook would, marked as a test in its summary. If a"
            " contact has the number, a note is written to it. At most 10 a minute."
        ),
        answer=SentTestCall,
        answered={"sent": SentTestCall(id=LOG_ID, call_id="test_5f2b1c9d8e7a")},
        status=202,
        failures=(*JSON_BODY, *CHANGING),
        security="bearer",
        body=OrderedTestCall,
        asked={"a number": {"phone_number": "+1 202 555 0123"}},
    ),
    Operation(
        method="post",
        path="/api/hubspot/preview",
        name="preview",
        tag="trials",
        summary="Which contact a number would match, and how the note would look",
        description=(
            "Asks HubSpot within the account's limits, and writes nothing. `status` and"
            " `error_code` are what the sync log would say. At most 10 a minute."
        ),
        answer=Preview,
        answered={
            "match": Preview(
                phone_number="+12025550123",
                region="US",
                contacts=[
                    PreviewedContact(
                        id="701",
                        name="Ada Lovelace",
                        email="ada@example.com",
                        phone="(202) 555-0123",
                        url=CONTACT_URL,
                    )
                ],
                contact_id="701",
                status=Status.SUCCESS,
                note_html=NOTE_HTML,
            ),
            "nobody": Preview(
                phone_number="+12025550123",
                region="US",
                error_code=Reason.CONTACT_NOT_FOUND,
                message=NOT_FOUND_MESSAGE,
                note_html=NOTE_HTML,
            ),
        },
        failures=(
            *(*JSON_BODY, UNAUTHORIZED, READ_ONLY),
            *(NO_CONNECTION, TOO_OFTEN, HUBSPOT_NOT_ASKED),
        ),
        security="bearer",
        body=PreviewOrder,
        asked={
            "a number": {"phone_number": "(202) 555-0123"},
            "with a call": {
                "phone_number": "(202) 555-0123",
                "call": {"direction": "inbound", "summary": "Wants a demo."},
            },
        },
    ),
)
