"""Who may send webhooks: signatures, secrets and clocks."""

import base64
import hmac
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from tests.api.asking import (
    OLD_SECRET,
    PLATFORM_SECRET,
    USER_SECRET,
    WORKSPACE_SECRET,
    call_ended,
    post_webhook,
    read,
    signed_headers,
)
from tests.api.conftest import ClientFactory

URL = "/api/webhooks/call-ended"


@pytest.mark.parametrize("secret", [PLATFORM_SECRET, OLD_SECRET])
def test_any_platform_secret_may_sign_for_any_workspace(client: FlaskClient, secret: str) -> None:
    assert post_webhook(client, call_ended(), secret=secret).status_code == 202


def test_secret_of_a_workspace_signs_for_that_workspace_only(client: FlaskClient) -> None:
    own = post_webhook(client, call_ended(workspace_id="ws_own"), secret=WORKSPACE_SECRET)
    foreign = post_webhook(client, call_ended(workspace_id="ws_1"), secret=WORKSPACE_SECRET)

    assert own.status_code == 202
    assert foreign.status_code == 403
    assert read(foreign)["error"]["code"] == "wrong_workspace"


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        ({"user_id": "user_1", "workspace_id": "ws_own"}, "belongs to another user of this"),
        ({"user_id": "user_own", "workspace_id": "ws_1"}, "belongs to another workspace"),
        ({"user_id": "user_1", "workspace_id": "ws_1"}, "belongs to another workspace"),
        ({"user_id": "ws_own", "workspace_id": "user_own"}, "belongs to another workspace"),
    ],
)
def test_secret_of_a_user_signs_for_that_user_in_that_workspace_only(
    client: FlaskClient, owner: dict[str, str], words: str
) -> None:
    own = call_ended(user_id="user_own", workspace_id="ws_own")
    assert post_webhook(client, own, secret=USER_SECRET).status_code == 202
    foreign = post_webhook(client, call_ended(**owner), secret=USER_SECRET)
    assert foreign.status_code == 403
    assert read(foreign)["error"]["code"] == "wrong_workspace"
    assert words in read(foreign)["error"]["message"]


def test_secret_of_a_workspace_signs_for_all_its_users(client: FlaskClient) -> None:
    for user_id in ("user_own", "user_1"):
        event = call_ended(user_id=user_id, workspace_id="ws_own")
        assert post_webhook(client, event, secret=WORKSPACE_SECRET).status_code == 202


def test_one_secret_may_be_several_users(make_client: ClientFactory) -> None:
    entries = (f"{owner}={USER_SECRET}" for owner in ("a%2Fb/ws%2C1", "c/ws_2"))
    client = make_client(WEBHOOK_SECRETS=",".join(entries))
    for user_id, workspace_id, status in (
        ("a/b", "ws,1", 202),
        ("c", "ws_2", 202),
        ("a/b", "ws_2", 403),
        ("a%2Fb", "ws,1", 403),
        ("a", "b/ws,1", 403),
    ):
        event = call_ended(user_id=user_id, workspace_id=workspace_id)
        assert post_webhook(client, event, secret=USER_SECRET).status_code == status


@pytest.mark.parametrize("minutes", [-6, 6])
def test_signature_of_another_time_is_refused(client: FlaskClient, minutes: int) -> None:
    body = json.dumps(call_ended()).encode()
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    answer = client.post(URL, data=body, headers=signed_headers(body, at=at))
    assert (answer.status_code, read(answer)["error"]["code"]) == (401, "invalid_signature")


def test_clock_that_is_four_minutes_off_is_tolerated(client: FlaskClient) -> None:
    body = json.dumps(call_ended()).encode()
    at = datetime.now(UTC) - timedelta(minutes=4)
    assert client.post(URL, data=body, headers=signed_headers(body, at=at)).status_code == 202


def test_body_changed_by_one_blank_is_refused(client: FlaskClient) -> None:
    body = json.dumps(call_ended()).encode()
    answer = client.post(URL, data=body + b" ", headers=signed_headers(body))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v1,\xe9"},
        {"webhook-signature": ",,,, v1,x"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "inf"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "soon"},
        {"webhook-id": ""},
    ],
)
def test_hostile_headers_are_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    body = json.dumps(call_ended()).encode()
    sent = {**signed_headers(body), **headers} if headers else {}
    assert client.post(URL, data=body, headers=sent).status_code == 401


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("is_empty", [False, True])
def test_header_that_is_missing_is_named(client: FlaskClient, name: str, *, is_empty: bool) -> None:
    headers = signed_headers(b"{}") | {name: ""}
    if not is_empty:
        del headers[name]
    answer = client.post(URL, data=b"{}", headers=headers)
    assert answer.status_code == 401
    message = read(answer)["error"]["message"]
    assert f"no header {name}." in message
    assert message.count("webhook-") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        json.dumps(call_ended()).encode("utf-16"),
        json.dumps(call_ended()).encode("utf-32-be"),
        json.dumps(call_ended(summary="caf\xe9"), ensure_ascii=False).encode("latin-1"),
        json.dumps(call_ended()).encode() + b"\xed\xa0\x80",
    ],
    ids=["mark", "utf-16", "utf-32", "latin-1", "surrogate"],
)
def test_genuine_body_that_is_not_utf_8_is_told_so(client: FlaskClient, body: bytes) -> None:
    answer = client.post(URL, data=body, headers=sign(body))
    assert answer.status_code == 400
    (told,) = read(answer)["error"]["fields"]
    assert (told["field"], "not UTF-8" in told["message"]) == ("body", True)


def test_body_that_is_not_utf_8_and_not_signed_is_refused(client: FlaskClient) -> None:
    answer = client.post(URL, data=b"\xff\xfe", headers=sign(b"\xff\xfd"))
    assert answer.status_code == 401


def test_byte_order_mark_that_was_signed_is_ignored(client: FlaskClient) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(call_ended()).encode()
    assert client.post(URL, data=body, headers=sign(body)).status_code == 202
    assert client.post(URL, data=body[3:], headers=sign(body)).status_code == 401


@pytest.mark.parametrize("others", ["v1a,AAAA", "v1,%%%", "v2,x", "nonsense", "v1"])
def test_signatures_that_we_do_not_know_stand_in_nobodys_way(
    client: FlaskClient, others: str
) -> None:
    body = json.dumps(call_ended()).encode()
    headers = sign(body)
    headers["webhook-signature"] = f"{others} {headers['webhook-signature']}"
    assert client.post(URL, data=body, headers=headers).status_code == 202


def sign(body: bytes) -> dict[str, str]:
    """The headers for any bytes, by hand: the library signs text only."""
    stamp = str(int(time.time()))
    key = base64.b64decode(PLATFORM_SECRET.removeprefix("whsec_"))
    made = hmac.digest(key, b"msg_1." + stamp.encode() + b"." + body, "sha256")
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(made).decode(),
    }
