"""What is kept of a call is what its note can hold, whatever was sent."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from shared.activities.bounds import fit_to_note
from shared.activities.rendering import MAX_SUMMARY_UNITS, SHORTENED, render_note
from shared.calls.content import CallContent
from tests.notes.test_rendering import ANY_CALL, CALL

LONG = 1_000_000
# Of JSON in UTF-8 with letters of one byte.
MOST_KEPT = 100_000


def kept_bytes(call: CallContent) -> int:
    return len(json.dumps(call.to_payload(), ensure_ascii=False).encode())


def test_call_that_a_note_can_hold_is_kept_as_it_is() -> None:
    assert fit_to_note(CALL) == (CALL, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"summary": "x" * LONG},
        {"transcript": [{"role": "user", "text": "x" * LONG}]},
        {"transcript": [{"role": "user", "text": "yes"}] * (LONG // 10)},
        {"transcript": [{"role": "x" * LONG, "text": "y" * LONG}]},
        {"structured_data": {"a": "x" * LONG}},
        {"structured_data": {"x" * LONG: 1}},
        {"structured_data": {"a": [0] * LONG}},
        {"structured_data": {"a": [1e308] * LONG}},
        {"structured_data": {str(number): {} for number in range(LONG // 10)}},
        {"structured_data": {"a": [[]] * LONG}},
        {"recording_url": "https://h.example/" + "x" * LONG},
        {"phone_number": "1" * LONG},
    ],
    ids=range(12),
)
def test_what_is_kept_is_bounded_and_the_cut_is_named(changes: dict[str, Any]) -> None:
    kept, warnings = fit_to_note(CALL.model_copy(update=changes))
    assert kept_bytes(kept) < MOST_KEPT
    assert [each.field for each in warnings] == [*changes]


def test_everything_long_at_once_is_bounded() -> None:
    long = "x" * LONG
    call = CALL.model_copy(
        update={
            "summary": long,
            "structured_data": dict.fromkeys(map(str, range(100)), long),
            "transcript": [{"role": "user", "text": long}] * 3,
        }
    )
    kept, warnings = fit_to_note(call)
    assert kept_bytes(kept) < MOST_KEPT
    assert {each.field for each in warnings} == {"summary", "structured_data", "transcript"}
    assert "Transcript" in render_note(kept, call_id="call_1", log_id="hs_1")


def test_cut_texts_say_so() -> None:
    kept, _ = fit_to_note(
        CALL.model_copy(
            update={
                "summary": "s" * 30_000,
                "transcript": [{"role": "user", "text": "t" * 100_000}],
            }
        )
    )
    assert (kept.summary or "").endswith(SHORTENED)
    assert len(kept.summary or "") == MAX_SUMMARY_UNITS
    assert kept.transcript is not None
    assert kept.transcript[-1]["text"].endswith(SHORTENED)


def test_blanks_that_a_note_does_not_show_cost_no_words() -> None:
    summary = "begin" + "\n \n" * 20_000 + "end"
    kept, warnings = fit_to_note(CALL.model_copy(update={"summary": summary}))
    assert (kept.summary, warnings) == ("begin\n\nend", [])


def test_emoji_are_not_cut_in_half() -> None:
    kept, _ = fit_to_note(CALL.model_copy(update={"summary": "x" + "😀" * 30_000}))
    (kept.summary or "").encode()


def test_numbers_that_take_hundreds_of_digits_become_text() -> None:
    data = {"a": 1e308, "b": 5e-324, "c": 10**300, "d": 1.5, "e": 0, "f": 10**14, "g": True}
    kept, warnings = fit_to_note(CALL.model_copy(update={"structured_data": data}))
    assert kept.structured_data == data | {"a": "1e+308", "b": "5e-324", "c": str(10**300)}
    assert warnings == []


@settings(deadline=None)
@given(ANY_CALL)
def test_whatever_is_kept_can_be_stored_and_rendered(call: CallContent) -> None:
    kept, warnings = fit_to_note(call)
    stored = json.loads(json.dumps(kept.to_payload(), allow_nan=False))
    assert render_note(CallContent.from_payload(stored), call_id="call_1", log_id="hs_1")
    assert len(warnings) <= 20
