"""Asking the API as its clients do: signed webhooks, bearer tokens, a browser through OAuth."""

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import jwt
from flask.testing import FlaskClient
from standardwebhooks import Webhook
from werkzeug.test import TestResponse

from shared.database.engines import Database

PUBLIC_URL: Final = "https://calls.example.com"
DASHBOARD_URL: Final = "https://app.example.com/calls?tab=hubspot"
CLIENT_ID: Final = "client-id"
CLIENT_SECRET: Final = "client-secret"
ENCRYPTION_KEY: Final = b"k" * 32
NO_POSTGRES: Final = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
JWT_SECRET: Final = "a shared secret of at least 32 bytes"
PLATFORM_SECRET: Final = "whsec_" + base64.b64encode(b"p" * 32).decode()
OLD_SECRET: Final = "whsec_" + base64.b64encode(b"o" * 32).decode()
WORKSPACE_SECRET: Final = "whsec_" + base64.b64encode(b"w" * 32).decode()
USER_SECRET: Final = "whsec_" + base64.b64encode(b"u" * 32).decode()


class WakeRecorder:
    """Stands where the wake-ups go out, and remembers them."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    def wake(self, connection_id: str) -> None:
        self.woken.append(connection_id)


def environment(**changes: str) -> dict[str, str]:
    """The API's settings; nothing listens where they point unless `changes` say so."""
    return {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "HUBSPOT_CLIENT_ID": CLIENT_ID,
        "HUBSPOT_CLIENT_SECRET": CLIENT_SECRET,
        "PUBLIC_URL": PUBLIC_URL,
        "DASHBOARD_URL": DASHBOARD_URL,
        "OAUTH_BINDING": "cookie",
        "WEBHOOK_SECRETS": f"{PLATFORM_SECRET},{OLD_SECRET},ws_own={WORKSPACE_SECRET},"
        f"user_own/ws_own={USER_SECRET}",
        "TOKEN_ENCRYPTION_KEYS": base64.b64encode(ENCRYPTION_KEY).decode(),
        "JWT_SECRET": JWT_SECRET,
        **changes,
    }


def make_token(**claims: Any) -> str:
    """A dashboard token; claims given as None are left out."""
    complete = {
        "sub": "user_1",
        "workspace_id": "ws_1",
        "exp": int(time.time()) + 600,
        **claims,
    }
    given = {name: value for name, value in complete.items() if value is not None}
    return jwt.encode(given, JWT_SECRET, algorithm="HS256")


def signed_headers(
    body: bytes, *, secret: str = PLATFORM_SECRET, at: datetime | None = None
) -> dict[str, str]:
    """The headers of Standard Webhooks for a body in UTF-8."""
    moment = at or datetime.now(UTC)
    delivery = f"msg_{secrets.token_hex(8)}"
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(delivery, moment, body.decode()),
    }


def call_ended(**data: Any) -> dict[str, Any]:
    """A webhook's body; data given as None are sent as null."""
    return {
        "type": "call.ended",
        "timestamp": "2026-11-22T10:00:00Z",
        "data": {
            "call_id": f"call_{secrets.token_hex(6)}",
            "user_id": "user_1",
            "workspace_id": "ws_1",
            **data,
        },
    }


def post_webhook(client: FlaskClient, event: Any, *, secret: str = PLATFORM_SECRET) -> TestResponse:
    """Post a webhook, signed over exactly what is sent."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return client.post(
        "/api/webhooks/call-ended", data=body, headers=signed_headers(body, secret=secret)
    )


@dataclass
class Asker:
    """A user within a workspace, in front of a browser."""

    client: FlaskClient
    user_id: str = field(default_factory=lambda: f"user_{secrets.token_hex(4)}")
    workspace_id: str = field(default_factory=lambda: f"ws_{secrets.token_hex(4)}")

    @property
    def headers(self) -> dict[str, str]:
        token = make_token(sub=self.user_id, workspace_id=self.workspace_id)
        return {"Authorization": f"Bearer {token}"}

    @property
    def tenant(self) -> dict[str, str]:
        return {"user_id": self.user_id, "workspace_id": self.workspace_id}

    def ask(self, method: str, path: str, **options: Any) -> TestResponse:
        return self.client.open(
            f"/api/hubspot/{path}",
            method=method,
            headers=self.headers,
            base_url=PUBLIC_URL,
            **options,
        )

    def get(self, path: str, **query: Any) -> Any:
        """The body of a successful answer."""
        answer = self.ask("GET", path, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def send_call(self, **data: Any) -> str:
        """Deliver a call of the user's; returns the log id."""
        answer = post_webhook(self.client, call_ended(**self.tenant, **data))
        assert answer.status_code == 202, answer.text
        return str(read(answer)["id"])

    def initiate(self, **query: str) -> str:
        """Start connecting; returns HubSpot's URL."""
        return str(self.get("oauth/initiate", **query)["authUrl"])

    def visit(self, url: str) -> TestResponse:
        """Open a URL of ours in the browser, as HubSpot's redirect does."""
        parts = urlsplit(url)
        return self.client.get(f"{parts.path}?{parts.query}", base_url=PUBLIC_URL)

    def status(self) -> Mapping[str, Any]:
        return dict(self.get("status"))


def read(answer: TestResponse) -> Any:
    """The JSON of an answer, whatever its status."""
    return answer.json


def landing(answer: TestResponse) -> dict[str, str]:
    """What a redirect tells the page it goes to."""
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
