import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from sources.adapter import Ignored, InvalidSecretError, Outcome, Refusal, Secret, Unreadable
from sources.vapi import ADAPTER, VapiOptions
from tests.sources.deliveries import (
    BODY,
    SIGNED_AT,
    URL,
    Vector,
    check_attacks,
    check_vector,
    deliver,
    load,
    read_all,
    read_event,
)

PLAIN = Secret(id="s1", scheme="any", value="demo-vapi")
HMAC = Vector(
    adapter=ADAPTER,
    secret=PLAIN,
    headers={
        "x-timestamp": "1764300000",
        "x-signature": "4a4952e50cd23743702f1f433e7e8ef8b426c88b06888de63ebbf751dbe8d225",
    },
    signature="x-signature",
    changes={"prefixed": "sha256={}".format, "hex": "0x{}".format},
)
STANDARD = Vector(
    adapter=ADAPTER,
    secret=Secret(id="s2", scheme="standard", value="whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"),
    headers={
        "webhook-id": "msg_demo1",
        "webhook-timestamp": "1764300000",
        "webhook-signature": "v1,f+Jtjfe8W0a3sJRbIQXY1tRwrNwuahPn13zmf4gl3NY=",
    },
    signature="webhook-signature",
    changes={"version": lambda text: text.replace("v1,", "v2,")},
)
# Public handlers often sign the body alone, under a header of another name.
BODY_ONLY = VapiOptions.model_validate(
    {
        "hmac": {
            "signature_header": "x-vapi-signature",
            "payload": "{body}",
            "timestamp_header": None,
        }
    }
)


def _with_hmac(**options: Any) -> VapiOptions:
    return VapiOptions.model_validate({"hmac": options})


def test_hmac_with_defaults_is_taken_for_a_plain_secret() -> None:
    check_vector(HMAC)
    check_attacks(HMAC)


def test_hmac_is_taken_under_its_own_scheme() -> None:
    vector = replace(HMAC, secret=Secret(id="s1", scheme="hmac", value="demo-vapi"))
    check_vector(vector)
    check_attacks(vector)


def test_standard_webhooks_are_taken() -> None:
    check_vector(STANDARD)
    check_attacks(STANDARD)


def test_second_signature_of_a_rotation_is_taken() -> None:
    both = {
        **STANDARD.headers,
        "webhook-signature": f"v1,{'A' * 43}= {STANDARD.headers['webhook-signature']}",
    }
    assert STANDARD.verify(deliver(BODY, both)) is STANDARD.secret


def test_hex_of_either_case_is_the_same_signature() -> None:
    headers = {**HMAC.headers, "x-signature": HMAC.headers["x-signature"].upper()}
    assert HMAC.verify(deliver(BODY, headers)) is PLAIN


def test_time_may_be_in_milliseconds() -> None:
    # Not documented by Vapi, so both are taken.
    stamp = "1764300000000"
    signature = hmac.new(b"demo-vapi", f"{stamp}.".encode() + BODY, hashlib.sha256).hexdigest()
    headers = {"x-timestamp": stamp, "x-signature": signature}
    assert HMAC.verify(deliver(BODY, headers)) is PLAIN


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer demo-vapi"},
        {"authorization": "bearer  demo-vapi"},
        {"Authorization": "demo-vapi"},
        {"X-Vapi-Secret": "demo-vapi"},
        {"X-Vapi-Secret": "demo-vapi", "Authorization": "Bearer of-somebody-else"},
        {"X-Vapi-Secret": "demo-vapi", "x-signature": "of somebody else"},
    ],
)
def test_plain_secret_is_taken_wherever_vapi_puts_it(headers: dict[str, str]) -> None:
    assert HMAC.verify(deliver(BODY, headers)) is PLAIN


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": "Bearer demo-vapj"}, Refusal.WRONG_SIGNATURE),
        ({"Authorization": "Bearer "}, Refusal.MISSING_SIGNATURE),
        ({"Authorization": "Basic demo-vapi"}, Refusal.WRONG_SIGNATURE),
        ({"Authorization": "Bearer demo-vapi demo-vapi"}, Refusal.WRONG_SIGNATURE),
        ({"X-Vapi-Secret": "Bearer demo-vapi"}, Refusal.WRONG_SIGNATURE),
        ({"X-Vapi-Secret": "DEMO-VAPI"}, Refusal.WRONG_SIGNATURE),
        ({"X-Vapi-Secret": ""}, Refusal.MISSING_SIGNATURE),
        ({"X-Api-Key": "demo-vapi"}, Refusal.MISSING_SIGNATURE),
        ({}, Refusal.MISSING_SIGNATURE),
        ({"webhook-signature": "v1,demo-vapi"}, Refusal.MISSING_SIGNATURE),
    ],
)
def test_other_headers_prove_nothing(headers: dict[str, str], code: Refusal) -> None:
    assert HMAC.refusal(deliver(BODY, headers)) is code


