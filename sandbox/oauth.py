"""The OAuth endpoints that an app's server calls: token, introspect, revoke and uninstall."""

import secrets
from typing import Any

from sandbox.config import OAuthApp
from sandbox.exchange import ApiRequest, Endpoint
from sandbox.grants import AccessToken, Grant
from sandbox.refusals import RefusedError
from sandbox.replies import Reply

USER_ID = 222_222
USER = "admin@example.com"


def issue_token(request: ApiRequest) -> Reply:
    """Exchange a code, or refresh. Every failure is a 400 with OAuth's and HubSpot's fields."""
    app = _authenticated_app(request)
    grant_type = request.form.get("grant_type")
    if grant_type == "authorization_code":
        grant = _grant_from_code(request, app)
    elif grant_type == "refresh_token":
        grant = _grant_from_refresh_token(request, app)
    else:
        raise _refused("BAD_GRANT_TYPE", "unsupported_grant_type", "unknown grant type")
    behaviour = request.world.behaviour
    access_token = request.world.authorizations.issue_access_token(
        grant, behaviour.access_token_seconds
    )
    body = {
        "token_type": "bearer",
        "token_use": "access_token",
        "refresh_token": grant.refresh_token,
        "access_token": access_token,
        "user_id": USER_ID,
        "expires_in": behaviour.access_token_seconds,
    }
    if behaviour.names_account:
        body |= {"hub_id": grant.hub.hub_id, "scopes": list(grant.scopes)}
    return Reply(200, body)


def introspect_token(request: ApiRequest) -> Reply:
    """Describe a token of the app; any other is answered `{"active": false}` with 200."""
    app = _authenticated_app(request)
    server = request.world.authorizations
    text = request.form.get("token", "")
    access = server.access_tokens.get(text)
    if access is not None:
        is_live = server.seconds_left(access) > 0 and not access.grant.is_uninstalled
        grant = access.grant if is_live else None
    else:
        grant = server.grant_of_refresh_token(text)
    if grant is None or grant.app is not app:
        return Reply(200, {"active": False})
    body = {
        "active": True,
        "token": text,
        "token_type": "Bearer",
        "token_use": "refresh_token",
        "hub_id": grant.hub.hub_id,
        "user_id": USER_ID,
        "user": USER,
        "hub_domain": "example.com",
        "client_id": app.client_id,
        "app_id": 1_234_444,
        "scopes": list(grant.scopes),
    }
    if access is not None:
        body |= _access_token_fields(access, server.seconds_left(access))
    return Reply(200, body)


def revoke_token(request: ApiRequest) -> Reply:
    """Revoke a refresh token; access tokens live on. An unknown token is answered 200 too."""
    app = _authenticated_app(request)
    grant = request.world.authorizations.grant_of_refresh_token(request.form.get("token", ""))
    if grant is not None and grant.app is app:
        grant.is_revoked = True
    return Reply(200, {})


def uninstall(request: ApiRequest) -> Reply:
    """Uninstall the app from the caller's account: every token of it there ends."""
    if request.grant is not None:
        request.world.authorizations.uninstall(request.hub, request.grant.app)
    return Reply(204)


def _authenticated_app(request: ApiRequest) -> OAuthApp:
    app = request.world.authorizations.apps.get(request.form.get("client_id", ""))
    if app is None:
        raise _refused("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id")
    if not secrets.compare_digest(
        app.client_secret.encode(), request.form.get("client_secret", "").encode()
    ):
        raise _refused("BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret")
    return app


def _grant_from_code(request: ApiRequest, app: OAuthApp) -> Grant:
    server = request.world.authorizations
    redirect_uri = request.form.get("redirect_uri", "")
    if redirect_uri not in app.redirect_uris:
        raise _refused("BAD_REDIRECT_URI", "invalid_request", "missing or invalid redirect uri")
    authorization = server.take_authorization(request.form.get("code", ""))
    if (
        authorization is None
        or authorization.app is not app
        or authorization.redirect_uri != redirect_uri
    ):
        raise _refused("BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code")
    if authorization.expires_at <= request.world.now():
        raise _refused("EXPIRED_AUTH_CODE", "invalid_grant", "auth code has expired")
    if not authorization.is_proven_by(request.form.get("code_verifier")):
        raise _refused("BAD_CODE_VERIFIER", "invalid_grant", "missing or invalid code verifier")
    return server.grant_for(authorization)


def _grant_from_refresh_token(request: ApiRequest, app: OAuthApp) -> Grant:
    world = request.world
    grant = world.authorizations.grant_of_refresh_token(request.form.get("refresh_token", ""))
    if grant is None or grant.app is not app:
        raise _refused(
            "BAD_REFRESH_TOKEN", "invalid_grant", "refresh token is invalid, expired or revoked"
        )
    if grant.hub.hub_id not in world.hubs:
        raise _refused("BAD_HUB", "access_denied", "missing or unknown hub id")
    if world.behaviour.rotates_refresh_tokens:
        world.authorizations.rotate(grant)
    return grant


def _access_token_fields(token: AccessToken, seconds_left: float) -> dict[str, Any]:
    return {
        "token_use": "access_token",
        "expires_in": int(seconds_left),
        "is_private_distribution": False,
        "signed_access_token": {
            "expiresAt": int(token.expires_at * 1000),
            "hubId": token.grant.hub.hub_id,
            "userId": USER_ID,
            "hublet": "na1",
            "isUserLevel": False,
        },
    }


def _refused(status: str, error: str, message: str) -> RefusedError:
    """Return a token endpoint's 400: `status` is HubSpot's code, `error` is RFC 6749's."""
    return RefusedError(400, message, error=error, error_description=message, status=status)


def _rules(path: str) -> tuple[str, str]:
    return f"/oauth/{{version}}{path}", f"/oauth/v3{path}"


_UNINSTALL = ("/appinstalls/{version}/external-install", "/appinstalls/v3/external-install")
ENDPOINTS = (
    Endpoint("oauth.token", "POST", _rules("/token"), issue_token, None),
    Endpoint("oauth.introspect", "POST", _rules("/token/introspect"), introspect_token, None),
    Endpoint("oauth.revoke", "POST", _rules("/token/revoke"), revoke_token, None),
    Endpoint("oauth.uninstall", "DELETE", _UNINSTALL, uninstall, ("oauth",)),
)
