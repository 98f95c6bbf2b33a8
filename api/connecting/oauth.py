"""Starts an authorization: the dashboard asks for HubSpot's consent page."""

import base64
import hashlib
import secrets
from dataclasses import asdict
from typing import Final, Self

import structlog
from flask import Blueprint, Response, request
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from api.connecting.landing import check_return_to
from api.context.services import services
from api.context.tenants import current_tenant, guard
from api.description.operations import Operation
from api.http.responses import Success, respond
from shared.configuration.setting_values import origin
from shared.configuration.settings import ApiSettings
from shared.connections.oauth_states import (
    LIFETIME_S,
    Authorization,
    hash_secret,
    may_be_secret,
    new_secret,
    store_state,
)

log = structlog.get_logger(__name__)

blueprint = Blueprint("oauth", __name__, url_prefix="/api/hubspot/oauth")
guard(blueprint)

VERIFIER_BYTES: Final = 48


class AuthorizationStarted(Success):
    """Where the browser goes next."""

    model_config = ConfigDict(alias_generator=to_camel)

    auth_url: str
    """HubSpot's consent page. Good for 10 minutes and one use."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        url = "https://app.hubspot.com/oauth/authorize?client_id=…&state=…"
        return {"started": cls(auth_url=url)}


@blueprint.get("/initiate")
@Operation(
    "initiateHubSpotOAuth",
    "connection",
    parameters={
        "return_to": "Where the browser returns to, within the allowed origins; the configured page"
        " if left out."
    },
    response=AuthorizationStarted,
)
def start_authorization() -> Response:
    """Start connecting.

    Send the browser to `authUrl`, in a popup or as it is. HubSpot asks for consent and sends it
    back to the callback, which sends it on to `return_to`.
    """
    tenant, settings = current_tenant(), services().settings
    return_to = request.args.get("return_to") or settings.dashboard_url
    if return_to != settings.dashboard_url:
        check_return_to(return_to, settings.trusted_origins)
    browser_key = _browser_key(settings) if settings.oauth_binding != "confirm" else None
    asks = _is_our_own_page(settings)
    state, verifier = new_secret(), secrets.token_urlsafe(VERIFIER_BYTES)
    authorization = Authorization(
        user_id=tenant.user_id,
        workspace_id=tenant.workspace_id,
        code_verifier=verifier,
        browser_hash=hash_secret(browser_key) if browser_key else None,
        return_to=return_to,
        asks=asks,
    )
    with services().database.begin() as session:
        store_state(session, state, authorization, services().cipher)
    url = services().oauth.authorize_url(state=state, code_challenge=_challenge(verifier))
    response = respond(AuthorizationStarted(auth_url=url))
    if browser_key:
        _set_browser_key(response, settings, browser_key)
    log.info("oauth_started", binding=settings.oauth_binding, asks=asks, **asdict(tenant))
    return response


def _is_our_own_page(settings: ApiSettings) -> bool:
    """Whether the built-in page asks, which serves whoever is signed in by its address.

    A link may sign somebody in as another user, and have them connect their own account for that
    user: the cookie would prove nothing. Scripts cannot change the headers by which browsers say
    that a page of our origin asks. A browser that sends none is known by where the page wants to
    return to, which our page always says.
    """
    own = origin(settings.public_url)
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    if request.headers.get("Origin", own) != own:
        return False
    return_to = request.args.get("return_to", "")
    return return_to != "" and origin(return_to) == own


def browser_cookie(settings: ApiSettings) -> str:
    """The cookie's name; its prefix keeps sibling domains from setting it."""
    is_secure = settings.public_url.startswith("https://")
    return "__Host-callsync_browser" if is_secure else "callsync_browser"


def _browser_key(settings: ApiSettings) -> str:
    """The browser's key, kept while it has one: two tabs may connect side by side."""
    known = request.cookies.get(browser_cookie(settings), "")
    return known if may_be_secret(known) else new_secret()


def _set_browser_key(response: Response, settings: ApiSettings, key: str) -> None:
    response.set_cookie(
        browser_cookie(settings),
        key,
        max_age=LIFETIME_S,
        path="/",
        secure=settings.public_url.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )


def _challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
