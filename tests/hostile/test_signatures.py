"""The verifier of signatures: whatever is not signed is refused, and nothing breaks it."""

import base64
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from api.errors import InvalidSignatureError
from api.signatures import WebhookVerifier
from shared.setting_values import webhook_secrets
from tests.api.asking import (
    PLATFORM_SECRET,
    USER_SECRET,
    WORKSPACE_SECRET,
    call_ended,
    post_webhook,
    signed_headers,
)

VERIFIER = WebhookVerifier(webhook_secrets(f"{PLATFORM_SECRET},ws_own={WORKSPACE_SECRET}"))
BODY = json.dumps(call_ended()).encode()

# As a server decodes headers, and wilder.
ANY_TEXT = st.text(st.characters(max_codepoint=255)) | st.text(st.characters(codec=None))
SIGNATURE_LIKE = st.lists(
    st.sampled_from(["v1", "v1a", ",", " ", "=", "AAAA", "%", "\xe9", "v1,AAAA", "v1,AAA"]),
    max_size=12,
).map("".join)
TIMESTAMP_LIKE = st.sampled_from(
    ["nan", "inf", "-inf", "1e308", "1e400", "0x1", "1_0", "٣", "-0", "9" * 5000, "+1", "1.5"]
)


@settings(max_examples=300, deadline=None)
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
        VERIFIER.verify(body, sent)


def changed(text: str, place: int, character: str) -> str:
    place %= len(text)
    return text[:place] + character + text[place + 1 :]


@settings(max_examples=300, deadline=None)
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
        VERIFIER.verify(body, forged)


@settings(max_examples=100, deadline=None)
@given(bit=st.integers(min_value=0, max_value=255))
def test_no_bit_of_a_signature_can_be_changed(bit: int) -> None:
    headers = signed_headers(BODY)
    version, _, encoded = headers["webhook-signature"].partition(",")
    signature = bytearray(base64.b64decode(encoded))
    signature[bit // 8] ^= 1 << bit % 8
    forged = f"{version},{base64.b64encode(signature).decode()}"
    with pytest.raises(InvalidSignatureError):
        VERIFIER.verify(BODY, headers | {"webhook-signature": forged})


@settings(max_examples=200, deadline=None)
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
            verifier.verify(body.encode(), headers)
    else:
        verifier.verify(body.encode(), headers)


def swap(headers: Mapping[str, str], other: Mapping[str, str], name: str) -> dict[str, str]:
    return {**headers, name: other[name]}


@pytest.mark.parametrize("name", ["webhook-id", "webhook-signature"])
def test_parts_of_two_deliveries_do_not_fit_together(name: str) -> None:
    with pytest.raises(InvalidSignatureError):
        VERIFIER.verify(BODY, swap(signed_headers(BODY), signed_headers(BODY), name))


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
