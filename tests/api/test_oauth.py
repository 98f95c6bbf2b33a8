"""Connecting through the sandbox's consent page, and every way in which it does not succeed."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from sandbox.client import SandboxControl
from shared.crypto import TokenCipher, UndecryptableError
from shared.database.engines import Database
from shared.models import OAuthState, PendingGrant
from tests.api.asking import (
    DASHBOARD_URL,
    ENCRYPTION_KEY,
    PUBLIC_URL,
    Asker,
    WakeRecorder,
    landing,
    read,
)
from tests.api.conftest import ClientFactory
from tests.api.rows import connection_of

CALLBACK = f"{PUBLIC_URL}/api/hubspot/oauth/callback"


@pytest.fixture
def hub_id(sandbox: SandboxControl) -> int:
    return sandbox.add_account(ui_domain="app-eu1.hubspot.com")


def test_consent_connects_the_account(
    asker: Asker, sandbox: SandboxControl, hub_id: int, waker: WakeRecorder, database: Database
) -> None:
    answer = asker.visit(sandbox.approve(asker.initiate(), hub_id))

    assert landing(answer) == {"tab": "hubspot", "hubspot": "connected"}
    assert answer.headers["Location"].startswith("https://app.example.com/calls?")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    status = asker.status()
    assert (status["connected"], status["state"]) == (True, "connected")
    assert status["hubId"] == str(hub_id)
    connection = connection_of(database, asker)
    assert connection.ui_domain == "app-eu1.hubspot.com"
    assert waker.woken == [connection.id]


def test_tokens_are_stored_encrypted_for_their_row(
    asker: Asker,
    sandbox: SandboxControl,
    hub_id: int,
    database: Database,
) -> None:
    asker.visit(sandbox.approve(asker.initiate(), hub_id))
    connection = connection_of(database, asker)
    cipher = TokenCipher([ENCRYPTION_KEY])
    assert connection.refresh_token is not None
    plain = cipher.decrypt(connection.refresh_token, row_id=connection.id, field="refresh_token")
    assert plain.startswith("na1-")


def test_authorize_url_asks_for_a_code_with_pkce(asker: Asker) -> None:
    query = parse_qs(urlsplit(asker.initiate()).query)
    assert query["redirect_uri"] == [CALLBACK]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43


def test_state_is_stored_as_a_hash_and_its_verifier_encrypted(
    asker: Asker, database: Database
) -> None:
    state = parse_qs(urlsplit(asker.initiate()).query)["state"][0]
    assert len(state) == 43
    with database.begin() as session:
        stored = session.query(OAuthState).all()
    assert all(state.encode() != row.state_hash for row in stored)
    assert stored
    cipher = TokenCipher([ENCRYPTION_KEY])
    for row in stored:
        row_id = row.state_hash.hex()
        verifier = cipher.decrypt(row.code_verifier, row_id=row_id, field="code_verifier")
        assert len(verifier) == 64
        assert verifier not in row.code_verifier
        with pytest.raises(UndecryptableError):
            cipher.decrypt(row.code_verifier, row_id="another", field="code_verifier")


def test_state_whose_verifier_was_stored_plainly_has_expired(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database
) -> None:
    url = sandbox.approve(asker.initiate(), hub_id)
    with database.begin() as session:
        session.execute(text("UPDATE hubspot_oauth_states SET code_verifier = 'plain'"))
    assert landing(asker.visit(url))["code"] == "invalid_state"


def test_browser_returns_to_the_page_that_asked(
    asker: Asker, sandbox: SandboxControl, hub_id: int
) -> None:
    page = "https://app.example.com/settings?hubspot=error&message=old&x=1#crm"
    answer = asker.visit(sandbox.approve(asker.initiate(return_to=page), hub_id))
    assert answer.headers["Location"] == (
        "https://app.example.com/settings?x=1&hubspot=connected#crm"
    )


@pytest.mark.parametrize(
    "return_to",
    [
        "https://evil.example/",
        "https://app.example.com.evil.example/",
        "https://app.example.com@evil.example/",
        "https://user@app.example.com/",
        "https://evil.example\\@app.example.com/",
        "https:\\\\app.example.com/",
        "//app.example.com/",
        "/dashboard",
        "http://app.example.com/",
        "https://app.example.com:8443/",
        "https://app.example.com:x/",
        "https://[app.example.com/",
        "javascript:alert(1)//app.example.com",
        "https://app.example.com/\t",
        "https://app.example.com/" + "x" * 2048,
    ],
)
def test_return_to_elsewhere_is_refused(asker: Asker, return_to: str) -> None:
    answer = asker.ask("GET", "oauth/initiate", query_string={"return_to": return_to})
    assert answer.status_code == 400
    assert read(answer)["error"]["fields"][0]["field"] == "return_to"


def test_denial_is_told_in_our_words(asker: Asker, sandbox: SandboxControl) -> None:
    told = landing(asker.visit(sandbox.deny(asker.initiate())))
    assert (told["hubspot"], told["code"]) == ("error", "access_denied")
    assert "denied" not in told["message"]
    assert asker.status()["connected"] is False


def test_state_works_once(asker: Asker, sandbox: SandboxControl, hub_id: int) -> None:
    url = sandbox.approve(asker.initiate(), hub_id)
    assert landing(asker.visit(url))["hubspot"] == "connected"
    assert landing(asker.visit(url))["code"] == "invalid_state"


@pytest.mark.parametrize(
    "query", ["", "?state=", "?state=made-up&code=c", "?state=%00&code=c", "?error=server_error"]
)
def test_callback_without_a_known_state_goes_back_to_the_dashboard(
    asker: Asker, query: str
) -> None:
    answer = asker.visit(CALLBACK + query)
    assert landing(answer)["code"] == "invalid_state"
    assert answer.headers["Location"].startswith(DASHBOARD_URL)


@pytest.mark.parametrize("query", ["?code=c", "?code=c&state=", "?state=%20&code=c"])
def test_installation_begun_in_hubspot_says_how_to_finish_it(
    asker: Asker, sandbox: SandboxControl, query: str
) -> None:
    told = landing(asker.visit(CALLBACK + query))
    assert (told["hubspot"], told["code"]) == ("error", "installed_in_hubspot")
    assert "press Connect to finish" in told["message"]
    # Nobody knows for whom the code is: it stays unspent.
    assert sandbox.requests() == []


def test_state_expires(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database
) -> None:
    url = sandbox.approve(asker.initiate(), hub_id)
    with database.begin() as session:
        for state in session.query(OAuthState).filter_by(**asker.tenant):
            state.expires_at = state.expires_at.replace(year=2020)
    assert landing(asker.visit(url))["code"] == "invalid_state"


def test_code_that_expired_is_told_so(asker: Asker, sandbox: SandboxControl, hub_id: int) -> None:
    sandbox.set_behaviour(code_seconds=0)
    url = sandbox.approve(asker.initiate(), hub_id)
    assert landing(asker.visit(url))["code"] == "expired_code"


def test_code_of_another_authorization_does_not_fit_the_verifier(
    asker: Asker, sandbox: SandboxControl, hub_id: int
) -> None:
    stolen = parse_qs(urlsplit(sandbox.approve(asker.initiate(), hub_id)).query)["code"][0]
    state = parse_qs(urlsplit(asker.initiate()).query)["state"][0]
    told = landing(asker.visit(f"{CALLBACK}?code={stolen}&state={state}"))
    assert told["code"] == "expired_code"


@pytest.mark.parametrize(
    ("error", "code"),
    [("invalid_scope", "configuration_error"), ("server_error", "hubspot_unavailable")],
)
def test_error_of_hubspot_is_not_passed_on(asker: Asker, error: str, code: str) -> None:
    state = parse_qs(urlsplit(asker.initiate()).query)["state"][0]
    told = landing(asker.visit(f"{CALLBACK}?state={state}&error={error}&error_description=Boo"))
    assert told["code"] == code
    assert "Boo" not in told["message"]


def test_hubspot_being_down_is_told_so(asker: Asker, sandbox: SandboxControl, hub_id: int) -> None:
    url = sandbox.approve(asker.initiate(), hub_id)
    sandbox.add_fault("oauth.token", "status", status=503)
    assert landing(asker.visit(url))["code"] == "hubspot_unavailable"


def test_account_details_that_fail_do_not_matter(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database
) -> None:
    url = sandbox.approve(asker.initiate(), hub_id)
    sandbox.add_fault("account.details", "status", status=503)
    assert landing(asker.visit(url))["hubspot"] == "connected"
    assert connection_of(database, asker).ui_domain is None


def test_another_browser_cannot_finish(
    asker: Asker, sandbox: SandboxControl, hub_id: int, client: FlaskClient
) -> None:
    url = sandbox.approve(asker.initiate(), hub_id)
    victim = Asker(client.application.test_client())
    assert landing(victim.visit(url))["code"] == "browser_mismatch"
    assert asker.status()["connected"] is False
    # The state is used up: the attacker's own browser cannot follow either.
    assert landing(asker.visit(url))["code"] == "invalid_state"


def test_two_tabs_may_connect_side_by_side(
    asker: Asker, sandbox: SandboxControl, hub_id: int
) -> None:
    first = sandbox.approve(asker.initiate(), hub_id)
    second = sandbox.approve(asker.initiate(), hub_id)
    assert landing(asker.visit(first))["hubspot"] == "connected"
    assert landing(asker.visit(second))["hubspot"] == "connected"


def test_cookie_is_out_of_reach_of_scripts_and_sibling_sites(asker: Asker) -> None:
    answer = asker.ask("GET", "oauth/initiate")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie


def test_missing_scopes_connect_nothing(
    make_client: ClientFactory, sandbox: SandboxControl, hub_id: int, database: Database
) -> None:
    scopes = "oauth crm.objects.contacts.read crm.objects.contacts.write"
    asker = Asker(make_client(HUBSPOT_SCOPES=f"{scopes} tickets"))
    # HubSpot drops what the account's plan does not have.
    url = sandbox.approve(asker.initiate().replace("%20tickets", ""), hub_id)
    assert landing(asker.visit(url))["code"] == "missing_scopes"
    assert asker.status()["connected"] is False
    with database.begin() as session:
        (abandoned,) = session.query(PendingGrant).filter_by(**asker.tenant)
        # Housekeeping revokes it from here.
        assert abandoned.expires_at <= datetime.now(UTC)
