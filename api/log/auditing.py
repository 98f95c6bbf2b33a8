"""The audit trail as requests write it, and as the tenant reads it."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final, Self

from flask import Blueprint, Response, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.orm import Session

from api.context.senders import client_address
from api.context.services import services
from api.context.tenants import current_tenant, guard, open_to_viewers
from api.description.operations import Operation
from api.http.queries import decode_cursor, encode_cursor, read_count, read_query
from api.http.responses import Moment, ResponseModel, Success, respond
from api.log.entries import CAME_IN
from shared.privacy.audit import Action, Actor, Deed, find_deeds, record_deed

blueprint = Blueprint("auditing", __name__, url_prefix="/api/hubspot/audit")
guard(blueprint)

MOST_PER_PAGE: Final = 200
_CURSOR: Final = re.compile(r"a(0|[1-9]\d{0,17})", re.ASCII)


def audit(
    session: Session, action: Action, *, user_id: str, workspace_id: str, **details: Any
) -> None:
    """Record what the current request does, in its transaction.

    Args:
        session: The transaction of what is done.
        action: What that is.
        user_id: Whose connection or calls, with `workspace_id`.
        workspace_id: See `user_id`.
        details: Ids, names of settings, counts; nothing that a person said or is called by.
    """
    record_deed(
        session,
        Deed(
            user_id=user_id,
            workspace_id=workspace_id,
            actor=Actor.USER,
            action=action,
            address=client_address(),
            details=details,
        ),
    )


def write_cursor(deed_id: int) -> str:
    return encode_cursor(f"a{deed_id}")


def read_cursor(cursor: object) -> int:
    """The id that `write_cursor` was given; raises ValueError for anything else."""
    return int(decode_cursor(cursor, _CURSOR)[1])


class DeedShown(ResponseModel):
    """One thing that somebody did."""

    at: Moment
    """When, in epoch milliseconds."""
    actor: Actor
    """The workspace's user, or an operator of this service."""
    action: Action
    """What was done."""
    address: str | None
    """From which network address; null at the command line."""
    details: dict[str, Any]
    """Ids, names of settings, counts."""


class AuditPage(Success):
    """What was done, newest first."""

    entries: list[DeedShown]
    next_cursor: str | None
    """For the next page; null after the last entry."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        connected = DeedShown(
            at=CAME_IN,
            actor=Actor.USER,
            action=Action.CONNECTED,
            address="203.0.113.7",
            details={"hub_id": "62515"},
        )
        retried = DeedShown(
            at=CAME_IN - timedelta(hours=1),
            actor=Actor.OPERATOR,
            action=Action.RETRIED,
            address=None,
            details={"calls": 12},
        )
        return {"page": cls(entries=[connected, retried], next_cursor=write_cursor(4711))}


class AuditQuery(BaseModel):
    """Which page is asked for."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    limit: Annotated[
        int, Field(ge=1, le=MOST_PER_PAGE, examples=[20]), BeforeValidator(read_count)
    ] = 50
    """How many entries."""
    cursor: Annotated[int, BeforeValidator(read_cursor, json_schema_input_type=str)] | None = None
    """The `next_cursor` of the page before."""


@blueprint.get("")
@open_to_viewers
@Operation("getAuditTrail", "audit trail", response=AuditPage, query=AuditQuery)
def list_deeds() -> Response:
    """Who did what, newest first.

    Connections made and ended, settings changed, exports, retries, test calls, erasures, sessions
    ended: by the workspace's user, or by an operator of this service. An entry is committed
    together with what it records, and deleted after `AUDIT_RETENTION_DAYS`. It holds no phone
    number, no word of a call and no secret.
    """
    tenant, query = current_tenant(), read_query(AuditQuery, request.args)
    with services().database.begin() as session:
        found = find_deeds(
            session,
            user_id=tenant.user_id,
            workspace_id=tenant.workspace_id,
            limit=query.limit + 1,
            before=query.cursor,
        )
    page = found[: query.limit]
    return respond(
        AuditPage(
            entries=[DeedShown.model_validate(each, from_attributes=True) for each in page],
            next_cursor=write_cursor(page[-1].id) if len(found) > len(page) else None,
        )
    )
