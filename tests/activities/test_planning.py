"""Updates of whole activities: what people changed in a Call's properties stays."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.activities.composing import Composed, compose
from shared.activities.destination import Activity, ActivityKind
from shared.activities.edits import CannotUpdateError, Footprint
from shared.activities.planning import (
    leave_footprint,
    plan_properties,
    plan_update,
    remember_properties,
)
from shared.calls.content import CallContent

TITLE, STATUS, RECORDING = "hs_call_title", "hs_call_status", "hs_call_recording_url"
DURATION = "hs_call_duration"
FIRST = CallContent(direction="inbound", outcome="busy", duration_seconds=3)
LATER = CallContent(
    direction="inbound",
    outcome="completed",
    duration_seconds=67,
    summary="Wants a demo.",
    recording_url="https://a.example/a.mp3",
)


def composed(content: CallContent, *refused: str) -> Composed:
    return compose(ActivityKind.CALL, content, call_id="c1", log_id="hs_1", refused=refused)


def written(was: Composed) -> tuple[Activity, Footprint]:
    """An activity as it was created, and what is remembered of it."""
    footprint = Footprint.from_json(leave_footprint(was).to_json())
    return Activity("7", was.body, was.kind, was.properties), footprint


def edited(activity: Activity, **properties: str) -> Activity:
    kept = {**activity.properties, **properties}
    return Activity(activity.id, activity.body, activity.kind, {k: v for k, v in kept.items() if v})


def test_untouched_call_follows_in_body_and_properties() -> None:
    shown, footprint = written(composed(FIRST))
    wanted = composed(LATER)
    plan = plan_update(shown, wanted, footprint)
    change = plan.change_of(shown)
    assert (change.id, change.kind, change.body) == ("7", ActivityKind.CALL, wanted.body)
    assert change.properties == {
        name: wanted.properties[name]
        for name in (STATUS, "hs_call_disposition", DURATION, RECORDING)
    }
    after = Activity("7", wanted.body, shown.kind, wanted.properties)
    assert plan_update(after, wanted, plan.confirm(after)).is_empty


def test_what_a_person_changed_stays_and_the_rest_follows() -> None:
    shown, footprint = written(composed(FIRST))
    shown = edited(shown, **{STATUS: "CANCELED", TITLE: "Ada's call"})
    plan = plan_update(shown, composed(LATER), footprint)
    assert STATUS not in plan.properties
    assert TITLE not in plan.properties
    assert plan.properties[DURATION] == "67000"


def test_what_a_person_cleared_comes_back_only_with_a_new_value() -> None:
    shown, footprint = written(composed(FIRST))
    shown = edited(shown, **{TITLE: "", DURATION: ""})
    plan = plan_update(shown, composed(LATER), footprint)
    assert TITLE not in plan.properties
    assert plan.properties[DURATION] == "67000"


def test_what_hubspot_spells_in_another_way_counts_as_ours() -> None:
    was = composed(FIRST)
    shown, footprint = written(was)
    shown = edited(shown, **{DURATION: "3000.0", TITLE: " Inbound  call"})
    plan = plan_update(shown, composed(LATER), footprint)
    assert plan.properties[DURATION] == "67000"
    assert TITLE not in plan.properties


def test_echo_of_an_update_is_remembered_as_ours() -> None:
    shown, footprint = written(composed(FIRST))
    plan = plan_update(shown, composed(LATER), footprint)
    echoed = Activity("7", "", shown.kind, {RECORDING: "https://a.example/a.mp3?kept"})
    remembered = plan.confirm(echoed)
    after = edited(shown, **{**plan.properties, RECORDING: "https://a.example/a.mp3?kept"})
    newer = LATER.model_copy(update={"recording_url": "https://a.example/b.mp3"})
    assert plan_update(after, composed(newer), remembered).properties == {
        RECORDING: "https://a.example/b.mp3"
    }


def test_call_of_which_nothing_is_remembered_is_filled_in_where_it_is_empty() -> None:
    shown = Activity("7", composed(FIRST).body, ActivityKind.CALL, {STATUS: "BUSY"})
    plan = plan_update(shown, composed(LATER), None)
    assert STATUS not in plan.properties
    assert plan.properties[RECORDING] == "https://a.example/a.mp3"


def test_withdrawn_recording_is_cleared() -> None:
    was = composed(LATER)
    shown, footprint = written(was)
    wanted = composed(LATER.model_copy(update={"recording_url": None}))
    plan = plan_update(shown, wanted, footprint, withdrawn={"recording"})
    assert plan.properties == {RECORDING: ""}
    assert RECORDING not in plan.footprint.properties


def test_withdrawn_recording_that_may_not_be_ours_is_for_a_person_to_delete() -> None:
    shown, _ = written(composed(LATER))
    wanted = composed(LATER.model_copy(update={"recording_url": None}))
    with pytest.raises(CannotUpdateError, match=r"recording was withdrawn.*by hand"):
        plan_update(shown, wanted, None, withdrawn={"recording"})


def test_recording_that_is_played_no_more_becomes_a_link() -> None:
    shown, footprint = written(composed(LATER))
    wanted = composed(LATER.model_copy(update={"recording_url": "https://a.example/rec/1"}))
    plan = plan_update(shown, wanted, footprint)
    assert plan.properties == {RECORDING: ""}
    assert "https://a.example/rec/1" in (plan.edit.body or "")


def test_property_that_hubspot_refuses_stays_as_it_is() -> None:
    shown, footprint = written(composed(FIRST))
    plan = plan_update(shown, composed(LATER, STATUS), footprint)
    assert STATUS not in plan.properties
    assert list(plan.footprint.properties[STATUS]) == footprint.properties[STATUS]


def test_note_is_planned_like_its_body_alone() -> None:
    note = compose(ActivityKind.NOTE, FIRST, call_id="c1", log_id="hs_1")
    wanted = compose(ActivityKind.NOTE, LATER, call_id="c1", log_id="hs_1")
    shown, footprint = written(note)
    plan = plan_update(shown, wanted, footprint)
    assert (plan.edit.body, plan.properties) == (wanted.body, {})


VALUES = st.dictionaries(
    st.sampled_from([TITLE, STATUS, DURATION, RECORDING]), st.sampled_from("abc"), max_size=4
)


@settings(deadline=None)
@given(
    first=VALUES,
    later=VALUES,
    people=st.dictionaries(st.sampled_from([TITLE, STATUS]), st.sampled_from("xy")),
)
def test_no_value_of_a_person_is_overwritten(
    first: Mapping[str, str], later: Mapping[str, str], people: Mapping[str, str]
) -> None:
    shown = {**first, **people}
    sent, _ = plan_properties(shown, later, remember_properties(first))
    assert not sent.keys() & people.keys()
    after = {name: value for name, value in {**shown, **sent}.items() if value}
    assert after == {**later, **people}


@settings(deadline=None)
@given(values=st.lists(VALUES, min_size=1, max_size=5), is_seen=st.booleans())
def test_untouched_properties_always_show_the_newest_values(
    values: list[Mapping[str, str]], *, is_seen: bool
) -> None:
    first, *later = values
    shown, known = dict(first), remember_properties(first)
    for each in later:
        sent, remembered = plan_properties(shown, each, known)
        shown = {name: value for name, value in {**shown, **sent}.items() if value}
        assert shown == each
        # An update whose answer is lost is planned anew from what is remembered of the one before.
        again, _ = plan_properties(shown, each, remembered if is_seen else known)
        assert again == {}
        known = remembered
