"""Bringing activities up to date with calls that have grown: claim, read, plan, mark, send, record.

What HubSpot shows is read right before it is changed, so that what a person saved until then is
kept. An update may run twice or die anywhere: whoever comes next reads first, and finds the body
there or plans anew.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from redis import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import InternalError as ServerStateError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.activities.composing import compose
from shared.activities.destination import (
    MOST_AT_ONCE,
    Activity,
    ActivityKind,
    Destination,
    DestinationError,
    Gone,
    NoTokenError,
    OutOfBudgetError,
    Rejected,
    RejectedError,
    RetryLaterError,
    TokenRenewedError,
    Unknown,
    Update,
    Updated,
)
from shared.activities.edits import CannotUpdateError, Footprint
from shared.activities.planning import Plan, plan_update
from shared.activities.properties import refused_of, to_remember
from shared.calls.contents import GrownContent, read_grown_contents
from shared.connections.accounts import load_account, remember_refused_properties
from shared.database.engines import patiently
from shared.matching.preferences import region_of
from shared.models import Connection
from shared.queue.updates import (
    DOUBT_S,
    MOST_UPDATES,
    TOO_OFTEN_ERROR,
    ClaimedUpdate,
    UpdateOutcome,
    claim_due_updates,
    mark_updates,
    record_updates,
    release_updates,
    spacing_after,
)
from shared.telemetry.metrics import UPDATES
from worker.leases import require_lease
from worker.resources import Resources
from worker.rounds.health import AccountHealth, retry_jitter
from worker.rounds.transitions import RETRY_FOR_S, backoff

log = structlog.get_logger(__name__)

MOST_UPDATES_CLAIMED: Final = 100
# What HubSpot showed longer ago may have been edited since: it is read again.
READ_WITHIN_S: Final = 2.0
MOST_READINGS: Final = 3
ENVELOPE_BYTES: Final = 400
# Of contents as text, which bounds what is read and what is sent.
MAX_BYTES_LOADED: Final = 2 * 1024 * 1024
MAX_BATCH_BYTES: Final = 900_000
LONGEST_WAIT_TO_LOAD_S: Final = 10.0

PUT_OFF_S: Final = 1.0

MISSED_ERROR: Final = "HubSpot says that it does not know this entry, but shows it."
UNANSWERED_ERROR: Final = "HubSpot's answer does not say what became of this entry."

# The block that shows a field; the other fields are facts.
BLOCK_OF_FIELD: Final = {
    "summary": "summary",
    "recording_url": "recording",
    "structured_data": "details",
    "transcript": "transcript",
}


@dataclass(frozen=True, slots=True)
class _Planned:
    update: ClaimedUpdate
    content: GrownContent
    shown: Activity
    plan: Plan

    @property
    def foreseen(self) -> dict[str, Any] | None:
        """What to remember of the activity while the change may be there or not."""
        if self.update.footprint is None:
            return None
        return self.plan.foresee(Footprint.from_json(self.update.footprint)).to_json()


def update_activities(
    resources: Resources,
    connection: Connection,
    destination: Destination,
    health: AccountHealth,
    *,
    claim_id: str,
    most: int = MOST_UPDATES_CLAIMED,
) -> int:
    """Work on the due updates of one connection; returns how many were claimed.

    Raises:
        RedisError, SQLAlchemyError: An engine is away; claimed updates come back by themselves.
    """
    with resources.database.begin() as session:
        claimed = claim_due_updates(
            session,
            user_id=connection.user_id,
            workspace_id=connection.workspace_id,
            hub_id=destination.hub_id,
            claim_id=claim_id,
            most=most,
        )
    if claimed:
        log.info("updates_started", updates=len(claimed))
        _Updating(resources, connection, destination, health, claimed).run()
    return len(claimed)


class _Updating:
    """The updates that a worker holds, and the only way their outcomes get recorded."""

    def __init__(
        self,
        resources: Resources,
        connection: Connection,
        destination: Destination,
        health: AccountHealth,
        claimed: Sequence[ClaimedUpdate],
    ) -> None:
        self._resources = resources
        self._connection = connection
        self._destination = destination
        self._health = health
        self._open = {each.id: each for each in claimed}
        self._started_at = datetime.now(UTC)
        self._region = region_of(connection, resources.settings)
        # Properties that the account refuses; and further ones that it has refused here, by log id.
        self._refused: frozenset[str] = frozenset()
        self._left_out: defaultdict[str, set[str]] = defaultdict(set)

    def run(self) -> None:
        with self._resources.database.read() as session:
            account = load_account(session, self._destination.hub_id)
        self._refused = frozenset(account.refused_properties)
        try:
            self._work()
        except (RedisError, OperationalError, InterfaceError, ServerStateError, PoolTimeoutError):
            # An engine is away, which is no fault of the updates: none becomes a suspect for it.
            self._drop(list(self._open.values()))
            raise
        self._drop(list(self._open.values()))

    def _work(self) -> None:
        try:
            for kind in {each.kind for each in self._open.values()}:
                updates = [each for each in self._open.values() if each.kind == kind]
                for group in _cut(updates):
                    self._bring_up_to_date(group, ActivityKind(kind))
        except (OutOfBudgetError, NoTokenError):
            log.info("updates_put_off", updates=len(self._open))
        except DestinationError as error:
            # Nothing was being sent: reading failed.
            self._fail(list(self._open.values()), error)

    def _bring_up_to_date(self, group: Sequence[ClaimedUpdate], kind: ActivityKind) -> None:
        contents = self._load(group)
        self._drop([each for each in group if each.id not in contents])
        waiting = [each for each in group if each.id in contents]
        for _ in range(MOST_READINGS):
            if not waiting:
                return
            self._destination.wait_to_write()
            read_at = time.monotonic()
            shown = self._destination.read([each.activity_id for each in waiting], kind=kind)
            planned = self._plan(waiting, contents, shown)
            late: list[ClaimedUpdate] = []
            for batch in _batches(planned):
                late += self._send(batch, read_at)
            waiting = late

    def _load(self, group: Sequence[ClaimedUpdate]) -> dict[str, GrownContent]:
        # One thread at a time: parsed, a content takes ten times its bytes.
        if not self._resources.loading.acquire(timeout=LONGEST_WAIT_TO_LOAD_S):
            raise OutOfBudgetError
        try:
            with self._resources.database.read() as session:
                return read_grown_contents(session, [each.id for each in group])
        finally:
            self._resources.loading.release()

    def _plan(
        self,
        updates: Sequence[ClaimedUpdate],
        contents: Mapping[str, GrownContent],
        shown: Mapping[str, Activity],
    ) -> list[_Planned]:
        """What to send; what needs nothing to be sent, or cannot be, is recorded."""
        planned = []
        outcomes = []
        for update in updates:
            activity = shown.get(update.activity_id)
            if activity is None:
                outcomes.append(_outcome(update, "deleted"))
                continue
            content = contents[update.id]
            try:
                plan = self._plan_one(update, content, activity)
            except CannotUpdateError as error:
                outcomes.append(_outcome(update, "failed", error=str(error)))
                continue
            if plan.is_empty:
                outcomes.append(_done(update, content, plan, activity, is_sent=False))
            else:
                planned.append(_Planned(update, content, activity, plan))
        self._record(outcomes)
        return planned

    def _plan_one(self, update: ClaimedUpdate, content: GrownContent, shown: Activity) -> Plan:
        wanted = compose(
            shown.kind,
            content.call,
            call_id=update.call_id,
            log_id=update.id,
            region=self._region,
            refused=self._refused | self._left_out[update.id],
        )
        plan = plan_update(
            shown,
            wanted,
            Footprint.from_json(update.footprint) if update.footprint else None,
            withdrawn={BLOCK_OF_FIELD.get(name, "facts") for name in update.withdrawn},
        )
        if not plan.is_empty and update.updates >= MOST_UPDATES and not update.withdrawn:
            raise CannotUpdateError(TOO_OFTEN_ERROR)
        return plan

    def _can_do_without(self, planned: _Planned, error: RejectedError) -> bool:
        """Whether a refusal names properties, which are left out from now on."""
        sent = planned.plan.properties
        names = refused_of(error.properties, sent)
        if not names:
            return False
        self._left_out[planned.update.id] |= names
        new = to_remember(names, sent, error.message) - self._refused
        if new:
            log.warning("activity_properties_refused", properties=sorted(new))
            self._refused |= new
            with self._resources.database.begin() as session:
                remember_refused_properties(session, self._destination.hub_id, new)
        return True

    def _send(self, batch: Sequence[_Planned], read_at: float) -> list[ClaimedUpdate]:
        """Mark and send one batch; returns those that are to be read anew and sent then."""
        batch = self._mark(batch)
        if not batch:
            return []
        updates = [each.update for each in batch]
        if time.monotonic() - read_at > READ_WITHIN_S:
            return updates
        responses: Mapping[str, Update]
        try:
            responses = self._destination.update(
                [each.plan.change_of(each.shown) for each in batch]
            )
        except TokenRenewedError:
            return updates
        except RejectedError as error:
            if len(batch) > 1:
                # The whole was refused for a part of it: halves find the part.
                middle = len(batch) // 2
                halves = (batch[:middle], batch[middle:])
                return [each for half in halves for each in self._send(half, read_at)]
            responses = {batch[0].shown.id: Rejected(error)}
        except DestinationError as error:
            if error.definite:
                self._fail(updates, error)
            else:
                self._health.pause_for(error)
                self._record([_doubted(each, str(error)) for each in updates])
            return []
        return self._act_on(batch, responses)

    def _act_on(
        self, batch: Sequence[_Planned], responses: Mapping[str, Update]
    ) -> list[ClaimedUpdate]:
        """Record what became of a batch; returns those to be sent without what was refused."""
        late = []
        outcomes = []
        for each in batch:
            response = responses[each.shown.id]
            if isinstance(response, Rejected) and self._can_do_without(each, response.error):
                late.append(each.update)
            else:
                outcomes.append(_settle(each, response))
        self._record(outcomes)
        return late

    def _mark(self, batch: Sequence[_Planned]) -> list[_Planned]:
        """Commit that these may be sent from now on; returns those that may.

        Raises:
            OutOfBudgetError: The commit was slow, or there is no place to send: none was sent.
        """
        self._destination.wait_to_write()
        marked_at = time.monotonic()
        with self._resources.database.begin() as session:
            marked = mark_updates(
                session,
                {each.update: each.foreseen for each in batch},
                connection_id=self._connection.id,
                generation=self._connection.generation,
                hub_id=self._destination.hub_id,
            )
        self._drop([each.update for each in batch if each.update.id not in marked])
        batch = [each for each in batch if each.update.id in marked]
        try:
            self._destination.keep_place_to_write()
            require_lease(marked_at)
        except OutOfBudgetError:
            self._record([_outcome(each.update, "waiting", next_in=PUT_OFF_S) for each in batch])
            raise
        return batch

    def _fail(self, updates: Sequence[ClaimedUpdate], error: DestinationError) -> None:
        """Record an error under which certainly nothing was changed."""
        wait = self._health.pause_for(error)
        if isinstance(error, RetryLaterError) and wait is not None:
            self._record([_outcome(each, "waiting", next_in=wait) for each in updates])
        else:
            self._record([_failed(each, error) for each in updates])

    def _record(self, outcomes: Sequence[UpdateOutcome]) -> None:
        if not outcomes:
            return
        recorded = patiently(self._record_once, outcomes)
        for outcome in outcomes:
            self._open.pop(outcome.id, None)
            if outcome.id not in recorded:
                log.warning("update_dropped", log_id=outcome.id)
                continue
            UPDATES.labels(outcome.state).inc()
            log.info(
                "update_recorded",
                log_id=outcome.id,
                state=outcome.state,
                sent=outcome.is_sent,
                next_in_s=outcome.next_in,
                correlation_id=outcome.correlation_id,
            )

    def _record_once(self, outcomes: Sequence[UpdateOutcome]) -> frozenset[str]:
        with self._resources.database.begin() as session:
            return record_updates(session, outcomes, started_at=self._started_at)

    def _drop(self, updates: Collection[ClaimedUpdate]) -> None:
        """Give back what is no longer ours, cannot be sent now, or has no content any more."""
        if updates:
            patiently(self._release_once, updates)
        for each in updates:
            self._open.pop(each.id, None)

    def _release_once(self, updates: Collection[ClaimedUpdate]) -> None:
        with self._resources.database.begin() as session:
            release_updates(session, updates, delay=PUT_OFF_S)


def _settle(planned: _Planned, response: Update) -> UpdateOutcome:
    """What the destination's response says of one update."""
    match response:
        case Updated(activity):
            return _done(planned.update, planned.content, planned.plan, activity, is_sent=True)
        case Rejected(error):
            return _refused(planned.update, error)
        case Gone():
            return _missed(planned.update)
        case Unknown():
            return _doubted(planned.update, UNANSWERED_ERROR)


