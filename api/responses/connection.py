"""Answers about the connection to HubSpot."""

from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.responses.base import Answer, Moment, Success
from api.responses.policies import MatchPolicy


class ConnectionState(StrEnum):
    """Whether calls can be synced, and if not, whether it takes a new consent."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    RECONNECT_REQUIRED = "reconnect_required"


class AuthorizationStarted(Success):
    """Where the browser goes next."""

    model_config = ConfigDict(alias_generator=to_camel)

    auth_url: str
    """HubSpot's consent page. Good for 10 minutes and one use."""


class Counts(Answer):
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


class SettingWarning(Answer):
    """A setting that is stored but cannot be used as it is."""

    field: str
    """The setting."""
    message: str
    """What is wrong and how to mend it."""


class ConnectionSettings(Answer):
    """How numbers are read and matched."""

    default_region: str
    """The two-letter region of numbers without a country code."""
    match_policy: MatchPolicy
    phone_properties: list[str]
    """Contact properties that are searched besides phone and mobile phone, by internal name."""
    warnings: list[SettingWarning] = Field(default=[], exclude_if=lambda warnings: not warnings)
    """What HubSpot did not accept when it was used last; absent where it did."""


class Disconnected(Success):
    """The connection has ended; HubSpot is told in the background."""

    message: Literal["HubSpot disconnected successfully"] = "HubSpot disconnected successfully"
    """For people."""
