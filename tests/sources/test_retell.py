import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sources.adapter import Event, Ignored, Outcome, Refusal, Secret, Unreadable
from sources.retell import ADAPTER
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

DIGEST = "2929365e719719aab09c0c91a9426cdf3100452ef69aa325f53cbfcc274a1de1"
SECRET = Secret(id="s1", scheme="api_key", value="key_demo_retell")
VECTOR = Vector(
    adapter=ADAPTER,
    secret=SECRET,
    headers={"X-Retell-Signature": f"v=1764300000123,d={DIGEST}"},
    signature="X-Retell-Signature",
    changes={
        "blank": lambda text: text.replace(",", ", "),
        "order": lambda text: ",".join(reversed(text.split(","))),
        "seconds": lambda text: text.replace("1764300000123", "1764300000"),
        "bare": lambda text: text[-64:],
        "two digests": lambda text: f"{text},d={'0' * 64}",
        "other time": lambda text: text.replace("0123", "0124"),
    },
)
NUMBERS = {"phone_number", "direction", "from_number", "to_number", "parties"}


def _change(name: str, **fields: Any) -> Event:
    body = json.loads(load("retell", name))
    for field, value in fields.items():
        if value is None:
            body["call"].pop(field, None)
        else:
            body["call"][field] = value
    (event,) = read_all(ADAPTER, json.dumps(body).encode())
    assert isinstance(event, Event)
    return event


def test_published_signature_is_taken_and_no_other() -> None:
    check_vector(VECTOR)
    check_attacks(VECTOR)


def test_hex_of_either_case_is_the_same_signature() -> None:
    headers = {"X-Retell-Signature": f"v=1764300000123,d={DIGEST.upper()}"}
    assert VECTOR.verify(deliver(BODY, headers)) is SECRET


def test_missing_header_is_named() -> None:
    assert VECTOR.refusal(deliver(BODY, {"x-signature": DIGEST})) is Refusal.MISSING_SIGNATURE


def test_end_says_all_but_the_analysis() -> None:
    event = read_event(ADAPTER, "call_ended")
    assert event.call == "call_demo0001"
    assert event.facts == {
        "direction": "inbound",
        "from_number": "+12025550103",
        "to_number": "+12025550199",
        "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
        "ended_at": datetime(2025, 11, 28, 3, 21, 1, 500_000, tzinfo=UTC),
        "duration_seconds": 61.5,
        "agent_name": "Max",
        "agent_id": "agent_1",
        "outcome": Outcome.COMPLETED,
        "recording_url": "https://rec.example.net/r1.wav",
        "transcript": [
            {"role": "assistant", "text": "Hello."},
            {"role": "user", "text": "Hi."},
        ],
        "structured_data": {"city": "Bath"},
    }
    assert (event.rank, event.is_end, event.is_final) == (10, True, False)
    assert event.withdrawn == frozenset()
    assert event.tenant == ("agent_1", "+12025550199")
    assert (event.user_id, event.workspace_id) == ("user_1", "ws_1")


def test_analysis_completes_the_same_call() -> None:
    ended, analyzed = (read_event(ADAPTER, each) for each in ("call_ended", "call_analyzed"))
    assert analyzed.call == ended.call
    assert analyzed.facts["summary"] == "Ada said hi."
    assert analyzed.facts["structured_data"] == {
        "city": "Bath",
        "call_successful": True,
        "topic": "hello",
        "user_sentiment": "Neutral",
    }
    assert (analyzed.rank, analyzed.is_end, analyzed.is_final) == (30, True, True)


def test_which_event_wins_does_not_depend_on_the_order_in_which_they_come() -> None:
    # Only one of the two has a time of its own, so both take that of the call's end.
    ended, analyzed = (read_event(ADAPTER, each) for each in ("call_ended", "call_analyzed"))
    assert ended.occurred_at == analyzed.occurred_at == ended.facts["ended_at"]
    assert ended.rank < analyzed.rank


def test_analysis_that_comes_while_a_person_speaks_on_ends_nothing() -> None:
    event = read_event(ADAPTER, "call_analyzed_during_transfer")
    assert (event.is_end, event.is_final) == (False, False)
    later = _change("call_ended", end_timestamp=1764300900000)
    assert later.occurred_at is not None
    assert event.occurred_at is not None
    assert later.occurred_at > event.occurred_at


def test_redacted_version_replaces_the_first_one() -> None:
    event = read_event(ADAPTER, "call_analyzed_redacted")
    assert event.withdrawn == {"transcript", "recording_url"}
    assert event.facts["recording_url"] == "https://rec.example.net/r1-scrubbed.wav"
    assert event.facts["transcript"][-1] == {"role": "user", "text": "My card is [card number]."}
    assert "RAW-" not in repr(event)


def test_redacted_transcript_alone_leaves_the_recording() -> None:
    event = _change("call_analyzed_redacted", scrubbed_recording_url=None)
    assert event.withdrawn == {"transcript"}


@pytest.mark.parametrize("scrubbed", [[], [{"role": "agent", "content": None}]])
def test_redacted_transcript_that_is_empty_still_replaces_the_first_one(scrubbed: Any) -> None:
    event = _change("call_analyzed_redacted", scrubbed_transcript_with_tool_calls=scrubbed)
    assert "transcript" in event.withdrawn
    assert "transcript" not in event.facts


def test_redacted_recording_that_is_no_link_still_withdraws_the_first_one() -> None:
    event = _change("call_analyzed_redacted", scrubbed_recording_url="http://rec.example.net/x")
    assert "recording_url" in event.withdrawn
    assert "recording_url" not in event.facts