def test_secret_that_came_twice_proves_nothing() -> None:
    for name in ("Authorization", "X-Vapi-Secret"):
        twice = replace(deliver(BODY), headers=((name, "demo-vapi"), (name, "demo-vapi")))
        assert HMAC.refusal(twice) is Refusal.MISSING_SIGNATURE


def test_each_scheme_is_the_only_way_of_its_secret() -> None:
    signed = Secret(id="s1", scheme="hmac", value="demo-vapi")
    bearer = deliver(BODY, {"Authorization": "Bearer demo-vapi"})
    assert HMAC.refusal(bearer, signed) is Refusal.MISSING_SIGNATURE
    assert HMAC.refusal(HMAC.delivery, STANDARD.secret) is Refusal.MISSING_SIGNATURE
    assert HMAC.refusal(STANDARD.delivery, PLAIN) is Refusal.MISSING_SIGNATURE
    assert HMAC.verify(STANDARD.delivery, PLAIN, STANDARD.secret) is STANDARD.secret


def test_wrong_signature_says_more_than_a_missing_one() -> None:
    tampered = deliver(BODY + b" ", HMAC.headers)
    assert HMAC.refusal(tampered, STANDARD.secret, PLAIN) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_hmac_is_checked_as_it_was_set_up(algorithm: str, encoding: str) -> None:
    options = _with_hmac(
        algorithm=algorithm,
        encoding=encoding,
        signature_header="X-Calls",
        prefix=f"{algorithm}=",
        timestamp_header="X-Calls-Time",
        message_id_header="X-Calls-Id",
        payload="{method} {url}|{svix-id}|{timestamp}|{body}",
        secret_is_base64=True,
    )
    key = bytes(range(24))
    signed = f"POST {URL}|{{body}}|1764300000|".encode() + BODY
    digest = hmac.new(key, signed, algorithm).digest()
    text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    vector = Vector(
        adapter=ADAPTER,
        options=options,
        secret=Secret(id="s3", scheme="hmac", value=base64.b64encode(key).decode()),
        # A message id that looks like a place is no place.
        headers={
            "X-Calls": f"{algorithm}={text}",
            "X-Calls-Time": "1764300000",
            "X-Calls-Id": "{body}",
        },
        signature="X-Calls",
        changes={"no prefix": lambda given: given.partition("=")[2]},
    )
    check_vector(vector)
    check_attacks(vector)


def test_signature_of_the_body_alone_has_no_time() -> None:
    signature = hmac.new(b"demo-vapi", BODY, hashlib.sha256).hexdigest()
    vector = replace(
        HMAC,
        options=BODY_ONLY,
        secret=Secret(id="s1", scheme="hmac", value="demo-vapi"),
        headers={"x-vapi-signature": signature},
        signature="x-vapi-signature",
        fresh_s=None,
    )
    check_vector(vector)
    check_attacks(vector)


