"""A worker's updates that stop before each of their steps, against notes that people edit too."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from types import SimpleNamespace
from typing import Final
from unittest.mock import patch

from shared.activities.destination import (
    Activity,
    ActivityKind,
    Change,
    Gone,
    OutOfBudgetError,
    RateLimitedError,
    TokenRenewedError,
    UnavailableError,
    Unknown,
    Update,
    Updated,
)
from shared.models import Connection
from shared.queue.marks import WRITE_WITHIN_S
from shared.queue.updates import ClaimedUpdate, UpdateOutcome
from tests.pipeline.interruptions import WorkerKilledError
from tests.state_machine.accounts import CUT_OFF_S, WrittenNote
from tests.state_machine.destinations import AccountDestination
from tests.state_machine.history import History
from tests.state_machine.steps import Steps
from worker.rounds import updating
from worker.rounds.health import AccountHealth
from worker.rounds.updating import _Planned, _Updating


class Reply(Enum):
    """What HubSpot does with an update, and what the worker hears of it."""

    UPDATED = auto()
    LIMITED = auto()
    SEND_AGAIN = auto()
    UNKNOWN = auto()  # done, and the answer leaves it out
    GONE = auto()  # though it is there
    LOST_BUT_WRITTEN = auto()
    LOST = auto()  # HubSpot may still write it until it cuts the request off


@dataclass(frozen=True, slots=True)
class Sent:
    """A body that may still be written, and what its worker had read."""

    hub_id: int
    note_id: str
    body: str
    seen: str
    until: float


@dataclass(slots=True)
class People:
    """What people did to notes.

    Attributes:
        saved: Texts that must stay where they are, by note id.
        trash: Deleted notes.
        late: Updates of which workers heard nothing.
    """

    saved: dict[str, set[str]] = field(default_factory=dict)
    trash: dict[str, WrittenNote] = field(default_factory=dict)
    late: list[Sent] = field(default_factory=list)
    edited: set[str] = field(default_factory=set)


def body_of(note: WrittenNote) -> str:
    return note.create.note.body


def with_body(note: WrittenNote, body: str) -> WrittenNote:
    return replace(note, create=replace(note.create, note=replace(note.create.note, body=body)))


class SteppedUpdate(_Updating):
    """The updates of one worker, driven by a history."""

    def __init__(
        self,
        history: History,
        people: People,
        connection: Connection,
        claimed: Collection[ClaimedUpdate],
    ) -> None:
        assert connection.hub_id is not None
        self.history = history
        self.people = people
        self.reply = Reply.UPDATED
        self.marked_at = 0.0
        self.steps = Steps(self.run)
        super().__init__(
            history.resources,
            connection,
            SteppedAccount(self, connection.hub_id),
            AccountHealth(history.resources.database.begin, connection.hub_id),
            list(claimed),
        )
        self.steps.start()

    @property
    def is_over(self) -> bool:
        return self.steps.place is None

    def step(self, reply: Reply = Reply.UPDATED) -> None:
        """Read, mark, send or record."""
        self.reply = reply
        self.steps.go_on()

    def die(self) -> None:
        if not self.is_over:
            self.steps.go_on(WorkerKilledError())

    def _mark(self, batch: Sequence[_Planned]) -> list[_Planned]:
        self.steps.stop_at("mark")
        self.marked_at = self.history.now
        return super()._mark(batch)

    def _record(self, outcomes: Sequence[UpdateOutcome]) -> None:
        if outcomes:
            self.steps.stop_at("record")
        super()._record(outcomes)


class SteppedAccount(AccountDestination):
    """The account as one worker sees it."""

    def __init__(self, worker: SteppedUpdate, hub_id: int) -> None:
        super().__init__(worker.history.accounts[hub_id])
        self._worker = worker
        self._seen: dict[str, str] = {}

    def read(
        self, activity_ids: Sequence[str], *, kind: ActivityKind = ActivityKind.NOTE
    ) -> Mapping[str, Activity]:
        self._worker.steps.stop_at("read")
        shown = super().read(activity_ids, kind=kind)
        self._seen = {each.id: each.body for each in shown.values()}
        return shown

    def update(self, changes: Sequence[Change]) -> Mapping[str, Update]:
        worker = self._worker
        worker.steps.stop_at("send")
        if worker.history.now - worker.marked_at > WRITE_WITHIN_S:
            raise WorkerKilledError  # what a worker does that was frozen here is a documented risk
        if worker.reply is Reply.LIMITED:
            raise RateLimitedError("x", policy="SECONDLY", definite=True)
        if worker.reply is Reply.SEND_AGAIN:
            raise TokenRenewedError
        sent = [
            Sent(
                self.hub_id,
                each.id,
                self._seen[each.id] if each.body is None else each.body,
                self._seen[each.id],
                worker.history.now + CUT_OFF_S,
            )
            for each in changes
        ]
        if worker.reply is Reply.LOST:
            worker.people.late += sent
            raise UnavailableError("x")
        if worker.reply is Reply.GONE:
            return {each.note_id: Gone() for each in sent}
        for each in sent:
            write(worker.history, worker.people, each)
        if worker.reply is Reply.LOST_BUT_WRITTEN:
            raise UnavailableError("x")
        if worker.reply is Reply.UNKNOWN:
            return {each.note_id: Unknown() for each in sent}
        there = self.account.notes
        return {
            each.note_id: Updated(Activity(each.note_id, body_of(there[each.note_id])))
            if each.note_id in there
            else Gone()
            for each in sent
        }


def write(history: History, people: People, sent: Sent) -> None:
    """HubSpot replaces a body; no text is lost that was there when the worker read."""
    account = history.accounts[sent.hub_id]
    if (note := account.notes.get(sent.note_id)) is None:
        return
    saved = people.saved.get(sent.note_id, set())
    lost = {each for each in saved if each not in sent.body}
    assert not {each for each in lost if each in sent.seen}, "a person's text is lost"
    saved -= lost  # saved in the moment between reading and sending
    account.notes[sent.note_id] = with_body(note, sent.body)


@contextmanager
def clock_of(history: History) -> Iterator[None]:
    """Workers look at the clock of a history."""

    def require_lease(marked_at: float) -> None:
        if history.now - marked_at > WRITE_WITHIN_S:
            raise OutOfBudgetError

    clock: Final = SimpleNamespace(monotonic=lambda: history.now)
    with (
        patch.object(updating, "time", clock),
        patch.object(updating, "require_lease", require_lease),
    ):
        yield