def test_transcript_is_read_from_whatever_there_is() -> None:
    turns = read_event(ADAPTER, "call_ended").facts["transcript"]
    assert _change("call_ended", transcript_object=[]).facts["transcript"] == turns
    text = _change("call_ended", transcript_object=[], transcript_with_tool_calls=None)
    assert text.facts["transcript"] == turns


def test_web_call_has_no_numbers() -> None:
    event = read_event(ADAPTER, "call_analyzed_web")
    assert not NUMBERS & set(event.facts)
    assert event.facts["summary"] == "A try in the browser."
    assert event.is_end


def test_name_of_a_trunk_is_no_number() -> None:
    event = read_event(ADAPTER, "call_ended_not_connected")
    assert event.facts == {
        "direction": "outbound",
        "to_number": "+12025550104",
        "agent_id": "agent_1",
        "outcome": Outcome.NO_ANSWER,
    }
    assert event.occurred_at == datetime.fromtimestamp(1764300090, UTC)
    assert event.is_end


@pytest.mark.parametrize(
    "number", ["anonymous", "Restricted", "Unknown", "+266696687", "sip:ada@example.com", "", None]
)
def test_withheld_number_is_nothing(number: str | None) -> None:
    event = _change("call_ended", from_number=number)
    assert NUMBERS & set(event.facts) == {"direction", "to_number"}


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("voicemail_reached", Outcome.VOICEMAIL),
        ("dial_busy", Outcome.BUSY),
        ("dial_no_answer", Outcome.NO_ANSWER),
        ("user_declined", Outcome.NO_ANSWER),
        ("transfer_cancelled", Outcome.COMPLETED),
        ("manual_stopped", Outcome.COMPLETED),
        ("dial_failed", Outcome.FAILED),
        ("invalid_destination", Outcome.FAILED),
        ("telephony_provider_permission_denied", Outcome.FAILED),
        ("telephony_provider_unavailable", Outcome.FAILED),
        ("sip_routing_error", Outcome.FAILED),
        ("concurrency_limit_reached", Outcome.FAILED),
        ("no_concurrency_fallback", Outcome.FAILED),
        ("no_valid_payment", Outcome.FAILED),
        ("scam_detected", Outcome.FAILED),
        ("marked_as_spam", Outcome.FAILED),
        ("registered_call_timeout", Outcome.FAILED),
        ("error_llm_websocket_open", Outcome.FAILED),
        ("user_hangup", Outcome.COMPLETED),
        ("agent_hangup", Outcome.COMPLETED),
        ("call_transfer", Outcome.COMPLETED),
        ("transfer_bridged", Outcome.COMPLETED),
        ("call_take_over", Outcome.COMPLETED),
        ("inactivity", Outcome.COMPLETED),
        ("max_duration_reached", Outcome.COMPLETED),
        ("ivr_reached", Outcome.COMPLETED),
        ("a_reason_of_next_year", Outcome.COMPLETED),
    ],
)
def test_reason_becomes_an_outcome(reason: str, outcome: Outcome) -> None:
    assert _change("call_ended", disconnection_reason=reason).facts["outcome"] == outcome


def test_what_was_stopped_before_anybody_spoke_is_canceled() -> None:
    for reason in ("manual_stopped", "transfer_cancelled"):
        event = _change(
            "call_ended_not_connected", disconnection_reason=reason, call_status="ended"
        )
        assert event.facts["outcome"] == Outcome.CANCELED


def test_analysis_may_find_that_it_was_a_voicemail() -> None:
    event = read_event(ADAPTER, "call_analyzed_voicemail")
    assert event.facts["outcome"] == Outcome.VOICEMAIL
    assert event.tenant == ("agent_1", "+12025550199")


def test_duration_may_be_all_that_is_known_of_the_times() -> None:
    event = _change("call_ended", start_timestamp=None, duration_ms="61500")
    assert event.facts["duration_seconds"] == 61.5


@pytest.mark.parametrize(
    "name",
    [
        *("call_started", "transcript_updated", "transfer_started", "transfer_bridged"),
        *("transfer_cancelled", "transfer_ended", "chat_started", "chat_ended", "chat_analyzed"),
    ],
)
def test_other_events_are_ignored(name: str) -> None:
    assert read_all(ADAPTER, load("retell", name)) == (Ignored(name),)


def test_event_without_an_id_is_unreadable() -> None:
    (reading,) = read_all(ADAPTER, b'{"event": "call_ended", "call": {"call_id": ""}}')
    assert isinstance(reading, Unreadable)
    assert reading.name == "call_ended"


def test_an_hour_with_a_time_for_each_word_is_read() -> None:
    words = [{"word": "hello", "start": 1.25, "end": 1.75}] * 9000
    turns = [{"role": "user", "content": "hello", "words": words}]
    body = json.loads(load("retell", "call_ended"))
    for field in ("transcript_object", "transcript_with_tool_calls"):
        body["call"][field] = turns * 3
    content = json.dumps(body).encode()
    assert len(content) > 2 * 1024 * 1024
    (event,) = read_all(ADAPTER, content)
    assert isinstance(event, Event)
    assert len(event.facts["transcript"]) == 3


def test_sample_is_the_end_and_the_analysis_of_one_call() -> None:
    samples = ADAPTER.sample(SECRET, URL, SIGNED_AT, ADAPTER.options())
    assert [each.name for each in samples] == ["call_ended", "call_analyzed"]
    events = [read_all(ADAPTER, each.body)[0] for each in samples]
    assert len({event.call for event in events if isinstance(event, Event)}) == 1
