"""Finishes an authorization: HubSpot sends the browser here, and here it confirms.

Every way through ends in a redirect to the page that asked, or first in the page that confirms.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from api.connecting.authorizations import (
    ConnectingError,
    ReceivedGrant,
    describe_account,
    find_earlier_landing,
    find_replaced_account,
    finish_connecting,
    receive_grant,
)
from api.connecting.landing import Failure, landing_url
from api.connecting.oauth import browser_cookie
from api.context.rationing import may_be_named, may_return
from api.context.senders import client_address
from api.context.services import services
from api.description.operations import Operation
from api.http.errors import BusyError, TooLargeError
from shared.configuration.setting_values import origin
from shared.connections.oauth_states import Authorization, hash_secret, may_be_secret, take_state
from shared.connections.pending_grants import give_up_pending_grant

log = structlog.get_logger(__name__)

blueprint = Blueprint("oauth_callback", __name__, url_prefix="/api/hubspot/oauth")

# OAuth errors (RFC 6749 §4.1.2.1) that are not the person's decision or HubSpot's trouble.
OUR_ERRORS: Final = frozenset(
    {"invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type"}
)


LANDING: Final = {"Location": "The page, with the outcome in its query."}


@blueprint.get("/callback")
@Operation(
    "finishHubSpotOAuth",
    "connection",
    parameters={
        "code": "By HubSpot.",
        "state": "By HubSpot, as it was given.",
        "error": "By HubSpot, when access was denied.",
    },
    status=302,
    media_type=None,
    headers=LANDING,
    page="Asks whether this account goes to this workspace, unless the browser brings the cookie of"
    " `initiate` (see `OAUTH_BINDING`).",
)
def receive_consent() -> Response:
    """Where HubSpot sends the browser.

    Not to be called by programs. Redirects to the page that was asked for with `hubspot=connected`,
    or with `hubspot=error`, `code` and `message`.
    """
    work = services()
    state = request.args.get("state", "")
    if not may_be_secret(state):
        return _land_stranger(Failure.INVALID_STATE if state.strip() else _explain_missing_state())
    if not may_return():
        return _turn_away()
    with work.database.begin() as session:
        authorization = take_state(session, state, work.cipher)
    if authorization is None:
        return _land(Failure.INVALID_STATE)
    try:
        asks = _must_ask(authorization)
        code = _read_code()
        with _may_wait_for_hubspot():
            grant = receive_grant(work, authorization, code)
            account = describe_account(work, grant) if asks else ""
    except ConnectingError as error:
        return _land(error.failure, authorization.return_to)
    if asks:
        return _ask(grant, authorization, account)
    return _finish(grant.secret, authorization.return_to)


@contextmanager
def _may_wait_for_hubspot() -> Iterator[None]:
    """Be one of the few requests that do; raises ConnectingError when there are enough."""
    try:
        slot = services().consent_slots.take()
    except BusyError as error:
        raise ConnectingError(Failure.HUBSPOT_UNAVAILABLE) from error
    try:
        yield
    finally:
        slot.give_back()


@blueprint.post("/confirm")
@Operation(
    "confirmHubSpotOAuth",
    "connection",
    form={
        "grant": "From the page that asks.",
        "decision": "`connect`; anything else connects nothing.",
    },
    asked={"cancel": {"grant": "from-the-page", "decision": "cancel"}},
    status=302,
    media_type=None,
    headers=LANDING,
)
def confirm_connection() -> Response:
    """The form that confirms a connection.

    Not to be called by programs. Redirects like the callback.
    """
    work = services()
    if not _is_same_origin():
        return _land_stranger(Failure.BROWSER_MISMATCH)
    secret = request.form.get("grant", "")
    if not may_be_secret(secret):
        return _land_stranger(Failure.INVALID_STATE)
    if not may_return():
        return _turn_away()
    if request.form.get("decision") != "connect":
        with work.database.begin() as session:
            return_to = give_up_pending_grant(session, secret)
        return _land(Failure.CANCELLED, return_to) if return_to else _land_again(secret)
    return _finish(secret)


@blueprint.errorhandler(Exception)
def land_after_error(error: Exception) -> Response:
    """A person is looking: whatever happened, the browser goes back to where it came from."""
    if isinstance(error, TooLargeError | RequestEntityTooLarge):  # that was no page of ours
        return _land(Failure.INVALID_STATE)
    log.error("oauth_broke_off", exc_info=error)
    return _land(Failure.INTERNAL_ERROR)


def _explain_missing_state() -> Failure:
    """Why HubSpot sends somebody whom we did not send there."""
    if request.args.get("error") == "access_denied":
        return Failure.ACCESS_DENIED
    # Begun in HubSpot, so nobody knows for which user and workspace.
    return Failure.INSTALLED_IN_HUBSPOT if request.args.get("code") else Failure.INVALID_STATE


def _must_ask(authorization: Authorization) -> bool:
    """Whether a person has to confirm; in `cookie` binding ConnectingError for another browser."""
    settings = services().settings
    key = request.cookies.get(browser_cookie(settings), "")
    is_known = secrets.compare_digest(hash_secret(key), authorization.browser_hash or b"")
    if settings.oauth_binding == "cookie" and not is_known:
        raise ConnectingError(Failure.BROWSER_MISMATCH)
    return authorization.asks or settings.oauth_binding == "confirm" or not is_known


def _read_code() -> str:
    """The code that HubSpot sent; raises ConnectingError when it sent an error or nothing."""
    error = request.args.get("error")
    code = request.args.get("code", "")
    if error is None and code:
        return code
    log.info("oauth_refused", is_denial=error == "access_denied")
    if error == "access_denied":
        raise ConnectingError(Failure.ACCESS_DENIED)
    raise ConnectingError(
        Failure.CONFIGURATION_ERROR if error in OUR_ERRORS else Failure.HUBSPOT_UNAVAILABLE
    )


def _is_same_origin() -> bool:
    """Whether our own page posted this. Every current browser sends one of the two headers."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin") == origin(services().settings.public_url)


