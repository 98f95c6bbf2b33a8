"""A worker's turn that stops before each of its steps for as long as a history likes.

The turn is the worker's own, from its first question to what it records; only the client of HubSpot
and what searches find are the history's. A turn that is not asked to go on while time passes is a
frozen worker; one that is forgotten is a dead one.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final, cast

from sqlalchemy.exc import OperationalError

from shared.connections.accounts import load_account
from shared.connections.lifecycle import CONNECTED
from shared.hubspot.errors import RejectedError, UnavailableError
from shared.hubspot.models import ContactNotes, CreateNotesAnswer, NewNote
from shared.models import Connection, SyncLog
from shared.queue.claims import LEASE_S, ClaimedCall
from shared.queue.marks import LEASE_LEFT_TO_WRITE_S, Mark
from shared.queue.outcomes import Outcome
from tests.pipeline.interruptions import WorkerKilledError
from tests.state_machine.accounts import Account, Create, Reader
from tests.state_machine.behaviour import (
    LOOK_UPS,
    PROPER,
    REFUSALS,
    Answer,
    Behaviour,
    LookUp,
)
from tests.state_machine.callers import Caller
from tests.state_machine.steps import Steps
from worker.resources import Resources
from worker.rounds import sync
from worker.rounds.pacing import OutOfBudgetError, PacedHubSpot
from worker.rounds.turn import Turn
from worker.rounds.writing import MatchedCall

# From mark to POST; whoever takes longer was frozen.
LONGEST_TO_POST_S: Final = LEASE_S - LEASE_LEFT_TO_WRITE_S

RECORD: Final = "record"
CREATE: Final = "create"


class SteppedTurn(Turn):
    """A turn that a history drives.

    Attributes:
        claim_id: The turn's name in the rows.
        account: The connection's HubSpot account.
        behaviour: How HubSpot behaves during the step under way.
        is_stopping: The worker is shut down: it begins no further request.
        sent: The creates of which nothing is recorded yet, by log id.
    """

    def __init__(
        self,
        resources: Resources,
        connection: Connection,
        account: Account,
        claim_id: str,
        calls: Collection[ClaimedCall],
        *,
        clock: Callable[[], float],
    ) -> None:
        self.claim_id = claim_id
        self.account = account
        self.behaviour = PROPER
        self.is_stopping = False
        self.sent: dict[str, Create] = {}
        self._clock = clock
        self._marked: dict[str, float] = {}
        self._steps = Steps(self._work)
        # A turn asks no more of its client than this one answers.
        hubspot = cast(PacedHubSpot, ScriptedHubSpot(self))
        super().__init__(resources, connection, hubspot, calls)
        self._steps.start()

    def _work(self) -> None:
        with self.resources.database.begin() as session:
            account = load_account(session, self.hub_id)
        sync._work(self, account)

    @property
    def is_over(self) -> bool:
        return self._steps.place is None

    @property
    def is_recording(self) -> bool:
        """Whether it knows what it has not recorded yet."""
        return self._steps.place == RECORD

    def step(self, hubspot: Behaviour = PROPER) -> None:
        """Do what comes next: read back, look up, mark, send, or record."""
        self.behaviour = hubspot
        self._steps.go_on()

    def shut_down(self) -> None:
        """Finish the request that is next, and begin none after it."""
        self.is_stopping = True
        while not self.is_over:
            self.step()

    def lose_postgres(self) -> None:
        """Postgres is away for longer than the worker tries."""
        self._steps.go_on(OperationalError("x", None, Exception("gone")))
        while not self.is_over:
            self.step()

    def meet_defect(self) -> None:
        """Meet an exception that nobody expected."""
        self._steps.go_on(ZeroDivisionError())
        while not self.is_over:
            self.step()

    def die(self) -> None:
        """Be killed."""
        if not self.is_over:
            self._steps.go_on(WorkerKilledError())

    def stop_at(self, place: str) -> None:
        self._steps.stop_at(place)

    def look_up(self, calls: Sequence[ClaimedCall]) -> list[MatchedCall]:
        """Find the contacts of calls of which no write is in doubt."""
        if not calls:
            return []
        self.stop_at("look up")
        if self.is_stopping:
            raise OutOfBudgetError
        contacts = self.account.live_contacts()
        contact_id = contacts[self.behaviour.contact % len(contacts)]
        matched = []
        outcomes = []
        for index, call in enumerate(calls):
            caller = Caller.of(call.call_id)
            result = self.behaviour.look_ups[index % len(self.behaviour.look_ups)]
            if result is LookUp.FOUND:
                self.account.found.add((call.id, contact_id))
                matched.append(MatchedCall(call, contact_id, caller.number))
            else:
                outcomes.append(LOOK_UPS[result](call, caller.number))
        self.record(outcomes)
        return matched

    def mark(self, marks: Sequence[Mark]) -> frozenset[str]:
        """As a worker does; sees that nobody marks who must not."""
        self.stop_at("mark")
        unwritten = set(self._unwritten)
        with self.resources.database.begin() as session:
            # Without what was pruned since the claim was lost.
            before = {mark.call.id: session.get(SyncLog, mark.call.id) for mark in marks}
        marked = super().mark(marks)
        with self.resources.database.begin() as session:
            current = session.get_one(Connection, self.connection.id)
        is_unchanged = (current.state, current.generation) == (
            CONNECTED,
            self.connection.generation,
        )
        assert is_unchanged or not marked, "a mark under a connection that has changed"
        for log in (before[log_id] for log_id in marked - unwritten):
            assert log is not None, "a mark on an entry that was pruned"
            assert log.last_write_at is None or log.read_back_misses > 0, "a rewrite too early"
        self._marked |= dict.fromkeys(marked, self._clock())
        return marked

    def send(self, notes: Sequence[NewNote]) -> CreateNotesAnswer:
        """What HubSpot does with a create; raises what the worker hears of it."""
        self.stop_at(CREATE)
        creates = [self._create(note) for note in notes]
        first, *_ = answers = self.behaviour.answers
        if first in REFUSALS:
            refuse = REFUSALS[first]
            raise refuse()
        self.sent |= {each.note.trace_id: each for each in creates}
        if first in {Answer.LOST, Answer.LOST_BUT_WRITTEN}:
            self._lose(creates, is_written=first is Answer.LOST_BUT_WRITTEN)
            raise UnavailableError("x")
        created: dict[str, str] = {}
        rejected: dict[str, RejectedError] = {}
        for index, create in enumerate(creates):
            answer = answers[index % len(answers)]
            log_id = create.note.trace_id
            if answer in {Answer.LOST, Answer.LOST_BUT_WRITTEN}:
                self._lose([create], is_written=answer is Answer.LOST_BUT_WRITTEN)
            elif answer is Answer.REFUSED or (note_id := self.account.commit(create)) is None:
                rejected[log_id] = RejectedError("x", definite=True)  # or its contact is gone
            else:
                created[log_id] = note_id
        unclear = frozenset(self.sent) - created.keys() - rejected.keys()
        return CreateNotesAnswer(created, rejected, unclear)

    def _create(self, note: NewNote) -> Create:
        is_frozen = self._clock() - self._marked[note.trace_id] > LONGEST_TO_POST_S
        return Create(self.account.hub_id, note, is_frozen)

    def _lose(self, creates: Sequence[Create], *, is_written: bool) -> None:
        for create in creates:
            if not is_written or self.account.commit(create) is None:
                self.account.leave_unanswered(create, now=self._clock())

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """As a worker does."""
        if not outcomes:
            return
        self.stop_at(RECORD)
        super().record(outcomes)
        for outcome in outcomes:
            if outcome.engagement_id is not None:
                self.account.recorded.add(outcome.engagement_id)
            if outcome.id in self.sent:
                self.account.reported.add(self.sent.pop(outcome.id))


class ScriptedHubSpot(Reader):
    """The client of a turn: the history's account, and what the turn says of its budgets."""

    def __init__(self, turn: SteppedTurn) -> None:
        super().__init__(turn.account, is_vague=False)
        self.hub_id = turn.account.hub_id
        self.answered = True
        self._turn = turn

    def open(self) -> None:
        """There is always a token."""

    def wait_for_request_slot(self) -> None:
        if self._turn.is_stopping:
            raise OutOfBudgetError

    keep_request_slot = wait_for_request_slot

    def notes_of_contacts(self, contact_ids: Collection[str]) -> ContactNotes:
        self._turn.stop_at("read back")
        self.wait_for_request_slot()
        if self._turn.behaviour.fails:
            raise UnavailableError("x")
        self.is_vague = self._turn.behaviour.is_vague
        return super().notes_of_contacts(contact_ids)

    def create_notes(self, notes: Sequence[NewNote]) -> CreateNotesAnswer:
        return self._turn.send(notes)
