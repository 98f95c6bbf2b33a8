"""The audit trail."""

from datetime import timedelta

from api.description.operations.failures import DASHBOARD, INVALID
from api.description.operations.operation import Operation
from api.description.operations.samples import CAME_IN
from api.log.auditing import AuditQuery, write_cursor
from api.responses.audit import AuditPage, DeedShown
from shared.privacy.audit import Action, Actor

OPERATIONS = (
    Operation(
        method="get",
        path="/api/hubspot/audit",
        name="getAuditTrail",
        tag="audit trail",
        summary="Who did what, newest first",
        description=(
            "Connections made and ended, settings changed, exports, retries, test calls, erasures,"
            " sessions ended: by the workspace's user, or by an operator of this service. An entry"
            " is committed together with what it tells, and deleted after `AUDIT_RETENTION_DAYS`."
            " It holds no phone number, no word of a call and no secret."
        ),
        answer=AuditPage,
        answered={
            "page": AuditPage(
                entries=[
                    DeedShown(
                        at=CAME_IN,
                        actor=Actor.USER,
                        action=Action.CONNECTED,
                        address="203.0.113.7",
                        details={"hub_id": "62515"},
                    ),
                    DeedShown(
                        at=CAME_IN - timedelta(hours=1),
                        actor=Actor.OPERATOR,
                        action=Action.RETRIED,
                        address=None,
                        details={"calls": 12},
                    ),
                ],
                next_cursor=write_cursor(4711),
            )
        },
        failures=(INVALID, *DASHBOARD),
        security="bearer",
        query=AuditQuery,
        query_example={"limit": 20},
    ),
)
