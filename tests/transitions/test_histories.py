"""Any sequence of events: what the rules promise of single events holds for whole histories."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from shared.hubspot.errors import (
    AccountLockedError,
    ConfigurationError,
    GrantRevokedError,
    HubSpotError,
    NetworkError,
    RateLimitedError,
    RejectedError,
    RetryLaterError,
    TokenRejectedError,
    UnavailableError,
)
from shared.phone import InvalidNumberError
from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from tests.transitions.claimed import PENDING, SKIPPED, claimed
from worker.rounds import doubts, transitions

ERRORS: Final[tuple[HubSpotError, ...]] = (
    RateLimitedError("x", retry_after=3),
    AccountLockedError("x"),
    UnavailableError("x"),
    NetworkError("x"),
    TokenRejectedError("x"),
    ConfigurationError("x"),
    GrantRevokedError("x"),
    RejectedError("x"),
)
TRANSIENT: Final = tuple(error for error in ERRORS if isinstance(error, RetryLaterError))

calls = st.builds(
    lambda state, searches_done, failures, failing_for, calculated_searched: claimed(
        **state | {"searches_done": searches_done},
        failures=failures,
        failing_for=failing_for,
        calculated_searched=calculated_searched,
    ),
    st.sampled_from([PENDING, SKIPPED]),
    st.integers(0, 7),
    st.integers(0, 32_000),
    st.floats(0, 100_000),
    st.booleans(),
)
doubted_calls = st.builds(
    lambda call, marked_for, misses: replace(
        call, marked_for=marked_for, read_back_misses=misses, hub_id=1, contact_id="7"
    ),
    calls,
    st.floats(0, 100_000),
    st.integers(0, 3),
)
jitters = st.floats(0, 1)

Event = Callable[[ClaimedCall], Outcome]

certain_events: st.SearchStrategy[Event] = st.one_of(
    st.just(lambda call: transitions.not_in_calculated(call, "+12025550123")),
    st.just(lambda call: transitions.contact_missing(call, "+12025550123")),
    st.just(lambda call: transitions.contact_ambiguous(call, "+12025550123", {"1", "2"})),
    st.just(lambda call: transitions.number_unusable(call, InvalidNumberError("x"))),
    st.just(transitions.payload_gone),
    st.just(transitions.contact_vanished),
    st.builds(
        lambda error, jitter, in_doubt: (
            lambda call: transitions.errored(call, error, jitter=jitter, in_doubt=in_doubt)
        ),
        st.sampled_from(ERRORS),
        jitters,
        st.booleans(),
    ),
)
doubtful_events: st.SearchStrategy[Event] = st.one_of(
    st.just(doubts.read_back_missed),
    st.just(lambda call: doubts.read_back_unknown(call, None)),
    st.just(lambda call: doubts.read_back_unknown(call, "8")),
    st.just(doubts.account_changed),
    st.builds(
        lambda error, jitter: (
            lambda call: transitions.errored(call, error, jitter=jitter, in_doubt=True)
        ),
        st.sampled_from(ERRORS),
        jitters,
    ),
    st.builds(
        lambda error, seconds: lambda call: transitions.postponed(call, error, seconds=seconds),
        st.sampled_from(TRANSIENT),
        st.floats(0.1, 90_000),
    ),
)


def is_legal(call: ClaimedCall, outcome: Outcome) -> bool:
    """Whether Postgres would take the outcome, and a person could make sense of it."""
    has_reason = outcome.error_code is not None and outcome.error_message is not None
    return (
        (outcome.id, outcome.fence) == (call.id, call.fence)
        and (outcome.status != "pending" or outcome.next_in is not None)
        and (outcome.status != "error" or outcome.next_in is None)
        and (outcome.status == "pending" or has_reason)
        and (outcome.next_in is None or outcome.next_in > 0)
        and 0 <= outcome.lane <= 3
    )


@given(calls, certain_events)
def test_every_event_leads_to_a_state_that_is_legal(call: ClaimedCall, event: Event) -> None:
    outcome = event(call)
    assert is_legal(call, outcome)
    assert outcome.read_back_misses == 0


@given(calls, certain_events)
def test_skipped_call_never_becomes_pending_by_itself(call: ClaimedCall, event: Event) -> None:
    if call.status == "skipped":
        assert event(call).status in {"skipped", "error"}


@given(doubted_calls, doubtful_events)
def test_no_event_but_an_answer_ends_a_doubt(call: ClaimedCall, event: Event) -> None:
    outcome = event(call)
    assert is_legal(call, outcome)
    assert outcome.keeps_mark
    assert outcome.read_back_misses <= call.read_back_misses + 1


@given(st.integers(0, 60), jitters)
def test_backoff_stays_within_seconds_and_an_hour(failures: int, jitter: float) -> None:
    wait = transitions.backoff(failures, jitter)
    assert 2.5 <= wait <= 3600
    assert transitions.backoff(failures + 1, jitter) >= wait


@dataclass
class Row:
    """A row with a mark, as `record_outcomes` and a retry by hand change it; time in seconds."""

    now: float = 0.0
    marked_at: float = 0.0
    failing_since: float | None = None
    failures: int = 0
    misses: int = 0
    due_at: float | None = 0.0

    def claim(self) -> ClaimedCall:
        since = self.now if self.failing_since is None else self.failing_since
        return claimed(
            marked_for=self.now - self.marked_at,
            hub_id=1,
            contact_id="7",
            read_back_misses=self.misses,
            failures=self.failures,
            failing_for=self.now - since,
        )

    def record(self, outcome: Outcome) -> None:
        self.misses = outcome.read_back_misses
        self.failures = outcome.failures
        self.failing_since = (
            (self.now if self.failing_since is None else self.failing_since)
            if outcome.is_failing
            else None
        )
        self.due_at = None if outcome.next_in is None else self.now + outcome.next_in

    def mark(self) -> None:
        self.marked_at, self.misses = self.now, 0

    def replay(self) -> None:
        """A person asks for another attempt."""
        self.due_at, self.failures, self.failing_since = self.now, 0, None


@given(st.lists(st.tuples(st.floats(0, 200), st.booleans(), doubtful_events), max_size=40))
def test_nothing_is_written_again_before_two_misses_of_which_the_last_is_late(
    history: list[tuple[float, bool, Event]],
) -> None:
    row = Row()
    missed = 0
    for seconds, is_replayed, event in history:
        row.now += seconds
        if is_replayed:
            row.replay()
        if row.due_at is None or row.due_at > row.now:
            continue
        call = row.claim()
        if doubts.may_write_again(call):
            assert missed >= 1, "a miss now would be the first since the write"
            assert row.now - row.marked_at >= doubts.LATE_COMMIT_S
            # It is written again, and that too ends without an answer.
            row.mark()
            missed = 0
            row.record(transitions.errored(call, NetworkError("x"), jitter=0, in_doubt=True))
        else:
            row.record(event(call))
            missed += event is doubts.read_back_missed


@given(st.floats(0, 60), st.floats(0, 2))
def test_lost_write_is_written_again_within_minutes(marked_for: float, lag: float) -> None:
    row = Row(now=marked_for)
    for _ in range(3):
        call = row.claim()
        if doubts.may_write_again(call):
            break
        row.record(doubts.read_back_missed(call))
        assert row.due_at is not None
        row.now = row.due_at + lag
    assert doubts.may_write_again(row.claim())
    assert row.now <= 180
