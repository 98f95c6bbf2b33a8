"""What a person who waits for HubSpot is told when it could not be asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from redis import RedisError

from api.http.errors import RETRY_AFTER_S, ConflictError, TryLaterError
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

NOT_CONNECTED: Final = "HubSpot is not connected. Connect it first."
RECONNECT_REQUIRED: Final = "HubSpot withdrew its permission. Reconnect HubSpot first."
MISSING_SCOPES: Final = "HubSpot did not grant what this needs. Reconnect HubSpot and allow all."

_CONFLICTS: Final = (
    (ConnectionEndedError, "not_connected", NOT_CONNECTED),
    (GrantRevokedError, "reconnect_required", RECONNECT_REQUIRED),
    (MissingScopesError, "missing_scopes", MISSING_SCOPES),
)
# The first that fits is told.
_DELAYS: Final = (
    (
        OutOfBudgetError,
        "rate_limited",
        "HubSpot's limit of searches is used up for the moment. Try again soon.",
    ),
    (
        RateLimitedError,
        "rate_limited",
        "HubSpot's limit of requests is used up for the moment. Try again soon.",
    ),
    (TokenBusyError, "busy", "The connection's token is being renewed. Try again soon."),
    (
        ConfigurationError,
        "configuration_error",
        "HubSpot refuses this service's own credentials. Please tell its operators.",
    ),
    (NetworkError, "network_error", "HubSpot cannot be reached. Try again in a moment."),
    (
        HubSpotError,
        "hubspot_unavailable",
        "HubSpot did not answer as it should. Try again in a moment.",
    ),
    (
        RedisError,
        "limits_unavailable",
        "HubSpot's limits cannot be looked up. Try again in a moment.",
    ),
)


@contextmanager
def told_to_person() -> Iterator[None]:
    """Turn what goes wrong with HubSpot in the block into an ApiError that says what to do."""
    try:
        yield
    except (HubSpotError, OutOfBudgetError, TokenBusyError, ConnectionEndedError, RedisError) as e:
        log.warning("hubspot_not_asked", error=type(e).__name__)
        for kind, code, message in _CONFLICTS:
            if isinstance(e, kind):
                raise ConflictError(message, code=code) from e
        code, message = next((code, words) for kind, code, words in _DELAYS if isinstance(e, kind))
        seconds = e.retry_after if isinstance(e, RetryLaterError) else None
        raise TryLaterError(message, code=code, retry_after_s=seconds or RETRY_AFTER_S) from e
