"""Every error has one shape, says what to do, and gives nothing away."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from api.connecting.landing import Failure
from shared.connections.oauth_states import new_secret
from shared.database.engines import Database
from tests.api.asking import NO_POSTGRES, PUBLIC_URL, Asker, call_ended, landing, post_webhook, read
from tests.api.conftest import ClientFactory

DASHBOARD = "https://app.example.com"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/hubspot/nowhere", 404, "not_found"),
        ("GET", "/api/webhooks/call-ended", 405, "method_not_allowed"),
        ("PUT", "/healthz", 405, "method_not_allowed"),
        ("GET", "/assets/__init__.py", 404, "not_found"),
        ("GET", "/assets/..%2f..%2fapp.py", 404, "not_found"),
        ("GET", "/docs/plugins.py", 404, "not_found"),
    ],
)
def test_wrong_address_or_method(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert read(answer)["success"] is False
    assert read(answer)["error"]["code"] == code
    assert ("Allow" in answer.headers) is (status == 405)


@pytest.mark.parametrize("path", ["", "//", "//evil.example", "/docs/", "/docs//"])
def test_odd_path_is_redirected_nowhere(client: FlaskClient, path: str) -> None:
    answer = client.get("/", environ_overrides={"PATH_INFO": path})
    assert answer.status_code in {200, 404}


@pytest.fixture
def client_without_postgres(make_client: ClientFactory) -> FlaskClient:
    return make_client(database=NO_POSTGRES)


def test_webhook_is_to_be_sent_again_when_postgres_is_away(
    client_without_postgres: FlaskClient,
) -> None:
    answer = post_webhook(client_without_postgres, call_ended())
    assert (answer.status_code, read(answer)["error"]["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_browser_goes_back_even_when_postgres_is_away(
    client_without_postgres: FlaskClient,
) -> None:
    answer = client_without_postgres.get(
        f"/api/hubspot/oauth/callback?state={new_secret()}&code=c", base_url=PUBLIC_URL
    )
    assert landing(answer)["code"] == "internal_error"


def test_defect_is_answered_without_its_cause(database: Database, asker: Asker) -> None:
    with database.begin() as session:
        session.execute(text("ALTER TABLE hubspot_accounts RENAME TO moved"))
        session.execute(text("ALTER TABLE hubspot_sync_tallies RENAME TO moved_too"))
    try:
        answer = asker.ask("GET", "status")
    finally:
        with database.begin() as session:
            session.execute(text("ALTER TABLE moved RENAME TO hubspot_accounts"))
            session.execute(text("ALTER TABLE moved_too RENAME TO hubspot_sync_tallies"))
    assert (answer.status_code, read(answer)["error"]["code"]) == (500, "internal_error")
    assert "hubspot_sync_tallies" not in answer.text


def test_stored_call_is_logged_without_its_contents(
    asker: Asker, capsys: pytest.CaptureFixture[str]
) -> None:
    log_id = asker.send_call(phone_number="+12025550188", summary="Very private")
    shown = capsys.readouterr().out
    assert "call_accepted" in shown
    assert log_id in shown
    assert "5550188" not in shown
    assert "private" not in shown


def preflight(client: FlaskClient, path: str, origin: str) -> Any:
    return client.options(
        path, headers={"Origin": origin, "Access-Control-Request-Method": "DELETE"}
    )


def test_allowed_origin_may_ask_with_credentials(client: FlaskClient, asker: Asker) -> None:
    answer = preflight(client, "/api/hubspot/disconnect", DASHBOARD)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == DASHBOARD
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]

    asked = client.get("/api/hubspot/status", headers={**asker.headers, "Origin": DASHBOARD})
    assert asked.headers["Access-Control-Allow-Origin"] == DASHBOARD
    assert "Origin" in asked.headers["Vary"]


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/api/hubspot/status", "https://evil.example"),
        ("/api/hubspot/status", "null"),
        ("/api/webhooks/call-ended", DASHBOARD),
        ("/docs", DASHBOARD),
    ],
)
def test_others_are_not_allowed_across_origins(client: FlaskClient, path: str, origin: str) -> None:
    answer = preflight(client, path, origin)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_refusal_can_be_read_across_origins(client: FlaskClient) -> None:
    answer = client.get("/api/hubspot/status", headers={"Origin": DASHBOARD})
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == DASHBOARD


def test_every_answer_carries_the_security_headers(client: FlaskClient) -> None:
    for path in ("/healthz", "/nowhere", "/api/hubspot/status", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "max-age" in headers["Strict-Transport-Security"]


def test_dashboard_may_be_framed_by_allowed_origins_only(client: FlaskClient) -> None:
    answer = client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.endswith(f"frame-ancestors {PUBLIC_URL} {DASHBOARD}")
    assert "unsafe" not in policy
    assert f'opener-origins="{PUBLIC_URL} {DASHBOARD}"' in answer.text
    for asset in ("app.js", "style.css"):
        assert f"assets/{asset}" in answer.text
        with client.get(f"/assets/{asset}") as file:
            assert file.status_code == 200


def test_dashboard_has_words_of_its_own_for_every_failure(client: FlaskClient) -> None:
    script = client.get("/embed/parts/failures.js").text
    for failure in Failure:
        assert re.search(rf"^  {failure}: \{{$", script, re.MULTILINE)
