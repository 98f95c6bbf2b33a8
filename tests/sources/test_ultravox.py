import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sources.adapter import Event, Ignored, Outcome, Refusal, Secret, Unreadable
from sources.ultravox import ADAPTER
from tests.sources.deliveries import (
    BODY,
    Vector,
    check_attacks,
    check_vector,
    deliver,
    load,
    read_all,
    read_event,
)

DIGEST = "b199fa6d1e05a9741bc2a325a40e2f17e06eaad6765bf65dfb3d3fd2f3c414fb"
STAMP = "2025-11-28T03:20:00.000000Z"
SECRET = Secret(id="s1", scheme="shared_secret", value="demo-ultravox")
HEADERS = {
    "X-Ultravox-Webhook-Timestamp": STAMP,
    "X-Ultravox-Webhook-Signature": DIGEST,
}
VECTOR = Vector(
    adapter=ADAPTER,
    secret=SECRET,
    headers=HEADERS,
    signature="X-Ultravox-Webhook-Signature",
    changes={"prefixed": "sha256={}".format, "semicolon": f"{{}};{DIGEST}".format},
)
NUMBERS = {"phone_number", "direction", "from_number", "to_number", "parties"}


def _change(name: str, **fields: Any) -> Event:
    body = json.loads(load("ultravox", name))
    body["call"] |= fields
    (event,) = read_all(ADAPTER, json.dumps(body).encode())
    assert isinstance(event, Event)
    return event


def test_published_signature_is_taken_and_no_other() -> None:
    check_vector(VECTOR)
    check_attacks(VECTOR)


def test_any_signature_of_a_rotation_is_taken() -> None:
    for text in (f"{'0' * 64},{DIGEST}", f"{DIGEST}, {'0' * 64}", f"junk,{DIGEST.upper()}"):
        headers = {**HEADERS, "X-Ultravox-Webhook-Signature": text}
        assert VECTOR.verify(deliver(BODY, headers)) is SECRET


@pytest.mark.parametrize(
    "stamp",
    [
        "2025-11-28T03:20:00.000000",
        "2025-11-28",
        "1764300000",
        "soon",
        "2025-11-28T03:20:00.000000Z" * 40,
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
    ],
)
def test_time_that_cannot_be_read_is_refused(stamp: str) -> None:
    digest = hmac.new(b"demo-ultravox", BODY + stamp.encode(), hashlib.sha256).hexdigest()
    headers = {
        "X-Ultravox-Webhook-Timestamp": stamp,
        "X-Ultravox-Webhook-Signature": digest,
    }
    assert VECTOR.refusal(deliver(BODY, headers)) in {Refusal.MALFORMED_SIGNATURE, Refusal.STALE}


def test_time_is_part_of_what_is_signed() -> None:
    headers = {**HEADERS, "X-Ultravox-Webhook-Timestamp": "2025-11-28T03:20:00.000001Z"}
    assert VECTOR.refusal(deliver(BODY, headers)) is Refusal.WRONG_SIGNATURE


def test_time_may_have_another_zone() -> None:
    stamp = "2025-11-28T04:20:00+01:00"
    digest = hmac.new(b"demo-ultravox", BODY + stamp.encode(), hashlib.sha256).hexdigest()
    headers = {"X-Ultravox-Webhook-Timestamp": stamp, "X-Ultravox-Webhook-Signature": digest}
    assert VECTOR.verify(deliver(BODY, headers)) is SECRET


def test_end_is_read() -> None:
    event = read_event(ADAPTER, "call_ended")
    assert event.call == "uv-1"
    assert event.facts == {
        "phone_number": "+12025550114",
        "direction": "inbound",
        "from_number": "+12025550114",
        "started_at": datetime(2025, 11, 28, 3, 20, 2, tzinfo=UTC),
        "ended_at": datetime(2025, 11, 28, 3, 20, 47, 500_000, tzinfo=UTC),
        "duration_seconds": 45.5,
        "agent_name": "Max",
        "agent_id": "uv-agent-1",
        "outcome": Outcome.COMPLETED,
    }
    assert (event.rank, event.is_end, event.is_final) == (10, True, False)
    assert event.tenant == ("uv-agent-1",)
    assert (event.user_id, event.workspace_id) == ("user_1", "ws_1")
    assert event.notices == ()


