"""Quo: two generations of webhooks, and one call from up to five events."""

import json
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from sources.adapter import (
    Event,
    Ignored,
    InvalidSecretError,
    Options,
    Outcome,
    Refusal,
    Secret,
    Unreadable,
)
from sources.quo import ADAPTER
from tests.sources.deliveries import Vector, check_attacks, check_vector
from tests.sources.vendor_fixtures import (
    BODY,
    PLANTED,
    SIGNED_AT,
    Headers,
    deliver,
    load,
    names,
    read_event,
    refuse,
    secret,
    tamper,
)

KEY: Final = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
STANDARD: Final = secret(f"whsec_{KEY}", "standard")
LEGACY: Final = secret(KEY, "legacy", "sec_2")
OTHER_KEY: Final = "AQECAwQFBgcICQoLDA0ODxAREhMUFRYX"
DIGEST: Final = "f+Jtjfe8W0a3sJRbIQXY1tRwrNwuahPn13zmf4gl3NY="
STANDARD_HEADERS: Final = (
    ("webhook-id", "msg_demo1"),
    ("webhook-timestamp", "1764300000"),
    ("webhook-signature", f"v1,{DIGEST}"),
)
LEGACY_DIGEST: Final = "16sU17UESBTdd0bei5DFNHn6h/T8NoNQBBi83hBIsKQ="
LEGACY_SIGNATURE: Final = f"hmac;1;1764300000123;{LEGACY_DIGEST}"
LEGACY_HEADERS: Final = (("OpenPhone-Signature", LEGACY_SIGNATURE),)


@pytest.mark.parametrize(
    ("headers", "proof"), [(STANDARD_HEADERS, STANDARD), (LEGACY_HEADERS, LEGACY)]
)
def test_the_published_algorithms_are_checked_whole(headers: Headers, proof: Secret) -> None:
    vector = Vector(adapter=ADAPTER, secret=proof, headers=dict(headers), signature=headers[-1][0])
    check_vector(vector)
    check_attacks(vector)


@pytest.mark.parametrize(
    ("headers", "proof"), [(STANDARD_HEADERS, STANDARD), (LEGACY_HEADERS, LEGACY)]
)
def test_the_vectors_are_genuine(headers: Headers, proof: object) -> None:
    other = secret(f"whsec_{OTHER_KEY}", "standard", "sec_3")
    other_legacy = secret(OTHER_KEY, "legacy", "sec_4")
    secrets = [other, other_legacy, STANDARD, LEGACY]
    for _ in range(2):  # a repeat as well
        assert ADAPTER.verify(deliver(ADAPTER, BODY, headers), secrets, Options()) is proof


@pytest.mark.parametrize("headers", [STANDARD_HEADERS, LEGACY_HEADERS])
@pytest.mark.parametrize("body", [tamper(BODY), BODY + b"\n", b""])
def test_another_body_is_refused(headers: Headers, body: bytes) -> None:
    code = refuse(ADAPTER, deliver(ADAPTER, body, headers), STANDARD, LEGACY)
    assert code is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("headers", [STANDARD_HEADERS, LEGACY_HEADERS])
@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_stale_signature_is_refused(headers: Headers, minutes: int) -> None:
    delivery = deliver(ADAPTER, BODY, headers, SIGNED_AT + timedelta(minutes=minutes))
    assert refuse(ADAPTER, delivery, STANDARD, LEGACY) is Refusal.STALE


def test_another_secret_is_refused() -> None:
    standard = secret(f"whsec_{OTHER_KEY}", "standard")
    legacy = secret(OTHER_KEY, "legacy")
    for headers in (STANDARD_HEADERS, LEGACY_HEADERS):
        assert (
            refuse(ADAPTER, deliver(ADAPTER, BODY, headers), standard, legacy)
            is Refusal.WRONG_SIGNATURE
        )


def test_the_secret_of_the_other_kind_proves_nothing() -> None:
    standard = secret(f"whsec_{KEY}", "legacy")
    legacy = secret(KEY, "standard")
    for headers, other in ((STANDARD_HEADERS, standard), (LEGACY_HEADERS, legacy)):
        code = refuse(ADAPTER, deliver(ADAPTER, BODY, headers), other)
        assert code is Refusal.MISSING_SIGNATURE


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_header_is_refused(missing: int) -> None:
    headers = [each for place, each in enumerate(STANDARD_HEADERS) if place != missing]
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, headers), STANDARD) is Refusal.MISSING_SIGNATURE


def test_no_header_at_all_is_refused() -> None:
    assert refuse(ADAPTER, deliver(ADAPTER, BODY), STANDARD, LEGACY) is Refusal.MISSING_SIGNATURE


