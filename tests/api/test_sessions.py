"""How long a token is good, what it allows, and how the platform ends it."""

import time
from collections.abc import Mapping
from typing import Any, Final

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.context.services import EXTENSION
from api.identity.auth import KEEP_S, LEEWAY_S
from sandbox.client import SandboxControl
from shared.connections.lifecycle import find_connection
from shared.connections.session_ends import end_sessions
from shared.database.engines import Database
from tests.api.asking import (
    NO_POSTGRES,
    PUBLIC_URL,
    Asker,
    call_ended,
    landing,
    make_token,
    post_webhook,
    read,
)
from tests.api.conftest import ClientFactory
from tests.api.rows import add_connection, add_log, connection_of
from tests.api.test_confirmation import decide, grant_in

HOUR: Final = 3600
DAY: Final = 24 * HOUR
# What each route lets a token do that may only look. A new route has to decide.
VIEWER_MAY: Final = {
    "GET /api/hubspot/status": True,
    "GET /api/hubspot/settings": True,
    "PATCH /api/hubspot/settings": False,
    "DELETE /api/hubspot/disconnect": False,
    "GET /api/hubspot/oauth/initiate": False,
    "GET /api/hubspot/sync-logs": True,
    "GET /api/hubspot/sync-logs/<log_id>": True,
    "GET /api/hubspot/sync-logs/export": False,
    "POST /api/hubspot/sync-logs/<log_id>/retry": False,
    "POST /api/hubspot/sync-logs/retry": False,
    "GET /api/hubspot/statistics": True,
    "GET /api/hubspot/audit": True,
    "POST /api/hubspot/preview": False,
    "POST /api/hubspot/test-call": False,
}


def ask(
    client: FlaskClient, path: str = "/api/hubspot/status", method: str = "GET", **claims: Any
) -> TestResponse:
    """Ask with a token of these claims."""
    headers = {"Authorization": f"Bearer {make_token(**claims)}"}
    return client.open(path, method=method, headers=headers, base_url=PUBLIC_URL)


def refusal(answer: TestResponse) -> tuple[str, str]:
    """Code and words of a 401."""
    assert answer.status_code == 401, answer.text
    error = read(answer)["error"]
    return error["code"], error["message"]


def now() -> int:
    return int(time.time())


def test_token_that_was_issued_too_long_ago_is_refused_whatever_its_end(
    client: FlaskClient,
) -> None:
    code, words = refusal(ask(client, iat=now() - DAY - 60, exp=now() + HOUR))
    assert code == "expired_token"
    assert "JWT_MAX_AGE=1d" in words
    assert "Sign in again" in words
    assert ask(client, iat=now() - DAY + 60, exp=now() + HOUR).status_code == 200
    assert ask(client, iat=now(), exp=now() + 100 * 365 * DAY).status_code == 200


def test_token_that_does_not_say_when_it_was_issued_must_end_soon(client: FlaskClient) -> None:
    code, words = refusal(ask(client, exp=now() + DAY + 60))
    assert code == "invalid_token"
    for part in ("no claim iat", "JWT_MAX_AGE=1d", "Issue tokens with iat"):
        assert part in words
    assert refusal(ask(client, exp=10**400))[0] == "invalid_token"
    assert ask(client, exp=now() + DAY - 60).status_code == 200


def test_longest_age_is_the_deployments(make_client: ClientFactory) -> None:
    client = make_client(JWT_MAX_AGE="90m")
    code, words = refusal(ask(client, iat=now() - 2 * HOUR, exp=now() + HOUR))
    assert (code, "JWT_MAX_AGE=90m" in words) == ("expired_token", True)
    assert refusal(ask(client, exp=now() + 2 * HOUR))[0] == "invalid_token"
    assert ask(client, iat=now() - HOUR, exp=now() + 9 * HOUR).status_code == 200


