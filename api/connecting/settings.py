"""The settings of a tenant's connection: how numbers are read and matched."""

from dataclasses import asdict
from typing import Annotated, Self

import structlog
from flask import Blueprint, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from typing_extensions import TypeAliasType

from api.connecting.phone_properties import PhoneProperties, SettingWarning, warn_of_refused
from api.context.services import services
from api.context.tenants import current_tenant, find_own_connection, guard, open_to_viewers
from api.description.operations import Operation
from api.http.bodies import read_model
from api.http.responses import ResponseModel, respond
from api.log.auditing import audit
from shared.configuration import settings as configuration
from shared.connections.accounts import forget_refused_properties, load_account
from shared.connections.lifecycle import ensure_connection
from shared.matching.preferences import phone_properties_of, policy_of, region_of
from shared.models import Connection
from shared.phone import validate_region
from shared.privacy.audit import Action

log = structlog.get_logger(__name__)

blueprint = Blueprint("settings", __name__, url_prefix="/api/hubspot")
guard(blueprint)

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
    """How numbers are read and matched."""

    default_region: str
    """The two-letter region of numbers without a country code."""
    match_policy: MatchPolicy
    phone_properties: list[str]
    """Contact properties that are searched besides phone and mobile phone, by internal name."""
    warnings: list[SettingWarning] = Field(default=[], exclude_if=lambda warnings: not warnings)
    """What HubSpot did not accept when it was used last; absent where it did."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        refused = ["direct_line"]
        return {
            "set": cls(default_region="US", match_policy="most_recent", phone_properties=[]),
            "with a property that HubSpot refuses": cls(
                default_region="US",
                match_policy="most_recent",
                phone_properties=refused,
                warnings=warn_of_refused(refused, refused),
            ),
        }


class SettingsChange(BaseModel):
    """New values; null goes back to the service's default, what is absent stays."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    default_region: Annotated[str, AfterValidator(validate_region)] | None = None
    """The two-letter region of numbers without a country code."""
    match_policy: MatchPolicy | None = None
    phone_properties: PhoneProperties | None = None


@blueprint.get("/settings")
@open_to_viewers
@Operation("getSettings", "connection", response=ConnectionSettings)
def show_settings() -> Response:
    """How phone numbers are read and matched.

    The workspace's own settings; where it has none, those of the service.
    """
    with services().database.begin() as session:
        described = _describe_settings(session, find_own_connection(session))
    return respond(described)


@blueprint.patch("/settings")
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
        "back to the default": {"match_policy": None},
    },
    response=ConnectionSettings,
)
def change_settings() -> Response:
    """Change some settings.

    What is absent stays; null goes back to the service's. Holds from the next look-up on.
    """
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
    return respond(described)


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
