import html
import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.activities.edits import (
    MAX_ADDITIONS,
    MAX_BODY_UNITS,
    CannotUpdateError,
    Edit,
    Footprint,
    canonical,
    plan_edit,
)

LAST_LINE = "<p>Call ID: call-1 · Ref: hs_0123456789abcdef0123456789abcdef</p>"
FACTS = "<p><strong>Inbound call</strong> · 1 min<br>From: +12025550123</p>"
SUMMARY = "<p><strong>Summary</strong><br>Ada ordered two boxes &amp; a lid.</p>"
LATER = "<p><strong>Summary</strong><br>Ada ordered three boxes.</p>"
RECORDING = (
    '<p><a href="https://rec.example.net/1.mp3" target="_blank" rel="noopener noreferrer">'
    "Recording</a> (rec.example.net)</p>"
)
ENDED = {"facts": FACTS}
COMPLETE = {"facts": FACTS, "summary": SUMMARY, "recording": RECORDING}


def whole(blocks: Mapping[str, str]) -> str:
    return "".join(blocks.values()) + LAST_LINE


def written(blocks: Mapping[str, str], echoed: str | None = None) -> Footprint:
    return Footprint.of_whole(blocks, LAST_LINE, echoed)


def plan(current: str, blocks: Mapping[str, str], footprint: Footprint | None) -> Edit:
    return plan_edit(current, blocks, LAST_LINE, footprint)


def normalise(body: str) -> str:
    """What an editor might make of a body without changing what people see."""
    body = body.replace("<br>", "<br />\n").replace("<p>", '<p style="margin:0;">')
    body = re.sub(r' target="_blank" rel="[^"]*"', ' rel="noopener" title=""', body)
    body = body.replace("·", "&middot;").replace(" ", "&nbsp;", 1)
    return f"<div>{body}</div>"


def test_untouched_body_is_replaced_as_a_whole() -> None:
    edit = plan(whole(ENDED), COMPLETE, written(ENDED))
    assert (edit.body, edit.is_whole) == (whole(COMPLETE), True)


def test_body_that_hubspot_has_normalised_counts_as_untouched() -> None:
    echoed = normalise(whole(ENDED))
    for footprint in (written(ENDED), written(ENDED, echoed)):
        edit = plan(echoed, COMPLETE, footprint)
        assert (edit.body, edit.is_whole) == (whole(COMPLETE), True)


def test_body_that_says_everything_already_is_left_alone() -> None:
    for current in (whole(COMPLETE), normalise(whole(COMPLETE))):
        for footprint in (None, written(ENDED)):
            assert plan(current, COMPLETE, footprint).body is None


def test_edited_body_keeps_every_word_and_gets_what_is_new_above_the_last_line() -> None:
    current = whole(ENDED).replace(FACTS, FACTS + "<p>Call her back!</p>")
    edit = plan(current, COMPLETE, written(ENDED))
    assert edit.body == current.replace(LAST_LINE, SUMMARY + RECORDING + LAST_LINE)
    assert edit.added == ("summary", "recording")


def test_what_a_person_removed_does_not_come_back() -> None:
    current = whole(COMPLETE).replace(SUMMARY, "")
    edit = plan(current, COMPLETE, written(COMPLETE))
    assert edit.body is None


def test_what_a_person_removed_comes_back_only_as_something_new() -> None:
    current = whole(COMPLETE).replace(SUMMARY, "")
    edit = plan(current, COMPLETE | {"summary": LATER}, written(COMPLETE))
    assert edit.body == current.replace(LAST_LINE, LATER + LAST_LINE)


def test_body_that_was_added_to_is_never_replaced_as_a_whole() -> None:
    edited = whole(ENDED).replace(FACTS, FACTS + "<p>Mine</p>")
    first = plan(edited, {"facts": FACTS, "summary": SUMMARY}, written(ENDED))
    assert first.body is not None
    second = plan(first.body, COMPLETE, first.confirm(first.body))
    assert second.body is not None
    assert "<p>Mine</p>" in second.body
    assert second.body.count(SUMMARY) == 1
    assert RECORDING in second.body


def test_nothing_is_added_twice_when_the_answer_to_an_addition_was_lost() -> None:
    edited = whole(ENDED) + "<p>Mine</p>"
    first = plan(edited, COMPLETE, written(ENDED))
    assert first.body is not None
    again = plan(normalise(first.body), COMPLETE, written(ENDED))
    assert again.body is None


def test_entry_without_a_footprint_counts_as_edited() -> None:
    edit = plan(whole(ENDED), COMPLETE, None)
    assert not edit.is_whole
    assert edit.body == FACTS + SUMMARY + RECORDING + LAST_LINE


def test_addition_goes_to_the_end_if_a_person_removed_the_last_line() -> None:
    assert plan("<p>Mine</p>", ENDED | {"summary": SUMMARY}, written(ENDED)).body == (
        "<p>Mine</p>" + SUMMARY
    )


@pytest.mark.parametrize(
    "last_line",
    [
        '<div><p style="x"><span>Call&nbsp;ID: call-1 &middot; Ref: hs_0</span></p></div>',
        "<p>Call ID: call-1 · Ref: hs_0</p>",
        "<p>before<br><em>Call\u200b ID: call-1 · Ref: hs_0</em></p>",
    ],
)
def test_last_line_is_found_however_it_was_wrapped(last_line: str) -> None:
    current = "<p>Call ID: a person wrote this</p><p>Mine</p>" + last_line
    body = plan(current, {"summary": SUMMARY}, Footprint()).body
    assert body is not None
    assert body.index("Mine") < body.index(SUMMARY) < body.index("call-1")


