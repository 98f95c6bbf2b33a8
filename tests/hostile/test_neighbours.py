"""One tenant's worst habits, and strangers': what they may do, and that others never meet it."""

import json
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from flask.testing import FlaskClient
from sqlalchemy import text
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from api.context.quotas import (
    CHANGING,
    NAMING,
    RETRYING_MANY,
    RETURNING,
    Buckets,
    ChosenQuotas,
    Quota,
)
from api.context.rationing import BYTES_A_CALL
from api.context.services import EXPORTS_AT_ONCE
from api.http.errors import KIB, USUAL_BYTES
from api.http.slots import Slots
from local.databases import PROJECT
from local.processes import Command, Process, free_port
from local.services import serves
from shared.connections.oauth_states import MOST_OPEN, Authorization, new_secret
from shared.connections.pending_grants import give_up_pending_grant, store_pending_grant
from shared.database.engines import Database
from shared.hubspot.models import TokenGrant
from tests.api.asking import (
    NO_POSTGRES,
    PLATFORM_SECRET,
    PUBLIC_URL,
    USER_SECRET,
    WORKSPACE_SECRET,
    Asker,
    call_ended,
    environment,
    landing,
    make_token,
    post_webhook,
    read,
    signed_headers,
)
from tests.api.conftest import ClientFactory
from tests.api.quotas import hold_still, let_pass, services_of, use_up
from tests.api.test_exports import fill
from tests.api.test_sessions import VIEWER_MAY

WEBHOOKS: Final = "/api/webhooks/call-ended"
MEBIBYTE: Final = 1024 * 1024
CHUNKED: Final = {
    "CONTENT_LENGTH": "",
    "HTTP_TRANSFER_ENCODING": "chunked",
    "wsgi.input_terminated": True,
}
FORGED: Final = new_secret()
# No state and no grant looks like that.
NO_SECRETS: Final = ("x", "", "f" * 42, "f" * 44, "f" * 42 + "!", "é" * 43, "f" * 43 + "\n")


def read_nothing(_: int) -> bytes:
    raise AssertionError("the body was read")


def announce_array(
    client: FlaskClient, size: int, read: Callable[[int], bytes], secret: str
) -> tuple[int, str]:
    """Send headers of the right form, and a body that comes as `read` gives it."""
    body = SimpleNamespace(read=read)
    answer = client.application.test_client().post(
        WEBHOOKS,
        headers=signed_headers(b"", secret=secret),
        environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": str(size)},
    )
    return code_of(answer)


def array_of(elements: list[str]) -> str:
    return f"[{','.join(elements)}]"


# Few, so that they are soon used up: the setting scales all that is tested here.
BURST: Final = 480
FEW: Final = {"DASHBOARD_REQUESTS_PER_MINUTE": "60", "WEBHOOK_CALLS_PER_MINUTE": "60"}


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, read(answer)["error"]["code"]


def ask_route(asker: Asker, route: str) -> TestResponse:
    method, path = route.split(" ")
    path = path.removeprefix("/api/hubspot/").replace("<log_id>", "hs_" + "0" * 32)
    return asker.ask(method, path, json={} if method in {"POST", "PATCH"} else None)


def ask_to_the_end(asker: Asker, route: str) -> TestResponse:
    """Ask, and read the answer whole, which is the end of an export."""
    answer = ask_route(asker, route)
    answer.get_data()
    answer.close()
    return answer


@pytest.fixture
def still(make_client: ClientFactory) -> Asker:
    """A tenant with few quotas, for whom no time passes."""
    client = make_client(**FEW)
    hold_still(client)
    return Asker(client)


@pytest.mark.parametrize("route", VIEWER_MAY)
def test_every_route_of_the_dashboard_is_refused_in_the_end(still: Asker, route: str) -> None:
    count, refused = use_up(lambda: ask_to_the_end(still, route))
    assert 0 < count <= CHANGING.burst
    assert code_of(refused) == (429, "too_many_requests")
    assert "times a minute" in read(refused)["error"]["message"]
    wait = int(refused.headers["Retry-After"])
    assert wait >= 1
    neighbour = Asker(still.client)
    assert ask_route(neighbour, route).status_code != 429

    let_pass(still.client, seconds=wait)
    assert ask_to_the_end(still, route).status_code != 429


