"""What a Call object says beside its body, and what is left out of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.hubs import DEFAULT_DISPOSITIONS
from sandbox.properties import CALL_STATUSES
from sandbox.properties import CALLS as SCHEMA
from shared.activities.composing import Composed, compose
from shared.activities.destination import ActivityKind
from shared.activities.properties import (
    DISPOSITIONS,
    ENDINGS,
    LABELS,
    call_properties,
    played_recording,
    refused_of,
    to_remember,
)
from shared.activities.rendering import marker_ref, render_blocks, render_note
from shared.calls.content import FINAL_OUTCOMES, CallContent
from shared.hubspot.models import CALLS

LOG_ID = "hs_a1"
WORDS = st.none() | st.text(max_size=60)
MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))
CONTENTS = st.builds(
    CallContent,
    phone_number=WORDS,
    direction=WORDS | st.sampled_from(["inbound", "outgoing"]),
    from_number=WORDS,
    to_number=WORDS,
    started_at=MOMENTS,
    ended_at=MOMENTS,
    duration_seconds=st.none() | st.floats(0, 31_536_000),
    recording_url=WORDS | st.just("https://a.example/a.mp3"),
    outcome=WORDS,
)
BEGAN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def properties(region: str = "US", **fields: Any) -> dict[str, str]:
    return call_properties(CallContent(**fields), log_id=LOG_ID, region=region)


def composed(kind: ActivityKind = ActivityKind.CALL, *refused: str, **fields: Any) -> Composed:
    content = CallContent(**fields)
    return compose(kind, content, call_id="c1", log_id=LOG_ID, region="US", refused=refused)


def test_inbound_call_comes_from_the_customer() -> None:
    assert properties(
        direction="inbound",
        phone_number="(202) 555-0123",
        to_number="+442079460000",
        started_at=BEGAN,
        ended_at=BEGAN + timedelta(seconds=67.5),
        outcome="completed",
        recording_url="https://cdn.example.com/r.mp3?signed=1",
    ) == {
        "hs_call_title": "Inbound call from +12025550123",
        "hs_call_direction": "INBOUND",
        "hs_call_status": "COMPLETED",
        "hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
        "hs_call_duration": "67500",
        "hs_call_from_number": "+12025550123",
        "hs_call_to_number": "+442079460000",
        "hs_call_recording_url": "https://cdn.example.com/r.mp3?signed=1",
        "hs_call_external_id": LOG_ID,
    }


def test_outbound_call_goes_to_the_customer() -> None:
    found = properties(direction="outbound-api", phone_number="+12025550123")
    assert found["hs_call_title"] == "Outbound call to +12025550123"
    assert found["hs_call_direction"] == "OUTBOUND"
    assert found["hs_call_to_number"] == "+12025550123"
    assert "hs_call_from_number" not in found


def test_what_is_unknown_is_not_sent() -> None:
    assert properties() == {
        "hs_call_title": "Call",
        "hs_call_status": "COMPLETED",
        "hs_call_external_id": LOG_ID,
    }


@pytest.mark.parametrize(
    ("outcome", "status", "label"),
    [
        ("completed", "COMPLETED", "Connected"),
        ("voicemail", "COMPLETED", "Left voicemail"),
        ("No answer", "NO_ANSWER", "No answer"),
        ("no-answer", "NO_ANSWER", "No answer"),
        ("busy", "BUSY", "Busy"),
        ("failed", "FAILED", None),
        ("canceled", "CANCELED", None),
        ("Wrong number", "COMPLETED", "Wrong number"),
        ("Left live message", "COMPLETED", "Left live message"),
        ("Booked a demo", "COMPLETED", None),
        (None, "COMPLETED", None),
        ("ringing", "RINGING", None),
    ],
)
def test_outcome_becomes_status_and_disposition(
    outcome: str | None, status: str, label: str | None
) -> None:
    found = properties(outcome=outcome)
    assert found["hs_call_status"] == status
    assert found.get("hs_call_disposition") == (DISPOSITIONS[label] if label else None)


def test_call_that_has_ended_is_not_in_progress_whatever_its_outcome_says() -> None:
    assert properties(outcome="in_progress", duration_seconds=3)["hs_call_status"] == "COMPLETED"


def test_every_outcome_of_a_call_that_ended_has_a_status() -> None:
    assert ENDINGS.keys() >= FINAL_OUTCOMES


def test_outcomes_are_hubspots_own() -> None:
    assert {each.label: each.id for each in DEFAULT_DISPOSITIONS} == DISPOSITIONS
    assert {each.status for each in ENDINGS.values()} <= CALL_STATUSES


def test_what_is_sent_is_what_is_read() -> None:
    assert LABELS.keys() == set(CALLS.further)
    assert LABELS.keys() <= SCHEMA.kinds.keys()


@pytest.mark.parametrize(
    ("url", "is_played"),
    [
        ("https://cdn.example.com/a.mp3", True),
        ("https://cdn.example.com/a.WAV?x=1", True),
        ("https://cdn.example.com/a.mp3/", False),
        ("https://cdn.example.com/a.ogg", False),
        ("https://cdn.example.com/play?file=a.mp3", False),
        ("https://api.example.com/recordings/RE1", False),
        ("http://cdn.example.com/a.mp3", False),
        ("https://user@cdn.example.com/a.mp3", False),
        ("https://10.0.0.1/a.mp3", False),
        ("", False),
        (None, False),
    ],
)
def test_recording_is_played_where_hubspot_plays_it(url: str | None, *, is_played: bool) -> None:
    assert (played_recording(url) is not None) == is_played
    linked = render_blocks(CallContent(recording_url=url), call_id="c1", log_id=LOG_ID)[0]
    blocks = composed(recording_url=url).blocks
    assert ("recording" in blocks) == ("recording" in linked and not is_played)


def test_refused_recording_is_linked_instead() -> None:
    call = {"recording_url": "https://cdn.example.com/a.mp3"}
    found = composed(ActivityKind.CALL, "hs_call_recording_url", **call)
    assert "hs_call_recording_url" not in found.properties
    assert "https://cdn.example.com/a.mp3" in found.body
    assert " ".join(found.notices) == (
        "HubSpot does not accept this call's recording: the Call was written without."
        " Its text has a link to the recording."
    )


def test_refused_value_is_left_out_and_other_values_are_not() -> None:
    refused = f"hs_call_disposition={DISPOSITIONS['Busy']}"
    assert composed(ActivityKind.CALL, refused, outcome="busy").left_out == {"hs_call_disposition"}
    assert not composed(ActivityKind.CALL, refused, outcome="completed").left_out


def test_note_has_the_same_body_and_nothing_beside() -> None:
    note = composed(ActivityKind.NOTE, "hs_call_title", summary="Hello", outcome="busy")
    call = composed(summary="Hello", outcome="busy")
    assert (note.properties, note.notices) == ({}, ())
    assert (
        note.body
        == call.body
        == render_note(CallContent(summary="Hello", outcome="busy"), call_id="c1", log_id=LOG_ID)
    )


def test_refusal_counts_only_for_what_was_sent() -> None:
    sent = {"hs_call_title": "Call"}
    assert refused_of({"hs_call_title", "hs_call_status", "hs_timestamp"}, sent) == {
        "hs_call_title"
    }


def test_only_what_other_calls_may_share_is_remembered() -> None:
    sent = {"hs_call_recording_url": "https://a.example/a.mp3", "hs_call_disposition": "d"}
    assert to_remember(sent, sent, "was not one of the allowed options") == {
        "hs_call_disposition=d"
    }
    assert to_remember(sent, sent, 'Property "x" does not exist') == sent.keys()


@settings(deadline=None)
@given(content=CONTENTS)
def test_any_call_becomes_one_that_hubspot_takes(content: CallContent) -> None:
    found = compose(ActivityKind.CALL, content, call_id="c1", log_id=LOG_ID, region="US")
    for name, value in found.properties.items():
        assert 0 < len(value) < 65_536
        assert name not in SCHEMA.options or value in SCHEMA.options[name]
    assert found.properties.get("hs_call_duration", "0").isdigit()
    assert marker_ref(found.body) == LOG_ID


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_any_direction_and_outcome_have_a_status(text: str) -> None:
    found = properties(direction=text, outcome=text, from_number=text, to_number=text)
    assert found["hs_call_status"] in CALL_STATUSES