def test_bill_brings_the_summary_to_the_same_call_in_either_order() -> None:
    ended, billed = (read_event(ADAPTER, each) for each in ("call_ended", "call_billed"))
    assert billed.call == ended.call
    assert billed.facts["summary"] == "Ada ordered two boxes."
    assert (billed.is_end, billed.is_final) == (True, True)
    assert ended.occurred_at == billed.occurred_at
    assert ended.rank < billed.rank


def test_billed_duration_stands_in_for_the_times() -> None:
    event = _change("call_billed", joined=None, endReason="hangup")
    assert event.facts["duration_seconds"] == 45.5


def test_call_that_nobody_joined_lasted_no_time() -> None:
    event = read_event(ADAPTER, "call_ended_unjoined")
    assert event.facts["outcome"] == Outcome.NO_ANSWER
    assert event.facts["started_at"] == datetime(2025, 11, 28, 3, 20, tzinfo=UTC)
    assert not {"ended_at", "duration_seconds"} & set(event.facts)
    assert event.is_end


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("unjoined", Outcome.NO_ANSWER),
        ("hangup", Outcome.COMPLETED),
        ("agent_hangup", Outcome.COMPLETED),
        ("timeout", Outcome.COMPLETED),
        ("connection_error", Outcome.FAILED),
        ("system_error", Outcome.FAILED),
        ("an_error_of_next_year_error", Outcome.FAILED),
        ("a_reason_of_next_year", Outcome.COMPLETED),
    ],
)
def test_reason_becomes_an_outcome(reason: str, outcome: Outcome) -> None:
    assert _change("call_ended", endReason=reason).facts["outcome"] == outcome


def test_number_that_was_dialled_is_the_customers() -> None:
    event = read_event(ADAPTER, "call_ended_sip_outgoing")
    facts = {name: value for name, value in event.facts.items() if name in NUMBERS}
    assert facts == {
        "direction": "outbound",
        "from_number": "+12025550199",
        "to_number": "+12025550115",
    }


def test_caller_over_sip_is_the_customer() -> None:
    event = read_event(ADAPTER, "call_ended_sip_incoming")
    facts = {name: value for name, value in event.facts.items() if name in NUMBERS}
    assert facts == {"direction": "inbound", "from_number": "+12025550116"}


@pytest.mark.parametrize(
    ("metadata", "facts"),
    [
        ({"phoneNumber": "+12025550114"}, {"phone_number": "+12025550114"}),
        (
            {"from": "+12025550199", "to": "+12025550114", "direction": "outgoing"},
            {
                "direction": "outbound",
                "from_number": "+12025550199",
                "to_number": "+12025550114",
            },
        ),
        (
            {"from": "+12025550199", "to": "+12025550114"},
            {"parties": ("+12025550199", "+12025550114")},
        ),
        (
            {"customer_number": 12025550114, "direction": "outbound", "from": "+12025550199"},
            {
                "phone_number": "12025550114",
                "direction": "outbound",
                "from_number": "+12025550199",
                "to_number": "12025550114",
            },
        ),
        ({"customer_number": "anonymous", "direction": "inbound"}, {"direction": "inbound"}),
        ({"customer_number": ["+12025550114"]}, {}),
        ("+12025550114", {}),
    ],
)
def test_numbers_come_from_the_metadata(metadata: Any, facts: dict[str, Any]) -> None:
    event = _change("call_ended", metadata=metadata)
    assert {name: value for name, value in event.facts.items() if name in NUMBERS} == facts


def test_missing_number_is_told() -> None:
    event = read_event(ADAPTER, "call_ended_web")
    assert not NUMBERS & set(event.facts)
    assert len(event.notices) == 1


def test_other_events_are_ignored_and_those_without_an_id_unreadable() -> None:
    assert read_all(ADAPTER, load("ultravox", "call_started")) == (Ignored("call.started"),)
    assert read_all(ADAPTER, load("ultravox", "call_joined")) == (Ignored("call.joined"),)
    (reading,) = read_all(ADAPTER, b'{"event": "call.ended", "call": null}')
    assert isinstance(reading, Unreadable)


def test_secret_of_another_scheme_of_spelling_is_another_secret() -> None:
    for value in ("DEMO-ultravox", "demo-ultravox ", "demo-ultravo"):
        refusal = VECTOR.refusal(VECTOR.delivery, replace(SECRET, value=value))
        assert refusal is Refusal.WRONG_SIGNATURE
