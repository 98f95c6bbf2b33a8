import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.calls.call_details import CallDetails, Utterance

WEBHOOK_DATA: dict[str, Any] = {
    "call_id": "call_xyz",
    "user_id": "user_1",
    "workspace_id": "ws_1",
    "phone_number": "+12025550123",
    "direction": "inbound",
    "from_number": "+12025550123",
    "to_number": "+12025550100",
    "started_at": "2026-11-22T10:57:00+01:00",
    "ended_at": "2026-11-22T10:00:00Z",
    "duration_seconds": 180,
    "summary": "Wants a demo",
    "recording_url": "https://media.example.com/call_xyz.wav",
    "transcript": [{"role": "assistant", "text": "Hello"}],
    "agent_name": "Ada",
    "structured_data": {"intent": "demo", "outcome": "booked"},
}


def test_the_webhook_data_is_read_field_by_field() -> None:
    assert CallDetails.from_payload(WEBHOOK_DATA) == CallDetails(
        call_id="call_xyz",
        phone_number="+12025550123",
        direction="inbound",
        from_number="+12025550123",
        to_number="+12025550100",
        started_at=datetime(2026, 11, 22, 9, 57, tzinfo=UTC),
        ended_at=datetime(2026, 11, 22, 10, 0, tzinfo=UTC),
        duration_seconds=180,
        summary="Wants a demo",
        recording_url="https://media.example.com/call_xyz.wav",
        transcript=(Utterance("assistant", "Hello"),),
        agent_name="Ada",
        structured_data={"intent": "demo", "outcome": "booked"},
        outcome="booked",
    )


@pytest.mark.parametrize("data", [WEBHOOK_DATA, {"call_id": "call_1"}])
def test_a_call_survives_being_stored(data: dict[str, Any]) -> None:
    call = CallDetails.from_payload(data)
    stored = json.loads(json.dumps(call.to_payload()))
    assert CallDetails.from_payload(stored) == call


def test_what_is_unknown_takes_no_room() -> None:
    assert CallDetails(call_id="call_1").to_payload() == {"call_id": "call_1"}


def test_an_outcome_of_its_own_comes_before_that_of_the_structured_data() -> None:
    call = CallDetails.from_payload({**WEBHOOK_DATA, "outcome": "won"})
    assert call.outcome == "won"
    assert (
        CallDetails.from_payload({"call_id": "1", "structured_data": {"outcome": 1}}).outcome
        is None
    )


def test_what_postgres_cannot_hold_is_dropped() -> None:
    nested: list[Any] = []
    for _ in range(5_000):
        nested = [nested]
    payload = CallDetails(
        call_id="call\0_1",
        summary="half \ud83d a pair 😀",
        duration_seconds=float("nan"),
        structured_data={"a\0": ["\0b", float("inf"), 1.5, True], "deep": nested},
    ).to_payload()
    stored = json.dumps(payload, allow_nan=False).encode()
    assert b"\\u0000" not in stored
    assert payload["summary"] == "half  a pair 😀"
    assert payload["structured_data"]["a"] == ["b", None, 1.5, True]
    assert CallDetails.from_payload(payload).duration_seconds is None
