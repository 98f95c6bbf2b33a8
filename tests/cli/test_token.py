"""A token for development is one that the service accepts; no more is needed than its secret."""

import jwt
import requests

from tests.cli.conftest import Invoke
from tests.settings.environment import make_environ

JWT_SECRET = make_environ()["JWT_SECRET"]


def test_token_opens_the_dashboard(invoke: Invoke, api_url: str) -> None:
    token = invoke("token", "--user", "user_1", "--workspace", "ws_1").stdout.strip()

    answer = requests.get(
        f"{api_url}/api/hubspot/status", headers={"Authorization": f"Bearer {token}"}, timeout=240
    )

    assert answer.status_code == 200


def test_token_names_user_workspace_audience_and_issuer(invoke: Invoke) -> None:
    token = invoke(
        *("token", "--user", "user_1", "--workspace", "ws_1", "--hours", "2"),
        JWT_AUDIENCE="callsync",
        JWT_ISSUER="https://login.example.com",
    ).stdout.strip()

    claims = jwt.decode(token, JWT_SECRET, algorithms=["HS256"], audience="callsync")
    assert (claims["sub"], claims["workspace_id"]) == ("user_1", "ws_1")
    assert claims["iss"] == "https://login.example.com"


def test_no_other_setting_is_needed(invoke: Invoke) -> None:
    others: dict[str, str | None] = dict.fromkeys(make_environ().keys() - {"JWT_SECRET"})

    assert invoke("token", "--user", "u", "--workspace", "w", **others).exit_code == 0


def test_identity_providers_tokens_cannot_be_made_here(invoke: Invoke) -> None:
    result = invoke(
        *("token", "--user", "u", "--workspace", "w"),
        JWT_SECRET=None,
        JWT_JWKS_URL="https://login.example.com/keys",
    )

    assert result.exit_code == 1
    assert "its identity provider alone can sign tokens" in result.stderr
