import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.activities.bounds import fit_to_note
from shared.activities.rendering import render_note
from shared.calls.content import CallContent

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
    assert CallContent.from_payload(WEBHOOK_DATA) == CallContent(
        phone_number="+12025550123",
        direction="inbound",
        from_number="+12025550123",
        to_number="+12025550100",
        started_at=datetime(2026, 11, 22, 9, 57, tzinfo=UTC),
        ended_at=datetime(2026, 11, 22, 10, 0, tzinfo=UTC),
        duration_seconds=180,
        summary="Wants a demo",
        recording_url="https://media.example.com/call_xyz.wav",
        transcript=[{"role": "assistant", "text": "Hello"}],
        agent_name="Ada",
        structured_data={"intent": "demo", "outcome": "booked"},
    )


@pytest.mark.parametrize("data", [WEBHOOK_DATA, {"call_id": "call_1"}])
def test_a_call_survives_being_stored(data: dict[str, Any]) -> None:
    call = CallContent.from_payload(data)
    stored = json.loads(json.dumps(call.to_payload()))
    assert CallContent.from_payload(stored) == call


def test_what_is_checked_is_stored_word_for_word() -> None:
    stored = CallContent.model_validate(WEBHOOK_DATA).to_payload()
    ids = ("call_id", "user_id", "workspace_id")
    assert stored == {
        **{name: value for name, value in WEBHOOK_DATA.items() if name not in ids},
        "started_at": "2026-11-22T09:57:00+00:00",
        "ended_at": "2026-11-22T10:00:00+00:00",
    }


def test_what_is_unknown_takes_no_room() -> None:
    assert CallContent(transcript=[]).to_payload() == {}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"outcome": "won", "structured_data": {"outcome": "booked"}}, "Outcome: won"),
        ({"structured_data": {"outcome": "booked"}}, "Outcome: booked"),
        ({"structured_data": {"outcome": 1}}, "outcome: 1"),
    ],
)
def test_an_outcome_of_its_own_comes_before_that_of_the_structured_data(
    fields: dict[str, Any], shown: str
) -> None:
    note = render_note(CallContent(**fields), call_id="call_1", log_id="hs_1")
    assert shown in note
    assert note.lower().count("outcome: ") == (2 if "won" in shown else 1)


def test_what_postgres_cannot_hold_is_dropped() -> None:
    nested: list[Any] = []
    for _ in range(5_000):
        nested = [nested]
    call = CallContent(
        summary="half \ud83d a pair 😀",
        agent_name="A\0da",
        transcript=[{"role": "\0user", "text": "\udc00yes"}],
        structured_data={"a\0": ["\0b", float("inf"), 1.5, True], "deep": nested},
    )
    kept, _ = fit_to_note(call)
    payload = kept.to_payload()
    stored = json.dumps(payload, allow_nan=False).encode()
    assert b"\\u0000" not in stored
    assert payload["summary"] == "half  a pair 😀"
    assert payload["agent_name"] == "Ada"
    assert payload["transcript"] == [{"role": "user", "text": "yes"}]
    assert payload["structured_data"]["a"] == ["b", None, 1.5, True]
    json.dumps(payload, ensure_ascii=False).encode()