def test_secret_that_is_not_base64_proves_nothing() -> None:
    secret = Secret(id="s1", scheme="hmac", value="no base64!")
    options = _with_hmac(secret_is_base64=True)
    refusal = replace(HMAC, options=options).refusal(HMAC.delivery, secret)
    assert refusal is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"payload": "{timestamp}"}, "{body}"),
        ({"payload": "{body}{secret}"}, "{svix-id}"),
        ({"timestamp_header": None}, "timestamp_header"),
        ({"algorithm": "md5"}, "sha256"),
        ({"encoding": "base32"}, "base64"),
        ({"signature_header": "x y"}, "pattern"),
        ({"payload": "{body}" * 50}, "200"),
        ({"colour": "red"}, "Extra"),
    ],
)
def test_wrong_options_name_the_cure(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        VapiOptions.model_validate({"hmac": options})
    assert said in str(wrong.value)


@pytest.mark.parametrize(
    "text", ["", "  ", "short", "two words", "line\nend", "é" * 20, "x" * 5000]
)
def test_what_cannot_be_a_secret_is_told(text: str) -> None:
    for scheme in ADAPTER.schemes:
        with pytest.raises(InvalidSecretError):
            scheme.check(text)


def test_report_is_the_whole_call() -> None:
    event = read_event(ADAPTER, "end_of_call_report")
    assert event.call == "0199aaaa-0001-7000-8000-000000000001"
    assert event.facts == {
        "phone_number": "+12025550101",
        "direction": "inbound",
        "from_number": "+12025550101",
        "to_number": "+12025550199",
        "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
        "ended_at": datetime(2025, 11, 28, 3, 21, 30, 250_000, tzinfo=UTC),
        "duration_seconds": 90.25,
        "agent_name": "Max",
        "agent_id": "asst_1",
        "outcome": Outcome.COMPLETED,
        "summary": "Ada wants a quote.",
        "recording_url": "https://rec.example.net/v1-mono.wav",
        "transcript": [
            {"role": "assistant", "text": "Hello."},
            {"role": "user", "text": "I am Ada."},
        ],
        "structured_data": {"intent": "quote", "seats": 12, "success_evaluation": "true"},
    }
    assert (event.rank, event.is_end, event.is_final) == (30, True, True)
    assert event.occurred_at == datetime.fromtimestamp(1764300095, UTC)
    assert event.withdrawn == frozenset()
    assert event.tenant == ("asst_1", "pn_1", "+12025550199")
    assert (event.user_id, event.workspace_id) == ("user_1", "ws_1")


def test_earlier_shape_of_the_report_is_read() -> None:
    event = read_event(ADAPTER, "captured_2024")
    assert event.facts == {
        "phone_number": "+12025550102",
        "direction": "outbound",
        "from_number": "+12025550199",
        "to_number": "+12025550102",
        "ended_at": datetime(2025, 11, 28, 3, 21, 35, tzinfo=UTC),
        "duration_seconds": 61.5,
        "agent_name": "Mia",
        "outcome": Outcome.COMPLETED,
        "summary": "Ada asked for a price.",
        "recording_url": "https://rec.example.net/v2.wav",
        "transcript": [
            {"role": "assistant", "text": "Good day."},
            {"role": "user", "text": "A price, please."},
        ],
        "structured_data": {"success_evaluation": "8"},
    }


def test_end_of_call_is_told_before_the_report_and_loses_to_it() -> None:
    early, report = (
        read_event(ADAPTER, each) for each in ("status_update_ended", "end_of_call_report")
    )
    assert early.call == report.call
    assert (early.is_end, early.is_final) == (True, False)
    assert early.occurred_at is not None
    assert report.occurred_at is not None
    assert (early.occurred_at, early.rank) < (report.occurred_at, report.rank)
    assert set(early.facts) <= set(report.facts)
    assert not {"transcript", "summary", "recording_url"} & set(early.facts)


def test_refused_consent_withdraws_the_recording() -> None:
    event = read_event(ADAPTER, "consent_refused")
    assert event.withdrawn == {"recording_url"}
    assert "recording_url" not in event.facts
    assert event.facts["summary"]


@pytest.mark.parametrize("consent", [{}, {"type": "verbal", "grantedAt": None}, {"grantedAt": " "}])
def test_consent_that_is_not_granted_is_refused(consent: dict[str, Any]) -> None:
    body = json.loads(load("vapi", "end_of_call_report"))
    body["message"]["compliance"] = {}
    body["message"]["call"]["compliance"] = {"recordingConsent": consent}
    (event,) = read_all(ADAPTER, json.dumps(body).encode())
    assert event.withdrawn == {"recording_url"}  # type: ignore[union-attr]


def test_links_that_end_within_the_hour_are_not_written() -> None:
    event = read_event(ADAPTER, "presigned_only")
    assert "recording_url" not in event.facts
    assert len(event.notices) == 1


def test_web_call_has_neither_number_nor_direction() -> None:
    event = read_event(ADAPTER, "web_call")
    assert not {"phone_number", "direction", "from_number", "to_number", "parties"} & set(
        event.facts
    )
    assert event.facts["transcript"] == [
        {"role": "assistant", "text": "Hello."},
        {"role": "user", "text": "Hi,\nit is me."},
    ]


def test_withheld_number_is_nothing() -> None:
    event = read_event(ADAPTER, "withheld")
    assert event.facts["direction"] == "inbound"
    assert event.facts["to_number"] == "+12025550199"
    assert not {"phone_number", "from_number"} & set(event.facts)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("voicemail", Outcome.VOICEMAIL),
        ("customer-busy", Outcome.BUSY),
        ("call.forwarding.operator-busy", Outcome.BUSY),
        ("customer-did-not-answer", Outcome.NO_ANSWER),
        ("call.forwarding.no-answer", Outcome.NO_ANSWER),
        ("manually-canceled", Outcome.CANCELED),
        ("scheduled-call-deleted", Outcome.CANCELED),
        ("call-deleted", Outcome.CANCELED),
        ("call.ringing.sip-inbound-caller-hungup-before-call-connect", Outcome.CANCELED),
        ("call.start.error-get-org", Outcome.FAILED),
        ("call-start-error-neither-assistant-nor-server-set", Outcome.FAILED),
        ("call.ringing.error-sip-inbound-call-failed-to-connect", Outcome.FAILED),
        ("call.in-progress.error-vapifault-openai-llm-failed", Outcome.FAILED),
        ("pipeline-error-openai-llm-failed", Outcome.FAILED),
        ("assistant-request-failed", Outcome.FAILED),
        ("assistant-request-returned-no-assistant", Outcome.FAILED),
        ("assistant-not-valid", Outcome.FAILED),
        ("assistant-not-found", Outcome.FAILED),
        ("assistant-join-timed-out", Outcome.FAILED),
        ("phone-call-provider-closed-websocket", Outcome.FAILED),
        ("worker-shutdown", Outcome.FAILED),
        ("twilio-failed-to-connect-call", Outcome.FAILED),
        ("twilio-reported-customer-misdialed", Outcome.FAILED),
        ("vonage-failed-to-connect-call", Outcome.FAILED),
        ("vonage-rejected", Outcome.FAILED),
        ("customer-did-not-give-microphone-permission", Outcome.FAILED),
        ("unknown-error", Outcome.FAILED),
        ("customer-ended-call", Outcome.COMPLETED),
        ("customer-ended-call-after-warm-transfer-attempt", Outcome.COMPLETED),
        ("assistant-ended-call", Outcome.COMPLETED),
        ("assistant-ended-call-with-hangup-task", Outcome.COMPLETED),
        ("assistant-said-end-call-phrase", Outcome.COMPLETED),
        ("assistant-forwarded-call", Outcome.COMPLETED),
        ("exceeded-max-duration", Outcome.COMPLETED),
        ("silence-timed-out", Outcome.COMPLETED),
        ("call.in-progress.twilio-completed-call", Outcome.COMPLETED),
        ("call.in-progress.sip-completed-call", Outcome.COMPLETED),
        ("vonage-completed", Outcome.COMPLETED),
        ("vonage-disconnected", Outcome.COMPLETED),
        ("call.ringing.hook-executed-say", Outcome.COMPLETED),
        ("a-reason-of-next-year", Outcome.COMPLETED),
    ],
)
def test_reason_becomes_an_outcome(reason: str, outcome: Outcome) -> None:
    body = json.loads(load("vapi", "end_of_call_report"))
    body["message"]["endedReason"] = reason
    (event,) = read_all(ADAPTER, json.dumps(body).encode())
    assert event.facts["outcome"] == outcome  # type: ignore[union-attr]


