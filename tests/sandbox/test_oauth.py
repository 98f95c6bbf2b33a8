import pytest
import requests

from sandbox.client import SandboxControl
from tests.sandbox.driving import (
    REDIRECT_URI,
    Caller,
    Clock,
    authorize_url,
    callback_fields,
    exchange,
    install,
    request_token,
)

DETAILS = "/account-info/2026-09/details"


def refresh(caller: Caller, **changes: str) -> requests.Response:
    fields = {"grant_type": "refresh_token", "refresh_token": caller.tokens["refresh_token"]}
    return request_token(caller.url, **fields | changes)


def introspect(caller: Caller, token: str) -> dict[str, object]:
    answer: dict[str, object] = request_token(caller.url, "/introspect", token=token).json()
    return answer


def test_allowing_sends_the_browser_back_with_a_code_and_the_state(control: SandboxControl) -> None:
    callback = control.approve(authorize_url(control.base_url), control.add_account())
    assert callback.startswith(f"{REDIRECT_URI}?")
    assert callback_fields(callback).keys() == {"code", "state"}
    assert callback_fields(callback)["state"] == "a state"


def test_denying_sends_the_browser_back_with_an_error_and_the_state(
    control: SandboxControl,
) -> None:
    fields = callback_fields(control.deny(authorize_url(control.base_url)))
    assert fields["error"] == "access_denied"
    assert fields["state"] == "a state"
    assert "code" not in fields


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"redirect_uri": "https://evil.example/callback"},
        {"scope": "oauth contacts"},
        {"code_challenge_method": "plain"},
    ],
)
def test_wrong_authorize_url_is_shown_to_the_person_and_not_sent_back(
    control: SandboxControl, changes: dict[str, str]
) -> None:
    answer = requests.get(
        authorize_url(control.base_url, **changes), allow_redirects=False, timeout=240
    )
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_code_becomes_tokens_of_the_chosen_account(control: SandboxControl) -> None:
    control.add_account(111)
    control.add_account(222)
    callback = control.approve(authorize_url(control.base_url), 222)
    tokens = exchange(control.base_url, callback_fields(callback)["code"]).json()
    assert tokens["hub_id"] == 222
    assert tokens["expires_in"] == 1800
    assert tokens["token_type"] == "bearer"
    assert "crm.objects.contacts.write" in tokens["scopes"]


def test_code_works_once(control: SandboxControl) -> None:
    callback = control.approve(authorize_url(control.base_url), control.add_account())
    code = callback_fields(callback)["code"]
    assert exchange(control.base_url, code).status_code == 200
    second = exchange(control.base_url, code)
    assert second.status_code == 400
    assert second.json()["status"] == "BAD_AUTH_CODE"
    assert second.json()["error"] == "invalid_grant"


def test_code_expires_soon(control: SandboxControl, clock: Clock) -> None:
    callback = control.approve(authorize_url(control.base_url), control.add_account())
    clock.advance(61)
    answer = exchange(control.base_url, callback_fields(callback)["code"])
    assert answer.json()["status"] == "EXPIRED_AUTH_CODE"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"code_verifier": "another"}, "BAD_CODE_VERIFIER"),
        ({"redirect_uri": "http://elsewhere.example"}, "BAD_REDIRECT_URI"),
        ({"client_id": "another"}, "BAD_CLIENT_ID"),
        ({"client_secret": "wrong"}, "BAD_CLIENT_SECRET"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
    ],
)
def test_wrong_exchange_is_a_400_that_names_what_is_wrong(
    control: SandboxControl, changes: dict[str, str], status: str
) -> None:
    callback = control.approve(authorize_url(control.base_url), control.add_account())
    answer = exchange(control.base_url, callback_fields(callback)["code"], **changes)
    assert answer.status_code == 400
    assert answer.json()["status"] == status


def test_refresh_keeps_the_refresh_token_and_earlier_access_tokens(caller: Caller) -> None:
    fresh = refresh(caller).json()
    assert fresh["refresh_token"] == caller.tokens["refresh_token"]
    assert fresh["access_token"] != caller.tokens["access_token"]
    assert caller.call("GET", DETAILS).status_code == 200