def test_edited_body_gets_a_block_a_few_times_at_most() -> None:
    footprint = written(ENDED)
    current = whole(ENDED) + "<p>Mine</p>"
    for number in range(MAX_ADDITIONS):
        blocks = ENDED | {"summary": f"<p>Summary {number}.</p>"}
        edit = plan(current, blocks, footprint)
        assert edit.body is not None
        current, footprint = edit.body, edit.confirm(edit.body)
    with pytest.raises(CannotUpdateError, match="summary was added 3 times"):
        plan(current, ENDED | {"summary": "<p>Once more.</p>"}, footprint)


def test_edited_body_never_grows_beyond_what_hubspot_takes() -> None:
    current = whole(ENDED) + f"<p>{'x' * (MAX_BODY_UNITS - 300)}</p>"
    with pytest.raises(CannotUpdateError, match="longer than 64,000"):
        plan(current, COMPLETE, written(ENDED))


def test_withdrawn_block_is_taken_out_of_an_edited_body() -> None:
    current = whole(COMPLETE) + "<p>Mine</p>"
    remaining = {name: block for name, block in COMPLETE.items() if name != "recording"}
    edit = plan_edit(
        *(current, remaining, LAST_LINE, written(COMPLETE)),
        withdrawn=["recording"],
    )
    assert edit.body == current.replace(RECORDING, "")


def test_withdrawn_block_that_a_person_has_changed_is_said_to_need_a_hand() -> None:
    current = whole(COMPLETE).replace(">Recording<", "><b>Our recording</b><") + "<p>Mine</p>"
    with pytest.raises(CannotUpdateError, match=r"recording was withdrawn.*by hand"):
        plan_edit(
            *(current, ENDED, LAST_LINE, written(COMPLETE)),
            withdrawn=["recording"],
        )


def test_withdrawn_block_is_found_however_it_was_normalised() -> None:
    current = normalise(whole(COMPLETE)) + "<p>Mine</p>"
    remaining = {name: block for name, block in COMPLETE.items() if name != "recording"}
    edit = plan_edit(*(current, remaining, LAST_LINE, written(COMPLETE)), withdrawn=["recording"])
    assert edit.body is not None
    assert "rec.example.net" not in edit.body
    assert canonical(edit.body)[0] == canonical(whole(remaining) + "<p>Mine</p>")[0]


def test_withdrawn_list_is_taken_out_with_its_heading() -> None:
    details = "<p><strong>Details</strong></p><ul><li>seats: 3</li></ul>"
    current = whole(ENDED | {"details": details}) + "<p>Mine</p>"
    footprint = written(ENDED | {"details": details})
    edit = plan_edit(current, ENDED, LAST_LINE, footprint, withdrawn=["details"])
    assert edit.body == whole(ENDED) + "<p>Mine</p>"


def test_withdrawn_block_that_was_never_written_is_no_fault() -> None:
    current = whole(ENDED) + "<p>Mine</p>"
    edit = plan_edit(current, ENDED, LAST_LINE, written(ENDED), withdrawn=["recording"])
    assert edit.body is None


def test_link_that_leads_elsewhere_is_a_difference_that_people_see() -> None:
    assert canonical(RECORDING) != canonical(RECORDING.replace("1.mp3", "2.mp3"))


def test_footprint_is_the_same_after_it_was_stored() -> None:
    footprint = written(COMPLETE, normalise(whole(COMPLETE)))
    assert Footprint.from_json(footprint.to_json()) == footprint


WORDS = st.lists(st.sampled_from(["Ada", "ordered", "a & b", "<two>", "boxes", "é"]), min_size=1)
PARAGRAPHS = st.builds(lambda words: f"<p>{html.escape(' '.join(words))}</p>", WORDS)
BLOCKS = st.dictionaries(st.sampled_from(["facts", "summary", "details"]), PARAGRAPHS)


@given(
    first=BLOCKS,
    versions=st.lists(BLOCKS, max_size=4),
    note=st.sampled_from(["Mine", "Important", "7"]),
    place=st.integers(0, 3),
    is_normalised=st.booleans(),
)
def test_whatever_a_person_saved_survives_whatever_comes_later(
    first: dict[str, str],
    versions: list[dict[str, str]],
    note: str,
    place: int,
    is_normalised: bool,
) -> None:
    blocks, footprint, current = first, written(first), whole(first)
    mine = f"<p>{note} {note}</p>"
    for number, version in enumerate(versions):
        if number == place:
            current = mine + current
        blocks |= version
        try:
            edit = plan(current, blocks, footprint)
        except CannotUpdateError:
            return
        if edit.body is not None:
            current = normalise(edit.body) if is_normalised else edit.body
        footprint = edit.confirm(current)
        if number >= place:
            assert canonical(mine)[0] in canonical(current)[0]
        for block in version.values():
            assert canonical(block)[0] in canonical(current)[0]
        # The same call again changes nothing.
        assert plan(current, blocks, footprint).body is None
