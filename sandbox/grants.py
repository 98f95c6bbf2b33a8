"""What HubSpot's authorization server keeps: apps, codes, grants and tokens."""

import base64
import dataclasses
import hashlib
import secrets
import uuid
from collections.abc import Callable, Iterable

from sandbox.config import OAuthApp
from sandbox.hubs import Hub


@dataclasses.dataclass(frozen=True, slots=True)
class Authorization:
    """What an authorization code stands for until it is exchanged, once."""

    hub: Hub
    app: OAuthApp
    redirect_uri: str
    scopes: tuple[str, ...]
    code_challenge: str | None
    expires_at: float

    def is_proven_by(self, code_verifier: str | None) -> bool:
        """Check PKCE S256: without a challenge no verifier is needed."""
        if self.code_challenge is None:
            return True
        digest = hashlib.sha256((code_verifier or "").encode()).digest()
        expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return secrets.compare_digest(expected, self.code_challenge)


@dataclasses.dataclass(slots=True)
class Grant:
    """An app's permission in an account: alive until it is revoked or the app is uninstalled.

    Revoking ends the refresh token only; access tokens live on until they expire. Uninstalling
    ends both.
    """

    hub: Hub
    app: OAuthApp
    scopes: tuple[str, ...]
    refresh_token: str
    is_revoked: bool = False
    is_uninstalled: bool = False


@dataclasses.dataclass(slots=True)
class AccessToken:
    """An access token and when it expires, in seconds."""

    grant: Grant
    expires_at: float


class AuthorizationServer:
    """Issues and checks codes and tokens. Times are in seconds of the sandbox's clock."""

    def __init__(self, apps: Iterable[OAuthApp], now: Callable[[], float]) -> None:
        self.apps = {app.client_id: app for app in apps}
        self.access_tokens: dict[str, AccessToken] = {}
        self.grants: list[Grant] = []
        self._grants_by_refresh_token: dict[str, Grant] = {}
        self._authorizations: dict[str, Authorization] = {}
        self._now = now

    def issue_code(self, authorization: Authorization) -> str:
        """Return a code for what a person allowed."""
        code = str(uuid.uuid4())
        self._authorizations[code] = authorization
        return code

    def take_authorization(self, code: str) -> Authorization | None:
        """Return what a code stands for and forget it; None if it is unknown or was used."""
        return self._authorizations.pop(code, None)

    def grant_for(self, authorization: Authorization) -> Grant:
        """Install the app: a new grant with a refresh token."""
        grant = Grant(
            authorization.hub, authorization.app, authorization.scopes, _new_refresh_token()
        )
        self.grants.append(grant)
        self._grants_by_refresh_token[grant.refresh_token] = grant
        return grant

    def rotate(self, grant: Grant) -> None:
        """Give the grant a new refresh token; the old one ends."""
        del self._grants_by_refresh_token[grant.refresh_token]
        grant.refresh_token = _new_refresh_token()
        self._grants_by_refresh_token[grant.refresh_token] = grant

    def grant_of_refresh_token(self, token: str) -> Grant | None:
        """Return the living grant that this refresh token belongs to."""
        grant = self._grants_by_refresh_token.get(token)
        if grant is None or grant.is_revoked or grant.is_uninstalled:
            return None
        return grant

    def issue_access_token(self, grant: Grant, seconds: int) -> str:
        """Return a new access token; earlier ones stay valid."""
        token = f"CSandbox{secrets.token_urlsafe(48)}"
        self.access_tokens[token] = AccessToken(grant, self._now() + seconds)
        return token

    def seconds_left(self, token: AccessToken) -> float:
        """Return how long the token still lives; zero or less when it has expired."""
        return token.expires_at - self._now()

    def uninstall(self, hub: Hub, app: OAuthApp) -> None:
        """End every grant of the app in the account, access tokens included."""
        for grant in self.grants:
            if grant.hub is hub and grant.app is app:
                grant.is_uninstalled = True

    def expire_access_tokens(self, hub: Hub | None = None) -> int:
        """Let the access tokens (of one account) expire now; return how many lived."""
        now = self._now()
        living = [
            token
            for token in self.access_tokens.values()
            if token.expires_at > now and hub in (None, token.grant.hub)
        ]
        for token in living:
            token.expires_at = now
        return len(living)


def _new_refresh_token() -> str:
    return f"na1-{uuid.uuid4()}"
