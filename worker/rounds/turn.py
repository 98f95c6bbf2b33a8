"""One run of a worker on one connection's claimed calls: what its steps share."""

import random
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import structlog

from shared.connections import accounts
from shared.database.engines import patiently
from shared.hubspot.errors import (
    AccountLockedError,
    HubSpotError,
    NetworkError,
    RateLimitedError,
    RetryLaterError,
    UnavailableError,
)
from shared.matching.contact_cache import ContactCache
from shared.matching.preferences import phone_properties_of, policy_of, region_of
from shared.models import Connection
from shared.queue.claims import ClaimedCall, abandon_calls, release_calls
from shared.queue.marks import WRITE_WITHIN_S, Mark, mark_calls
from shared.queue.outcomes import Outcome, record_outcomes
from shared.reasons import Lane
from shared.telemetry.metrics import ACCOUNT_PAUSES, OUTCOMES, WEBHOOK_TO_NOTE_SECONDS
from worker.resources import Resources
from worker.rounds import transitions
from worker.rounds.pacing import OutOfBudgetError, PacedHubSpot

log = structlog.get_logger(__name__)

PauseReason = Literal["rolling_limit", "daily_limit", "locked", "unavailable"]

SEARCH_LIMIT_WAIT_S: Final = 2.0
ROLLING_LIMIT_WAIT_S: Final = 10.0
DAILY_LIMIT_WAIT_S: Final = 900.0
LOCKED_WAIT_S: Final = 2.0
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 300.0
FAILED_TURNS_BEFORE_PAUSE: Final = 2
# A hundred calls take a tenth of a second.
MOST_PROCESSOR_S: Final = 10.0