def test_token_from_the_future_is_refused_beyond_a_little_leeway(client: FlaskClient) -> None:
    code, words = refusal(ask(client, iat=now() + LEEWAY_S + 60))
    assert (code, "iat lies ahead" in words) == ("invalid_token", True)
    assert ask(client, iat=now() + LEEWAY_S - 5).status_code == 200


@pytest.mark.parametrize("issued_at", [0, -1, True, 0.5, -(10**400), "1"], ids=str)
def test_token_of_long_ago_in_any_spelling_is_too_old(client: FlaskClient, issued_at: Any) -> None:
    assert refusal(ask(client, iat=issued_at))[0] == "expired_token"


def test_every_route_decides_what_a_viewer_may(client: FlaskClient, database: Database) -> None:
    owner = Asker(client)
    add_connection(database, owner, hub_id=987_655)
    log_id = add_log(database, owner, status="error", phone_number="+12025550177")
    before = owner.status(), owner.get("settings"), owner.get(f"sync-logs/{log_id}")
    viewer = {"sub": owner.user_id, "workspace_id": owner.workspace_id, "role": "viewer"}

    decided = {}
    for rule in client.application.url_map.iter_rules():
        if not rule.rule.startswith("/api/hubspot") or rule.endpoint.startswith("oauth_callback"):
            continue
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = ask(client, rule.rule.replace("<log_id>", log_id), method, **viewer)
            if answer.status_code != 200:
                assert answer.status_code == 403, answer.text
                error = read(answer)["error"]
                assert (error["code"], "may only look" in error["message"]) == ("read_only", True)
            decided[f"{method} {rule.rule}"] = answer.status_code == 200

    assert decided == VIEWER_MAY
    assert (owner.status(), owner.get("settings"), owner.get(f"sync-logs/{log_id}")) == before


def test_status_says_whether_the_token_may_change_anything(client: FlaskClient) -> None:
    assert read(ask(client))["canChange"] is True
    assert read(ask(client, role="viewer"))["canChange"] is False


@pytest.mark.parametrize(
    "role", ["", "Viewer", "viewer ", "admin", "Platform", 0, False, ["viewer"], {"viewer": 1}]
)
def test_role_that_nobody_knows_is_refused_by_name(client: FlaskClient, role: Any) -> None:
    code, words = refusal(ask(client, role=role))
    assert (code, "claim role" in words) == ("invalid_token", True)


def test_preflight_needs_no_token(client: FlaskClient) -> None:
    assert client.options("/api/hubspot/preview").status_code < 400


@pytest.fixture
def ended(client: FlaskClient, database: Database) -> Asker:
    """A user whose sessions in one workspace were ended just now."""
    asker = Asker(client)
    with database.begin() as session:
        end_sessions(session, **asker.tenant)
    return asker


def claims_of(asker: Asker, **more: Any) -> Mapping[str, Any]:
    return {"sub": asker.user_id, "workspace_id": asker.workspace_id, **more}


def test_ended_session_is_refused_and_a_newer_one_is_not(client: FlaskClient, ended: Asker) -> None:
    code, words = refusal(ask(client, **claims_of(ended, iat=now() - 60)))
    assert (code, words) == ("revoked_token", "This session was ended. Sign in again.")
    assert ask(client, **claims_of(ended, iat=now() + 2)).status_code == 200


def test_token_without_iat_cannot_prove_that_it_is_newer(client: FlaskClient, ended: Asker) -> None:
    code, words = refusal(ask(client, **claims_of(ended)))
    assert (code, "Issue tokens with iat" in words) == ("revoked_token", True)


def test_sessions_of_others_go_on(client: FlaskClient, ended: Asker) -> None:
    for other in (
        Asker(client, user_id=ended.user_id),
        Asker(client, workspace_id=ended.workspace_id),
    ):
        assert ask(client, **claims_of(other, iat=now() - 60)).status_code == 200


