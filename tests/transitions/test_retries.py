"""What becomes of a call that HubSpot fails: waits, reasons, and when it is given up."""

from typing import Any

import pytest

from shared.hubspot.errors import (
    AccountLockedError,
    ConfigurationError,
    GrantRevokedError,
    HubSpotError,
    MissingScopesError,
    NetworkError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    RetryLaterError,
    TokenRejectedError,
    UnavailableError,
)
from tests.transitions.claimed import A_DAY, IN_DOUBT, PENDING, SKIPPED, claimed, reason
from worker.rounds import transitions
from worker.rounds.transitions import RETRY_FOR_S

TRANSIENT = [
    (RateLimitedError("full"), "rate_limited"),
    (AccountLockedError("locked"), "hubspot_unavailable"),
    (UnavailableError("down"), "hubspot_unavailable"),
    (NetworkError("gone"), "network_error"),
    (TokenRejectedError("expired"), "hubspot_unavailable"),
]
FINAL = [
    (RejectedError("bad note"), "rejected_by_hubspot"),
    (NotFoundError("no such contact"), "rejected_by_hubspot"),
    (MissingScopesError("scope"), "missing_scopes"),
    (GrantRevokedError("revoked"), "reconnect_required"),
]
LOOKED_UP_AGAIN = ("skipped", "contact_not_found")


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [
        (0, 2.5, 5),
        (1, 5, 10),
        (2, 10, 20),
        (5, 80, 160),
        (9, 1280, 2560),
        (10, 1800, 3600),
        (40, 1800, 3600),
        (32_767, 1800, 3600),
    ],
)
def test_backoff_doubles_up_to_an_hour_with_half_of_it_jitter(
    failures: int, least: float, most: float
) -> None:
    assert transitions.backoff(failures, 0) == least
    assert transitions.backoff(failures, 1) == most


@pytest.mark.parametrize(("error", "code"), TRANSIENT)
@pytest.mark.parametrize("state", [PENDING, SKIPPED])
@pytest.mark.parametrize("in_doubt", [False, True])
def test_transient_error_is_retried_in_the_same_lane(
    error: HubSpotError, code: str, state: dict[str, Any], in_doubt: bool
) -> None:
    call = claimed(**state, failures=3, failing_for=60.0, calculated_searched=True)
    outcome = transitions.errored(call, error, jitter=1, in_doubt=in_doubt)

    assert outcome.status == call.status
    if state is PENDING:
        assert outcome.error_code == code
    assert outcome.next_in == 40
    assert (outcome.lane, outcome.searches_done, outcome.calculated_searched) == (
        call.lane,
        call.searches_done,
        True,
    )
    assert (outcome.failures, outcome.is_failing, outcome.is_attempt) == (4, True, True)
    assert outcome.keeps_mark == in_doubt


@pytest.mark.parametrize(("error", "_code"), TRANSIENT)
def test_lookup_of_a_skipped_call_keeps_its_reason_whatever_fails(
    error: HubSpotError, _code: str
) -> None:
    outcome = transitions.errored(claimed(**SKIPPED), error, jitter=0, in_doubt=False)
    assert reason(outcome) == LOOKED_UP_AGAIN


@pytest.mark.parametrize(("error", "code"), TRANSIENT)
def test_transient_errors_of_a_day_end_as_an_error(error: HubSpotError, code: str) -> None:
    almost = claimed(failures=30, failing_for=RETRY_FOR_S - 1)
    assert transitions.errored(almost, error, jitter=0, in_doubt=False).next_in is not None

    outcome = transitions.errored(claimed(**A_DAY), error, jitter=0, in_doubt=False)
    assert reason(outcome) == ("error", code)
    assert outcome.next_in is None
    assert outcome.error_message == f"Given up after a day of retries: {error.message}"


@pytest.mark.parametrize(("error", "_code"), TRANSIENT)
def test_lookup_of_a_skipped_call_is_given_up_quietly(error: HubSpotError, _code: str) -> None:
    outcome = transitions.errored(claimed(**SKIPPED, **A_DAY), error, jitter=0, in_doubt=False)
    assert reason(outcome) == LOOKED_UP_AGAIN
    assert outcome.next_in is None


