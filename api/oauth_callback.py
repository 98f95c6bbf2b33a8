"""Finishes an authorization: HubSpot sends the browser here, and here it confirms.

Every way through ends in a redirect to the page that asked, or first in the page that confirms.
"""

import secrets
from typing import Final

import structlog
from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from api.authorizations import (
    ConnectingError,
    describe_account,
    finish_connecting,
    obtain_grant,
)
from api.landing import Failure, landing_url
from api.oauth import browser_cookie
from api.services import services
from shared.crypto import UndecryptableError
from shared.oauth_states import Authorization, hash_secret, take_state
from shared.pending_grants import give_up_pending_grant, store_pending_grant, take_pending_grant
from shared.setting_values import origin

log = structlog.get_logger(__name__)

blueprint = Blueprint("oauth_callback", __name__, url_prefix="/api/hubspot/oauth")

# OAuth errors (RFC 6749 §4.1.2.1) that are not the person's decision or HubSpot's trouble.
OUR_ERRORS: Final = frozenset(
    {"invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type"}
)


@blueprint.get("/callback")
def receive_consent() -> Response:
    work = services()
    with work.database.begin() as session:
        authorization = take_state(session, request.args.get("state", ""))
    if authorization is None:
        was_denied = "state" not in request.args and request.args.get("error") == "access_denied"
        return _land(Failure.ACCESS_DENIED if was_denied else Failure.INVALID_STATE)
    try:
        _require_browser(authorization)
        grant = obtain_grant(work, authorization, _read_code())
    except ConnectingError as error:
        return _land(error.failure, authorization.return_to)
    if work.settings.oauth_binding == "confirm":
        with work.database.begin() as session:
            secret = store_pending_grant(session, authorization, grant, work.encrypt)
        return _ask(secret, describe_account(work, grant), authorization)
    finish_connecting(
        work, user_id=authorization.user_id, workspace_id=authorization.workspace_id, grant=grant
    )
    return _land(None, authorization.return_to)


@blueprint.post("/confirm")
def confirm_connection() -> Response:
    work = services()
    if not _is_same_origin():
        return _land(Failure.BROWSER_MISMATCH)
    secret = request.form.get("grant", "")
    if request.form.get("decision") != "connect":
        with work.database.begin() as session:
            return_to = give_up_pending_grant(session, secret)
        return _land(Failure.CANCELLED if return_to else Failure.INVALID_STATE, return_to)
    try:
        with work.database.begin() as session:
            confirmed = take_pending_grant(session, secret, work.cipher)
    except UndecryptableError:
        log.exception("pending_grant_undecryptable")
        return _land(Failure.CONFIGURATION_ERROR)
    if confirmed is None:
        return _land(Failure.INVALID_STATE)
    finish_connecting(
        work,
        user_id=confirmed.user_id,
        workspace_id=confirmed.workspace_id,
        grant=confirmed.grant,
    )
    return _land(None, confirmed.return_to)


@blueprint.errorhandler(Exception)
def land_after_error(error: Exception) -> Response:
    """A person is looking: whatever happened, the browser goes back to where it came from."""
    log.error("oauth_broke_off", exc_info=error)
    return _land(Failure.INTERNAL_ERROR)


def _require_browser(authorization: Authorization) -> None:
    """In `cookie` binding, raise ConnectingError unless this browser started it."""
    settings = services().settings
    if settings.oauth_binding != "cookie":
        return
    key = request.cookies.get(browser_cookie(settings), "")
    if not secrets.compare_digest(hash_secret(key), authorization.browser_hash or b""):
        raise ConnectingError(Failure.BROWSER_MISMATCH)


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


def _ask(secret: str, account: str, authorization: Authorization) -> Response:
    page = render_template(
        "confirm.html", secret=secret, account=account, authorization=authorization
    )
    response = make_response(page)
    # A form's policy also covers the redirect that follows it.
    targets = " ".join(services().settings.trusted_origins)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';"
        f" form-action 'self' {targets}"
    )
    return response


def _land(failure: Failure | None, return_to: str | None = None) -> Response:
    if failure is not None:
        log.info("oauth_failed", failure=failure.value)
    return redirect(landing_url(return_to or services().settings.dashboard_url, failure), 302)