def _outcome(
    update: ClaimedUpdate, state: str, *, error: str | None = None, next_in: float = 0.0
) -> UpdateOutcome:
    return UpdateOutcome(
        id=update.id,
        claim_id=update.claim_id,
        news=update.news,
        state=state,
        error=error,
        next_in=next_in,
    )


def _done(
    update: ClaimedUpdate, content: GrownContent, plan: Plan, echoed: Activity, *, is_sent: bool
) -> UpdateOutcome:
    added = " and ".join(plan.edit.added)
    return UpdateOutcome(
        id=update.id,
        claim_id=update.claim_id,
        news=update.news,
        state="done",
        is_sent=is_sent,
        error=f"Somebody edited the note; what is new was added below: {added}." if added else None,
        next_in=spacing_after(update.updates + is_sent),
        footprint=plan.confirm(echoed).to_json(),
        revision=content.revision,
        content_hash=content.hash,
    )


def _refused(update: ClaimedUpdate, error: RejectedError) -> UpdateOutcome:
    return _outcome(update, "failed", error=f"HubSpot refused what came after writing: {error}")


def _failed(update: ClaimedUpdate, error: DestinationError) -> UpdateOutcome:
    """A try that changed nothing: again later, for a day."""
    if update.failing_for >= RETRY_FOR_S or isinstance(error, RejectedError):
        return _outcome(update, "failed", error=str(error))
    return UpdateOutcome(
        id=update.id,
        claim_id=update.claim_id,
        news=update.news,
        state="waiting",
        error=str(error),
        next_in=backoff(update.failures, retry_jitter()),
        is_failing=True,
    )