@pytest.mark.parametrize(("error", "_code"), TRANSIENT)
def test_giving_up_a_write_in_doubt_keeps_its_mark(error: HubSpotError, _code: str) -> None:
    outcome = transitions.errored(claimed(**IN_DOUBT, **A_DAY), error, jitter=0, in_doubt=True)
    assert outcome.next_in is None
    assert outcome.keeps_mark


def test_hubspots_own_wait_is_a_lower_bound() -> None:
    def next_in(retry_after: float, *, jitter: float) -> float | None:
        error = UnavailableError("down", retry_after=retry_after)
        return transitions.errored(claimed(), error, jitter=jitter, in_doubt=False).next_in

    assert next_in(100, jitter=0) == 100
    assert next_in(100, jitter=1) == pytest.approx(110)
    assert next_in(1, jitter=1) == 5


@pytest.mark.parametrize(("error", "code"), FINAL)
@pytest.mark.parametrize("in_doubt", [False, True])
def test_refusal_ends_the_call_and_keeps_only_a_mark_in_doubt(
    error: HubSpotError, code: str, in_doubt: bool
) -> None:
    call = claimed(**IN_DOUBT) if in_doubt else claimed()
    outcome = transitions.errored(call, error, jitter=0, in_doubt=in_doubt)
    assert reason(outcome) == ("error", code)
    assert outcome.next_in is None
    assert outcome.keeps_mark == in_doubt


@pytest.mark.parametrize(
    ("state", "shown"),
    [(PENDING, ("pending", "configuration_error")), (SKIPPED, LOOKED_UP_AGAIN)],
)
@pytest.mark.parametrize("failing", [{}, A_DAY])
def test_our_own_misconfiguration_never_ends_a_call(
    state: dict[str, Any], shown: tuple[str, str], failing: dict[str, Any]
) -> None:
    error = ConfigurationError("invalid_client")
    for jitter, next_in in ((0, 300), (1, 375)):
        call = claimed(**state, **failing)
        outcome = transitions.errored(call, error, jitter=jitter, in_doubt=False)
        assert reason(outcome) == shown
        assert outcome.next_in == next_in
        assert not outcome.is_failing


def test_hubspots_facts_are_kept_with_the_attempt() -> None:
    error = RejectedError("bad", status=400, correlation_id="c-1", definite=True)
    outcome = transitions.errored(claimed(), error, jitter=0, in_doubt=False)
    assert (outcome.http_status, outcome.correlation_id) == (400, "c-1")
    assert outcome.error_message == "bad"


@pytest.mark.parametrize(
    ("error", "code", "is_failing"),
    [
        (RateLimitedError("full", policy="DAILY"), "rate_limited", True),
        (AccountLockedError("moving"), "hubspot_unavailable", False),
    ],
)
@pytest.mark.parametrize("state", [PENDING, SKIPPED])
@pytest.mark.parametrize("doubt", [{}, IN_DOUBT])
def test_wait_that_hubspot_asks_for_burns_no_attempt(
    error: RetryLaterError,
    code: str,
    is_failing: bool,
    state: dict[str, Any],
    doubt: dict[str, Any],
) -> None:
    call = claimed(**state, **doubt, failures=2)
    outcome = transitions.postponed(call, error, seconds=77)
    assert reason(outcome) == (("pending", code) if state is PENDING else LOOKED_UP_AGAIN)
    assert outcome.next_in == 77
    assert not outcome.is_attempt
    assert (outcome.failures, outcome.is_failing) == (2, is_failing)
    assert outcome.keeps_mark == bool(doubt)


def test_waits_of_a_day_that_hubspot_asked_for_end_as_an_error() -> None:
    outcome = transitions.postponed(claimed(**A_DAY), RateLimitedError("full"), seconds=77)
    assert reason(outcome) == ("error", "rate_limited")
    assert outcome.next_in is None
