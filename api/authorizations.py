"""Turning what HubSpot sent back into a grant, or into the reason why there is none."""

from dataclasses import replace

import structlog

from api.landing import Failure
from api.services import Services
from shared.connections import Grant, connect
from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import AuthorizationCodeError, ConfigurationError, HubSpotError
from shared.hubspot.models import TokenGrant
from shared.hubspot.payload import JsonObject, identifier, text
from shared.hubspot.transport import build_session
from shared.oauth_states import Authorization
from shared.pending_grants import give_up_pending_grant, store_pending_grant

log = structlog.get_logger(__name__)

# Nice to have only: a person waits.
DETAILS_TIMEOUT = (2.0, 3.0)


class ConnectingError(Exception):
    """The account cannot be connected; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


def obtain_grant(work: Services, authorization: Authorization, code: str) -> Grant:
    """Exchange a code for the tokens of an account; raises ConnectingError.

    A grant that lacks scopes is given back to HubSpot, unless the account is connected already.
    """
    try:
        token = work.oauth.exchange_code(code, code_verifier=authorization.code_verifier)
        if token.hub_id is None or not token.scopes:
            token = _complete(token, _introspect(work, token.access_token))
    except AuthorizationCodeError as error:
        raise ConnectingError(Failure.EXPIRED_CODE) from error
    except ConfigurationError as error:
        log.exception("oauth_misconfigured", category=error.category)
        raise ConnectingError(Failure.CONFIGURATION_ERROR) from error
    except HubSpotError as error:
        log.warning("oauth_exchange_failed", status=error.status, category=error.category)
        raise ConnectingError(Failure.HUBSPOT_UNAVAILABLE) from error
    if token.refresh_token is None or token.hub_id is None:
        log.warning("oauth_grant_incomplete", has_hub_id=token.hub_id is not None)
        raise ConnectingError(Failure.HUBSPOT_UNAVAILABLE)
    grant = Grant(
        access_token=token.access_token,
        refresh_token=token.refresh_token,
        expires_in=token.expires_in,
        hub_id=token.hub_id,
        ui_domain=_find_ui_domain(work, token.access_token),
        scopes=token.scopes,
    )
    # Scopes that nobody told are not missing: HubSpot's first 403 would say so.
    missing = set(work.settings.hubspot_scopes) - set(grant.scopes) if grant.scopes else set()
    if missing:
        log.warning("oauth_scopes_missing", hub_id=grant.hub_id, missing=sorted(missing))
        with work.database.begin() as session:
            secret = store_pending_grant(session, authorization, grant, work.encrypt)
            give_up_pending_grant(session, secret)
        raise ConnectingError(Failure.MISSING_SCOPES)
    return grant


def finish_connecting(work: Services, *, user_id: str, workspace_id: str, grant: Grant) -> None:
    """Store the grant as the tenant's connection and wake it."""
    with work.database.begin() as session:
        connection_id = connect(
            session,
            user_id=user_id,
            workspace_id=workspace_id,
            grant=grant,
            encrypt=work.encrypt,
        )
    log.info("hubspot_connected", connection_id=connection_id, hub_id=grant.hub_id)
    work.waker.wake(connection_id)


def describe_account(work: Services, grant: Grant) -> str:
    """The account as a person knows it: its web domain if HubSpot tells, and its number."""
    domain = text(_introspect(work, grant.access_token).get("hub_domain"))
    return f"{domain} ({grant.hub_id})" if domain else str(grant.hub_id)


def _introspect(work: Services, access_token: str) -> JsonObject:
    """What HubSpot says of a token; nothing if it does not answer."""
    try:
        return work.oauth.introspect(access_token) or {}
    except HubSpotError as error:
        log.warning("introspection_failed", status=error.status)
        return {}


def _complete(token: TokenGrant, facts: JsonObject) -> TokenGrant:
    """Add what the token endpoint left out, as HubSpot once did."""
    hub_id = identifier(facts.get("hub_id"))
    scopes = facts.get("scopes")
    granted = filter(None, map(text, scopes if isinstance(scopes, list) else []))
    return replace(
        token,
        hub_id=token.hub_id or (int(hub_id) if hub_id and hub_id.isdecimal() else None),
        scopes=token.scopes or tuple(granted),
    )


def _find_ui_domain(work: Services, access_token: str) -> str | None:
    with build_session(1) as session:
        client = HubSpotClient(
            access_token,
            api_url=work.settings.hubspot_api_url,
            session=session,
            timeout=DETAILS_TIMEOUT,
        )
        try:
            return client.account_details().ui_domain
        except HubSpotError as error:
            log.warning("account_details_failed", status=error.status)
            return None