class Turn:
    """The calls a worker holds, and the only way their outcomes get recorded."""

    def __init__(
        self,
        resources: Resources,
        connection: Connection,
        hubspot: PacedHubSpot,
        calls: Iterable[ClaimedCall],
    ) -> None:
        self.resources = resources
        self.connection = connection
        self.hubspot = hubspot
        self.hub_id = hubspot.hub_id
        self.region = region_of(connection, resources.settings)
        self.cache = ContactCache(
            resources.redis,
            resources.cipher,
            hub_id=self.hub_id,
            region=self.region,
            policy=policy_of(connection, resources.settings),
            phone_properties=phone_properties_of(connection),
        )
        self.open = {call.id: call for call in calls}
        self.started_at = datetime.now(UTC)
        self.account_failed = False
        # What became of the calls: how many of each reason, or status where there is none.
        self.outcomes: Counter[str] = Counter()
        # Marked in this turn, and HubSpot did certainly nothing.
        self._unwritten: set[str] = set()
        self._marked_at = 0.0
        self._began_at = time.thread_time()

    def mark(self, marks: Sequence[Mark]) -> frozenset[str]:
        """Commit that these notes may be written from now on; returns the log ids of those.

        The others lost their claim, or the connection changed: they are given back.
        """
        self._marked_at = time.monotonic()
        with self.resources.database.begin() as session:
            marked = mark_calls(
                session,
                marks,
                connection_id=self.connection.id,
                generation=self.connection.generation,
                hub_id=self.hub_id,
            )
            lost = [mark.call for mark in marks if mark.call.id not in marked]
            if lost:
                release_calls(session, lost)
        for call in lost:
            del self.open[call.id]
        if lost:
            log.warning("marks_refused", calls=len(lost))
        self._unwritten -= marked
        return marked

    def require_lease(self) -> None:
        """Call right before writing what was marked last.

        Raises:
            OutOfBudgetError: The commit was slow, or this worker was frozen: too little of the
                lease is left.
        """
        if time.monotonic() - self._marked_at > WRITE_WITHIN_S:
            raise OutOfBudgetError

    def withdraw(self, calls: Iterable[ClaimedCall]) -> None:
        """Say that HubSpot has certainly not written the notes of these marks."""
        self._unwritten |= {call.id for call in calls}

    def written(self, call: ClaimedCall, note_id: str, contact_id: str) -> Outcome:
        """The outcome of a call whose note exists."""
        return transitions.note_written(call, note_id, contact_id=contact_id, hub_id=self.hub_id)

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Store outcomes; these calls are no longer the turn's."""
        if not outcomes:
            return
        recorded = patiently(self._record_once, outcomes)
        for outcome in outcomes:
            call = self.open.pop(outcome.id, None)
            if outcome.id not in recorded:
                # Whoever took the call over decides. What this worker has written, or may have, is
                # remembered beside that.
                log.warning("outcome_dropped", log_id=outcome.id, note_id=outcome.engagement_id)
                continue
            OUTCOMES.labels(outcome.status, outcome.error_code or "").inc()
            self.outcomes[outcome.error_code or outcome.status] += 1
            if outcome.engagement_id is not None and call is not None:
                WEBHOOK_TO_NOTE_SECONDS.labels(Lane(call.lane).name.lower()).observe(
                    recorded[outcome.id]
                )
            log.info(
                "call_recorded",
                log_id=outcome.id,
                status=outcome.status,
                error_code=outcome.error_code,
                next_in_s=outcome.next_in,
                contact_id=outcome.contact_id,
                note_id=outcome.engagement_id,
                correlation_id=outcome.correlation_id,
            )

    def _record_once(self, outcomes: Sequence[Outcome]) -> dict[str, float]:
        with self.resources.database.begin() as session:
            return record_outcomes(session, outcomes, started_at=self.started_at)

    def give_back(self, calls: Collection[ClaimedCall] | None = None, *, delay: float = 0) -> None:
        """Return calls without an outcome, by default all that are left, due in `delay` seconds."""
        calls = list(self.open.values()) if calls is None else calls
        if not calls:
            return
        patiently(self._release, calls, delay)
        for call in calls:
            del self.open[call.id]
        log.info("calls_given_back", calls=len(calls), delay_s=delay)

    def _release(self, calls: Collection[ClaimedCall], delay: float) -> None:
        with self.resources.database.begin() as session:
            release_calls(session, calls, delay=delay, unwritten=self._unwritten)

    @property
    def is_stuck(self) -> bool:
        """Whether it used the processor for long, and no call has come to an outcome.

        Waiting does not count: a slow HubSpot, Postgres or machine is not the calls' fault.
        """
        return not self.outcomes and time.thread_time() - self._began_at > MOST_PROCESSOR_S

    def abandon(self) -> None:
        """Let the calls go as if this worker had died."""
        with self.resources.database.begin() as session:
            abandon_calls(session, self.open.values())
        log.error("calls_abandoned", calls=len(self.open))
        self.open.clear()

    def fail(self, calls: Collection[ClaimedCall], error: HubSpotError) -> None:
        """Record what an error means for these calls, and for the whole account.

        The failed request has certainly written nothing; a doubt from an earlier turn is kept.
        """
        wait = self._pause_for(error)
        if isinstance(error, RetryLaterError) and wait is not None:
            outcomes = [transitions.postponed(call, error, seconds=wait) for call in calls]
        else:
            outcomes = [
                transitions.errored(
                    call, error, jitter=retry_jitter(), in_doubt=call.marked_for is not None
                )
                for call in calls
            ]
        self.record(outcomes)

    def doubt(self, marks: Sequence[Mark], error: HubSpotError) -> None:
        """Record that a create failed and may have written these notes nevertheless."""
        self._pause_for(error)
        self.record(self.doubted(marks, error))

    def doubted(self, marks: Sequence[Mark], error: HubSpotError) -> list[Outcome]:
        """The outcomes of calls whose create may have written their notes."""
        return [
            transitions.write_doubted(
                mark.call,
                error,
                jitter=retry_jitter(),
                hub_id=self.hub_id,
                contact_id=mark.contact_id,
            )
            for mark in marks
        ]

    def _pause_for(self, error: HubSpotError) -> float | None:
        """Pause the account if the error says so; seconds until its calls may go on."""
        if isinstance(error, RateLimitedError):
            if error.policy not in {"TEN_SECONDLY_ROLLING", "DAILY"}:
                return (error.retry_after or SEARCH_LIMIT_WAIT_S) * (1 + retry_jitter() / 2)
            is_daily = error.policy == "DAILY"
            told = error.retry_after
            wait = told or (DAILY_LIMIT_WAIT_S if is_daily else ROLLING_LIMIT_WAIT_S)
            kind: PauseReason = "daily_limit" if is_daily else "rolling_limit"
            return self._pause(wait, f"HubSpot's {error.policy} limit is used up", kind)
        if isinstance(error, AccountLockedError):
            told = error.retry_after
            wait = max(told or 0, LOCKED_WAIT_S)
            return self._pause(wait, "HubSpot has locked the account", "locked")
        if isinstance(error, UnavailableError | NetworkError):
            self.account_failed = True
        return None

    def _pause(self, seconds: float, reason: str, kind: PauseReason) -> float:
        with self.resources.database.begin() as session:
            accounts.pause_account(session, self.hub_id, seconds=seconds, reason=reason)
        ACCOUNT_PAUSES.labels(kind).inc()
        log.warning("hub_paused", hub_id=self.hub_id, seconds=round(seconds, 1), reason=reason)
        return seconds * (1 + retry_jitter() / 10)

    def note_standing(self, account: accounts.AccountState) -> None:
        """After the turn: narrow and pause an account that fails, widen one that recovered."""
        if not self.account_failed and not (self.hubspot.answered and account.is_recovering):
            return
        with self.resources.database.begin() as session:
            if not self.account_failed:
                accounts.note_good_turn(session, self.hub_id)
                return
            failing_turns = accounts.note_failed_turn(session, self.hub_id)
        if failing_turns >= FAILED_TURNS_BEFORE_PAUSE:
            doubled = FIRST_PAUSE_S * 2.0 ** min(failing_turns - FAILED_TURNS_BEFORE_PAUSE, 16)
            seconds = min(doubled, LONGEST_PAUSE_S) * (0.5 + retry_jitter())
            self._pause(seconds, "HubSpot does not answer properly", "unavailable")


def retry_jitter() -> float:
    """A random number from 0 to 1 that spreads retries."""
    return random.random()  # noqa: S311 - spreads load, guards nothing
