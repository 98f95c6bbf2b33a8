"""The verifier of signatures: whatever is not signed is refused, and nothing breaks it."""

import base64
import hmac
import json
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from api.http.errors import BusyError, InvalidSignatureError
from api.intake import signatures
from api.intake.signatures import Signers, WebhookVerifier
from shared.configuration.setting_values import webhook_secrets
from tests.api.asking import (
    PLATFORM_SECRET,
    USER_SECRET,
    WORKSPACE_SECRET,
    call_ended,
    post_webhook,
    read,
    signed_headers,
)
from tests.api.conftest import ClientFactory
from tests.thoroughness import examples

VERIFIER = WebhookVerifier(webhook_secrets(f"{PLATFORM_SECRET},ws_own={WORKSPACE_SECRET}"))
BODY = json.dumps(call_ended()).encode()


def verify(verifier: WebhookVerifier, body: bytes, headers: Mapping[str, str]) -> Signers:
    return verifier.verify(body, verifier.read(headers))


# As a server decodes headers, and wilder.
ANY_TEXT = st.text(st.characters(max_codepoint=255)) | st.text(st.characters(codec=None))
SIGNATURE_LIKE = st.lists(
    st.sampled_from(["v1", "v1a", ",", " ", "=", "AAAA", "%", "\xe9", "v1,AAAA", "v1,AAA"]),
    max_size=12,
).map("".join)
TIMESTAMP_LIKE = st.sampled_from(
    ["nan", "inf", "-inf", "1e308", "1e400", "0x1", "1_0", "٣", "-0", "9" * 5000, "+1", "1.5"]
)


@settings(max_examples=examples(100), deadline=None)
@given(
    headers=st.fixed_dictionaries(
        {},
        optional={
            "webhook-id": ANY_TEXT,
            "webhook-timestamp": ANY_TEXT | TIMESTAMP_LIKE,
            "webhook-signature": ANY_TEXT | SIGNATURE_LIKE,
        },
    ),
    is_otherwise_signed=st.booleans(),
    body=st.binary(),
)
def test_what_nobody_signed_is_refused_and_nothing_else_happens(
    headers: dict[str, str], body: bytes, *, is_otherwise_signed: bool
) -> None:
    sent = (signed_headers(BODY) if is_otherwise_signed else {}) | headers
    with pytest.raises(InvalidSignatureError):
        verify(VERIFIER, body, sent)


def changed(text: str, place: int, character: str) -> str:
    place %= len(text)
    return text[:place] + character + text[place + 1 :]


@settings(max_examples=examples(100), deadline=None)
@given(
    name=st.sampled_from(["webhook-id", "webhook-timestamp", "body"]),
    place=st.integers(min_value=0),
    character=st.characters(min_codepoint=33, max_codepoint=126),
)
def test_no_character_of_what_is_signed_can_be_changed(
    name: str, place: int, character: str
) -> None:
    parts = {**signed_headers(BODY), "body": BODY.decode()}
    forged = parts | {name: changed(parts[name], place, character)}
    if forged == parts:
        return
    body = forged.pop("body").encode()
    with pytest.raises(InvalidSignatureError):
        verify(VERIFIER, body, forged)


