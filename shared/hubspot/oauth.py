"""HubSpot's OAuth 2.0 endpoints: authorize, exchange, refresh, introspect, revoke.

Documented on the OAuth pages of developers.hubspot.com; all but the first take a form in the
body, never a query. The answers to a refresh token that is unknown or revoked, and the old error
bodies without `error`, were seen in other people's code, not in HubSpot's documentation.
"""

from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import quote, urlencode

import requests

from shared.hubspot.errors import (
    AuthorizationCodeError,
    ConfigurationError,
    ErrorFacts,
    GrantRevokedError,
    HubSpotError,
    RetryLaterError,
    UnavailableError,
)
from shared.hubspot.models import TokenGrant
from shared.hubspot.payload import JsonObject, member, parse, text, whole_number
from shared.hubspot.responses import error_of, is_refusal, object_of, shapeless
from shared.hubspot.transport import DEFAULT_TIMEOUT, Answer, send
from shared.hubspot.version import API_VERSION

TokenKind = Literal["access_token", "refresh_token"]

SECRETS = ("client_secret", "code", "code_verifier", "refresh_token", "token")
CONFIGURATION_CODES = frozenset(
    {
        "invalid_client",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "BAD_CLIENT_ID",
        "BAD_CLIENT_SECRET",
        "BAD_REDIRECT_URI",
        "BAD_SCOPES",
        "BAD_GRANT_TYPE",
    }
)
GONE_CODES = frozenset({"invalid_grant", "access_denied", "BAD_HUB"})
REVOKED_CODES = GONE_CODES | {"BAD_REFRESH_TOKEN"}
CODE_CODES = GONE_CODES | {"BAD_AUTH_CODE", "EXPIRED_AUTH_CODE", "BAD_CODE_VERIFIER"}


class HubSpotOAuth:
    """Our app at HubSpot: its client id and secret, and what it asks for."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        api_url: str,
        app_url: str,
        redirect_uri: str,
        scopes: Sequence[str],
        session: requests.Session,
        timeout: tuple[float, float] = DEFAULT_TIMEOUT,
    ) -> None:
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._api_url = api_url.rstrip("/")
        self._app_url = app_url.rstrip("/")
        self._redirect_uri = redirect_uri
        self._scopes = tuple(scopes)
        self._session = session
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"HubSpotOAuth(client_id={self._client['client_id']!r})"

    @property
    def client_id(self) -> str:
        """Which app this is."""
        return self._client["client_id"]

    def authorize_url(self, *, state: str, code_challenge: str) -> str:
        """Where a person grants access: `/oauth/authorize` on HubSpot's app host.

        `code_challenge` is the S256 challenge of the verifier given to `exchange_code`.
        """
        query = {
            "client_id": self._client["client_id"],
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._scopes),
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._app_url}/oauth/authorize?{urlencode(query, quote_via=quote)}"

    def exchange_code(self, code: str, *, code_verifier: str) -> TokenGrant:
        """Turn an authorization code into tokens: `POST /oauth/{version}/token`.

        Raises:
            AuthorizationCodeError: the code cannot be used (again); start connecting anew.
            ConfigurationError: HubSpot refuses our app.
            RetryLaterError: the code may be used up.
        """
        form = {
            "grant_type": "authorization_code",
            "redirect_uri": self._redirect_uri,
            "code": code,
            "code_verifier": code_verifier,
        }
        return _grant(self._post("token", form))

    def refresh(self, refresh_token: str) -> TokenGrant:
        """Get a new access token: `POST /oauth/{version}/token`.

        The answer may hold a new refresh token; store whichever comes (seen: always the same).

        Raises:
            GrantRevokedError: revoked, uninstalled, or the account is gone: reconnect.
            ConfigurationError: HubSpot refuses our app; says nothing about the grant.
            RetryLaterError: nothing is known about the grant.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return _grant(self._post("token", form))

    def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token: `POST /oauth/{version}/token/revoke`; an invalid one is done.

        Access tokens made from it live on for up to 30 minutes, and the app stays installed.
        """
        form = {"token": refresh_token, "token_type_hint": "refresh_token"}
        try:
            self._post("token/revoke", form)
        except GrantRevokedError:
            return

    def introspect(self, token: str, *, kind: TokenKind = "access_token") -> JsonObject | None:
        """What HubSpot knows about a token, without the token itself; None if it is not active.

        `POST /oauth/{version}/token/introspect`. The form takes `token`, whatever the kind.
        """
        answer = self._post("token/introspect", {"token": token, "token_type_hint": kind})
        payload = object_of(answer)
        if not isinstance(payload.get("active"), bool):
            raise shapeless(answer)
        if not payload["active"]:
            return None
        hidden = {"token", "signed_access_token"}
        return {key: value for key, value in payload.items() if key not in hidden}

    def _post(self, endpoint: str, form: Mapping[str, str]) -> Answer:
        form = {**form, **self._client}
        answer = send(
            self._session,
            endpoint,
            "POST",
            f"{self._api_url}/oauth/{API_VERSION}/{endpoint}",
            timeout=self._timeout,
            body=urlencode(form).encode("ascii"),
            content_type="application/x-www-form-urlencoded",
        )
        error = _error_of(answer, form)
        if error is not None:
            raise error
        return answer


def _error_of(answer: Answer, form: Mapping[str, str]) -> HubSpotError | None:
    """Classify a token endpoint's answer by its codes: `error` is OAuth's, `status` HubSpot's.

    When the two disagree, the reading that keeps the connection wins. A refusal with a code that
    we do not know is ours to look into, never a revoked grant.
    """
    secrets = [form[each] for each in SECRETS if each in form]
    error = error_of(answer, secrets)
    payload = parse(answer.body)
    codes = {text(member(payload, "error")), text(member(payload, "status"))} - {None, "error"}
    is_bare_refusal = bool(codes) and is_refusal(answer.status)
    if error is None or _is_temporary(error, is_bare_refusal=is_bare_refusal):
        return error
    facts = ErrorFacts(
        status=answer.status,
        category=text(member(payload, "status")) or text(member(payload, "error")),
        correlation_id=error.correlation_id,
        definite=True,
    )
    is_exchange = "code" in form
    if not codes & CONFIGURATION_CODES:
        if is_exchange and codes & CODE_CODES:
            return AuthorizationCodeError(error.message, **facts)
        if not is_exchange and codes & REVOKED_CODES:
            return GrantRevokedError(error.message, **facts)
    return ConfigurationError(error.message, **facts)


def _is_temporary(error: HubSpotError, *, is_bare_refusal: bool) -> bool:
    """Whether to ask again later; a refusal may hold OAuth's codes and no envelope."""
    if isinstance(error, UnavailableError):
        return not is_bare_refusal
    return isinstance(error, RetryLaterError)


def _grant(answer: Answer) -> TokenGrant:
    payload = object_of(answer)
    access_token = _token(payload.get("access_token"))
    expires_in = payload.get("expires_in")
    if access_token is None or not isinstance(expires_in, int) or expires_in <= 0:
        raise shapeless(answer)
    scopes = payload.get("scopes")
    return TokenGrant(
        access_token=access_token,
        refresh_token=_token(payload.get("refresh_token")),
        expires_in=expires_in,
        hub_id=whole_number(payload.get("hub_id")),
        scopes=tuple(filter(None, map(text, scopes if isinstance(scopes, list) else []))),
    )


def _token(value: object) -> str | None:
    """A token that can travel in a header; anything else is taken for absent."""
    is_token = isinstance(value, str) and value.isascii() and value.isprintable()
    return str(value) if is_token and value else None
