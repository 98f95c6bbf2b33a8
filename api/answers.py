"""The shapes of every answer: what views fill in, and what the OpenAPI document describes.

Times are epoch milliseconds or null, ids are strings.
"""

from datetime import datetime
from typing import Annotated, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from shared.reasons import Status
from shared.settings import MatchPolicy

ConnectionState = Literal["connected", "disconnected", "reconnect_required"]


def _epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


Moment = Annotated[
    datetime,
    PlainSerializer(_epoch_ms),
    WithJsonSchema({"type": "integer", "description": "epoch milliseconds"}),
]


class Answer(BaseModel):
    # What has a default is sent too, so the document may promise it.
    model_config = ConfigDict(
        serialize_by_alias=True,
        validate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class Success(Answer):
    success: Literal[True] = True


class CallAccepted(Success):
    id: str
    duplicate: bool


class WebhookIgnored(Success):
    ignored: Literal[True] = True


class AuthorizationStarted(Success):
    model_config = ConfigDict(alias_generator=to_camel)

    auth_url: str


class Counts(Answer):
    """`pending` is now and at most 10,000; the others are of the last 24 hours."""

    pending: int
    success: int
    error: int
    skipped: int


class ConnectionStatus(Success):
    model_config = ConfigDict(alias_generator=to_camel)

    connected: bool = False
    state: ConnectionState = "disconnected"
    hub_id: str | None = None
    token_expires_at: Moment | None = None
    connected_at: Moment | None = None
    last_sync_at: Moment | None
    paused_until: Moment | None = None
    pause_reason: str | None = None
    counts: Counts


class ConnectionSettings(Answer):
    default_region: str
    match_policy: MatchPolicy


class Disconnected(Success):
    message: Literal["HubSpot disconnected successfully"] = "HubSpot disconnected successfully"


class LogEntry(Answer):
    """What became of one call."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    call_id: str
    contact_id: str | None
    engagement_id: str | None
    status: Status
    error_code: str | None
    error_message: str | None
    phone_number: str | None
    attempts: int
    next_attempt_at: Moment | None
    created_at: Moment
    updated_at: Moment


class LogPage(Success):
    """`total` is exact up to 10,000; `next_cursor` is null on the last page."""

    logs: list[LogEntry]
    total: int
    total_exact: bool
    limit: int
    offset: int
    next_cursor: str | None


class LogAttempt(Answer):
    """One try of the call; `correlation_id` is what HubSpot's support asks for."""

    model_config = ConfigDict(from_attributes=True)

    started_at: Moment
    duration_ms: int
    outcome: str
    error_code: str | None
    message: str | None
    http_status: int | None
    correlation_id: str | None


class LogDetail(Success):
    """`contact_url` is the contact's page in HubSpot."""

    log: LogEntry
    attempts: list[LogAttempt]
    contact_url: str | None


class Requeued(Success):
    """`ignored` calls are synced, wait already, have lost their contents, or are not there."""

    requeued: int
    ignored: int


class Alive(Success):
    pass


class Ready(Success):
    postgres: Literal["ok"] = "ok"
    schema_revision: str
    redis: Literal["ok", "degraded"]


class FieldProblem(Answer):
    field: str
    message: str


class Problem(Answer):
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    code: str
    message: str
    fields: list[FieldProblem] = []


class Failure(Answer):
    """Every error; `fields` names what is wrong in a request, and is left out elsewhere."""

    success: Literal[False] = False
    error: Problem


def answer(body: Answer, status: int = 200) -> Response:
    """Send an answer as JSON."""
    return Response(body.model_dump_json(), status, mimetype="application/json")