@settings(max_examples=256, deadline=None)
@given(bit=st.integers(min_value=0, max_value=255))
def test_no_bit_of_a_signature_can_be_changed(bit: int) -> None:
    headers = signed_headers(BODY)
    version, _, encoded = headers["webhook-signature"].partition(",")
    signature = bytearray(base64.b64decode(encoded))
    signature[bit // 8] ^= 1 << bit % 8
    forged = f"{version},{base64.b64encode(signature).decode()}"
    with pytest.raises(InvalidSignatureError):
        verify(VERIFIER, BODY, headers | {"webhook-signature": forged})


@settings(max_examples=examples(100), deadline=None)
@given(
    body=st.text(),
    delivery=st.text("abc._-0", min_size=1, max_size=40) | st.text(min_size=1),
    seconds_off=st.integers(-600, 600),
    secret=st.binary(min_size=24, max_size=64),
    is_ours=st.booleans(),
)
def test_what_the_specifications_library_accepts_is_accepted_and_nothing_else(
    body: str, delivery: str, seconds_off: int, secret: bytes, *, is_ours: bool
) -> None:
    if 295 <= abs(seconds_off) <= 305:
        return  # the clock runs on between the two
    theirs = Webhook(secret)
    moment = datetime.now(UTC) + timedelta(seconds=seconds_off)
    headers = {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": theirs.sign(delivery, moment, body if is_ours else f"{body} "),
    }
    verifier = WebhookVerifier(
        webhook_secrets(f"{PLATFORM_SECRET},whsec_{base64.b64encode(secret).decode()}")
    )
    try:
        theirs.verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        with pytest.raises(InvalidSignatureError):
            verify(verifier, body.encode(), headers)
    else:
        verify(verifier, body.encode(), headers)


def test_body_that_comes_later_than_a_signature_is_good_for_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signature = VERIFIER.read(signed_headers(BODY))
    VERIFIER.verify(BODY, signature)
    now = time.time()
    monkeypatch.setattr("api.intake.signatures.time.time", lambda: now + signatures.TOLERANCE_S + 2)
    with pytest.raises(InvalidSignatureError):
        VERIFIER.verify(BODY, signature)


def secret_of(number: int) -> str:
    return "whsec_" + base64.b64encode(number.to_bytes(32)).decode()


MANY = 200
PLATFORM = 3
MANY_SECRETS = ",".join(
    [
        *(secret_of(number) for number in range(1000, 1000 + PLATFORM)),
        *(f"ws_{number}={secret_of(number)}" for number in range(MANY)),
        *(f"user_{number}/ws_shared={secret_of(2000 + number)}" for number in range(MANY)),
        f"w\xf6rk={secret_of(3000)}",
        f"d%2Fe/ws_odd={secret_of(3001)}",
    ]
)


class Hashes:
    """Counts what is hashed."""

    def __init__(self) -> None:
        self.made = 0

    def new(self, *arguments: Any) -> hmac.HMAC:
        self.made += 1
        return hmac.new(*arguments)

    compare_digest = staticmethod(hmac.compare_digest)


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Hashes:
    hashes = Hashes()
    monkeypatch.setattr(signatures, "hmac", hashes)
    return hashes


def check(verifier: WebhookVerifier, body: bytes, secret: str, **owner: str) -> None:
    verify(verifier, body, signed_headers(body, secret=secret)).require(**owner)


def call_of(user_id: str, workspace_id: str, **data: Any) -> dict[str, Any]:
    return call_ended(user_id=user_id, workspace_id=workspace_id, **data)


@pytest.mark.parametrize(
    ("user_id", "workspace_id", "number"),
    [
        ("anybody", "ws_0", 0),
        ("anybody", "ws_199", 199),
        ("user_150", "ws_shared", 2150),
        ("anybody", "anything", 1000 + PLATFORM - 1),
        ("anybody", "w\xf6rk", 3000),
        ("d/e", "ws_odd", 3001),
    ],
)
@pytest.mark.parametrize("shape", ["one", "bare", "first", "indented", "raw", "array", "nested"])
def test_of_many_secrets_those_are_tried_that_may_speak_for_the_caller(
    hashes: Hashes, user_id: str, workspace_id: str, number: int, shape: str
) -> None:
    owner = {"user_id": user_id, "workspace_id": workspace_id}
    event = call_of(**owner, transcript=[{"role": "user", "text": '"workspace_id": "ws_7"'}])
    body = {
        "one": json.dumps(event),
        "bare": json.dumps([event["data"]]),
        "first": json.dumps({"data": {**owner, **event["data"]}, "type": "call.ended"}),
        "indented": json.dumps(event, indent=3),
        "raw": json.dumps(event, ensure_ascii=False),
        "array": json.dumps([event] * 100),
        "nested": json.dumps([call_of(**owner, structured_data={"workspace_id": "x"}), event]),
    }[shape].encode()
    verifier = WebhookVerifier(webhook_secrets(MANY_SECRETS))
    for _ in range(50):
        check(verifier, body, secret_of(number), **owner)
    assert hashes.made <= 50 * 2 * signatures.LIKELY_SECRETS


def test_strangers_use_up_an_allowance_and_nobody_elses_calls_suffer(hashes: Hashes) -> None:
    verifier = WebhookVerifier(webhook_secrets(MANY_SECRETS))
    body = json.dumps(call_of("user_1", "ws_1")).encode()
    large = body[:-2] + b' , "x": "' + b"y" * 4 * 1024 * 1024 + b'"}}'
    forged = signed_headers(large, secret=secret_of(9999))
    answers = []
    for _ in range(20):
        with pytest.raises((InvalidSignatureError, BusyError)) as caught:
            verify(verifier, large, forged)
        answers.append(type(caught.value))
    assert answers[0] is InvalidSignatureError
    assert answers.count(BusyError) >= 18
    assert hashes.made < 20 * 2 * signatures.LIKELY_SECRETS + 2 * (2 * MANY + PLATFORM + 2)
    for sent in (body, large):
        check(verifier, sent, secret_of(1), user_id="user_1", workspace_id="ws_1")
        check(verifier, sent, secret_of(1000), user_id="user_1", workspace_id="ws_1")


def test_secret_of_another_among_many_is_told_so_whenever_strangers_leave_time(
    make_client: ClientFactory,
) -> None:
    client = make_client(WEBHOOK_SECRETS=MANY_SECRETS)
    for _ in range(30):
        answer = post_webhook(client, call_of("u", "ws_1"), secret=secret_of(2))
        assert (answer.status_code, read(answer)["error"]["code"]) == (403, "wrong_workspace")
    unnamed = post_webhook(client, {"type": "other"}, secret=secret_of(2))
    assert unnamed.status_code == 202
    hidden = json.dumps(call_of("u", "ws_2")).replace("workspace_id", "workspace\\u005fid")
    assert post_webhook(client, hidden.encode(), secret=secret_of(2)).status_code == 202


def test_genuine_calls_that_name_their_owner_oddly_never_use_the_allowance_up(
    make_client: ClientFactory,
) -> None:
    client = make_client(WEBHOOK_SECRETS=MANY_SECRETS)
    event = call_of("u", "ws_2", summary="x" * 900_000)
    hidden = json.dumps(event).replace("workspace_id", "workspace\\u005fid").encode()
    for _ in range(5):
        assert post_webhook(client, hidden, secret=secret_of(2)).status_code == 202


SORTED: Final = [
    [{"user_id": "someone"}] * 40,
    [{"user_id": f"someone_{number}"} for number in range(40)],
    [{"user_id": f"user_{number}"} for number in range(40)],
    [{"user_id": f"user_{number}", "workspace_id": f"ws_{number}"} for number in range(2000)],
    [{"user_id": 5}, {"user_id": "text \\"}] * 40,
]


@pytest.mark.parametrize("turns", SORTED, ids=range(len(SORTED)))
@pytest.mark.parametrize("is_sorted", [False, True])
def test_own_secret_is_likely_whatever_else_a_call_names(
    hashes: Hashes, turns: list[dict[str, Any]], *, is_sorted: bool
) -> None:
    verifier = WebhookVerifier(webhook_secrets(MANY_SECRETS))
    owner = {"user_id": "user_150", "workspace_id": "ws_shared"}
    event = call_of(**owner, structured_data={"turns": turns})
    body = json.dumps(event, sort_keys=is_sorted).encode()
    check(verifier, body, secret_of(2150), **owner)
    assert hashes.made <= 2 * signatures.LIKELY_SECRETS


def test_own_secret_is_likely_where_the_same_id_stands_first_and_others_last(
    hashes: Hashes,
) -> None:
    verifier = WebhookVerifier(webhook_secrets(MANY_SECRETS))
    owner = {"user_id": "user_150", "workspace_id": "ws_shared"}
    before = {"data": {"a": [{"user_id": "someone"}] * 40}}
    after = {"b": [{"user_id": f"other_{number}"} for number in range(40)]}
    body = json.dumps(before | {"own": owner} | after).encode()
    check(verifier, body, secret_of(2150), **owner)
    assert hashes.made <= 2 * signatures.LIKELY_SECRETS


def test_one_large_forged_body_shuts_nobody_out_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("api.http.slots.time.monotonic", lambda: now)
    verifier = WebhookVerifier(webhook_secrets(MANY_SECRETS))
    hidden = json.dumps(call_of("u", "ws_2")).replace("workspace_id", "workspace\\u005fid").encode()
    large = hidden + b" " * (16 * 1024 * 1024 - len(hidden))
    headers = signed_headers(b"")
    for _ in range(3):
        with pytest.raises((InvalidSignatureError, BusyError)):
            verify(verifier, large, headers)
    forged = signed_headers(b"")
    with pytest.raises(BusyError) as caught:
        verify(verifier, hidden, forged)
    wait = int(caught.value.headers["Retry-After"])
    assert wait <= 2 * signatures.STRANGERS_BYTES / signatures.STRANGERS_BYTES_PER_S
    assert "secret of the workspace" in caught.value.message
    now = float(wait + 1)
    check(verifier, hidden, secret_of(2), user_id="u", workspace_id="ws_2")


def test_of_a_large_body_the_platforms_secrets_are_tried_before_the_others() -> None:
    secrets = ",".join([*(secret_of(number) for number in range(5000, 5010)), MANY_SECRETS])
    verifier = WebhookVerifier(webhook_secrets(secrets))
    body = json.dumps([call_of("u", "elsewhere")]).encode()
    body += b" " * (16 * 1024 * 1024 - len(body))
    check(verifier, body, secret_of(5009), user_id="u", workspace_id="elsewhere")
    with pytest.raises(InvalidSignatureError) as caught:
        verify(verifier, body, signed_headers(body, secret=secret_of(150)))
    assert "not all are tried" in caught.value.message


@pytest.mark.parametrize(
    "unit",
    [
        "w",
        '"',
        "\\",
        " ",
        "workspace_id",
        'workspace_id"',
        'workspace_id" ',
        'workspace_id":"',
        '"workspace_id":"\\"',
        '"user_id":"a\\\\"',
        '"workspace_id":"a"',
        'workspace_id":"' + "\\" * 4000,
    ],
    ids=range(12),
)
def test_looking_for_ids_costs_no_more_than_reading(unit: str) -> None:
    verifier = WebhookVerifier(webhook_secrets(MANY_SECRETS))
    body = (unit * (2 * 1024 * 1024 // len(unit))).encode()
    headers = signed_headers(b"")
    started = time.process_time()
    for _ in range(2):
        with pytest.raises(InvalidSignatureError):
            verify(verifier, body, headers)
    looked_at = time.process_time() - started
    started = time.process_time()
    for _ in range(2 * MANY + 50):
        hmac.digest(b"k", body, "sha256")
    assert looked_at < 3 * (time.process_time() - started)


def swap(headers: Mapping[str, str], other: Mapping[str, str], name: str) -> dict[str, str]:
    return {**headers, name: other[name]}


@pytest.mark.parametrize("name", ["webhook-id", "webhook-signature"])
def test_parts_of_two_deliveries_do_not_fit_together(name: str) -> None:
    with pytest.raises(InvalidSignatureError):
        verify(VERIFIER, BODY, swap(signed_headers(BODY), signed_headers(BODY), name))


def test_one_good_signature_among_thousands_is_found(client: FlaskClient) -> None:
    headers = signed_headers(BODY)
    others = [f"v1,{base64.b64encode(random.randbytes(32)).decode()}" for _ in range(2000)]
    headers["webhook-signature"] = " ".join([*others, headers["webhook-signature"]])
    answer = client.post("/api/webhooks/call-ended", data=BODY, headers=headers)
    assert answer.status_code == 202


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary() | st.binary().map(lambda tail: BODY[:40] + tail))
def test_unsigned_bodies_are_refused_over_http(client: FlaskClient, body: bytes) -> None:
    headers = signed_headers(BODY)
    answer = client.post("/api/webhooks/call-ended", data=body, headers=headers)
    assert answer.status_code == 401


def test_secret_of_a_workspace_cannot_name_another_by_any_spelling(client: FlaskClient) -> None:
    for workspace_id in ("ws_Own", "ws_own ", "ws_own\u200b", "ws_owո", "WS_OWN", "ws_own\u0301"):
        answer = post_webhook(
            client, call_ended(workspace_id=workspace_id), secret=WORKSPACE_SECRET
        )
        assert answer.status_code in {400, 403}


def test_secret_of_a_user_cannot_name_another_by_any_spelling(client: FlaskClient) -> None:
    for user_id in (
        "user_Own",
        "user_own ",
        "user_own\u200b",
        "user_owո",
        "user_own/",
        "%75ser_own",
    ):
        event = call_ended(user_id=user_id, workspace_id="ws_own")
        assert post_webhook(client, event, secret=USER_SECRET).status_code in {400, 403}
