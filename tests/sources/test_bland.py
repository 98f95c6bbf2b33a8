"""Bland: a signature without a time, minutes, and numbers as texts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from sources.adapter import Event, Ignored, InvalidSecretError, Outcome, Refusal, Unreadable
from sources.bland import ADAPTER, BlandOptions
from tests.sources.deliveries import Vector, check_attacks, check_vector
from tests.sources.vendor_fixtures import (
    BODY,
    PLANTED,
    SIGNED_AT,
    deliver,
    load,
    names,
    refuse,
    secret,
    tamper,
)
from tests.sources.vendor_fixtures import read_event as read_body

SECRET: Final = secret("demo-bland", "shared_secret")
SIGNATURE: Final = "f3cd3f5b65853904121b47292cab44fc5e188ce3d4abbd06c7875615ae6e97db"
HEADERS: Final = (("x-webhook-signature", SIGNATURE),)


def read_event(name: str, **changes: Any) -> Event:
    return read_body(ADAPTER, json.dumps(json.loads(load(ADAPTER, name)) | changes).encode())


VECTOR: Final = Vector(
    adapter=ADAPTER,
    secret=SECRET,
    headers=dict(HEADERS),
    signature="x-webhook-signature",
    fresh_s=None,
)


def test_the_published_algorithm_is_checked_whole() -> None:
    check_vector(VECTOR)
    check_attacks(VECTOR)


def test_the_vector_is_genuine_today_and_later() -> None:
    other = secret("another-secret", "shared_secret", "sec_2")
    for days in (0, 30):  # the signature has no time
        delivery = deliver(ADAPTER, BODY, HEADERS, SIGNED_AT + timedelta(days=days))
        assert ADAPTER.verify(delivery, [other, SECRET], BlandOptions()) is SECRET


def test_hex_may_be_written_in_capitals() -> None:
    headers = (("X-Webhook-Signature", SIGNATURE.upper()),)
    assert ADAPTER.verify(deliver(ADAPTER, BODY, headers), [SECRET], BlandOptions()) is SECRET


@pytest.mark.parametrize(
    "body",
    [tamper(BODY), BODY + b"\n", BODY.replace(b":", b": "), b"", json.dumps({"hello": "Ada é"})],
)
def test_other_bytes_are_refused_even_if_they_mean_the_same(body: bytes | str) -> None:
    raw = body.encode() if isinstance(body, str) else body
    assert refuse(ADAPTER, deliver(ADAPTER, raw, HEADERS), SECRET) is Refusal.WRONG_SIGNATURE


def test_another_secret_is_refused() -> None:
    other = secret("another-secret", "shared_secret")
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, HEADERS), other) is Refusal.WRONG_SIGNATURE


def test_a_delivery_without_a_signature_is_refused() -> None:
    assert refuse(ADAPTER, deliver(ADAPTER, BODY), SECRET) is Refusal.MISSING_SIGNATURE


@pytest.mark.parametrize(
    "headers",
    [
        [*HEADERS, *HEADERS],
        [("x-webhook-signature", "")],
        [("x-webhook-signature", SIGNATURE[:-1])],
        [("x-webhook-signature", SIGNATURE + "0")],
        [("x-webhook-signature", "sha256=" + SIGNATURE)],
        [("x-webhook-signature", SIGNATURE.replace("f", "g"))],
        [("x-webhook-signature", "883/W2WFOQQSG0cpLKtE/F4YjOPUq70Gx4dWFa5ul9s=")],
        [("x-webhook-signature", "é" * 64)],
    ],
)
def test_a_signature_has_one_spelling(headers: list[tuple[str, str]]) -> None:
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, headers), SECRET) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize("value", ["", " ", "a b c d e f", "abc", "secret\n"])
def test_only_a_secret_can_be_pasted(value: str) -> None:
    ADAPTER.scheme(None).check("demo-bland")
    with pytest.raises(InvalidSecretError):
        ADAPTER.scheme(None).check(value)


def test_samples_are_genuine() -> None:
    at = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    events = []
    for sample in ADAPTER.sample(SECRET, "https://x.example/y", at, BlandOptions()):
        delivery = deliver(ADAPTER, sample.body, list(sample.headers.items()), at)
        assert ADAPTER.verify(delivery, [SECRET], BlandOptions()) is SECRET
        events.append(read_body(ADAPTER, sample.body))
    assert len({event.call for event in events}) == 1
    assert [event.is_final for event in events] == [False, True]


def test_a_completed_call() -> None:
    event = read_event("completed.json")
    assert event.call == "b1and000-0000-4000-8000-000000000001"
    assert event.facts == {
        "phone_number": "+12025550109",
        "direction": "outbound",
        "from_number": "+12025550199",
        "to_number": "+12025550109",
        "started_at": datetime(2025, 11, 28, 3, 20, 5, tzinfo=UTC),
        "ended_at": datetime(2025, 11, 28, 3, 21, 20, tzinfo=UTC),
        "duration_seconds": 75,
        "outcome": Outcome.COMPLETED,
        "summary": "Ada confirmed Tuesday.",
        "transcript": [
            {"role": "assistant", "text": "Hello."},
            {"role": "user", "text": "Yes."},
        ],
        "recording_url": "https://rec.example.net/b1.mp3",
        "structured_data": {"seats": 3, "confirmed": True, "disposition_tag": "CONFIRMED"},
    }
    assert event.is_end
    assert not event.is_final
    assert (event.user_id, event.workspace_id) == ("user_1", "ws_1")
    assert event.tenant == ("+12025550199",)


def test_the_corrected_transcript_wins_and_ends_the_story() -> None:
    first, second = read_event("completed.json"), read_event("corrected.json")
    assert second.call == first.call
    assert second.occurred_at == first.occurred_at
    assert second.rank > first.rank
    assert second.is_final
    assert second.facts["transcript"] == [
        {"role": "assistant", "text": "Hello!"},
        {"role": "user", "text": "Yes, Tuesday."},
    ]


@pytest.mark.parametrize("corrected", [None, [], "", [{"text": "who?"}], 7, {"a": 1}])
def test_a_corrected_transcript_that_cannot_be_read_blanks_nothing(corrected: object) -> None:
    event = read_event("corrected.json", corrected_transcript=corrected)
    assert event.facts["transcript"] == read_event("completed.json").facts["transcript"]


def test_lines_stand_in_for_turns() -> None:
    event = read_event("completed.json", transcripts=[])
    assert event.facts["transcript"] == [
        {"role": "assistant", "text": "Hello."},
        {"role": "user", "text": "Yes."},
    ]


@pytest.mark.parametrize(
    ("corrected", "minutes", "seconds"),
    [
        ("75", 1.25, 75),
        (None, 1.25, 75),
        ("", "1.5", 90),
        ("12.0", 0.4, 12),
        (0, 0.4, 0),
        (None, None, None),
    ],
)
def test_minutes_become_seconds(corrected: object, minutes: object, seconds: float | None) -> None:
    event = read_event("completed.json", corrected_duration=corrected, call_length=minutes)
    assert event.facts.get("duration_seconds") == seconds


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "completed"),
        ({"status": "failed"}, "failed"),
        ({"status": "busy"}, "busy"),
        ({"status": "no-answer"}, "no_answer"),
        ({"status": "canceled"}, "canceled"),
        ({"status": "unknown"}, "completed"),
        ({"status": "unknown", "corrected_duration": "0", "call_length": 0.1}, "failed"),
        ({"status": "transferred-away"}, "transferred-away"),
        ({"answered_by": "voicemail"}, "voicemail"),
        ({"answered_by": "voicemail", "status": "failed"}, "voicemail"),
        ({"answered_by": None}, "completed"),
        ({"error_message": "late"}, "completed"),
    ],
)
def test_every_status_is_an_outcome(changes: dict[str, object], outcome: str) -> None:
    assert read_event("completed.json", **changes).facts["outcome"] == outcome


def test_a_call_that_nobody_answered_has_no_end_and_a_national_number() -> None:
    event = read_event("no_answer.json")
    assert event.facts == {
        "phone_number": "2025550109",
        "direction": "outbound",
        "from_number": "+12025550199",
        "to_number": "2025550109",
        "region": "US",
        "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
        "duration_seconds": 24,
        "outcome": Outcome.NO_ANSWER,
        "structured_data": {"seats": 3, "confirmed": True, "disposition_tag": "CONFIRMED"},
    }
    assert event.occurred_at == datetime(2025, 11, 28, 3, 20, tzinfo=UTC)


def test_the_country_of_national_numbers_is_an_option() -> None:
    options = BlandOptions(default_region="GB")
    event = read_body(ADAPTER, load(ADAPTER, "no_answer.json"), options)
    assert event.facts["region"] == "GB"


def test_a_withheld_caller_and_a_recording_that_is_off() -> None:
    event = read_event("inbound_not_recorded.json")
    assert event.facts["direction"] == "inbound"
    assert event.facts["to_number"] == "+12025550199"
    assert "phone_number" not in event.facts
    assert "recording_url" not in event.facts


def test_a_call_without_a_direction_has_two_ends() -> None:
    event = read_event("completed.json", inbound=None)
    assert event.facts["parties"] == ("+12025550199", "+12025550109")
    assert "phone_number" not in event.facts


def test_a_link_that_ends_within_a_day_is_not_kept_and_that_is_said() -> None:
    event = read_event("short_lived_recording.json")
    assert "recording_url" not in event.facts
    assert len(event.notices) == 1
    assert (event.user_id, event.workspace_id) == (None, "ws_2")
    later = read_event("short_lived_recording.json", recording_expiration="2026-11-28T03:21:20Z")
    assert later.facts["recording_url"] == "https://rec.example.net/b1.mp3"


def test_an_analysis_may_name_what_bland_names_too() -> None:
    event = read_event("completed.json", analysis={"disposition_tag": "x", "self": 1})
    assert event.facts["structured_data"]["disposition_tag"] == "CONFIRMED"
    assert event.facts["structured_data"]["self"] == 1


@pytest.mark.parametrize("name", ["proxy_leg.json", "mid_call.json", "sms.json"])
def test_what_is_no_finished_call_is_ignored(name: str) -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, name)), BlandOptions())
    assert isinstance(reading, Ignored)


def test_what_is_no_object_is_unreadable() -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, b"[1]"), BlandOptions())
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("name", names("bland"))
def test_nothing_secret_is_read(name: str) -> None:
    readings = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, name)), BlandOptions())
    assert readings
    assert PLANTED not in repr(readings)