@pytest.mark.parametrize(
    "headers",
    [
        [*STANDARD_HEADERS, STANDARD_HEADERS[0]],
        [*STANDARD_HEADERS, STANDARD_HEADERS[1]],
        [*STANDARD_HEADERS, STANDARD_HEADERS[2]],
        [*LEGACY_HEADERS, *LEGACY_HEADERS],
    ],
)
def test_a_header_that_comes_twice_is_refused(headers: Headers) -> None:
    code = refuse(ADAPTER, deliver(ADAPTER, BODY, headers), STANDARD, LEGACY)
    assert code is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize(
    "signature",
    [
        DIGEST,
        f"v2,{DIGEST}",
        f"v1,{DIGEST[:-1]}",
        "v1," + DIGEST.replace("+", "-"),
        "v1,",
        "v1",
    ],
)
def test_a_standard_signature_has_one_spelling(signature: str) -> None:
    headers = (*STANDARD_HEADERS[:2], ("webhook-signature", signature))
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, headers), STANDARD) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize(
    "signature",
    [
        LEGACY_DIGEST,
        f"hmac;2;1764300000123;{LEGACY_DIGEST}",
        f"md5;1;1764300000123;{LEGACY_DIGEST}",
        f"hmac;1;{LEGACY_DIGEST}",
        f"hmac;1;1764300000123;{LEGACY_DIGEST};x",
        f"hmac;1;now;{LEGACY_DIGEST}",
        "hmac;1;1764300000123;" + LEGACY_DIGEST.replace("/", "_"),
        "hmac;1;1764300000123;" + LEGACY_DIGEST.rstrip("="),
        "hmac;1;1764300000123;",
        ";;;",
    ],
)
def test_a_legacy_signature_has_one_spelling(signature: str) -> None:
    headers = (("openphone-signature", signature),)
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, headers), LEGACY) is Refusal.MALFORMED_SIGNATURE


def test_one_of_several_signatures_suffices() -> None:
    wrong = DIGEST.replace("f", "g", 1)
    standard = (*STANDARD_HEADERS[:2], ("webhook-signature", f"v1,{wrong} v1,{DIGEST}"))
    assert ADAPTER.verify(deliver(ADAPTER, BODY, standard), [STANDARD], Options()) is STANDARD
    wrong = f"hmac;1;1764300000123;{DIGEST}"
    legacy = (("openphone-signature", f"{wrong}, {LEGACY_SIGNATURE}"),)
    assert ADAPTER.verify(deliver(ADAPTER, BODY, legacy), [LEGACY], Options()) is LEGACY


def test_a_pasted_secret_is_of_its_kind() -> None:
    ADAPTER.scheme(None).check(STANDARD.value)
    ADAPTER.scheme("legacy").check(LEGACY.value)
    for scheme, value in (
        ("standard", KEY),
        ("standard", "whsec_!"),
        ("standard", ""),
        ("legacy", f"whsec_{KEY}"),
        ("legacy", "short"),
    ):
        with pytest.raises(InvalidSecretError):
            ADAPTER.scheme(scheme).check(value)


@pytest.mark.parametrize("proof", [STANDARD, LEGACY])
def test_samples_of_each_kind_are_genuine(proof: object) -> None:
    at = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    chosen = STANDARD if proof is STANDARD else LEGACY
    events = []
    for sample in ADAPTER.sample(chosen, "https://x.example/y", at, Options()):
        delivery = deliver(ADAPTER, sample.body, list(sample.headers.items()), at)
        assert ADAPTER.verify(delivery, [STANDARD, LEGACY], Options()) is proof
        events.append(read_event(ADAPTER, sample.body))
    assert len({event.call for event in events}) == 1
    said = {name for event in events for name in event.facts}
    assert {"phone_number", "summary", "transcript", "recording_url", "outcome"} <= said


def test_an_answered_call() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "completed.json"))
    assert event.call == "ACdemo1"
    assert event.facts == {
        "phone_number": "+12025550107",
        "direction": "inbound",
        "from_number": "+12025550107",
        "to_number": "+12025550199",
        "agent_id": "US1",
        "outcome": Outcome.COMPLETED,
        "duration_seconds": 60,
        "started_at": datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
        "ended_at": datetime(2026, 11, 20, 9, 1, 5, tzinfo=UTC),
    }
    assert event.is_end
    assert not event.is_final
    assert event.tenant == ("US1", "PN1", "+12025550199")
    assert event.occurred_at == datetime(2026, 11, 20, 9, 1, 5, tzinfo=UTC)


def test_an_outgoing_call_that_nobody_answered() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "outgoing_unanswered.json"))
    assert event.facts["outcome"] == Outcome.NO_ANSWER
    assert event.facts["direction"] == "outbound"
    assert event.facts["from_number"] == "+12025550199"
    assert event.facts["phone_number"] == "+12025550107"


def test_a_missed_call_is_one_call_in_whatever_order() -> None:
    completed = read_event(ADAPTER, load(ADAPTER, "completed_with_voicemail.json"))
    missed = read_event(ADAPTER, load(ADAPTER, "missed.json"))
    voicemail = read_event(ADAPTER, load(ADAPTER, "voicemail.json"))
    assert {completed.call, missed.call, voicemail.call} == {"ACdemo3"}
    assert completed.facts["outcome"] == voicemail.facts["outcome"] == Outcome.VOICEMAIL
    assert missed.facts["outcome"] == Outcome.NO_ANSWER
    assert missed.occurred_at is not None
    assert completed.occurred_at is not None
    assert missed.occurred_at < completed.occurred_at  # so it never wins
    assert missed.is_end


