"""What rules, and `write_when`, say of a call."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calls.choices import Choices, merge_choices
from shared.calls.directions import Direction
from shared.calls.rules import (
    WAIT_FOR_MORE_S,
    Awaited,
    CallFacts,
    LeftOut,
    Rules,
    Verdict,
    WriteWhen,
    await_completion,
    fold_word,
    judge,
    read_facts,
    what_rules_look_at,
)

CUSTOMER, LINE, OTHER = "+12025550123", "+12025550100", "+12025550199"
KNOWN = CallFacts(
    duration_seconds=60,
    direction=Direction.INBOUND,
    outcome="completed",
    has_summary=True,
    has_recording=True,
    customer=CUSTOMER,
    line=LINE,
)
UNKNOWN = CallFacts(customer=CUSTOMER)


def name(verdict: Verdict) -> str | None:
    """The rule of a call that is left out, `wait`, or None."""
    match verdict:
        case LeftOut(rule):
            return rule
        case Awaited():
            return "wait"
    return None


@pytest.mark.parametrize(
    ("rule", "value", "facts", "expected"),
    [
        ("min_duration_seconds", 60, {}, None),
        ("min_duration_seconds", 61, {}, "min_duration_seconds"),
        ("min_duration_seconds", 1, {"duration_seconds": 0}, "min_duration_seconds"),
        ("min_duration_seconds", 10, {"duration_seconds": 9.99}, "min_duration_seconds"),
        ("min_duration_seconds", 0, {"duration_seconds": None}, None),
        ("directions", ["inbound"], {}, None),
        ("directions", ["outbound"], {}, "directions"),
        ("directions", ["outbound", "inbound"], {"direction": None}, None),
        ("skip_outcomes", ["completed"], {}, "skip_outcomes"),
        ("skip_outcomes", ["Completed"], {}, "skip_outcomes"),
        ("skip_outcomes", ["busy"], {}, None),
        ("skip_outcomes", [], {"outcome": None}, None),
        ("blocked_numbers", [CUSTOMER], {}, "blocked_numbers"),
        ("blocked_numbers", [LINE], {}, None),
        ("blocked_numbers", [CUSTOMER], {"customer": None}, None),
        ("skip_lines", [LINE], {}, "skip_lines"),
        ("skip_lines", [CUSTOMER], {}, None),
        ("require_summary", True, {}, None),
        ("require_summary", False, {"has_summary": False}, None),
    ],
)
def test_a_rule_leaves_out_what_it_names(
    rule: str, value: Any, facts: dict[str, Any], expected: str | None
) -> None:
    verdict = judge(Rules.model_validate({rule: value}), replace(KNOWN, **facts))
    assert name(verdict) == expected
    if isinstance(verdict, LeftOut):
        assert rule in verdict.message


WAITING = {
    "min_duration_seconds": 10,
    "directions": ["inbound"],
    "skip_outcomes": ["voicemail"],
    "skip_lines": [LINE],
    "require_summary": True,
}


@pytest.mark.parametrize("rule", WAITING)
def test_a_missing_fact_is_waited_for_while_more_may_come(rule: str) -> None:
    rules = Rules.model_validate({rule: WAITING[rule]})
    after = None if rule != "require_summary" else rule
    waits = judge(rules, replace(UNKNOWN, ended_for=100.0))
    assert isinstance(waits, Awaited)
    assert waits.seconds == WAIT_FOR_MORE_S - 100
    assert rule in waits.message
    assert name(judge(rules, replace(UNKNOWN, ended_for=WAIT_FOR_MORE_S))) == after
    assert name(judge(rules, replace(UNKNOWN, is_final=True))) == after
    assert name(judge(rules, replace(UNKNOWN, ended_for=None))) == after


def test_a_broken_rule_is_not_kept_waiting_by_another() -> None:
    rules = Rules(skip_outcomes=("voicemail",), require_summary=True, min_duration_seconds=10)
    assert name(judge(rules, replace(UNKNOWN, duration_seconds=3))) == "min_duration_seconds"


@pytest.mark.parametrize(
    ("summary", "recording", "is_final", "ended_for", "waits"),
    [
        (False, False, False, 0.0, True),
        (True, False, False, 0.0, True),
        (False, True, False, 899.0, True),
        (True, True, False, 0.0, False),
        (False, False, True, 0.0, False),
        (False, False, False, 900.0, False),
        (False, False, False, None, False),
    ],
)
def test_a_call_waits_until_it_is_complete(
    summary: bool,
    recording: bool,
    is_final: bool,
    ended_for: float | None,
    waits: bool,
) -> None:
    facts = replace(
        KNOWN,
        has_summary=summary,
        has_recording=recording,
        is_final=is_final,
        ended_for=ended_for,
    )
    assert isinstance(await_completion("complete", facts), Awaited) == waits
    assert await_completion("ended", facts) is None


def test_what_is_not_kept_or_withdrawn_is_not_waited_for() -> None:
    content = {"phone_number": CUSTOMER, "summary": "Wants a demo"}
    waiting = Choices(write_when="complete")
    assert isinstance(waiting.decide(waiting.read_facts(content, region="US")), Awaited)
    dropping = Choices.of({"write_when": "complete", "keep": {"recording": False}})
    assert dropping.decide(dropping.read_facts(content, region="US")) is None
    withdrawn = waiting.read_facts(content, region="US", withdrawn=["recording_url"])
    assert waiting.decide(withdrawn) is None


def test_a_call_that_nobody_can_be_looked_up_for_waits_for_nothing() -> None:
    choices = Choices.of({"write_when": "complete", "rules": {"require_summary": True}})
    assert choices.decide(choices.read_facts({}, region="US")) is None


def test_duration_is_that_between_the_times_if_none_is_given() -> None:
    times = {"started_at": "2026-11-22T10:00:00Z", "ended_at": "2026-11-22T10:00:12+00:00"}
    assert read_facts(times, region="US").duration_seconds == 12
    assert read_facts(times | {"duration_seconds": 3}, region="US").duration_seconds == 3
    assert read_facts({"ended_at": times["ended_at"]}, region="US").duration_seconds is None


def test_direction_follows_from_whose_number_is_whose() -> None:
    ends = {"from_number": LINE, "to_number": CUSTOMER}
    facts = read_facts(ends, own_numbers=[LINE], region="US")
    assert (facts.customer, facts.line, facts.direction) == (CUSTOMER, LINE, Direction.OUTBOUND)
    assert read_facts(ends, region="US").direction is None


@pytest.mark.parametrize("word", ["No answer", "no-answer", " NO_ANSWER ", "no  answer"])
def test_outcomes_are_the_same_in_any_spelling(word: str) -> None:
    assert fold_word(word) == "no_answer"


@pytest.mark.parametrize("word", [None, "", "  "])
def test_no_outcome_is_none(word: str | None) -> None:
    assert fold_word(word) is None


def test_rules_look_at_nothing_but_what_may_change_their_mind() -> None:
    before = {"phone_number": CUSTOMER, "summary": "A", "transcript": [{"role": "a", "text": "b"}]}
    for change in ({"summary": "B"}, {"agent_name": "Ada"}, {"recording_url": "https://a.example"}):
        assert what_rules_look_at(before | change) == what_rules_look_at(before)
    changes: tuple[dict[str, Any], ...] = (
        {"summary": ""},
        {"outcome": "busy"},
        {"direction": "inbound"},
        {"duration_seconds": 1},
        {"to_number": LINE},
        {"phone_number": OTHER},
    )
    for each in changes:
        assert what_rules_look_at(before | each) != what_rules_look_at(before)


FACTS = st.builds(
    CallFacts,
    duration_seconds=st.none() | st.floats(0, 1e5),
    direction=st.none() | st.sampled_from(Direction),
    outcome=st.sampled_from([None, "completed", "voicemail", "busy"]),
    has_summary=st.booleans(),
    has_recording=st.booleans(),
    customer=st.sampled_from([None, CUSTOMER, OTHER]),
    line=st.sampled_from([None, LINE, OTHER]),
    is_final=st.booleans(),
    ended_for=st.none() | st.floats(0, 2000),
)
RULES = st.builds(
    Rules,
    min_duration_seconds=st.integers(0, 100),
    directions=st.sampled_from([*permutations(Direction), *((each,) for each in Direction)]),
    skip_outcomes=st.sampled_from([(), ("voicemail",), ("busy", "voicemail")]),
    blocked_numbers=st.sampled_from([(), (OTHER,)]),
    skip_lines=st.sampled_from([(), (LINE,)]),
    require_summary=st.booleans(),
)
WHEN: st.SearchStrategy[WriteWhen] = st.sampled_from(["ended", "complete"])


@given(FACTS)
def test_the_defaults_leave_every_call_as_it_was(facts: CallFacts) -> None:
    assert Choices().decide(facts) is None
    assert not Choices().can_change_a_call


@given(FACTS, RULES, WHEN)
def test_no_call_waits_for_ever(facts: CallFacts, rules: Rules, when: WriteWhen) -> None:
    choices = Choices(rules=rules, write_when=when)
    verdict = choices.decide(facts)
    if isinstance(verdict, Awaited):
        assert facts.ended_for is not None
        assert 0 < verdict.seconds <= WAIT_FOR_MORE_S
        later = replace(facts, ended_for=facts.ended_for + verdict.seconds)
        assert not isinstance(choices.decide(later), Awaited)


@given(FACTS, RULES)
def test_waiting_changes_no_verdict_on_what_is_known(facts: CallFacts, rules: Rules) -> None:
    now = judge(rules, replace(facts, is_final=False, ended_for=0.0))
    at_last = judge(rules, replace(facts, is_final=True))
    if isinstance(now, LeftOut):
        assert at_last == now
    if now is None:
        assert at_last is None


def test_messages_quote_no_number() -> None:
    rules = Rules(blocked_numbers=(CUSTOMER,))
    verdict = judge(rules, KNOWN)
    assert isinstance(verdict, LeftOut)
    assert CUSTOMER not in verdict.message


@pytest.mark.parametrize(
    ("stored", "change", "expected"),
    [
        (None, {}, None),
        (None, {"write_when": None}, None),
        (None, {"keep": {"transcript": False}}, {"keep": {"transcript": False}}),
        ({"keep": {"transcript": False}}, {"keep": {"transcript": None}}, None),
        (
            {"rules": {"require_summary": True}},
            {"rules": {"min_duration_seconds": 5}},
            {"rules": {"require_summary": True, "min_duration_seconds": 5}},
        ),
        ({"rules": {"require_summary": True}}, {"rules": None}, None),
        (
            {"rules": {"skip_outcomes": ["a"]}},
            {"rules": {"skip_outcomes": ["b"]}},
            {"rules": {"skip_outcomes": ["b"]}},
        ),
        ({"own_numbers": [LINE], "newer": 1}, {"own_numbers": []}, {"own_numbers": [], "newer": 1}),
    ],
)
def test_choices_merge_by_key(
    stored: dict[str, Any] | None, change: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    assert merge_choices(stored, change) == expected
    Choices.of(expected)
