"""What becomes of a call that finds its contact, or does not."""

from typing import Any

import pytest

from shared.calls.directions import UnknownDirectionError
from shared.phone import InvalidNumberError, PhoneError, WithheldNumberError
from shared.queue.outcomes import Outcome
from tests.transitions.claimed import A_DAY, IN_DOUBT, PENDING, SKIPPED, claimed, reason
from worker.rounds import transitions

PHONE = "+12025550123"
HOUR = 3600.0


def test_note_ends_every_doubt_and_every_schedule() -> None:
    call = claimed(**SKIPPED, **IN_DOUBT, **A_DAY, calculated_searched=True, read_back_misses=1)
    assert transitions.note_written(call, "9", contact_id="7", hub_id=1) == Outcome(
        id="hs_1",
        fence=3,
        status="success",
        lane=3,
        searches_done=2,
        hub_id=1,
        contact_id="7",
        engagement_id="9",
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WithheldNumberError("withheld"), "no_phone_number"),
        (InvalidNumberError("not a number"), "invalid_phone_number"),
        (UnknownDirectionError("either"), "unknown_direction"),
    ],
)
def test_call_without_a_usable_number_is_skipped_for_good(error: PhoneError, code: str) -> None:
    outcome = transitions.number_unusable(claimed(), error)
    assert reason(outcome) == ("skipped", code)
    assert outcome.next_in is None


@pytest.mark.parametrize(
    ("searches_done", "status", "lane", "next_in"),
    [
        # looks before this one; what a person sees; which lane is next; when
        (0, "pending", 2, 30),
        (1, "skipped", 3, 600),
        (2, "skipped", 3, HOUR),
        (3, "skipped", 3, 6 * HOUR),
        (4, "skipped", 3, 24 * HOUR),
        (5, "skipped", 3, None),
        (6, "skipped", 3, None),
    ],
)
def test_missing_contact_is_looked_up_again_ever_more_rarely(
    searches_done: int, status: str, lane: int, next_in: float | None
) -> None:
    before = PENDING if searches_done < transitions.SEARCHES_BEFORE_SKIPPING else SKIPPED
    outcome = transitions.contact_missing(
        claimed(**before | {"searches_done": searches_done}), PHONE
    )
    assert reason(outcome) == (status, "contact_not_found")
    assert (outcome.lane, outcome.next_in, outcome.searches_done) == (
        lane,
        next_in,
        searches_done + 1,
    )
    assert outcome.phone_number == PHONE


def test_skipped_call_stays_skipped_even_when_its_looks_start_afresh() -> None:
    outcome = transitions.contact_missing(claimed(**SKIPPED | {"searches_done": 0}), PHONE)
    assert reason(outcome) == ("skipped", "contact_not_found")


def test_every_look_begins_with_the_calculated_properties() -> None:
    assert not transitions.contact_missing(
        claimed(calculated_searched=True), PHONE
    ).calculated_searched


@pytest.mark.parametrize("state", [PENDING, SKIPPED])
def test_raw_lookup_is_a_short_wait_and_no_attempt(state: dict[str, Any]) -> None:
    call = claimed(**state)
    outcome = transitions.not_in_calculated(call, PHONE)
    assert outcome.status == call.status
    assert (outcome.lane, outcome.searches_done) == (call.lane, call.searches_done)
    assert outcome.calculated_searched
    assert outcome.next_in == 5
    assert not outcome.is_attempt
    assert outcome.phone_number == PHONE


def test_ambiguous_contact_names_the_candidates() -> None:
    outcome = transitions.contact_ambiguous(claimed(), PHONE, {"12", "11"})
    assert reason(outcome) == ("skipped", "ambiguous_contact")
    assert outcome.next_in is None
    assert outcome.error_message == "2 HubSpot contacts have this phone number: 11, 12"


@pytest.mark.parametrize(
    ("state", "shown"),
    [(PENDING, ("pending", None)), (SKIPPED, ("skipped", "contact_not_found"))],
)
def test_vanished_contact_is_matched_anew(
    state: dict[str, Any], shown: tuple[str, str | None]
) -> None:
    outcome = transitions.contact_vanished(claimed(**state, calculated_searched=True, **IN_DOUBT))
    assert reason(outcome) == shown
    assert outcome.next_in == 5
    assert not outcome.calculated_searched
    assert not outcome.keeps_mark


def test_contact_that_keeps_vanishing_is_given_up_after_a_day() -> None:
    waits = [
        transitions.contact_vanished(claimed(failures=failures, failing_for=1.0))
        for failures in range(3)
    ]
    assert [(each.next_in, each.failures, each.is_failing) for each in waits] == [
        (5, 1, True),
        (10, 2, True),
        (20, 3, True),
    ]
    given_up = transitions.contact_vanished(claimed(**A_DAY))
    assert reason(given_up) == ("skipped", "contact_not_found")
    assert given_up.next_in is None


def test_call_without_content_ends_as_an_error() -> None:
    outcome = transitions.payload_gone(claimed())
    assert reason(outcome) == ("error", "payload_expired")
    assert outcome.next_in is None
