import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sources.adapter import Event, Ignored, Outcome, Secret, Unreadable
from sources.elevenlabs import ADAPTER
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

DIGEST = "c9efa04370bb5aec44414be314abf88e580eb5d120fcc445778fbd34dd117310"
SECRET = Secret(id="s1", scheme="shared_secret", value="wsec_demo")
VECTOR = Vector(
    adapter=ADAPTER,
    secret=SECRET,
    headers={"ElevenLabs-Signature": f"t=1764300000,v0={DIGEST}"},
    signature="ElevenLabs-Signature",
    fresh_s=30 * 60,
    changes={
        "version": lambda text: text.replace("v0=", "v1="),
        "no time": lambda text: text.partition(",")[2],
        "other time": lambda text: text.replace("t=1764300000", "t=1764300001"),
        "milliseconds": lambda text: text.replace("t=1764300000", "t=1764300000000"),
    },
)
NUMBERS = {"phone_number", "direction", "from_number", "to_number", "parties"}


def _change(name: str, **fields: Any) -> Event:
    body = json.loads(load("elevenlabs", name))
    body["data"] |= fields
    (event,) = read_all(ADAPTER, json.dumps(body).encode())
    assert isinstance(event, Event)
    return event


def test_published_signature_is_taken_and_no_other() -> None:
    check_vector(VECTOR)
    check_attacks(VECTOR)


def test_hex_of_either_case_is_the_same_signature() -> None:
    headers = {"ElevenLabs-Signature": f"t=1764300000,v0={DIGEST.upper()}"}
    assert VECTOR.verify(deliver(BODY, headers)) is SECRET


def test_conversation_is_the_whole_call() -> None:
    event = read_event(ADAPTER, "post_call_transcription")
    assert event.call == "conv_demo1"
    assert event.facts == {
        "phone_number": "+12025550104",
        "direction": "inbound",
        "from_number": "+12025550104",
        "to_number": "+12025550199",
        "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
        "ended_at": datetime(2025, 11, 28, 3, 22, tzinfo=UTC),
        "duration_seconds": 120,
        "agent_name": "Max",
        "agent_id": "agent_e1",
        "outcome": Outcome.COMPLETED,
        "summary": "Ada asked for hours.",
        "transcript": [
            {"role": "assistant", "text": "Hello."},
            {"role": "user", "text": "Ada here."},
        ],
        "structured_data": {
            "title": "Opening hours",
            "call_successful": "success",
            "language": "en",
            "name": "Ada",
            "city": "Bath",
        },
    }
    assert event.occurred_at == datetime.fromtimestamp(1764300130, UTC)
    assert (event.is_end, event.is_final) == (True, True)
    assert event.tenant == ("agent_e1", "pn1", "+12025550199")
    assert (event.user_id, event.workspace_id) == ("user_1", "ws_1")


def test_outbound_conversation_has_its_customer_at_the_other_end() -> None:
    event = read_event(ADAPTER, "voicemail")
    assert event.facts["phone_number"] == event.facts["to_number"] == "+12025550104"
    assert event.facts["from_number"] == "+12025550199"


def test_user_of_the_vendor_counts_only_beside_a_workspace() -> None:
    variables = {"dynamic_variables": {"workspace_id": "ws_1"}}
    event = _change(
        "post_call_transcription", user_id="u2", conversation_initiation_client_data=variables
    )
    assert (event.user_id, event.workspace_id) == ("u2", "ws_1")
    event = _change(
        "post_call_transcription", user_id="u2", conversation_initiation_client_data=None
    )
    assert (event.user_id, event.workspace_id) == (None, None)


def test_conversation_in_the_browser_has_no_numbers() -> None:
    event = read_event(ADAPTER, "web_conversation")
    assert not NUMBERS & set(event.facts)
    assert event.facts["summary"]


def test_system_variables_fill_in_a_missing_number() -> None:
    event = read_event(ADAPTER, "processing")
    assert event.facts["phone_number"] == "+12025550107"
    assert event.facts["to_number"] == "+12025550199"
    variables = {"system__caller_id": "+12025550107", "system__called_number": "+12025550199"}
    event = _change(
        "web_conversation", conversation_initiation_client_data={"dynamic_variables": variables}
    )
    assert event.facts["parties"] == ("+12025550107", "+12025550199")


