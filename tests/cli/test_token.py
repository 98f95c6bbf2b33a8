"""A token for development is one that the service accepts; no more is needed than its secret."""

import time
from datetime import timedelta

import jwt
import pytest
import requests

from local.visitor import sign_in
from shared.database.engines import Database
from shared.privacy.audit import find_deeds
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


def decode(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, JWT_SECRET, algorithms=["HS256"])
    return claims


def ask(api_url: str, token: str) -> requests.Response:
    return requests.get(
        f"{api_url}/api/hubspot/status", headers={"Authorization": f"Bearer {token}"}, timeout=240
    )


def test_token_says_when_it_was_issued(invoke: Invoke) -> None:
    token = invoke("token", "--user", "u", "--workspace", "w").stdout.strip()
    assert decode(token)["iat"] == pytest.approx(time.time(), abs=60)


def test_token_to_look_with_may_only_look(invoke: Invoke, api_url: str) -> None:
    token = invoke("token", "--user", "u", "--workspace", "w", "--read-only").stdout.strip()
    assert decode(token)["role"] == "viewer"
    assert ask(api_url, token).json()["canChange"] is False


@pytest.mark.parametrize(
    ("hours", "longest", "words"),
    [
        ("25", None, "JWT_MAX_AGE=1d: give --hours 24 or less"),
        ("2", "90m", "JWT_MAX_AGE=90m: give --hours 1.5 or less"),
    ],
)
def test_token_that_the_service_would_refuse_is_not_made(
    invoke: Invoke, hours: str, longest: str | None, words: str
) -> None:
    asked = ("token", "--user", "u", "--workspace", "w", "--hours", hours)
    result = invoke(*asked, JWT_MAX_AGE=longest)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


def test_token_may_last_as_long_as_the_service_allows(invoke: Invoke) -> None:
    asked = ("token", "--user", "u", "--workspace", "w", "--hours", "720")
    assert invoke(*asked, JWT_MAX_AGE="30d").exit_code == 0
    assert "720" in invoke(*asked[:-1], "721", JWT_MAX_AGE="30d").stderr


def test_audience_that_may_be_any_is_not_named(invoke: Invoke) -> None:
    asked = ("token", "--user", "u", "--workspace", "w")
    token = invoke(*asked, JWT_AUDIENCE="any", JWT_ISSUER="any").stdout.strip()
    assert decode(token).keys() == {"sub", "workspace_id", "iat", "exp"}


@pytest.mark.parametrize("workspace", [["--workspace", "ws_1"], []], ids=["one", "all"])
def test_revoking_ends_the_sessions_of_a_user(
    invoke: Invoke, api_url: str, empty_database: Database, workspace: list[str]
) -> None:
    old = jwt.encode(
        {"sub": "u", "workspace_id": "ws_1", "iat": time.time() - 60, "exp": time.time() + 60},
        JWT_SECRET,
    )

    result = invoke("token", "--revoke", "--user", "u", *workspace, JWT_SECRET=None)

    assert result.exit_code == 0, result.output
    assert "change nothing any more" in result.stdout
    assert ask(api_url, old).json()["error"]["code"] == "revoked_token"
    stranger = sign_in(JWT_SECRET, user_id="v", workspace_id="ws_1", lasts=timedelta(hours=1))
    assert ask(api_url, stranger).status_code == 200
    with empty_database.begin() as session:
        (deed,) = find_deeds(session, limit=2)
    assert (deed.action, deed.actor, deed.user_id) == ("sessions_ended", "operator", "u")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--user", "u"],
        ["--user", "u", "--revoke", "--hours", "2"],
        ["--user", "u", "--revoke", "--read-only"],
        ["--user", "u", "--revoke", "--workspace", ""],
        ["--user", "", "--revoke"],
        ["--revoke"],
    ],
)
def test_what_makes_no_sense_is_not_done(invoke: Invoke, arguments: list[str]) -> None:
    assert invoke("token", *arguments).exit_code == 2