def _missed(update: ClaimedUpdate) -> UpdateOutcome:
    """Said to be gone: it is read before that is believed, and what is there is tried for a day."""
    if update.failing_for >= RETRY_FOR_S:
        return _outcome(update, "failed", error=MISSED_ERROR)
    return UpdateOutcome(
        id=update.id,
        claim_id=update.claim_id,
        news=update.news,
        state="waiting",
        error=MISSED_ERROR,
        next_in=backoff(update.failures - 1, retry_jitter()) if update.failures else 0.0,
        is_failing=True,
    )


def _doubted(update: ClaimedUpdate, error: str) -> UpdateOutcome:
    """The activity may have been changed or not: it is read once nothing can be under way.

    That goes on for a day at most.
    """
    if update.failing_for >= RETRY_FOR_S:
        return replace(_outcome(update, "failed", error=error), keeps_mark=True)
    return UpdateOutcome(
        id=update.id,
        claim_id=update.claim_id,
        news=update.news,
        state="waiting",
        error=error,
        next_in=DOUBT_S,
        is_failing=True,
        keeps_mark=True,
    )


def _cut(updates: Sequence[ClaimedUpdate]) -> Iterator[list[ClaimedUpdate]]:
    """Groups of updates whose contents may be in memory at once."""
    group: list[ClaimedUpdate] = []
    size = 0
    for each in updates:
        if group and (len(group) == MOST_AT_ONCE or size + each.payload_bytes > MAX_BYTES_LOADED):
            yield group
            group, size = [], 0
        group.append(each)
        size += each.payload_bytes
    if group:
        yield group


def _batches(planned: Sequence[_Planned]) -> Iterator[list[_Planned]]:
    batch: list[_Planned] = []
    size = 0
    for each in planned:
        texts = (each.plan.edit.body or "", *each.plan.properties.values())
        bytes_sent = sum(len(text.encode()) for text in texts) + ENVELOPE_BYTES
        if batch and size + bytes_sent > MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += bytes_sent
    if batch:
        yield batch
