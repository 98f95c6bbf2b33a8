"""Turning what HubSpot sent back into a connection, or into the reason why there is none."""

from dataclasses import dataclass, replace

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.connecting.landing import Failure
from api.context.senders import client_address
from api.context.services import Services
from api.log.auditing import audit
from shared.connections.lifecycle import DISCONNECTED, connect, find_connection
from shared.connections.oauth_states import Authorization
from shared.connections.pending_grants import (
    complete_pending_grant,
    find_decided_grant,
    give_up_pending_grant,
    store_pending_grant,
    take_pending_grant,
)
from shared.crypto import UndecryptableError
from shared.database.engines import patiently
from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import AuthorizationCodeError, ConfigurationError, HubSpotError
from shared.hubspot.models import TokenGrant
from shared.hubspot.payload import JsonObject, identifier, text
from shared.hubspot.transport import build_session
from shared.privacy.audit import Action
from shared.queue.handovers import move_page

log = structlog.get_logger(__name__)

# Nice to have only: a person waits.
DETAILS_TIMEOUT = (2.0, 3.0)


class ConnectingError(Exception):
    """The account cannot be connected; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True, repr=False)
class ReceivedGrant:
    """A grant that is kept, and of which account it is; `secret` takes it."""

    secret: str
    access_token: str
    hub_id: int


def receive_grant(work: Services, authorization: Authorization, code: str) -> ReceivedGrant:
    """Exchange a code for the tokens of an account; raises ConnectingError.

    They are kept at once, because the code is spent. A grant that cannot be used is given back to
    HubSpot in the background, unless another connection has the account.
    """
    token = _exchange(work, code, authorization.code_verifier)
    if token.refresh_token is None:
        log.warning("oauth_grant_incomplete", has_refresh_token=False)
        raise ConnectingError(Failure.HUBSPOT_UNAVAILABLE)
    secret = patiently(_keep, work, authorization, token, token.refresh_token)
    if token.hub_id is None or not token.scopes:
        token = _complete(token, _introspect(work, token.access_token))
    if token.hub_id is None:
        log.warning("oauth_grant_incomplete", has_hub_id=False)
        raise _give_up(work, secret, Failure.HUBSPOT_UNAVAILABLE)
    # Where HubSpot names no scopes, none counts as missing: its first 403 would say so.
    missing = set(work.settings.hubspot_scopes) - set(token.scopes) if token.scopes else set()
    if missing:
        log.warning("oauth_scopes_missing", hub_id=token.hub_id, missing=sorted(missing))
        raise _give_up(work, secret, Failure.MISSING_SCOPES)
    ui_domain = _find_ui_domain(work, token.access_token)
    with work.database.begin() as session:
        complete_pending_grant(
            session, secret, hub_id=token.hub_id, ui_domain=ui_domain, scopes=token.scopes
        )
    return ReceivedGrant(secret, token.access_token, token.hub_id)


def _exchange(work: Services, code: str, code_verifier: str) -> TokenGrant:
    try:
        return work.oauth.exchange_code(code, code_verifier=code_verifier)
    except AuthorizationCodeError as error:
        raise ConnectingError(Failure.EXPIRED_CODE) from error
    except ConfigurationError as error:
        log.exception("oauth_misconfigured", category=error.category)
        raise ConnectingError(Failure.CONFIGURATION_ERROR) from error
    except HubSpotError as error:
        log.warning("oauth_exchange_failed", status=error.status, category=error.category)
        raise ConnectingError(Failure.HUBSPOT_UNAVAILABLE) from error


def _keep(
    work: Services, authorization: Authorization, token: TokenGrant, refresh_token: str
) -> str:
    with work.database.begin() as session:
        return store_pending_grant(session, authorization, token, refresh_token, work.encrypt)


def _give_up(work: Services, secret: str, failure: Failure) -> ConnectingError:
    with work.database.begin() as session:
        give_up_pending_grant(session, secret)
    return ConnectingError(failure)


def finish_connecting(work: Services, secret: str) -> str | None:
    """Make a kept grant its tenant's connection; returns where the browser goes.

    None when the grant is unknown, used or expired. If it fails, the grant is kept as it was.

    Raises:
        ConnectingError: The grant cannot be decrypted with the keys that this service was given.
    """
    try:
        with work.database.begin() as session:
            confirmed = take_pending_grant(session, secret, work.cipher)
            if confirmed is None:
                return None
            tenant = {"user_id": confirmed.user_id, "workspace_id": confirmed.workspace_id}
            hub_id = confirmed.grant.hub_id
            replaced = _find_other_account(session, hub_id=hub_id, **tenant)
            connection_id = connect(
                session,
                **tenant,
                grant=replace(confirmed.grant, client_id=work.oauth.client_id),
                encrypt=work.encrypt,
            )
            details = {"hub_id": str(hub_id)} | ({"replaced_hub_id": replaced} if replaced else {})
            audit(session, Action.CONNECTED, **tenant, **details)
    except UndecryptableError as error:
        log.exception("pending_grant_undecryptable")
        raise ConnectingError(Failure.CONFIGURATION_ERROR) from error
    log.info(
        "hubspot_connected",
        connection_id=connection_id,
        hub_id=hub_id,
        address=client_address(),
    )
    _begin_handover(work, connection_id)
    work.waker.wake(connection_id)
    return confirmed.return_to


def find_earlier_landing(work: Services, secret: str) -> tuple[str, Failure | None] | None:
    """Where the browser went when the grant was decided, and with what; None if it was not."""
    with work.database.read() as session:
        decided = find_decided_grant(session, secret)
    if decided is None:
        return None
    return decided.return_to, None if decided.is_connected else Failure.CANCELLED


def _begin_handover(work: Services, connection_id: str) -> None:
    """Hand over what waited, up to the first full page: few calls go on at once.

    The workers do the rest.
    """
    try:
        is_last = True
        while is_last:
            with work.database.begin() as session:
                page = move_page(session, connection_id=connection_id)
            is_last = page is not None and page.is_last
    except SQLAlchemyError as error:
        log.warning("handover_left_to_workers", error=type(error).__name__)


def find_replaced_account(work: Services, authorization: Authorization, hub_id: int) -> str | None:
    """The account that is connected now and would not be any more; None if there is none."""
    with work.database.read() as session:
        return _find_other_account(
            session,
            user_id=authorization.user_id,
            workspace_id=authorization.workspace_id,
            hub_id=hub_id,
        )


def _find_other_account(
    session: Session, *, user_id: str, workspace_id: str, hub_id: int
) -> str | None:
    """The account that the tenant has connected, if it is another one than `hub_id`."""
    known = find_connection(session, user_id=user_id, workspace_id=workspace_id)
    if known is None or known.state == DISCONNECTED or known.hub_id in {None, hub_id}:
        return None
    return str(known.hub_id)


def describe_account(work: Services, grant: ReceivedGrant) -> str:
    """The account as a person knows it: its web domain if HubSpot names it, and its number."""
    domain = text(_introspect(work, grant.access_token).get("hub_domain"))
    return f"{domain} ({grant.hub_id})" if domain else str(grant.hub_id)


def _introspect(work: Services, access_token: str) -> JsonObject:
    """What HubSpot says of a token; empty if it does not answer."""
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
