"""The tenant's connection: its status and its end."""

import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, Self

import structlog
from flask import Blueprint, Response
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from api.context.services import services
from api.context.tenants import (
    current_bearer,
    current_tenant,
    find_own_connection,
    guard,
    open_to_viewers,
)
from api.description.operations import CROWDED, Operation
from api.http.responses import Moment, ResponseModel, Success, respond, respond_if_changed
from api.identity.auth import Tenant
from api.log.auditing import audit
from api.log.entries import CAME_IN
from shared.connections.lifecycle import CONNECTED, DISCONNECTED, RECONNECT_REQUIRED, disconnect
from shared.log.tallies import count_calls
from shared.models import Account, Connection
from shared.privacy.audit import Action
from shared.queue.marks import WRITE_WITHIN_S, may_write

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.1
# Longer than a mark is good for.
LONGEST_WAIT_S: Final = WRITE_WITHIN_S + 1

blueprint = Blueprint("connection", __name__, url_prefix="/api/hubspot")
guard(blueprint)


class ConnectionState(StrEnum):
    """Whether calls can be synced, and if not, whether it takes a new consent."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    RECONNECT_REQUIRED = "reconnect_required"


class Counts(ResponseModel):
    """Calls by status."""

    pending: int
    """Waiting now, at most 10,000."""
    success: int
    """Came in within the last 24 hours, and are in HubSpot."""
    error: int
    """Came in within the last 24 hours, and failed."""
    skipped: int
    """Came in within the last 24 hours, and were left out."""


class ConnectionStatus(Success):
    """The connection, and what becomes of calls."""

    model_config = ConfigDict(alias_generator=to_camel)

    connected: bool = False
    """Whether `state` is connected."""
    state: ConnectionState = ConnectionState.DISCONNECTED
    hub_id: str | None = None
    """The HubSpot account."""
    token_expires_at: Moment | None = None
    """When the access token ends, in epoch milliseconds; it is renewed before."""
    connected_at: Moment | None = None
    """When the account was connected last, in epoch milliseconds."""
    last_sync_at: Moment | None
    """When a call was written last, in epoch milliseconds."""
    paused_until: Moment | None = None
    """Until when HubSpot has to be left alone, in epoch milliseconds; null when it has not."""
    pause_reason: str | None = None
    """Why, in words."""
    reconnect_reason: str | None = None
    """Why a new consent is needed, in HubSpot's words; null in every other state."""
    webhook_seen: bool
    """Whether this workspace ever had a call."""
    can_change: bool = True
    """Whether the token that asks may change anything; false for one that may only look."""
    counts: Counts

    @classmethod
    def examples(cls) -> dict[str, Self]:
        connected = cls(
            connected=True,
            state=ConnectionState.CONNECTED,
            hub_id="62515",
            token_expires_at=CAME_IN + timedelta(minutes=30),
            connected_at=CAME_IN - timedelta(days=3),
            last_sync_at=CAME_IN,
            webhook_seen=True,
            counts=Counts(pending=2, success=120, error=1, skipped=7),
        )
        parted = cls(
            state=ConnectionState.RECONNECT_REQUIRED,
            hub_id="62515",
            token_expires_at=CAME_IN,
            connected_at=CAME_IN - timedelta(days=3),
            last_sync_at=CAME_IN,
            reconnect_reason="missing or invalid refresh token",
            webhook_seen=True,
            counts=Counts(pending=0, success=120, error=9, skipped=7),
        )
        new = cls(
            last_sync_at=None,
            webhook_seen=False,
            can_change=False,
            counts=Counts(pending=0, success=0, error=0, skipped=0),
        )
        return {
            "connected": connected,
            "reconnect required": parted,
            "new workspace, and a token that may only look": new,
        }


class Disconnected(Success):
    """The connection has ended; HubSpot learns of it in the background."""

    message: Literal["HubSpot disconnected successfully"] = "HubSpot disconnected successfully"
    """For people."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {"disconnected": cls()}


@blueprint.get("/status")
@open_to_viewers
@Operation("getHubSpotStatus", "connection", response=ConnectionStatus, is_conditional=True)
def show_status() -> Response:
    """The state of the connection, and counts of calls.

    Costs the same whatever the length of the sync log. Poll it with If-None-Match: a response of
    304 has no body.
    """
    tenant = current_tenant()
    with services().database.begin() as session:
        connection = find_own_connection(session)
        counted = count_calls(session, user_id=tenant.user_id, workspace_id=tenant.workspace_id)
        status = ConnectionStatus(
            last_sync_at=counted.last_sync_at,
            webhook_seen=counted.has_any,
            can_change=current_bearer().may_change,
            counts=Counts(
                pending=counted.pending,
                success=counted.success,
                error=counted.error,
                skipped=counted.skipped,
            ),
        )
        if connection is not None and connection.state != DISCONNECTED:
            _describe_connection(status, connection)
            _describe_pause(status, session.get(Account, connection.hub_id))
    return respond_if_changed(status)


@blueprint.delete("/disconnect")
@Operation("disconnectHubSpot", "connection", response=Disconnected, failures=(CROWDED,))
def end_connection() -> Response:
    """Disconnect.

    Answers at once, and the same when there is no connection. No note is written from then on;
    HubSpot learns of it in the background. Calls that wait end as `not_connected` and are synced
    when the same account is connected again within 7 days.
    """
    tenant = current_tenant()
    # Taken first: nothing may have ended for whoever is sent away.
    with services().disconnect_slots.held():
        with services().database.begin() as session:
            has_ended = disconnect(
                session, user_id=tenant.user_id, workspace_id=tenant.workspace_id
            )
            if has_ended and (ended := find_own_connection(session)):
                audit(session, Action.DISCONNECTED, **asdict(tenant), hub_id=str(ended.hub_id))
        _wait_for_writes(tenant)
    log.info("hubspot_disconnected", was_connected=has_ended, **asdict(tenant))
    return respond(Disconnected())


def _wait_for_writes(tenant: Tenant) -> None:
    """Wait until no create can start any more under a mark from before the disconnect.

    No new mark is made; those that there are lead to their write within seconds, or to none.
    """
    until = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < until:
        with services().database.read() as session:
            if not may_write(session, user_id=tenant.user_id, workspace_id=tenant.workspace_id):
                return
        time.sleep(LOOK_EVERY_S)
    log.warning("writes_not_settled", **asdict(tenant))


def _describe_connection(status: ConnectionStatus, connection: Connection) -> None:
    status.connected = connection.state == CONNECTED
    status.state = ConnectionState(connection.state)
    status.hub_id = str(connection.hub_id)
    status.token_expires_at = connection.expires_at
    status.connected_at = connection.connected_at
    if connection.state == RECONNECT_REQUIRED:
        status.reconnect_reason = connection.state_reason


def _describe_pause(status: ConnectionStatus, account: Account | None) -> None:
    if account is None or account.paused_until is None:
        return
    if account.paused_until > datetime.now(UTC):
        status.paused_until = account.paused_until
        status.pause_reason = account.pause_reason