def test_log_says_once_who_met_a_quota(still: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    use_up(lambda: still.ask("GET", "status"))
    for _ in range(5):
        still.ask("GET", "status")
    lines = [line for line in capsys.readouterr().out.splitlines() if "quota_used_up" in line]
    assert len(lines) == 1
    assert still.user_id in lines[0]


@pytest.mark.parametrize("same", ["user_id", "workspace_id"])
def test_quota_is_of_a_user_within_a_workspace(still: Asker, same: str) -> None:
    use_up(lambda: still.ask("GET", "status"))
    other = Asker(still.client, **{same: getattr(still, same)})
    assert other.ask("GET", "status").status_code == 200


def test_refused_request_asks_no_database(make_client: ClientFactory) -> None:
    client = make_client(database=NO_POSTGRES, **FEW)
    hold_still(client)
    asker = Asker(client)
    sessions = services_of(client).ended_sessions
    sessions._find = lambda *_, **__: None  # type: ignore[method-assign]
    tenant_buckets = services_of(client).buckets
    for route in VIEWER_MAY:
        answer = ask_route(asker, route)
        while answer.status_code != 429:
            answer = ask_route(asker, route)
        assert code_of(answer) == (429, "too_many_requests")
    assert len(tenant_buckets) > 0


def test_many_who_ask_fill_no_memory(make_client: ClientFactory) -> None:
    client = make_client()
    buckets = services_of(client).buckets
    buckets._most = 100
    for _ in range(300):
        Asker(client).ask("GET", "status")
    assert len(buckets) == 100


def test_polling_dashboards_are_never_refused(make_client: ClientFactory) -> None:
    """Forty busy dashboards of one tenant: two questions each every four seconds."""
    client = make_client()
    hold_still(client)
    asker = Asker(client)
    for _ in range(10):
        for _ in range(2 * 40):
            assert asker.ask("GET", "status").status_code == 200
        let_pass(client, seconds=4)


@pytest.mark.parametrize("claims", [{"role": "viewer"}, {"iat": 1}])
def test_who_may_change_nothing_uses_up_nothing(still: Asker, claims: dict[str, Any]) -> None:
    bad = make_token(sub=still.user_id, workspace_id=still.workspace_id, **claims)
    for _ in range(CHANGING.burst + 10):
        answer = still.client.delete(
            "/api/hubspot/disconnect", headers={"Authorization": f"Bearer {bad}"}
        )
        assert answer.status_code in {401, 403}
    assert still.ask("DELETE", "disconnect").status_code == 200


def test_tenant_makes_only_so_many_changes_a_day(still: Asker) -> None:
    changed = 0
    for _ in range(40):
        changed += use_up(lambda: still.ask("PATCH", "settings", json={"default_region": "DE"}))[0]
        let_pass(still.client, seconds=60)
    _, refused = use_up(lambda: still.ask("PATCH", "settings", json={"default_region": "DE"}))
    assert "2,000 times a day" in read(refused)["error"]["message"]
    assert changed < 1100


def test_open_authorizations_of_a_tenant_are_few_and_the_newest(
    database: Database, asker: Asker
) -> None:
    with ThreadPoolExecutor(8) as pool:
        urls = list(pool.map(lambda _: asker.initiate(), range(MOST_OPEN + 10)))
    newest = asker.initiate()
    neighbour = Asker(asker.client)
    neighbour.initiate()
    with database.begin() as session:
        count = text("SELECT count(*) FROM hubspot_oauth_states WHERE user_id = :user_id")
        kept = session.execute(count, {"user_id": asker.user_id}).scalar_one()
        others = session.execute(count, {"user_id": neighbour.user_id}).scalar_one()
    assert (kept, others) == (MOST_OPEN, 1)

    def is_known(url: str) -> bool:
        state = dict(part.split("=") for part in url.partition("?")[2].split("&"))["state"]
        answer = asker.visit(f"/api/hubspot/oauth/callback?state={state}&error=access_denied")
        return landing(answer)["code"] != "invalid_state"

    assert is_known(newest)
    assert not is_known(urls[0])


def test_pending_grants_of_a_tenant_are_few_and_the_newest(
    database: Database, asker: Asker
) -> None:
    def store() -> str:
        authorization = Authorization(
            user_id=asker.user_id,
            workspace_id=asker.workspace_id,
            code_verifier="v",
            browser_hash=None,
            return_to=PUBLIC_URL,
        )
        token = TokenGrant(
            access_token="a", refresh_token="r", expires_in=1800, hub_id=None, scopes=()
        )
        with database.begin() as session:
            return store_pending_grant(session, authorization, token, "r", lambda *_: "sealed")

    stored = [store() for _ in range(MOST_OPEN + 5)]
    with database.begin() as session:
        open_ones = [give_up_pending_grant(session, secret) is not None for secret in stored]
    assert open_ones == [False] * 5 + [True] * MOST_OPEN


def test_callbacks_of_one_address_are_few_and_the_browser_is_told(
    make_client: ClientFactory,
) -> None:
    client = make_client(TRUSTED_PROXIES="1")
    hold_still(client)

    def visit(address: str, state: str = FORGED) -> dict[str, str]:
        query = urlencode({"state": state, "code": "c"})
        headers = {"X-Forwarded-For": f"198.51.100.9, {address}"}
        path = f"/api/hubspot/oauth/callback?{query}"
        return landing(client.get(path, base_url=PUBLIC_URL, headers=headers))

    for number in range(RETURNING.burst):
        assert visit(f"2001:db8::{number:x}")["code"] == "invalid_state"
    assert visit("2001:db8::ffff")["code"] == "too_many_requests"
    assert visit("2001:db8:0:1::1")["code"] == "invalid_state"
    assert visit("203.0.113.7")["code"] == "invalid_state"

    # A state that was turned away is as good as before.
    state = Asker(client).initiate().partition("state=")[2].partition("&")[0]
    assert visit("2001:db8::1", state)["code"] == "too_many_requests"
    let_pass(client, seconds=60)
    assert visit("2001:db8::1", state)["code"] == "expired_code"


def test_confirmations_of_one_address_are_few(make_client: ClientFactory) -> None:
    client = make_client()
    hold_still(client)
    for _ in range(RETURNING.burst):
        landed = client.post(
            "/api/hubspot/oauth/confirm",
            data={"grant": FORGED, "decision": "connect"},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert landing(landed)["code"] == "invalid_state"
    landed = client.post(
        "/api/hubspot/oauth/confirm",
        data={"grant": FORGED},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert landing(landed)["code"] == "too_many_requests"


@pytest.mark.parametrize("secret", NO_SECRETS)
def test_what_is_no_secret_of_ours_uses_no_quota_and_few_lines(
    make_client: ClientFactory, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setattr("api.context.rationing.RETURNING", Quota("returning", times=5, burst=5))
    client = make_client()
    hold_still(client)
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    path = "/api/hubspot/oauth"
    with capture_logs() as lines:
        for number in range(NAMING.burst + 2):
            if number % 2:
                query = urlencode({"state": secret})
                landed = client.get(f"{path}/callback?{query}", base_url=PUBLIC_URL)
            else:
                landed = client.post(f"{path}/confirm", data={"grant": secret}, headers=same_origin)
            assert landing(landed)["code"] == "invalid_state"
    assert len([each for each in lines if each["event"] == "oauth_failed"]) == NAMING.burst

    state = Asker(client).initiate().partition("state=")[2].partition("&")[0]
    query = urlencode({"state": state, "code": "c"})
    landed = client.get(f"{path}/callback?{query}", base_url=PUBLIC_URL)
    assert landing(landed)["code"] == "expired_code"


# Bodies


@pytest.mark.parametrize("route", [*VIEWER_MAY, "POST /api/hubspot/oauth/confirm", "GET /healthz"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_megabyte_is_refused_by_every_route_and_not_parsed(
    asker: Asker, monkeypatch: pytest.MonkeyPatch, route: str, is_chunked: bool
) -> None:
    parsed: list[int] = []
    loads = json.loads

    def note_size(body: str, **options: Any) -> Any:
        parsed.append(len(body))
        return loads(body, **options)

    monkeypatch.setattr(json, "loads", note_size)
    method, path = route.split(" ")
    answer = asker.client.open(
        path.replace("<log_id>", "hs_1"),
        method=method,
        headers={**asker.headers, "Sec-Fetch-Site": "same-origin"},
        data=json.dumps({"phone_number": "1" * MEBIBYTE}),
        environ_overrides=CHUNKED if is_chunked else {},
    )
    assert max(parsed, default=0) < 300 * KIB
    if not is_chunked and "confirm" not in path:
        assert code_of(answer) == (413, "payload_too_large")
        assert "KiB" in read(answer)["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("PATCH", "settings", 64 * KIB),
        ("POST", "test-call", USUAL_BYTES),
        ("POST", "sync-logs/retry", 64 * KIB),
        ("POST", "preview", 256 * KIB),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_limit_of_a_route_is_exact_and_named(
    asker: Asker, method: str, path: str, limit: int, is_chunked: bool
) -> None:
    def send(size: int) -> TestResponse:
        options: dict[str, Any] = {"data": b"{}" + b" " * (size - 2)}
        if is_chunked:
            options["environ_overrides"] = CHUNKED
        return asker.ask(method, path, **options)

    assert send(limit).status_code != 413
    refused = send(limit + 1)
    assert code_of(refused) == (413, "payload_too_large")
    assert f"{limit // KIB} KiB" in read(refused)["error"]["message"]


def test_thousand_ids_fit_a_retry(asker: Asker) -> None:
    ids = [f"hs_{secrets.token_hex(16)}" for _ in range(1000)]
    answer = asker.ask("POST", "sync-logs/retry", data=json.dumps({"ids": ids}, indent=4))
    assert answer.status_code == 202


# Webhooks


def flood(client: FlaskClient, secret: str, **data: str) -> tuple[int, TestResponse]:
    for count in range(1000):
        answer = post_webhook(client, call_ended(**data), secret=secret)
        if answer.status_code != 202:
            return count, answer
    raise AssertionError("nothing was refused")


OWN: Final = {"user_id": "user_own", "workspace_id": "ws_own"}


@pytest.mark.parametrize("secret", [WORKSPACE_SECRET, USER_SECRET])
def test_flood_with_a_secret_of_ones_own_is_told_to_come_later(still: Asker, secret: str) -> None:
    count, refused = flood(still.client, secret, **OWN)
    assert count == BURST
    assert code_of(refused) == (503, "over_quota")
    assert "WEBHOOK_CALLS_PER_MINUTE" in read(refused)["error"]["message"]
    assert post_webhook(still.client, call_ended()).status_code == 202

    let_pass(still.client, seconds=int(refused.headers["Retry-After"]))
    assert post_webhook(still.client, call_ended(**OWN), secret=secret).status_code == 202


def calls_of(count: int, **owner: str) -> list[dict[str, Any]]:
    return [call_ended(**owner)["data"] for _ in range(count)]


@pytest.mark.parametrize("as_array", [False, True])
def test_other_users_are_no_way_round_a_workspaces_quota(still: Asker, *, as_array: bool) -> None:
    for number in range(BURST):
        event = call_ended(user_id=f"user_{number}", workspace_id="ws_own")
        sent = [event] if as_array else event
        assert post_webhook(still.client, sent, secret=WORKSPACE_SECRET).status_code == 202
    event = call_ended(user_id="somebody_else", workspace_id="ws_own")
    answer = post_webhook(still.client, [event] if as_array else event, secret=WORKSPACE_SECRET)
    assert code_of(answer) == (503, "over_quota")
    assert "'ws_own'" in read(answer)["error"]["message"]


def test_platforms_secret_has_a_quota_for_each_tenant(still: Asker) -> None:
    assert post_webhook(still.client, calls_of(BURST, user_id="busy")).status_code == 202
    answer = post_webhook(still.client, calls_of(1, user_id="busy"))
    assert code_of(answer) == (503, "over_quota")
    assert "user_id 'busy' of workspace_id 'ws_1'" in read(answer)["error"]["message"]
    assert post_webhook(still.client, calls_of(1, user_id="quiet")).status_code == 202


def test_nobodys_calls_in_an_array_wait_for_a_tenant_who_is_over_quota(still: Asker) -> None:
    assert post_webhook(still.client, calls_of(BURST + 10, user_id="busy")).status_code == 202
    others = [call_ended(user_id=f"quiet_{number}")["data"] for number in range(50)]
    answer = post_webhook(still.client, [*others, *calls_of(1, user_id="busy")])
    assert (answer.status_code, read(answer)["accepted"]) == (202, 51)
    # What was stored is owed.
    answer = post_webhook(still.client, calls_of(1, user_id="busy"))
    assert code_of(answer) == (503, "over_quota")
    assert int(answer.headers["Retry-After"]) == 12
    both = [*calls_of(BURST, user_id="quiet_1"), *calls_of(1, user_id="quiet_2")]
    assert post_webhook(still.client, both).status_code == 202
    over = [*calls_of(1, user_id="busy"), *calls_of(1, user_id="quiet_1")]
    answer = post_webhook(still.client, over)
    assert code_of(answer) == (503, "over_quota")
    assert int(answer.headers["Retry-After"]) == 2
    # Nothing of it was stored or counted.
    quiet = Asker(still.client, "quiet_1", "ws_1")
    assert quiet.get("sync-logs", call_id=over[1]["call_id"])["total"] == 0
    let_pass(still.client, seconds=2)
    assert post_webhook(still.client, over).status_code == 202


@pytest.mark.parametrize("secret", [PLATFORM_SECRET, WORKSPACE_SECRET, USER_SECRET])
def test_history_of_a_tenant_does_not_shut_out_its_live_calls(still: Asker, secret: str) -> None:
    for _ in range(3):
        post_webhook(still.client, calls_of(BURST, **OWN), secret=secret)
    refused = post_webhook(still.client, calls_of(1, **OWN), secret=secret)
    assert code_of(refused) == (503, "over_quota")
    assert post_webhook(still.client, call_ended(**OWN), secret=secret).status_code == 202


@pytest.mark.parametrize("secret", [PLATFORM_SECRET, WORKSPACE_SECRET])
@pytest.mark.parametrize(
    "body",
    [
        array_of(["{}"] * 1000),
        array_of(["1"] * 1001),
        array_of(["{}"] * 1000).removesuffix("]"),
        array_of(["{}"] * 1000) + "x",
        array_of(['{"type":"call.ended","data":1}'] * 1000),
    ],
    ids=range(5),
)
def test_elements_that_are_refused_count_as_well(still: Asker, secret: str, body: str) -> None:
    first = post_webhook(still.client, body.encode(), secret=secret)
    assert first.status_code in {400, 413}
    again = post_webhook(still.client, body.encode(), secret=secret)
    assert code_of(again) == (503, "over_quota")
    assert int(again.headers["Retry-After"]) == 1000 - BURST + 1
    assert post_webhook(still.client, call_ended(**OWN), secret=secret).status_code == 202


def test_elements_of_no_interest_count_for_who_signs_for_itself(still: Asker) -> None:
    body = array_of(['{"type":"other"}'] * 1000).encode()
    for secret, status in ((WORKSPACE_SECRET, 503), (PLATFORM_SECRET, 202)):
        assert post_webhook(still.client, body, secret=secret).status_code == 202
        assert post_webhook(still.client, body, secret=secret).status_code == status


@pytest.mark.parametrize("secret", [PLATFORM_SECRET, WORKSPACE_SECRET])
@pytest.mark.parametrize("count", [0, 400])
def test_webhook_that_could_not_be_stored_uses_nothing(
    make_client: ClientFactory, secret: str, count: int
) -> None:
    client = make_client(database=NO_POSTGRES, **FEW)
    hold_still(client)
    sent = calls_of(count, **OWN) if count else call_ended(**OWN, summary="x" * 900_000)
    for _ in range(12):
        assert code_of(post_webhook(client, sent, secret=secret)) == (503, "unavailable")


def test_array_for_which_there_is_no_place_uses_nothing_and_is_not_read(still: Asker) -> None:
    array = calls_of(2, **OWN, summary="x" * 900_000)
    with services_of(still.client).array_slots.held():
        for _ in range(10):
            answered = announce_array(still.client, 2 * MEBIBYTE, read_nothing, WORKSPACE_SECRET)
            assert answered == (503, "busy")
    assert post_webhook(still.client, array, secret=WORKSPACE_SECRET).status_code == 202


def test_array_whose_place_is_taken_while_it_comes_uses_nothing(
    still: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = calls_of(2, **OWN, summary="x" * 900_000)
    slots = services_of(still.client).array_slots
    monkeypatch.setattr(slots, "require_free", lambda: None)
    with slots.held(), monkeypatch.context() as patch:
        patch.setattr(slots, "held", Slots(0).held)
        for _ in range(10):
            answer = post_webhook(still.client, array, secret=WORKSPACE_SECRET)
            assert code_of(answer) == (503, "busy")
    assert post_webhook(still.client, array, secret=WORKSPACE_SECRET).status_code == 202


def test_arrays_that_are_slow_to_come_leave_room_for_large_calls(
    still: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.slots.WAIT_FOR_ROOM_S", 0.01)
    entered: list[int] = []

    def read_slowly(size: int) -> bytes:
        """While it comes, other requests are answered."""
        if not entered:
            entered.append(size)
            assert announce(read_nothing) == (503, "busy")
            event = call_ended(summary="x" * 900_000)
            assert post_webhook(still.client, event).status_code == 202
        return b""

    announce = partial(announce_array, still.client, 16 * MEBIBYTE, secret=PLATFORM_SECRET)
    assert announce(read_slowly) == (400, "invalid_request")
    assert entered


def test_large_calls_count_as_several(still: Asker) -> None:
    summary = "x" * (10 * BYTES_A_CALL)
    count, refused = flood(still.client, WORKSPACE_SECRET, summary=summary, **OWN)
    assert count == BURST // 10
    assert code_of(refused) == (503, "over_quota")


def test_calls_of_an_array_are_counted_each(still: Asker) -> None:
    for _ in range(2):
        answer = post_webhook(still.client, calls_of(BURST // 2, **OWN), secret=WORKSPACE_SECRET)
        assert answer.status_code == 202
    answer = post_webhook(still.client, calls_of(1, **OWN), secret=WORKSPACE_SECRET)
    assert code_of(answer) == (503, "over_quota")


def test_array_larger_than_any_burst_is_taken_and_owed(still: Asker) -> None:
    calls = calls_of(1000, **OWN)
    assert post_webhook(still.client, calls, secret=WORKSPACE_SECRET).status_code == 202
    refused = post_webhook(still.client, calls_of(1, **OWN), secret=WORKSPACE_SECRET)
    assert code_of(refused) == (503, "over_quota")
    assert int(refused.headers["Retry-After"]) == 1000 - BURST + 1


def test_who_does_not_sign_uses_nobodys_quota(still: Asker) -> None:
    for _ in range(BURST + 10):
        answer = still.client.post(WEBHOOKS, json=call_ended(**OWN))
        assert answer.status_code == 401
        wrong = post_webhook(still.client, call_ended(), secret=WORKSPACE_SECRET)
        assert wrong.status_code in {403, 503}
    assert post_webhook(still.client, call_ended()).status_code == 202


def test_ordinary_burst_is_never_refused(make_client: ClientFactory) -> None:
    client = make_client()
    hold_still(client)
    for _ in range(5):
        calls = [call_ended(**OWN, summary="x" * 15_000)["data"] for _ in range(1000)]
        assert post_webhook(client, calls, secret=WORKSPACE_SECRET).status_code == 202
    assert post_webhook(client, call_ended(**OWN), secret=WORKSPACE_SECRET).status_code == 202


# Exports


def test_second_export_of_a_tenant_is_refused_before_anything_is_counted(
    database: Database, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, asker, 3000)
    first = asker.ask("GET", "sync-logs/export", buffered=False)
    next(iter(first.response))

    def count(*_: object, **__: object) -> int:
        raise AssertionError("rows were counted")

    with monkeypatch.context() as patch:
        patch.setattr("api.log.exports.count_logs", count)
        refused = asker.ask("GET", "sync-logs/export")
    assert code_of(refused) == (429, "too_many_requests")
    assert Asker(asker.client).ask("GET", "sync-logs/export").status_code == 200
    first.close()
    assert asker.ask("GET", "sync-logs/export").status_code == 200


def test_rows_of_an_export_are_counted(
    database: Database, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_still(asker.client)
    monkeypatch.setattr("api.log.exports.ROWS_A_USE", 10)
    fill(database, asker, 200)
    assert asker.ask("GET", "sync-logs/export").status_code == 200
    refused = asker.ask("GET", "sync-logs/export")
    assert code_of(refused) == (429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) == 50


def test_script_may_read_a_long_log_in_one_go() -> None:
    """50,000 entries in pages of 200, each answered within 10 ms."""
    now = 0.0
    buckets = Buckets(clock=lambda: now)
    looking = ChosenQuotas.of(requests_per_minute=1200, calls_per_minute=1).looking
    for _ in range(50_000 // 200):
        assert buckets.take(looking, "script") == 0
        now += 0.01


def test_bulk_retries_are_few(still: Asker) -> None:
    count, _ = use_up(lambda: still.ask("POST", "sync-logs/retry", json={"status": "error"}))
    assert count == RETRYING_MANY.burst


@pytest.fixture
def impatient_url(postgres_url: str, tmp_path: Path) -> Iterator[str]:
    """The API behind its server, with as many threads as there may be exports."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = Command(
        name="api",
        arguments=[
            *(sys.executable, "-m", "granian", "--interface", "wsgi"),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--blocking-threads", str(EXPORTS_AT_ONCE), "tests.hostile.impatient:app"),
        ],
        log=tmp_path / "api.log",
        environment=os.environ | environment(DATABASE_URL=postgres_url),
        directory=PROJECT,
    )
    process = Process(command, partial(serves, f"{url}/healthz"))
    try:
        process.wait_until_ready()
        yield url
    finally:
        process.stop()


def test_readers_who_take_nothing_are_given_up_by_the_server(
    asker: Asker, database: Database, impatient_url: str
) -> None:
    readers = [asker, *(Asker(asker.client) for _ in range(EXPORTS_AT_ONCE - 1))]
    parts = urlsplit(impatient_url)
    with ExitStack() as stack:
        for each in readers:
            fill(database, each, 6000)
            with database.begin() as session:
                session.execute(
                    text("UPDATE hubspot_sync_logs SET error_message = :text WHERE user_id = :id"),
                    {"text": "x" * 2000, "id": each.user_id},
                )
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect((parts.hostname, parts.port))
            token = each.headers["Authorization"]
            reader.sendall(
                b"GET /api/hubspot/sync-logs/export HTTP/1.1\r\nHost: x\r\nAuthorization: "
                + token.encode()
                + b"\r\n\r\n"
            )
            assert reader.recv(12) == b"HTTP/1.1 200"
        # Every thread waits for one of them, and every place is taken.
        answer = requests.get(
            f"{impatient_url}/api/hubspot/sync-logs/export",
            headers=Asker(asker.client).headers,
            timeout=240,
        )
        while answer.status_code == 503:
            answer = requests.get(answer.url, headers=answer.request.headers, timeout=240)
        assert answer.status_code == 200
