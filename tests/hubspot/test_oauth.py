"""The token endpoints: what is asked, and what each refusal means for the connection."""

from urllib.parse import parse_qs, urlsplit

import pytest

from shared.hubspot.errors import (
    AccountLockedError,
    AuthorizationCodeError,
    ConfigurationError,
    GrantRevokedError,
    HubSpotError,
    RateLimitedError,
    UnavailableError,
)
from shared.hubspot.models import TokenGrant
from shared.hubspot.oauth import HubSpotOAuth
from tests.hubspot.conftest import CLIENT_SECRET
from tests.hubspot.scripted import Reply, ScriptedServer

GRANT = {
    "token_type": "bearer",
    "access_token": "access-1",
    "refresh_token": "refresh-1",
    "expires_in": 1800,
    "hub_id": 42,
    "scopes": ["oauth", "crm.objects.contacts.read"],
}


def form_of(server: ScriptedServer) -> dict[str, list[str]]:
    [request] = server.received
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Authorization"] is None
    assert "?" not in request.path
    return parse_qs(request.body.decode(), strict_parsing=True)


def failed_refresh(server: ScriptedServer, oauth: HubSpotOAuth, reply: Reply) -> HubSpotError:
    server.then(reply)
    with pytest.raises(HubSpotError) as caught:
        oauth.refresh("refresh-1")
    return caught.value


def failed_exchange(server: ScriptedServer, oauth: HubSpotOAuth, reply: Reply) -> HubSpotError:
    server.then(reply)
    with pytest.raises(HubSpotError) as caught:
        oauth.exchange_code("code-1", code_verifier="verifier-1")
    return caught.value


def old_body(status: str) -> dict[str, str]:
    return {"status": status, "message": "Told you."}


def new_body(status: str, error: str) -> dict[str, str]:
    return old_body(status) | {"error": error, "error_description": "Told you."}


def test_authorize_url_asks_for_our_scopes_with_pkce(oauth: HubSpotOAuth) -> None:
    url = urlsplit(oauth.authorize_url(state="state 1", code_challenge="challenge-1"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == (
        "https://app.hubspot.example/oauth/authorize"
    )
    assert "%20" in url.query
    assert parse_qs(url.query) == {
        "client_id": ["client-1"],
        "redirect_uri": ["https://calls.example/api/hubspot/oauth/callback"],
        "scope": ["oauth crm.objects.contacts.read"],
        "state": ["state 1"],
        "code_challenge": ["challenge-1"],
        "code_challenge_method": ["S256"],
    }


def test_code_is_exchanged_for_a_grant(server: ScriptedServer, oauth: HubSpotOAuth) -> None:
    server.then(Reply(200, GRANT))
    grant = oauth.exchange_code("code-1", code_verifier="verifier-1")
    assert grant == TokenGrant(
        "access-1", "refresh-1", 1800, 42, ("oauth", "crm.objects.contacts.read")
    )
    assert server.received[0].path == "/oauth/2026-09/token"
    assert form_of(server) == {
        "grant_type": ["authorization_code"],
        "client_id": ["client-1"],
        "client_secret": [CLIENT_SECRET],
        "redirect_uri": ["https://calls.example/api/hubspot/oauth/callback"],
        "code": ["code-1"],
        "code_verifier": ["verifier-1"],
    }


def test_refresh_tolerates_an_answer_with_the_bare_minimum(
    server: ScriptedServer, oauth: HubSpotOAuth
) -> None:
    server.then(Reply(200, {"access_token": "access-2", "expires_in": 1800, "scopes": "oauth"}))
    assert oauth.refresh("refresh-1") == TokenGrant("access-2", None, 1800, None, ())
    assert form_of(server) == {
        "grant_type": ["refresh_token"],
        "client_id": ["client-1"],
        "client_secret": [CLIENT_SECRET],
        "refresh_token": ["refresh-1"],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "two\nlines"},
        {"expires_in": None},
        {"expires_in": "1800"},
        {"expires_in": 0},
    ],
)
def test_grant_that_cannot_be_used_says_nothing_about_the_connection(
    wrong: dict[str, object], server: ScriptedServer, oauth: HubSpotOAuth
) -> None:
    assert type(failed_refresh(server, oauth, Reply(200, GRANT | wrong))) is UnavailableError


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (new_body("BAD_REFRESH_TOKEN", "invalid_grant"), GrantRevokedError),
        (old_body("BAD_REFRESH_TOKEN"), GrantRevokedError),
        ({"error": "invalid_grant"}, GrantRevokedError),
        (new_body("BAD_HUB", "access_denied"), GrantRevokedError),
        (old_body("BAD_HUB"), GrantRevokedError),
        (new_body("BAD_CLIENT_ID", "invalid_client"), ConfigurationError),
        (new_body("BAD_CLIENT_SECRET", "invalid_client"), ConfigurationError),
        (old_body("BAD_CLIENT_SECRET"), ConfigurationError),
        ({"error": "invalid_client"}, ConfigurationError),
        (new_body("BAD_CLIENT_ID", "invalid_grant"), ConfigurationError),
        (new_body("BAD_REFRESH_TOKEN", "invalid_client"), ConfigurationError),
        (old_body("BAD_GRANT_TYPE"), ConfigurationError),
        (old_body("BAD_SCOPES"), ConfigurationError),
        (old_body("NEVER_SEEN"), ConfigurationError),
        ({"status": "error", "message": "revoked"}, ConfigurationError),
        ({"error": ["invalid_grant"], "status": 7, "message": None}, UnavailableError),
        (b"<html>invalid_grant</html>", UnavailableError),
    ],
)
@pytest.mark.parametrize("status", [400, 401])
def test_refused_refresh_ends_the_grant_only_if_the_codes_say_so(
    status: int,
    body: object,
    expected: type[HubSpotError],
    server: ScriptedServer,
    oauth: HubSpotOAuth,
) -> None:
    error = failed_refresh(server, oauth, Reply(status, body))
    assert type(error) is expected
    assert error.status == status


