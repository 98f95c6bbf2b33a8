"""A write in doubt: read back, twice and late enough, before anything is written again."""

from typing import Any

import pytest

from shared.hubspot.errors import NetworkError, RateLimitedError
from tests.transitions.claimed import A_DAY, PENDING, SKIPPED, claimed, reason
from worker.rounds import doubts, transitions

LATE = 120.0


@pytest.mark.parametrize(
    ("marked_for", "misses", "may_write"),
    [
        (None, 0, False),
        (None, 5, False),
        (0.0, 0, False),
        (119.9, 0, False),
        (119.9, 1, False),
        (119.9, 9, False),
        (120.0, 0, False),
        (100_000.0, 0, False),
        (120.0, 1, True),
        (100_000.0, 1, True),
        (120.0, 2, True),
    ],
)
def test_second_miss_after_two_minutes_ends_the_doubt(
    marked_for: float | None, misses: int, may_write: bool
) -> None:
    call = claimed(marked_for=marked_for, read_back_misses=misses)
    assert doubts.may_write_again(call) == may_write


@pytest.mark.parametrize(
    ("marked_for", "next_in"),
    # Long before the time the next look waits for it; after it, not long.
    [(1.0, 120.0), (26.0, 95.0), (100.0, 21.0), (115.0, 10.0), (500.0, 10.0)],
)
@pytest.mark.parametrize("state", [PENDING, SKIPPED])
def test_miss_is_counted_and_asked_again_when_it_can_end_the_doubt(
    marked_for: float, next_in: float, state: dict[str, Any]
) -> None:
    call = claimed(**state, marked_for=marked_for, failures=1, failing_for=marked_for)
    outcome = doubts.read_back_missed(call)
    assert outcome.status == call.status
    assert outcome.next_in == next_in
    assert outcome.read_back_misses == 1
    assert outcome.keeps_mark
    assert (outcome.failures, outcome.is_failing) == (2, True)
    assert outcome.lane == call.lane


def test_unanswered_read_back_is_no_miss() -> None:
    call = claimed(marked_for=30.0, read_back_misses=1)
    outcome = doubts.read_back_unknown(call, None)
    assert outcome.read_back_misses == 1
    assert outcome.keeps_mark
    assert outcome.next_in == 91


def test_contact_that_cannot_be_read_is_asked_ever_more_rarely() -> None:
    waits = [
        doubts.read_back_unknown(claimed(marked_for=1000.0, failures=failures), None).next_in
        for failures in (0, 1, 5, 40)
    ]
    assert waits == [10, 10, 160, 3600]


def test_survivor_of_a_merge_is_read_soon_and_its_misses_count_anew() -> None:
    call = claimed(marked_for=300.0, read_back_misses=1, failures=9)
    outcome = doubts.read_back_unknown(call, "8")
    assert outcome.contact_id == "8"
    assert outcome.next_in == 10
    assert outcome.read_back_misses == 0
    assert outcome.keeps_mark


@pytest.mark.parametrize("state", [PENDING, SKIPPED])
def test_doubt_of_a_day_is_shown_as_unconfirmed_and_still_not_forgotten(
    state: dict[str, Any],
) -> None:
    call = claimed(**state, marked_for=100_000.0, **A_DAY)
    for outcome in (
        doubts.read_back_missed(call),
        doubts.read_back_unknown(call, None),
        doubts.read_back_unknown(call, "8"),
    ):
        assert reason(outcome) == ("error", "unconfirmed")
        assert outcome.next_in is None
        assert outcome.keeps_mark


def test_ambiguous_answer_is_followed_by_a_read_back_no_sooner_than_ten_seconds() -> None:
    outcome = transitions.errored(claimed(), NetworkError("cut off"), jitter=0, in_doubt=True)
    assert reason(outcome) == ("pending", "network_error")
    assert outcome.next_in == 10
    assert outcome.keeps_mark
    assert "cut off" in (outcome.error_message or "")


@pytest.mark.parametrize("misses", [0, 1, 2])
def test_misses_before_an_ambiguous_write_do_not_count_for_it(misses: int) -> None:
    rewritten = claimed(marked_for=130.0, read_back_misses=misses)
    outcome = transitions.errored(rewritten, NetworkError("cut off"), jitter=0, in_doubt=True)
    assert outcome.read_back_misses == 0
    assert not transitions.postponed(rewritten, RateLimitedError("x"), seconds=1).read_back_misses


def test_doubt_in_an_account_that_is_gone_is_kept_for_good() -> None:
    outcome = doubts.account_changed(claimed(marked_for=30.0, hub_id=1, contact_id="7"))
    assert reason(outcome) == ("error", "unconfirmed")
    assert outcome.next_in is None
    assert outcome.keeps_mark