def test_rotation_ends_the_old_refresh_token(control: SandboxControl, caller: Caller) -> None:
    control.set_behaviour(rotates_refresh_tokens=True)
    rotated = refresh(caller).json()["refresh_token"]
    assert rotated != caller.tokens["refresh_token"]
    assert refresh(caller).json()["status"] == "BAD_REFRESH_TOKEN"
    assert refresh(caller, refresh_token=rotated).status_code == 200


def test_refresh_fields_in_the_query_are_not_read(caller: Caller) -> None:
    answer = requests.post(
        f"{caller.url}/oauth/2026-09/token",
        params={"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"},
        timeout=240,
    )
    assert answer.json()["status"] == "BAD_CLIENT_ID"


def test_access_token_expires_after_half_an_hour(caller: Caller, clock: Clock) -> None:
    clock.advance(1799)
    assert caller.call("GET", DETAILS).status_code == 200
    clock.advance(1)
    answer = caller.call("GET", DETAILS)
    assert answer.status_code == 401
    assert answer.json()["category"] == "EXPIRED_AUTHENTICATION"


def test_unknown_token_is_invalid_authentication(caller: Caller) -> None:
    answer = requests.get(
        caller.url + DETAILS, headers={"Authorization": "Bearer junk"}, timeout=240
    )
    assert answer.status_code == 401
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"
    assert answer.json()["correlationId"]


def test_control_expires_tokens_of_one_account_only(
    control: SandboxControl, caller: Caller
) -> None:
    with requests.Session() as session:
        neighbour = install(control, control.add_account(), session)
        assert control.expire_tokens(caller.hub_id) == 1
        assert caller.call("GET", DETAILS).status_code == 401
        assert neighbour.call("GET", DETAILS).status_code == 200


def test_missing_scope_is_a_403_that_names_it(control: SandboxControl, caller: Caller) -> None:
    control.set_scopes(caller.hub_id, ["oauth", "crm.objects.contacts.read"])
    answer = caller.create_notes([])
    assert answer.status_code == 403
    assert answer.json()["category"] == "MISSING_SCOPES"
    required = answer.json()["errors"][0]["context"]["requiredGranularScopes"]
    assert required == ["crm.objects.contacts.write"]


def test_revoking_ends_the_refresh_token_but_not_the_access_token(caller: Caller) -> None:
    token = caller.tokens["refresh_token"]
    assert introspect(caller, token)["active"] is True
    revoked = request_token(caller.url, "/revoke", token=token, token_type_hint="refresh_token")
    assert revoked.status_code == 200
    assert refresh(caller).json()["status"] == "BAD_REFRESH_TOKEN"
    assert introspect(caller, token) == {"active": False}
    assert caller.call("GET", DETAILS).status_code == 200


def test_uninstalling_ends_every_token(caller: Caller) -> None:
    answer = caller.call("DELETE", "/appinstalls/2026-09/external-install")
    assert answer.status_code == 204
    assert caller.call("GET", DETAILS).status_code == 401
    assert refresh(caller).json()["error"] == "invalid_grant"
    assert introspect(caller, caller.tokens["access_token"]) == {"active": False}


def test_closed_account_is_a_bad_hub(control: SandboxControl, caller: Caller) -> None:
    control.close_account(caller.hub_id)
    answer = refresh(caller).json()
    assert (answer["status"], answer["error"]) == ("BAD_HUB", "access_denied")
    assert caller.call("GET", DETAILS).status_code == 401


def test_introspection_describes_an_access_token(caller: Caller, clock: Clock) -> None:
    clock.advance(100)
    described = introspect(caller, caller.tokens["access_token"])
    assert described["hub_id"] == caller.hub_id
    assert described["token_use"] == "access_token"
    assert described["expires_in"] == 1700


def test_account_details_name_the_account_and_its_pages(control: SandboxControl) -> None:
    with requests.Session() as session:
        caller = install(control, control.add_account(ui_domain="app-eu1.hubspot.com"), session)
        details = caller.call("GET", DETAILS).json()
    assert details["portalId"] == caller.hub_id
    assert details["uiDomain"] == "app-eu1.hubspot.com"