def _ask(grant: ReceivedGrant, authorization: Authorization, account: str) -> Response:
    work = services()
    page = render_template(
        "confirm.html",
        secret=grant.secret,
        account=account,
        replaced=find_replaced_account(work, authorization, grant.hub_id),
        authorization=authorization,
    )
    response = make_response(page)
    # A form's policy also covers the redirect that follows it.
    targets = {*work.settings.trusted_origins, origin(authorization.return_to)}
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';"
        f" form-action 'self' {' '.join(sorted(targets))}"
    )
    # Under no-referrer the form's origin would be "null", by which older browsers are recognised.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _finish(secret: str, return_to: str | None = None) -> Response:
    try:
        confirmed = finish_connecting(services(), secret)
    except ConnectingError as error:
        return _land(error.failure, return_to)
    return _land(None, confirmed) if confirmed else _land_again(secret, return_to)


def _land_again(secret: str, return_to: str | None = None) -> Response:
    """Land where the first click on the page did: that one decided."""
    earlier = find_earlier_landing(services(), secret)
    if earlier is None:
        return _land(Failure.INVALID_STATE, return_to)
    landed_at, failure = earlier
    return _land(failure, landed_at)


def _turn_away() -> Response:
    """Nothing was used up, and the log has no line: who does this does it many times."""
    return redirect(landing_url(services().settings.dashboard_url, Failure.TOO_OFTEN), 302)


def _land_stranger(failure: Failure) -> Response:
    """Land somebody who brings nothing that we gave out.

    It costs too little to be counted: behind a proxy that nobody counted all share one quota, and
    made-up states would use up that of those who return with a real one.
    """
    if may_be_named():
        return _land(failure)
    return redirect(landing_url(services().settings.dashboard_url, failure), 302)


def _land(failure: Failure | None, return_to: str | None = None) -> Response:
    if failure is not None:
        log.info("oauth_failed", failure=failure.value, address=client_address())
    return redirect(landing_url(return_to or services().settings.dashboard_url, failure), 302)