def test_sessions_end_in_all_workspaces_of_a_user(client: FlaskClient, database: Database) -> None:
    asker, other = Asker(client), Asker(client)
    with database.begin() as session:
        end_sessions(session, user_id=asker.user_id)
    for workspace_id in (asker.workspace_id, "another"):
        claims: dict[str, Any] = {"sub": asker.user_id, "workspace_id": workspace_id}
        assert refusal(ask(client, **claims, iat=now() - 60))[0] == "revoked_token"
    assert ask(client, **claims_of(other, iat=now() - 60)).status_code == 200


def test_running_session_changes_nothing_at_once_and_sees_nothing_in_seconds(
    client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = Asker(client)
    session_claims = claims_of(asker, iat=now() - 60)
    assert ask(client, **session_claims).status_code == 200
    with database.begin() as session:
        end_sessions(session, **asker.tenant)

    for route, is_open in VIEWER_MAY.items():
        method, path = route.split()
        if not is_open:
            answer = ask(client, path.replace("<log_id>", "hs_0"), method, **session_claims)
            assert refusal(answer)[0] == "revoked_token"
    later = time.monotonic() + KEEP_S
    monkeypatch.setattr(time, "monotonic", lambda: later)

    assert refusal(ask(client, **session_claims))[0] == "revoked_token"


def test_asking_again_costs_no_statement_more(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker, other = Asker(client), Asker(client)
    asked: list[str] = []
    monkeypatch.setattr(
        "api.identity.auth.find_session_end",
        lambda _, **tenant: asked.append(tenant["user_id"]),
    )
    for each in (asker, asker, other, asker):
        assert each.ask("GET", "status").status_code == 200
    assert asked == [asker.user_id, other.user_id]


def test_what_is_remembered_is_bounded(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.identity.auth.MOST_KEPT", 2)
    for _ in range(5):
        assert Asker(client).ask("GET", "status").status_code == 200
    assert len(client.application.extensions[EXTENSION].ended_sessions._known) <= 2


def test_webhooks_go_on_when_sessions_are_ended(client: FlaskClient, ended: Asker) -> None:
    assert post_webhook(client, call_ended(**ended.tenant)).status_code == 202


def test_without_postgres_nobody_is_told_that_a_session_has_ended(
    make_client: ClientFactory,
) -> None:
    answer = ask(make_client(database=NO_POSTGRES))
    assert (answer.status_code, read(answer)["error"]["code"]) == (503, "unavailable")


def test_authorization_that_was_begun_in_an_ended_session_connects_nothing(
    make_client: ClientFactory, sandbox: SandboxControl, database: Database
) -> None:
    asker = Asker(make_client(OAUTH_BINDING="confirm"))
    hub_id = sandbox.add_account()
    waiting = asker.visit(sandbox.approve(asker.initiate(), hub_id))
    on_its_way = sandbox.approve(asker.initiate(), hub_id)
    with database.begin() as session:
        end_sessions(session, **asker.tenant)

    assert landing(asker.visit(on_its_way))["code"] == "invalid_state"
    assert landing(decide(asker, grant_in(waiting)))["code"] == "invalid_state"
    with database.begin() as session:
        assert find_connection(session, **asker.tenant) is None


@pytest.mark.parametrize("all_workspaces", [False, True])
def test_authorizations_of_others_go_on(
    make_client: ClientFactory, sandbox: SandboxControl, database: Database, all_workspaces: bool
) -> None:
    asker = Asker(make_client(OAUTH_BINDING="confirm"))
    page = asker.visit(sandbox.approve(asker.initiate(), sandbox.add_account()))
    with database.begin() as session:
        if all_workspaces:
            end_sessions(session, user_id="somebody else")
        else:
            end_sessions(session, user_id=asker.user_id, workspace_id="another")
    assert landing(decide(asker, grant_in(page)))["hubspot"] == "connected"
    assert connection_of(database, asker).state == "connected"
