"""The tenant's connection: its status, its settings and its end."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final

import structlog
from flask import Blueprint, Response
from pydantic import AfterValidator, BaseModel, ConfigDict
from sqlalchemy.orm import Session

from api.connecting.phone_properties import PhoneProperties, warn_of_refused
from api.context.services import services
from api.context.tenants import (
    current_bearer,
    current_tenant,
    find_own_connection,
    guard,
    open_to_viewers,
)
from api.http.bodies import read_model
from api.identity.auth import Tenant
from api.log.auditing import audit
from api.responses.base import answer, answer_if_changed
from api.responses.connection import (
    ConnectionSettings,
    ConnectionState,
    ConnectionStatus,
    Counts,
    Disconnected,
)
from api.responses.policies import MatchPolicy
from shared.connections.accounts import forget_refused_properties, load_account
from shared.connections.lifecycle import (
    CONNECTED,
    DISCONNECTED,
    RECONNECT_REQUIRED,
    disconnect,
    ensure_connection,
)
from shared.log.tallies import count_calls
from shared.matching.preferences import phone_properties_of, policy_of, region_of
from shared.models import Account, Connection
from shared.phone import validate_region
from shared.privacy.audit import Action
from shared.queue.marks import WRITE_WITHIN_S, may_write

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.1
# Longer than a mark is good for.
LONGEST_WAIT_S: Final = WRITE_WITHIN_S + 1

blueprint = Blueprint("connection", __name__, url_prefix="/api/hubspot")
guard(blueprint)


class SettingsChange(BaseModel):
    """New values; null goes back to the service's default, what is absent stays."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    default_region: Annotated[str, AfterValidator(validate_region)] | None = None
    """The two-letter region of numbers without a country code."""
    match_policy: MatchPolicy | None = None
    phone_properties: PhoneProperties | None = None


@blueprint.get("/status")
@open_to_viewers
def show_status() -> Response:
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
    return answer_if_changed(status)


@blueprint.get("/settings")
@open_to_viewers
def show_settings() -> Response:
    with services().database.begin() as session:
        described = _describe_settings(session, find_own_connection(session))
    return answer(described)


@blueprint.patch("/settings")
def change_settings() -> Response:
    tenant = current_tenant()
    change = read_model(SettingsChange)
    with services().database.begin() as session:
        connection = ensure_connection(
            session, user_id=tenant.user_id, workspace_id=tenant.workspace_id
        )
        for name in change.model_fields_set:
            setattr(connection, name, getattr(change, name))
        if "phone_properties" in change.model_fields_set and connection.hub_id is not None:
            forget_refused_properties(session, connection.hub_id)
        if names := sorted(change.model_fields_set):
            audit(session, Action.SETTINGS_CHANGED, **asdict(tenant), names=names)
        described = _describe_settings(session, connection)
    log.info("settings_changed", connection_id=connection.id, names=names)
    return answer(described)


@blueprint.delete("/disconnect")
def end_connection() -> Response:
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
    return answer(Disconnected())


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


def _describe_settings(session: Session, connection: Connection | None) -> ConnectionSettings:
    settings, names = services().settings, phone_properties_of(connection)
    hub_id = connection.hub_id if connection is not None else None
    refused = load_account(session, hub_id).refused_properties if hub_id is not None else ()
    return ConnectionSettings(
        default_region=region_of(connection, settings),
        match_policy=policy_of(connection, settings),
        phone_properties=list(names),
        warnings=warn_of_refused(names, refused),
    )
