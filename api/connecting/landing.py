"""Where the browser returns to after HubSpot's consent, and the outcome in its address."""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from api.http.errors import InvalidRequestError
from shared.configuration.setting_values import DEFAULT_PORTS, origin

MAX_URL: Final = 2048
# Browsers drop some of these and read a backslash as a slash, so what they open would be another;
# halves of surrogate pairs no URL can hold.
_TREACHEROUS: Final = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
OWN_PARAMETERS: Final = frozenset({"hubspot", "code", "message"})


class Failure(StrEnum):
    """Why connecting did not succeed: `code` of the landing."""

    ACCESS_DENIED = "access_denied"
    INVALID_STATE = "invalid_state"
    INSTALLED_IN_HUBSPOT = "installed_in_hubspot"
    EXPIRED_CODE = "expired_code"
    BROWSER_MISMATCH = "browser_mismatch"
    CANCELLED = "cancelled"
    TOO_OFTEN = "too_many_requests"
    HUBSPOT_UNAVAILABLE = "hubspot_unavailable"
    CONFIGURATION_ERROR = "configuration_error"
    MISSING_SCOPES = "missing_scopes"
    INTERNAL_ERROR = "internal_error"


MESSAGES: Final = {
    Failure.ACCESS_DENIED: "Access was not allowed in HubSpot. Nothing was connected.",
    Failure.INVALID_STATE: "This link was used already or is too old. Start connecting again.",
    Failure.INSTALLED_IN_HUBSPOT: (
        "The app was installed from HubSpot. Open your dashboard and press Connect to finish:"
        " HubSpot will not ask again."
    ),
    Failure.EXPIRED_CODE: "HubSpot's permission expired before it was used. Connect again.",
    Failure.BROWSER_MISMATCH: (
        "Connecting was started in another browser. Start it again in this one."
    ),
    Failure.CANCELLED: "Connecting was cancelled. Nothing was connected.",
    Failure.TOO_OFTEN: (
        "Too many attempts to connect came from your network. Wait a minute and try again."
    ),
    Failure.HUBSPOT_UNAVAILABLE: "HubSpot did not answer as it should. Try again in a moment.",
    Failure.CONFIGURATION_ERROR: (
        "This service is not set up correctly for HubSpot. Please tell its operators."
    ),
    Failure.MISSING_SCOPES: (
        "HubSpot did not grant every permission that is needed. Connect again and allow all."
    ),
    Failure.INTERNAL_ERROR: "Something went wrong here. Try again in a moment.",
}


def check_return_to(url: str, allowed_origins: Collection[str]) -> str:
    """Return a URL that the browser may be sent to; raises InvalidRequestError."""
    problem = InvalidRequestError.of("return_to", "must be a URL of one of the allowed origins")
    if len(url) > MAX_URL or _TREACHEROUS.search(url):
        raise problem
    try:
        parts = urlsplit(url)
        is_allowed = (
            parts.scheme in DEFAULT_PORTS
            and parts.username is None
            and parts.password is None
            and origin(url) in allowed_origins
        )
    except ValueError as error:
        raise problem from error
    if not is_allowed:
        raise problem
    return url


def landing_url(return_to: str, failure: Failure | None = None) -> str:
    """Add the outcome to a URL, in place of an earlier one."""
    outcome = {"hubspot": "connected"}
    if failure is not None:
        outcome = {"hubspot": "error", "code": failure.value, "message": MESSAGES[failure]}
    parts = urlsplit(return_to)
    kept = [
        pair
        for pair in parse_qsl(parts.query, keep_blank_values=True)
        if pair[0] not in OWN_PARAMETERS
    ]
    return parts._replace(query=urlencode([*kept, *outcome.items()])).geturl()
