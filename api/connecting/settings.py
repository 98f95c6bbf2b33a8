"""The settings of a tenant's connection: how numbers are read and matched, what calls become."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self

import structlog
from flask import Blueprint, Response
from pydantic import AfterValidator, Field
from sqlalchemy.orm import Session
from typing_extensions import TypeAliasType

from api.connecting.choices import (
    CHANGE,
    CHOSEN,
    Activity,
    CallRules,
    ChoicesChange,
    Kept,
    WriteWhen,
    describe_choices,
    read_change,
)
from api.connecting.phone_properties import PhoneProperties, SettingWarning, warn_of_refused
from api.context.services import services
from api.context.tenants import current_tenant, find_own_connection, guard, open_to_viewers
from api.description.operations import Operation
from api.http.bodies import read_model, takes_body
from api.http.errors import KIB
from api.http.responses import ResponseModel, respond
from api.log.auditing import audit
from shared.calls.choices import merge_choices
from shared.configuration import settings as configuration
from shared.connections.accounts import forget_refused_properties, load_account
from shared.connections.lifecycle import CONNECTED, ensure_connection
from shared.log.replays import requeue_batch
from shared.log.sync_logs import LogFilter
from shared.matching.preferences import phone_properties_of, policy_of, region_of
from shared.models import Connection
from shared.phone import validate_region
from shared.privacy.audit import Action
from shared.reasons import Reason, Status

log = structlog.get_logger(__name__)

blueprint = Blueprint("settings", __name__, url_prefix="/api/hubspot")
guard(blueprint)

# Calls of which it was not known who the customer is, when own numbers change; the newest.
LOOKED_UP_AGAIN: Final = 1_000
LOOKED_UP_AGAIN_OF: Final = timedelta(days=7)

MatchPolicy = TypeAliasType(
    "MatchPolicy",
    Annotated[
        configuration.MatchPolicy,
        Field(
            description="Which of several contacts with the number gets the note: the one that"
            " changed last, the oldest one, or none of them."
        ),
    ],
)


class ConnectionSettings(ResponseModel):
    """How numbers are read and matched, which calls are written, when, and with what."""

    default_region: str
    """The two-letter region of numbers without a country code."""
    match_policy: MatchPolicy
    phone_properties: list[str]
    """Contact properties that are searched besides phone and mobile phone, by internal name."""
    own_numbers: list[str]
    """Your own phone numbers, which are never the customer's, in E.164."""
    activity: Activity
    write_when: WriteWhen
    keep: Kept
    rules: CallRules
    warnings: list[SettingWarning] = Field(default=[], exclude_if=lambda warnings: not warnings)
    """What HubSpot did not accept when it was used last; absent where it did."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        refused = ["direct_line"]
        numbers = {"default_region": "US", "match_policy": "most_recent"}
        usual = describe_choices(None, activity="note")
        chosen = merge_choices(
            None,
            {
                "own_numbers": ["+12025550100"],
                "write_when": "complete",
                "keep": {"transcript": False},
                "rules": {"min_duration_seconds": 10, "skip_outcomes": ["voicemail"]},
            },
        )
        return {
            "defaults": cls.model_validate({**numbers, "phone_properties": [], **usual}),
            "set": cls.model_validate(
                {**numbers, "phone_properties": [], **describe_choices(chosen, activity="note")}
            ),
            "with a property that HubSpot refuses": cls.model_validate(
                {
                    **numbers,
                    "phone_properties": refused,
                    **usual,
                    "warnings": warn_of_refused(refused, refused),
                }
            ),
        }


class SettingsChange(ChoicesChange):
    """New values; null goes back to the service's default, what is absent stays.

    `keep` and `rules` change by key; lists are replaced as a whole.
    """

    model_config = CHANGE

    default_region: Annotated[str, AfterValidator(validate_region)] | None = None
    """The two-letter region of numbers without a country code."""
    match_policy: MatchPolicy | None = None
    phone_properties: PhoneProperties | None = None


@blueprint.get("/settings")
@open_to_viewers
@Operation("getSettings", "connection", response=ConnectionSettings)
def show_settings() -> Response:
    """How phone numbers are read and matched, which calls are written, when, and with what.

    The workspace's own settings; where it has none, those of the service.
    """
    with services().database.begin() as session:
        described = _describe_settings(session, find_own_connection(session))
    return respond(described)


@blueprint.patch("/settings")
@takes_body(64 * KIB)  # three lists of numbers
@Operation(
    "updateSettings",
    "connection",
    body=SettingsChange,
    asked={
        "all": {
            "default_region": "DE",
            "match_policy": "skip",
            "phone_properties": ["hs_whatsapp_phone_number"],
        },
        "which calls": {
            "own_numbers": ["+12025550100"],
            "rules": {"min_duration_seconds": 10, "skip_outcomes": ["voicemail"]},
        },
        "back to the default": {"match_policy": None, "rules": {"min_duration_seconds": None}},
    },
    response=ConnectionSettings,
)
def change_settings() -> Response:
    """Change some settings.

    What is absent stays; null goes back to the service's. Holds from the next look-up on: `keep`
    and `activity` for what comes in from then on, `rules` and `write_when` for every call that is
    not written yet. Calls that a changed rule has left out are looked at again by a retry of the
    filter `{"error_code": "filtered"}`.
    """
    tenant = current_tenant()
    change = read_model(SettingsChange)
    with services().database.begin() as session:
        connection = ensure_connection(
            session, user_id=tenant.user_id, workspace_id=tenant.workspace_id
        )
        apply_change(connection, change)
        if "phone_properties" in change.model_fields_set and connection.hub_id is not None:
            forget_refused_properties(session, connection.hub_id)
        if names := sorted(change.model_fields_set):
            audit(session, Action.SETTINGS_CHANGED, **asdict(tenant), names=names)
        described = _describe_settings(session, connection)
    log.info("settings_changed", connection_id=connection.id, names=names)
    if "own_numbers" in names:
        _look_up_again(connection)
    return respond(described)


def apply_change(connection: Connection, change: SettingsChange) -> None:
    """Set what a change says, stored or only to be tried out; raises InvalidRequestError."""
    for name in change.model_fields_set.difference(CHOSEN):
        setattr(connection, name, getattr(change, name))
    region = region_of(connection, services().settings)
    if chosen := read_change(change, region=region):
        connection.choices = merge_choices(connection.choices, chosen)


def _look_up_again(connection: Connection) -> None:
    """Have calls looked at of which it was not known which number is the customer's."""
    wanted = LogFilter(
        user_id=connection.user_id,
        workspace_id=connection.workspace_id,
        statuses=(Status.SKIPPED,),
        error_code=Reason.UNKNOWN_DIRECTION,
        since=datetime.now(UTC) - LOOKED_UP_AGAIN_OF,
    )
    with services().database.begin() as session:
        requeued = requeue_batch(session, wanted, size=LOOKED_UP_AGAIN, after=None).requeued
    if requeued and connection.state == CONNECTED:
        services().waker.wake(connection.id)


def _describe_settings(session: Session, connection: Connection | None) -> ConnectionSettings:
    settings, names = services().settings, phone_properties_of(connection)
    hub_id = connection.hub_id if connection is not None else None
    refused = load_account(session, hub_id).refused_properties if hub_id is not None else ()
    return ConnectionSettings(
        default_region=region_of(connection, settings),
        match_policy=policy_of(connection, settings),
        phone_properties=list(names),
        warnings=warn_of_refused(names, refused),
        **describe_choices(
            connection.choices if connection is not None else None, activity=settings.activity
        ),
    )
