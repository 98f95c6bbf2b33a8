"""Connecting, and the state of the connection."""

from datetime import timedelta

from api.connecting.connection import SettingsChange
from api.connecting.phone_properties import warn_of_refused
from api.description.operations.failures import CHANGING, DASHBOARD, INVALID, JSON_BODY
from api.description.operations.operation import Operation
from api.description.operations.samples import CAME_IN
from api.responses.connection import (
    AuthorizationStarted,
    ConnectionSettings,
    ConnectionState,
    ConnectionStatus,
    Counts,
    Disconnected,
)

OPERATIONS = (
    Operation(
        method="get",
        path="/api/hubspot/oauth/initiate",
        name="initiateHubSpotOAuth",
        tag="connection",
        summary="Start connecting",
        description=(
            "Send the browser to `authUrl`, in a popup or as it is. HubSpot asks for consent and"
            " sends it back to the callback, which sends it on to `return_to`."
        ),
        answer=AuthorizationStarted,
        answered={
            "started": AuthorizationStarted(
                auth_url="https://app.hubspot.com/oauth/authorize?client_id=…&state=…"
            )
        },
        failures=(INVALID, *CHANGING),
        security="bearer",
        parameters={
            "return_to": "Where the browser returns to, within the allowed origins; the configured"
            " page if left out."
        },
    ),
    Operation(
        method="get",
        path="/api/hubspot/oauth/callback",
        name="finishHubSpotOAuth",
        tag="connection",
        summary="Where HubSpot sends the browser",
        description=(
            "Not to be called by programs. Redirects to the page that was asked for with"
            " `hubspot=connected`, or with `hubspot=error`, `code` and `message`."
        ),
        status=302,
        media_type=None,
        page=(
            "Asks whether this account goes to this workspace, unless the browser brings the cookie"
            " of `initiate` (see `OAUTH_BINDING`)."
        ),
        headers={"Location": "The page, with the outcome in its query."},
        parameters={
            "code": "By HubSpot.",
            "state": "By HubSpot, as it was given.",
            "error": "By HubSpot, when access was denied.",
        },
    ),
    Operation(
        method="post",
        path="/api/hubspot/oauth/confirm",
        name="confirmHubSpotOAuth",
        tag="connection",
        summary="The form that confirms a connection",
        description="Not to be called by programs. Redirects like the callback.",
        status=302,
        media_type=None,
        headers={"Location": "The page, with the outcome in its query."},
        form={
            "grant": "From the page that asks.",
            "decision": "`connect`; anything else connects nothing.",
        },
        asked={"cancel": {"grant": "from-the-page", "decision": "cancel"}},
    ),
    Operation(
        method="get",
        path="/api/hubspot/status",
        name="getHubSpotStatus",
        tag="connection",
        summary="The state of the connection, and counts of calls",
        description=(
            "Costs the same whatever the length of the sync log. Poll it with If-None-Match: an"
            " answer of 304 has no body."
        ),
        answer=ConnectionStatus,
        answered={
            "connected": ConnectionStatus(
                connected=True,
                state=ConnectionState.CONNECTED,
                hub_id="62515",
                token_expires_at=CAME_IN + timedelta(minutes=30),
                connected_at=CAME_IN - timedelta(days=3),
                last_sync_at=CAME_IN,
                webhook_seen=True,
                counts=Counts(pending=2, success=120, error=1, skipped=7),
            ),
            "reconnect required": ConnectionStatus(
                state=ConnectionState.RECONNECT_REQUIRED,
                hub_id="62515",
                token_expires_at=CAME_IN,
                connected_at=CAME_IN - timedelta(days=3),
                last_sync_at=CAME_IN,
                reconnect_reason="missing or invalid refresh token",
                webhook_seen=True,
                counts=Counts(pending=0, success=120, error=9, skipped=7),
            ),
            "new workspace, and a token that may only look": ConnectionStatus(
                last_sync_at=None,
                webhook_seen=False,
                can_change=False,
                counts=Counts(pending=0, success=0, error=0, skipped=0),
            ),
        },
        failures=DASHBOARD,
        security="bearer",
        is_conditional=True,
    ),
    Operation(
        method="get",
        path="/api/hubspot/settings",
        name="getSettings",
        tag="connection",
        summary="How phone numbers are read and matched",
        description="The workspace's own settings; where it has none, those of the service.",
        answer=ConnectionSettings,
        answered={
            "set": ConnectionSettings(
                default_region="US", match_policy="most_recent", phone_properties=[]
            ),
            "with a property that HubSpot refuses": ConnectionSettings(
                default_region="US",
                match_policy="most_recent",
                phone_properties=["direct_line"],
                warnings=warn_of_refused(["direct_line"], {"direct_line"}),
            ),
        },
        failures=DASHBOARD,
        security="bearer",
    ),
    Operation(
        method="patch",
        path="/api/hubspot/settings",
        name="updateSettings",
        tag="connection",
        summary="Change some settings",
        description="What is absent stays; null goes back to the service's. Holds from the next"
        " look-up on.",
        answer=ConnectionSettings,
        answered={
            "changed": ConnectionSettings(
                default_region="DE",
                match_policy="skip",
                phone_properties=["hs_whatsapp_phone_number"],
            )
        },
        failures=(*JSON_BODY, *CHANGING),
        security="bearer",
        body=SettingsChange,
        asked={
            "all": {
                "default_region": "DE",
                "match_policy": "skip",
                "phone_properties": ["hs_whatsapp_phone_number"],
            },
            "back to the default": {"match_policy": None},
        },
    ),
    Operation(
        method="delete",
        path="/api/hubspot/disconnect",
        name="disconnectHubSpot",
        tag="connection",
        summary="Disconnect",
        description=(
            "Answers at once, and the same when there is no connection. No note is written from"
            " then on; HubSpot is told in the background. Calls that wait end as `not_connected`"
            " and are synced when the same account is connected again within 7 days."
        ),
        answer=Disconnected,
        answered={"disconnected": Disconnected()},
        failures=CHANGING,
        security="bearer",
    ),
)