def test_conversation_that_is_still_processed_is_not_final() -> None:
    event = read_event(ADAPTER, "processing")
    assert (event.is_end, event.is_final) == (True, False)
    assert "outcome" not in event.facts


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("post_call_transcription", Outcome.COMPLETED),
        ("nobody_spoke", Outcome.NO_ANSWER),
        ("voicemail", Outcome.VOICEMAIL),
        ("voicemail_by_tool", Outcome.VOICEMAIL),
        ("call_initiation_failure_sip", Outcome.NO_ANSWER),
        ("call_initiation_failure_twilio", Outcome.CANCELED),
    ],
)
def test_outcome_is_read(name: str, outcome: Outcome) -> None:
    assert read_event(ADAPTER, name).facts["outcome"] == outcome


def test_failed_conversation_is_failed() -> None:
    event = _change("post_call_transcription", status="failed")
    assert event.facts["outcome"] == Outcome.FAILED
    assert event.is_final


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("busy", Outcome.BUSY),
        ("no-answer", Outcome.NO_ANSWER),
        ("unknown", Outcome.FAILED),
        (None, Outcome.FAILED),
        ("a-reason-of-next-year", Outcome.FAILED),
    ],
)
def test_reason_of_a_failure_becomes_an_outcome(reason: str | None, outcome: Outcome) -> None:
    event = _change("call_initiation_failure_sip", failure_reason=reason)
    assert event.facts["outcome"] == outcome


def test_call_that_never_connected_is_read() -> None:
    event = read_event(ADAPTER, "call_initiation_failure_sip")
    assert event.facts == {
        "phone_number": "+12025550105",
        "direction": "outbound",
        "from_number": "+12025550199",
        "to_number": "+12025550105",
        "started_at": datetime.fromtimestamp(1764300200, UTC),
        "agent_id": "agent_e1",
        "outcome": Outcome.NO_ANSWER,
    }
    assert (event.is_end, event.is_final) == (True, True)
    other = read_event(ADAPTER, "call_initiation_failure_twilio")
    assert other.facts["phone_number"] == other.facts["to_number"] == "+12025550108"


@pytest.mark.parametrize("number", ["anonymous", "+266696687", "sip:ada@example.com", "", None])
def test_withheld_number_is_nothing(number: str | None) -> None:
    body = json.loads(load("elevenlabs", "post_call_transcription"))
    body["data"]["metadata"]["phone_call"]["external_number"] = number
    (event,) = read_all(ADAPTER, json.dumps(body).encode())
    assert isinstance(event, Event)
    assert NUMBERS & set(event.facts) == {"direction", "to_number"}


def test_audio_is_ignored_without_being_read() -> None:
    for body in (
        load("elevenlabs", "post_call_audio"),
        # Neither is JSON as far as it came: nothing but the name was looked at.
        b'{"type": "post_call_audio", "data": {"full_audio": "' + b"A" * 3_000_000,
        b'{"data": {"full_audio": "' + b"A" * 3_000_000 + b'}, "type":"post_call_audio"}',
    ):
        (reading,) = read_all(ADAPTER, body)
        assert isinstance(reading, Ignored)
        assert reading.name == "post_call_audio"
        assert reading.misplaced is not None


def test_words_about_audio_are_no_audio() -> None:
    said = [{"role": "user", "message": '"type": "post_call_audio"'}]
    event = _change("post_call_transcription", transcript=said)
    assert event.facts["transcript"] == [{"role": "user", "text": said[0]["message"]}]


def test_times_that_are_none_are_left_out() -> None:
    metadata = {"start_time_unix_secs": "soon", "call_duration_secs": 1e300}
    event = _change("post_call_transcription", metadata=metadata)
    assert not {"started_at", "ended_at", "duration_seconds"} & set(event.facts)


def test_other_events_are_ignored_and_those_without_an_id_unreadable() -> None:
    assert read_all(ADAPTER, b'{"type": "post_call_translation"}') == (
        Ignored("post_call_translation"),
    )
    (reading,) = read_all(ADAPTER, b'{"type": "post_call_transcription", "data": []}')
    assert isinstance(reading, Unreadable)


def test_signature_of_half_an_hour_ago_is_fresh_and_of_tomorrow_is_not() -> None:
    later = replace(
        VECTOR.delivery, received_at=VECTOR.delivery.received_at + timedelta(minutes=30)
    )
    assert VECTOR.verify(later) is SECRET
    earlier = VECTOR.delivery.received_at - timedelta(days=1)
    assert VECTOR.refusal(replace(VECTOR.delivery, received_at=earlier)) == "stale"
