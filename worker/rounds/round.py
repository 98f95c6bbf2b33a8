"""One run of a worker on one connection's claimed calls: what its steps share."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from shared.activities.destination import (
    Destination,
    DestinationError,
    RetryLaterError,
)
from shared.activities.news import want_updates
from shared.connections.accounts import remember_refused_properties
from shared.database.engines import patiently
from shared.matching.contact_cache import ContactCache
from shared.matching.preferences import phone_properties_of, policy_of, region_of
from shared.models import Connection
from shared.queue.claims import ClaimedCall, abandon_calls, release_calls
from shared.queue.marks import Mark, mark_calls
from shared.queue.outcomes import Outcome, Recorded, record_outcomes
from shared.queue.updates import WrittenActivity, remember_written
from shared.reasons import Lane
from shared.telemetry.metrics import OUTCOMES, WEBHOOK_TO_NOTE_SECONDS
from worker.leases import require_lease
from worker.resources import Resources
from worker.rounds import doubts, transitions
from worker.rounds.health import AccountHealth, retry_jitter

log = structlog.get_logger(__name__)

# A hundred calls take a tenth of a second.
MOST_PROCESSOR_S: Final = 10.0


class Round:
    """The calls a worker holds, and the only way their outcomes get recorded."""

    def __init__(
        self,
        resources: Resources,
        connection: Connection,
        destination: Destination,
        calls: Iterable[ClaimedCall],
    ) -> None:
        self.resources = resources
        self.connection = connection
        self.destination = destination
        self.hub_id = destination.hub_id
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
        self.health = AccountHealth(resources.database.begin, self.hub_id)
        # What became of the calls: how many of each reason, or status where there is none.
        self.outcomes: Counter[str] = Counter()
        # Marked in this round, and HubSpot did certainly nothing.
        self._unwritten: set[str] = set()
        # Properties of activities that the account refuses: names, and `name=value`.
        self.refused: frozenset[str] = frozenset()
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
        """Call right before writing what was marked last; raises OutOfBudgetError."""
        require_lease(self._marked_at)

    def withdraw(self, calls: Iterable[ClaimedCall]) -> None:
        """Say that HubSpot has certainly not written the notes of these marks."""
        self._unwritten |= {call.id for call in calls}

    def remember_refused(self, properties: Collection[str]) -> None:
        """Leave these properties out of activities, in this round and in the next hour."""
        new = frozenset(properties) - self.refused
        if not new:
            return
        log.warning("activity_properties_refused", properties=sorted(new))
        self.refused |= new
        with self.resources.database.begin() as session:
            remember_refused_properties(session, self.hub_id, new)

    def written(self, call: ClaimedCall, activity_id: str, contact_id: str) -> Outcome:
        """The outcome of a call whose note exists."""
        return transitions.note_written(
            call, activity_id, contact_id=contact_id, hub_id=self.hub_id
        )

    def record(self, outcomes: Sequence[Outcome], written: Sequence[WrittenActivity] = ()) -> None:
        """Store outcomes and what was `written`; these calls are no longer the round's."""
        if not outcomes:
            return
        recorded = patiently(self._record_once, outcomes, written)
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
                    recorded[outcome.id].age
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

    def _record_once(
        self, outcomes: Sequence[Outcome], written: Sequence[WrittenActivity]
    ) -> dict[str, Recorded]:
        with self.resources.database.begin() as session:
            recorded = record_outcomes(session, outcomes, started_at=self.started_at)
            remember_written(session, written)
            known = {each.log_id for each in written}
            # Found, not written; or written while others may have merged news of the call.
            uncertain = [
                each.id
                for each in outcomes
                if each.engagement_id is not None
                and each.id in recorded
                and (each.id not in known or not recorded[each.id].was_held)
            ]
            if uncertain:
                want_updates(session, uncertain)
            return recorded

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

    def fail(self, calls: Collection[ClaimedCall], error: DestinationError) -> None:
        """Record what an error means for these calls, and for the whole account.

        The failed request has certainly written nothing; a doubt from an earlier round is kept.
        """
        wait = self.health.pause_for(error)
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

    def doubt(self, marks: Sequence[Mark], error: DestinationError) -> None:
        """Record that a create failed and may have written these notes nevertheless."""
        self.health.pause_for(error)
        self.record(self.doubted(marks, error))

    def doubted(self, marks: Sequence[Mark], error: DestinationError) -> list[Outcome]:
        """The outcomes of calls whose create may have written their notes."""
        return [
            doubts.write_doubted(
                mark.call,
                error,
                jitter=retry_jitter(),
                hub_id=self.hub_id,
                contact_id=mark.contact_id,
            )
            for mark in marks
        ]
