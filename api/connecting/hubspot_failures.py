"""The errors of routes that ask HubSpot: it is not connected, or cannot be asked now."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from redis import RedisError

from api.description.operations import Failures
from api.http.errors import (
    RETRY_AFTER_S,
    BusyError,
    ConflictError,
    TryLaterError,
    UnavailableError,
)
from shared.connections.access_tokens import ConnectionEndedError, TokenBusyError
from shared.hubspot.errors import (
    ConfigurationError,
    GrantRevokedError,
    HubSpotError,
    MissingScopesError,
    NetworkError,
    RateLimitedError,
    RetryLaterError,
)
from shared.pacing.client import OutOfBudgetError

log = structlog.get_logger(__name__)


class NotConnectedError(ConflictError):
    code = "not_connected"
    usual = "HubSpot is not connected. Connect it first."


class ReconnectRequiredError(ConflictError):
    code = "reconnect_required"
    usual = "HubSpot withdrew its permission. Reconnect HubSpot first."


class ScopesMissingError(ConflictError):
    code = "missing_scopes"
    usual = "HubSpot did not grant what this needs. Reconnect HubSpot and allow all."


class PausedError(TryLaterError):
    code = "paused"
    usual = "HubSpot has asked for a pause."


class LimitSpentError(TryLaterError):
    code = "rate_limited"
    usual = "HubSpot's limit of searches is used up for the moment. Try again soon."


class UnreachableError(TryLaterError):
    code = "network_error"
    usual = "HubSpot cannot be reached. Try again in a moment."


class HubSpotUnavailableError(TryLaterError):
    code = "hubspot_unavailable"
    usual = "HubSpot did not answer as it should. Try again in a moment."


class LimitsUnavailableError(TryLaterError):
    code = "limits_unavailable"
    usual = "HubSpot's limits cannot be looked up. Try again in a moment."


class MisconfiguredError(TryLaterError):
    code = "configuration_error"
    usual = "HubSpot refuses this service's own credentials. Please tell its operators."


NO_CONNECTION: Final = Failures(
    "NoConnection",
    "HubSpot is not connected, or has to be connected anew.",
    (NotConnectedError, ReconnectRequiredError, ScopesMissingError),
)
NOT_ASKED: Final = Failures(
    "HubSpotNotAsked",
    "HubSpot cannot be asked now; the code says why.",
    (
        *(PausedError, LimitSpentError, UnreachableError, HubSpotUnavailableError),
        *(LimitsUnavailableError, MisconfiguredError, BusyError, UnavailableError),
    ),
)

_CONFLICTS: Final[tuple[tuple[type[Exception], type[ConflictError]], ...]] = (
    (ConnectionEndedError, NotConnectedError),
    (GrantRevokedError, ReconnectRequiredError),
    (MissingScopesError, ScopesMissingError),
)
# The first that fits counts: the classes of HubSpot's errors include each other.
_DELAYS: Final[tuple[tuple[type[Exception], type[TryLaterError], str], ...]] = (
    (OutOfBudgetError, LimitSpentError, ""),
    (
        RateLimitedError,
        LimitSpentError,
        "HubSpot's limit of requests is used up for the moment. Try again soon.",
    ),
    (TokenBusyError, BusyError, "The connection's token is being renewed. Try again soon."),
    (ConfigurationError, MisconfiguredError, ""),
    (NetworkError, UnreachableError, ""),
    (HubSpotError, HubSpotUnavailableError, ""),
    (RedisError, LimitsUnavailableError, ""),
)


@contextmanager
def explained() -> Iterator[None]:
    """Turn what goes wrong with HubSpot in the block into an ApiError that says what to do."""
    try:
        yield
    except (HubSpotError, OutOfBudgetError, TokenBusyError, ConnectionEndedError, RedisError) as e:
        log.warning("hubspot_not_asked", error=type(e).__name__)
        for kind, conflict in _CONFLICTS:
            if isinstance(e, kind):
                raise conflict from e
        delay, message = next((each, words) for kind, each, words in _DELAYS if isinstance(e, kind))
        seconds = e.retry_after if isinstance(e, RetryLaterError) else None
        raise delay(message, retry_after_s=seconds or RETRY_AFTER_S) from e
