"""A person who uses the dashboard: signed in, with a browser's cookies."""

from datetime import UTC, datetime, timedelta
from typing import Any, Self

import jwt
import requests

from local.producer import describe_refusal
from sandbox.client import SandboxControl

TIMEOUT_SECONDS = 10.0


class VisitError(Exception):
    """The service answered a visitor in a way that it should not; the message says how."""


def sign_in(
    secret: str,
    *,
    user_id: str,
    workspace_id: str,
    lasts: timedelta,
    audience: str | None = None,
    issuer: str | None = None,
    role: str | None = None,
) -> str:
    """Make a dashboard token (JWT, HS256) for a user and workspace."""
    now = datetime.now(UTC)
    claims = {
        "sub": user_id,
        "workspace_id": workspace_id,
        "iat": now,
        "exp": now + lasts,
        **({"aud": audience} if audience else {}),
        **({"iss": issuer} if issuer else {}),
        **({"role": role} if role else {}),
    }
    return jwt.encode(claims, secret, algorithm="HS256")


class Visitor:
    """Asks the API at `api_url` with a dashboard token.

    Raises:
        VisitError: An answer is not a success.
        requests.RequestException: The service cannot be reached.
    """

    def __init__(self, api_url: str, token: str) -> None:
        self._api_url = api_url
        self._session = requests.Session()
        self._authorization = {"Authorization": f"Bearer {token}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        return self._ask("GET", path, params=query)

    def patch(self, path: str, changes: dict[str, Any]) -> dict[str, Any]:
        return self._ask("PATCH", path, json=changes)

    def connect(self, sandbox: SandboxControl, hub_id: int) -> None:
        """Connect an account of the sandbox by the OAuth flow, as a browser goes through it."""
        auth_url = self.get("/api/hubspot/oauth/initiate")["authUrl"]
        callback_url = sandbox.approve(auth_url, hub_id)
        # The cookie that `initiate` set proves that this is the same browser; no token goes here.
        landing = self._session.get(callback_url, allow_redirects=False, timeout=TIMEOUT_SECONDS)
        location = landing.headers.get("Location", "")
        if landing.status_code != requests.codes.found or "hubspot=connected" not in location:
            raise VisitError(f"The callback answered {landing.status_code} {location}.")
        state = self.get("/api/hubspot/status")["state"]
        if state != "connected":
            raise VisitError(f"After connecting, the status is {state}.")

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._session.request(
            method,
            self._api_url + path,
            headers=self._authorization,
            timeout=TIMEOUT_SECONDS,
            **options,
        )
        if not answer.ok:
            raise VisitError(f"{method} {path} was answered with {describe_refusal(answer)}")
        found: dict[str, Any] = answer.json()
        return found