def test_a_voicemail_has_its_text_its_link_and_its_numbers() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "voicemail.json"))
    assert event.facts == {
        "phone_number": "+12025550107",
        "direction": "inbound",
        "from_number": "+12025550107",
        "to_number": "+12025550199",
        "outcome": Outcome.VOICEMAIL,
        "recording_url": "https://rec.example.net/vm1.mp3",
        "transcript": [{"role": "user", "text": "Please call me back."}],
    }
    assert event.is_end


def test_a_recording_in_parts_is_linked_once_and_that_is_said() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "recording.json"))
    assert event.call == "ACdemo1"
    assert event.facts == {"recording_url": "https://rec.example.net/q1.mp3"}
    assert event.notices == ("Quo recorded this call in 2 parts. The first one is linked.",)
    assert not event.is_end


def test_a_summary_is_its_lines() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "summary.json"))
    assert event.call == "ACdemo1"
    assert event.facts == {
        "summary": "Ada asked about prices.\nShe pays in May.",
        "structured_data": {"next_steps": ["Send the list."]},
    }


def test_a_transcript_says_who_spoke() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "transcript.json"))
    assert event.facts == {
        "transcript": [
            {"role": "assistant", "text": "Hello."},
            {"role": "user", "text": "Prices?"},
        ]
    }


def test_a_summary_does_not_take_the_direction_from_the_number() -> None:
    body = json.loads(load(ADAPTER, "summary.json"))
    body["data"]["context"] = json.loads(load(ADAPTER, "completed.json"))["data"]["context"]
    event = read_event(ADAPTER, json.dumps(body).encode())
    assert event.facts.keys() == {"summary", "structured_data", "agent_id"}
    assert event.tenant == ("US1", "PN1", "+12025550199")


def test_a_number_that_is_not_available_is_none() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "number_unavailable.json"))
    assert "phone_number" not in event.facts
    assert event.facts["direction"] == "inbound"


def test_a_withheld_number_is_none() -> None:
    event = read_event(
        ADAPTER, load(ADAPTER, "completed.json").replace(b"+12025550107", b"anonymous")
    )
    assert "phone_number" not in event.facts


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"answeredAt": "2026-11-20T09:00:05.000Z"}, "completed"),
        ({"answeredAt": None}, "no_answer"),
        ({"answeredAt": None, "status": "completed"}, "no_answer"),
        ({"answeredAt": None, "status": "missed"}, "no_answer"),
        ({"answeredAt": None, "status": "busy"}, "busy"),
        ({"answeredAt": None, "status": "failed"}, "failed"),
        ({"answeredAt": None, "status": "canceled"}, "canceled"),
        ({"answeredAt": None, "hasVoicemail": True}, "voicemail"),
        ({"answeredAt": None, "hasVoicemail": "true"}, "voicemail"),
        ({"answeredAt": None, "hasVoicemail": None}, "no_answer"),
    ],
)
def test_every_end_is_an_outcome(changes: dict[str, object], outcome: str) -> None:
    body = json.loads(load(ADAPTER, "completed.json"))
    body["data"]["resource"] |= changes
    assert read_event(ADAPTER, json.dumps(body).encode()).facts["outcome"] == outcome


def test_a_status_alone_says_how_a_call_ended() -> None:
    body = json.loads(load(ADAPTER, "completed.json"))
    del body["data"]["resource"]["answeredAt"]
    assert read_event(ADAPTER, json.dumps(body).encode()).facts["outcome"] == Outcome.COMPLETED
    del body["data"]["resource"]["status"]
    assert "outcome" not in read_event(ADAPTER, json.dumps(body).encode()).facts


def test_older_events_are_read_alike() -> None:
    outgoing = read_event(ADAPTER, load(ADAPTER, "legacy_outgoing.json"))
    assert outgoing.facts["phone_number"] == "+12025550107"
    assert outgoing.facts["direction"] == "outbound"
    assert outgoing.facts["outcome"] == Outcome.COMPLETED
    voicemail = read_event(ADAPTER, load(ADAPTER, "legacy_voicemail.json"))
    assert voicemail.facts["outcome"] == Outcome.VOICEMAIL
    assert voicemail.facts["recording_url"] == "https://rec.example.net/lv.mp3"
    recording = read_event(ADAPTER, load(ADAPTER, "legacy_recording.json"))
    assert recording.facts["recording_url"] == "https://rec.example.net/l1.mp3"
    assert recording.tenant == ("US1", "PN1", "+12025550199")


@pytest.mark.parametrize("name", ["ringing.json", "message.json", "summary_empty.json"])
def test_what_says_nothing_is_ignored(name: str) -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, name)), Options())
    assert isinstance(reading, Ignored)


def test_an_event_without_a_call_is_unreadable() -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, b'{"type":"call.completed","data":{}}'), Options())
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("name", names("quo"))
def test_nothing_secret_is_read(name: str) -> None:
    readings = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, name)), Options())
    assert readings
    assert PLANTED not in repr(readings)
    assert all(isinstance(each, Event | Ignored) for each in readings)