def test_call_that_never_connected_has_an_outcome_and_an_end() -> None:
    event = read_event(ADAPTER, "never_connected")
    assert event.facts == {
        "phone_number": "+12025550103",
        "direction": "outbound",
        "from_number": "+12025550199",
        "to_number": "+12025550103",
        "ended_at": datetime.fromtimestamp(1764300200, UTC),
        "agent_name": "Max",
        "outcome": Outcome.NO_ANSWER,
    }


@pytest.mark.parametrize(
    ("name", "is_misplaced"),
    [
        ("status_update_in_progress", False),
        ("transcript", False),
        ("conversation_update", False),
        ("speech_update", False),
        ("hang", False),
        ("assistant_request", True),
        ("tool_calls", True),
        ("transfer_destination_request", True),
    ],
)
def test_other_messages_are_ignored(name: str, is_misplaced: bool) -> None:
    (reading,) = read_all(ADAPTER, load("vapi", name))
    assert isinstance(reading, Ignored)
    assert reading.name == (
        "status-update" if name.startswith("status") else name.replace("_", "-")
    )
    assert bool(reading.misplaced) is is_misplaced


def test_message_without_type_or_id_is_unreadable() -> None:
    for body in (b"{}", b'{"message": null}', b'{"message": {"type": "end-of-call-report"}}'):
        (reading,) = read_all(ADAPTER, body)
        assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("scheme", ["any", "hmac", "standard"])
def test_sample_is_signed_by_each_scheme(scheme: str) -> None:
    secret = Secret(id="s", scheme=scheme, value="whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX")
    options = _with_hmac(payload="{svix-id}.{timestamp}.{url}.{body}")
    (sample,) = ADAPTER.sample(secret, URL, SIGNED_AT, options)
    assert ADAPTER.verify(deliver(sample.body, sample.headers), (secret,), options) is secret
