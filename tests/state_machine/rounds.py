"""A worker's round that stops before each of its steps for as long as a history likes.

The round is the worker's own, from its first question to what it records; only what is beyond the
seam of its `Destination` is the history's. A round that is not asked to go on while time passes is
a frozen worker; one that is forgotten is a dead one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from sqlalchemy.exc import OperationalError

from shared.activities.destination import (
    Ambiguous,
    Creation,
    Finding,
    NewActivity,
    OutOfBudgetError,
    Rejected,
    RejectedError,
    Sought,
    UnavailableError,
)
from shared.connections.accounts import load_account
from shared.connections.lifecycle import CONNECTED
from shared.matching import hits
from shared.matching.finding import Findings
from shared.matching.hits import Decision, Match, NoMatch, Refused, Undecided
from shared.matching.scope import SearchScope, Stage
from shared.models import Connection, SyncLog
from shared.phone import PhoneNumber
from shared.queue.claims import LEASE_S, ClaimedCall
from shared.queue.marks import LEASE_LEFT_TO_WRITE_S, Mark
from shared.queue.outcomes import Outcome
from shared.queue.updates import WrittenActivity
from tests.pipeline.interruptions import WorkerKilledError
from tests.state_machine.accounts import Account, Create
from tests.state_machine.behaviour import (
    FAILED_SEARCHES,
    PROPER,
    REFUSALS,
    Answer,
    Behaviour,
    LookUp,
)
from tests.state_machine.destinations import AccountDestination
from tests.state_machine.steps import Steps
from worker.resources import Resources
from worker.rounds import sync
from worker.rounds.round import Round

# From mark to POST; whoever takes longer was frozen.
LONGEST_TO_POST_S: Final = LEASE_S - LEASE_LEFT_TO_WRITE_S

RECORD: Final = "record"
CREATE: Final = "create"


class SteppedRound(Round):
    """A round that a history drives.

    Attributes:
        claim_id: The round's name in the rows.
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
        self.now = clock
        self._marked: dict[str, float] = {}
        self._steps = Steps(self._work)
        destination = SteppedDestination(self, account)
        super().__init__(resources, connection, destination, calls)
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

    def is_frozen(self, log_id: str) -> bool:
        """Whether so much time has passed since the mark that nobody may write any more."""
        return self.now() - self._marked[log_id] > LONGEST_TO_POST_S

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
        self._marked |= dict.fromkeys(marked, self.now())
        return marked

    def record(self, outcomes: Sequence[Outcome], written: Sequence[WrittenActivity] = ()) -> None:
        """As a worker does."""
        if not outcomes:
            return
        self.stop_at(RECORD)
        super().record(outcomes, written)
        for outcome in outcomes:
            if outcome.engagement_id is not None:
                self.account.recorded.add(outcome.engagement_id)
            if outcome.id in self.sent:
                self.account.reported.add(self.sent.pop(outcome.id))


class SteppedDestination(AccountDestination):
    """The account of a round, which stops before each request and behaves as the history says."""

    def __init__(self, round_: SteppedRound, account: Account) -> None:
        super().__init__(account)
        self._round = round_

    def may_find(self) -> bool:
        return not self._round.is_stopping

    def wait_to_write(self) -> None:
        if self._round.is_stopping:
            raise OutOfBudgetError

    keep_place_to_write = wait_to_write

    def find(self, numbers: Sequence[PhoneNumber], *, scope: SearchScope, stage: Stage) -> Findings:
        del scope
        self._round.stop_at("look up")
        look_ups = self._round.behaviour.look_ups
        if not self.may_find():
            look_ups = (LookUp.OUT_OF_BUDGET,)
        if look_ups[0] in FAILED_SEARCHES:
            fail = FAILED_SEARCHES[look_ups[0]]
            raise fail()
        contacts = self.account.live_contacts()
        decisions: dict[LookUp, Decision] = {
            LookUp.FOUND: Match(contacts[self._round.behaviour.contact % len(contacts)]),
            LookUp.NOBODY: NoMatch(stage),
            LookUp.SEVERAL: hits.Ambiguous(("11", "12")),
            LookUp.REFUSED: Refused(RejectedError("x", definite=True)),
        }
        return self.answer_search(
            {
                number.e164: decisions.get(look_ups[index % len(look_ups)], Undecided())
                for index, number in enumerate(numbers)
            }
        )

    def look_for(self, sought: Sequence[Sought]) -> Mapping[str, Finding]:
        self._round.stop_at("read back")
        self.wait_to_write()
        if self._round.behaviour.fails:
            raise UnavailableError("x")
        self.reader.is_vague = self._round.behaviour.is_vague
        return super().look_for(sought)

    def create(self, activities: Sequence[NewActivity]) -> Mapping[str, Creation]:
        self._round.stop_at(CREATE)
        creates = [
            Create(self.hub_id, each, self._round.is_frozen(each.log_id)) for each in activities
        ]
        first, *_ = answers = self._round.behaviour.answers
        if first in REFUSALS:
            refuse = REFUSALS[first]
            raise refuse()
        self._round.sent |= {each.note.log_id: each for each in creates}
        if first in {Answer.LOST, Answer.LOST_BUT_WRITTEN}:
            self._lose(creates, is_written=first is Answer.LOST_BUT_WRITTEN)
            raise UnavailableError("x")
        return {
            create.note.log_id: self._answer(create, answers[index % len(answers)])
            for index, create in enumerate(creates)
        }

    def _answer(self, create: Create, answer: Answer) -> Creation:
        if answer in {Answer.LOST, Answer.LOST_BUT_WRITTEN}:
            self._lose([create], is_written=answer is Answer.LOST_BUT_WRITTEN)
            return Ambiguous()
        if answer is Answer.REFUSED:
            return Rejected(RejectedError("x", definite=True))
        return self.write(create)

    def _lose(self, creates: Sequence[Create], *, is_written: bool) -> None:
        for create in creates:
            if not is_written or self.account.commit(create) is None:
                self.account.leave_unanswered(create, now=self._round.now())