def test_refusal_keeps_the_most_telling_code(server: ScriptedServer, oauth: HubSpotOAuth) -> None:
    body = new_body("BAD_REFRESH_TOKEN", "invalid_grant") | {"correlationId": "c-1"}
    error = failed_refresh(server, oauth, Reply(400, body))
    assert (error.category, error.correlation_id) == ("BAD_REFRESH_TOKEN", "c-1")
    assert str(error) == "Told you."
    assert error.definite


@pytest.mark.parametrize("body", [new_body("BAD_REFRESH_TOKEN", "invalid_grant"), b"<html>"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (408, UnavailableError),
        (423, AccountLockedError),
        (429, RateLimitedError),
        (477, AccountLockedError),
        (500, UnavailableError),
        (502, UnavailableError),
        (522, UnavailableError),
    ],
)
def test_temporary_failure_is_never_a_revoked_grant(
    status: int,
    expected: type[HubSpotError],
    body: object,
    server: ScriptedServer,
    oauth: HubSpotOAuth,
) -> None:
    assert type(failed_refresh(server, oauth, Reply(status, body))) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (new_body("BAD_AUTH_CODE", "invalid_grant"), AuthorizationCodeError),
        (old_body("BAD_AUTH_CODE"), AuthorizationCodeError),
        (old_body("EXPIRED_AUTH_CODE"), AuthorizationCodeError),
        (old_body("BAD_CODE_VERIFIER"), AuthorizationCodeError),
        ({"error": "invalid_grant"}, AuthorizationCodeError),
        (new_body("BAD_HUB", "access_denied"), AuthorizationCodeError),
        (new_body("BAD_REDIRECT_URI", "invalid_grant"), ConfigurationError),
        (old_body("BAD_CLIENT_ID"), ConfigurationError),
    ],
)
def test_refused_code_means_to_start_again_unless_it_is_our_fault(
    body: object, expected: type[HubSpotError], server: ScriptedServer, oauth: HubSpotOAuth
) -> None:
    assert type(failed_exchange(server, oauth, Reply(400, body))) is expected


def test_revoke_names_the_refresh_token(server: ScriptedServer, oauth: HubSpotOAuth) -> None:
    server.then(Reply(200))
    oauth.revoke("refresh-1")
    assert server.received[0].path == "/oauth/2026-09/token/revoke"
    assert form_of(server)["token"] == ["refresh-1"]
    assert form_of(server)["token_type_hint"] == ["refresh_token"]


def test_revoking_an_invalid_token_is_done(server: ScriptedServer, oauth: HubSpotOAuth) -> None:
    server.then(Reply(400, new_body("BAD_REFRESH_TOKEN", "invalid_grant")))
    oauth.revoke("refresh-1")


def test_revoke_that_may_not_have_happened_fails(
    server: ScriptedServer, oauth: HubSpotOAuth
) -> None:
    server.then(Reply(502))
    with pytest.raises(UnavailableError):
        oauth.revoke("refresh-1")


def test_introspection_tells_about_a_token_without_repeating_it(
    server: ScriptedServer, oauth: HubSpotOAuth
) -> None:
    known = {"active": True, "hub_id": 42, "hub_domain": "example.com"}
    server.then(Reply(200, known | {"token": "access-1", "signed_access_token": {"a": 1}}))
    assert oauth.introspect("access-1") == known
    assert server.received[0].path == "/oauth/2026-09/token/introspect"
    assert form_of(server)["token_type_hint"] == ["access_token"]


def test_inactive_token_has_nothing_to_tell(server: ScriptedServer, oauth: HubSpotOAuth) -> None:
    server.then(Reply(200, {"active": False}))
    assert oauth.introspect("refresh-1", kind="refresh_token") is None
