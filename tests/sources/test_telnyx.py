"""Telnyx: Ed25519, and calls whose hang-up does not say who called whom."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sources.adapter import (
    Event,
    Ignored,
    InvalidSecretError,
    Outcome,
    Reading,
    Refusal,
    Unreadable,
)
from sources.telnyx import ADAPTER, NOT_LINKED, TelnyxOptions
from tests.sources.deliveries import Vector, check_attacks, check_vector
from tests.sources.vendor_fixtures import (
    BODY,
    PLANTED,
    SIGNED_AT,
    deliver,
    load,
    names,
    read_event,
    refuse,
    secret,
    tamper,
)

PUBLIC_KEY: Final = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
SIGNATURE: Final = (
    "mHavJ9PHzFg05ecFfd9u3aniV1zZxlyPU3ihHg2glMg9sZQ3q6yAexmstKxEaaCIMH4FSB9VNtFC0fGy5P0NBA=="
)
SEED: Final = "seed:" + base64.b64encode(bytes(range(32))).decode()
OTHER_KEY: Final = base64.b64encode(
    Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
).decode()
HEADERS: Final = (
    ("Telnyx-Signature-Ed25519", SIGNATURE),
    ("Telnyx-Timestamp", "1764300000"),
)
SECRET: Final = secret(PUBLIC_KEY, "ed25519")


VECTOR: Final = Vector(
    adapter=ADAPTER,
    secret=SECRET,
    headers=dict(HEADERS),
    signature="Telnyx-Signature-Ed25519",
)


def test_the_published_algorithm_is_checked_whole() -> None:
    check_vector(VECTOR)
    check_attacks(VECTOR)


def test_the_vector_is_genuine() -> None:
    assert ADAPTER.verify(deliver(ADAPTER, BODY, HEADERS), [SECRET], TelnyxOptions()) is SECRET


def test_any_of_several_keys_proves_a_delivery() -> None:
    other = secret(OTHER_KEY, "ed25519", "sec_2")
    found = ADAPTER.verify(deliver(ADAPTER, BODY, HEADERS), [other, SECRET], TelnyxOptions())
    assert found is SECRET


def test_a_repeat_is_genuine_as_well() -> None:
    for _ in range(2):
        ADAPTER.verify(deliver(ADAPTER, BODY, HEADERS), [SECRET], TelnyxOptions())


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_stale_signature_is_refused(minutes: int) -> None:
    at = SIGNED_AT + timedelta(minutes=minutes)
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, HEADERS, at), SECRET) is Refusal.STALE


@pytest.mark.parametrize("seconds", [-299, 299])
def test_clocks_may_differ_by_five_minutes(seconds: int) -> None:
    at = SIGNED_AT + timedelta(seconds=seconds)
    assert ADAPTER.verify(deliver(ADAPTER, BODY, HEADERS, at), [SECRET], TelnyxOptions())


@pytest.mark.parametrize("body", [tamper(BODY), BODY + b" ", b" " + BODY, b""])
def test_another_body_is_refused(body: bytes) -> None:
    assert refuse(ADAPTER, deliver(ADAPTER, body, HEADERS), SECRET) is Refusal.WRONG_SIGNATURE


def test_another_time_is_refused() -> None:
    headers = (HEADERS[0], ("telnyx-timestamp", "1764300001"))
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, headers), SECRET) is Refusal.WRONG_SIGNATURE


def test_another_key_is_refused() -> None:
    other = secret(OTHER_KEY, "ed25519")
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, HEADERS), other) is Refusal.WRONG_SIGNATURE


def test_a_seed_proves_nothing() -> None:
    seed = secret(SEED, "ed25519")
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, HEADERS), seed) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_header_is_refused(missing: int) -> None:
    headers = [each for place, each in enumerate(HEADERS) if place != missing]
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, headers), SECRET) is Refusal.MISSING_SIGNATURE


@pytest.mark.parametrize("doubled", [0, 1])
def test_a_header_that_comes_twice_is_refused(doubled: int) -> None:
    headers = [*HEADERS, HEADERS[doubled]]
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, headers), SECRET) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize(
    "signature",
    [
        SIGNATURE.rstrip("="),
        SIGNATURE[:-3] + "B==",  # the same 64 bytes, with bits set that are not read
        SIGNATURE + "=",
        SIGNATURE[:10] + "\n" + SIGNATURE[10:],
        base64.b64decode(SIGNATURE).hex(),
        SIGNATURE[4:],
        "é",
    ],
)
def test_a_signature_has_one_spelling(signature: str) -> None:
    headers = (("telnyx-signature-ed25519", signature), HEADERS[1])
    code = refuse(ADAPTER, deliver(ADAPTER, BODY, headers), SECRET)
    assert code is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize(
    "stamp", ["soon", "17643000000", "-1764300000", "1764300000.0", "١٧٦٤٣٠٠٠٠٠"]
)
def test_a_time_that_is_no_time_is_refused(stamp: str) -> None:
    headers = (HEADERS[0], ("telnyx-timestamp", stamp))
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, headers), SECRET) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize(
    "value",
    ["", "KEY0123456789", SEED, PUBLIC_KEY[:-1], PUBLIC_KEY.replace("/", "_"), PUBLIC_KEY + "\n"],
)
def test_only_a_public_key_can_be_pasted(value: str) -> None:
    check = ADAPTER.scheme(None).check
    check(PUBLIC_KEY)
    with pytest.raises(InvalidSecretError, match="public key"):
        check(value)


def test_a_sample_is_signed_with_a_key_pair_of_ones_own() -> None:
    at = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    samples = ADAPTER.sample(secret(SEED, "ed25519"), "https://x.example/y", at, TelnyxOptions())
    read: list[Reading] = []
    for sample in samples:
        delivery = deliver(ADAPTER, sample.body, list(sample.headers.items()), at)
        assert ADAPTER.verify(delivery, [SECRET], TelnyxOptions()) is SECRET
        read += ADAPTER.read(delivery, TelnyxOptions())
    assert all(isinstance(each, Event) for each in read)
    assert len({each.call for each in read if isinstance(each, Event)}) == 1


def test_a_public_key_cannot_sign_a_sample() -> None:
    with pytest.raises(InvalidSecretError, match="cannot sign"):
        ADAPTER.sample(SECRET, "https://x.example/y", SIGNED_AT, TelnyxOptions())


def test_the_start_says_who_called_whom() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "initiated.json"))
    assert event.call == "b0e6141e-c81c-11f0-abac-02420aef93a0"
    assert event.facts["direction"] == "inbound"
    assert event.facts["from_number"] == "+12025550110"
    assert event.facts["to_number"] == "+12025550199"
    assert not event.is_end
    assert event.tenant == ("2811212257810187875", "+12025550199")


def test_the_hang_up_names_both_ends_and_no_direction() -> None:
    event, outcome = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, "hangup.json")), TelnyxOptions())
    assert isinstance(event, Event)
    assert isinstance(outcome, Event)
    assert event.facts == {
        "parties": ("+12025550110", "+12025550199"),
        "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
        "ended_at": datetime(2025, 11, 28, 3, 21, tzinfo=UTC),
    }
    assert event.is_end
    assert not event.is_final
    assert (event.user_id, event.workspace_id) == ("user_1", "ws_1")
    assert outcome.facts == {"outcome": Outcome.COMPLETED}
    assert outcome.call == event.call


def test_a_detected_machine_counts_more_than_a_normal_hang_up() -> None:
    machine = read_event(ADAPTER, load(ADAPTER, "machine.json"))
    _, hangup = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, "hangup.json")), TelnyxOptions())
    assert isinstance(hangup, Event)
    assert machine.facts["outcome"] == Outcome.VOICEMAIL
    assert machine.occurred_at is not None
    assert hangup.occurred_at is not None
    assert machine.occurred_at > hangup.occurred_at


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        ("normal_clearing", "completed"),
        ("time_limit", "completed"),
        ("user_busy", "busy"),
        ("no_answer", "no_answer"),
        ("timeout", "no_answer"),
        ("originator_cancel", "canceled"),
        ("call_rejected", "failed"),
        ("not_found", "failed"),
        ("unspecified", "failed"),
        ("a_new_cause", "a_new_cause"),
    ],
)
@pytest.mark.parametrize("has_start", [True, False])
def test_every_cause_is_an_outcome(cause: str, outcome: str, has_start: bool) -> None:
    body = json.loads(load(ADAPTER, "hangup.json"))
    body["data"]["payload"]["hangup_cause"] = cause
    if not has_start:
        del body["data"]["payload"]["start_time"]
    readings = ADAPTER.read(deliver(ADAPTER, json.dumps(body).encode()), TelnyxOptions())
    found = [
        each.facts["outcome"]
        for each in readings
        if isinstance(each, Event) and "outcome" in each.facts
    ]
    assert found == [outcome]


def test_a_later_leg_neither_ends_the_call_nor_names_its_customer() -> None:
    later = read_event(ADAPTER, load(ADAPTER, "hangup_of_a_later_leg.json"))
    start = read_event(ADAPTER, load(ADAPTER, "initiated.json"))
    assert later.call == start.call
    assert not later.is_end
    assert "outcome" not in later.facts
    assert later.occurred_at is not None
    assert start.occurred_at is not None
    assert later.occurred_at < start.occurred_at


def test_an_assistants_address_is_no_number() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "conversation_ended.json"))
    assert event.facts == {
        "parties": ("+12025550110", None),
        "duration_seconds": 58.4,
        "agent_id": "assistant-1",
    }
    assert event.is_end
    assert event.tenant[0] == "assistant-1"


def test_the_first_text_is_the_summary_and_objects_are_details() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "insights.json"))
    assert event.facts["summary"] == "Ada booked a room."
    assert event.facts["structured_data"] == {
        "nights": 2,
        "city": "Bath",
        "in-4": "She sounded glad.",
    }
    assert not event.is_final


def test_the_summary_can_be_named() -> None:
    options = TelnyxOptions(summary_insight="in-4")
    event = read_event(ADAPTER, load(ADAPTER, "insights.json"), options)
    assert event.facts["summary"] == "She sounded glad."
    assert event.facts["structured_data"]["in-1"] == "Ada booked a room."


def test_the_analysis_is_the_last_word() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "analyzed.json"))
    assert event.facts == {"summary": "Ada booked a room for two.", "agent_id": "assistant-1"}
    assert event.is_final
    assert event.rank > read_event(ADAPTER, load(ADAPTER, "insights.json")).rank


def test_a_link_of_ten_minutes_is_not_kept_and_that_is_said() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "recording.json"))
    assert event.facts == {"structured_data": {"telnyx_recording_id": "rec-1"}}
    assert event.notices == (NOT_LINKED,)


def test_a_public_recording_is_linked() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "public_recording.json"))
    assert event.facts["recording_url"] == "https://public.example.net/t2.wav"
    assert event.notices == ()


def test_a_voicemail_of_a_sip_connection_ends_a_call() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "voicemail.json"))
    assert event.facts == {
        "phone_number": "+12025550110",
        "direction": "inbound",
        "from_number": "+12025550110",
        "to_number": "+12025550199",
        "outcome": Outcome.VOICEMAIL,
    }
    assert event.is_end


def test_forms_of_texml_are_read() -> None:
    event = read_event(ADAPTER, load(ADAPTER, "texml_no_answer.form"))
    assert event.call == "sess-2"
    assert event.facts["outcome"] == "no_answer"
    assert event.facts["parties"] == ("+12025550199", "+12025550110")
    assert event.occurred_at == datetime(2025, 11, 28, 3, 21, tzinfo=UTC)
    assert event.is_end
    completed = read_event(ADAPTER, load(ADAPTER, "texml_completed.form"))
    assert completed.facts["duration_seconds"] == 49
    assert completed.occurred_at == datetime(2025, 11, 28, 3, 20, 50, tzinfo=UTC)
    recording = read_event(ADAPTER, load(ADAPTER, "texml_recording.form"))
    assert recording.facts == {"structured_data": {"telnyx_recording_id": "rec-3"}}
    assert recording.notices == (NOT_LINKED,)
    assert not recording.is_end


def test_a_machine_in_a_form_is_a_voicemail() -> None:
    body = load(ADAPTER, "texml_completed.form").strip() + b"&AnsweredBy=machine_start"
    assert read_event(ADAPTER, body).facts["outcome"] == Outcome.VOICEMAIL


@pytest.mark.parametrize("name", ["answered.json", "human.json", "texml_ringing.form"])
def test_what_says_nothing_of_the_end_is_ignored(name: str) -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, name)), TelnyxOptions())
    assert isinstance(reading, Ignored)


def test_withheld_numbers_are_no_numbers() -> None:
    body = load(ADAPTER, "initiated.json").replace(b"+12025550110", b"anonymous")
    event = read_event(ADAPTER, body)
    assert "from_number" not in event.facts
    assert event.facts["to_number"] == "+12025550199"


@pytest.mark.parametrize("caller", ["anonymous", "Restricted", "+266696687", "", None])
def test_a_withheld_caller_does_not_make_our_own_number_the_customers(caller: str | None) -> None:
    body = json.loads(load(ADAPTER, "hangup.json"))
    body["data"]["payload"]["from"] = caller
    event, _ = ADAPTER.read(deliver(ADAPTER, json.dumps(body).encode()), TelnyxOptions())
    assert isinstance(event, Event)
    assert "parties" not in event.facts


@pytest.mark.parametrize("state", ["!", "////", "bm8=", base64.b64encode(b"[" * 100_000).decode()])
def test_a_state_that_is_no_object_names_no_tenant(state: str) -> None:
    body = json.loads(load(ADAPTER, "initiated.json"))
    body["data"]["payload"]["client_state"] = state
    event = read_event(ADAPTER, json.dumps(body).encode())
    assert (event.user_id, event.workspace_id) == (None, None)


def test_an_event_without_a_call_is_unreadable() -> None:
    body = b'{"data":{"event_type":"call.hangup","payload":{"from":"+12025550110"}}}'
    (reading,) = ADAPTER.read(deliver(ADAPTER, body), TelnyxOptions())
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("name", names("telnyx"))
def test_nothing_secret_is_read(name: str) -> None:
    readings = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, name)), TelnyxOptions())
    assert readings
    assert PLANTED not in repr(readings)
