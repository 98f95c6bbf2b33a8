"""Whatever happens while calls grow, their notes say everything in the end and lose nobody's text.

As `test_any_history`, for what comes after a note is written: the worker's own updates, step by
step, against news, people, lost answers and time.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import func, select, update

from shared.activities.news import apply_news
from shared.activities.rendering import render_note
from shared.calls.content import CallContent
from shared.calls.contents import read_contents
from shared.calls.intake import NewCall, store_calls
from shared.models import ActivityUpdate, Connection
from shared.queue.claims import LEASE_S
from shared.queue.updates import (
    claim_due_updates,
    end_hopeless_updates,
    return_expired_updates,
)
from shared.reasons import Lane
from tests.state_machine.history import History
from tests.state_machine.test_any_history import HISTORIES
from tests.state_machine.updating import (
    People,
    Reply,
    SteppedUpdate,
    body_of,
    clock_of,
    with_body,
    write,
)
from worker.resources import Resources

MOST_WORKERS: Final = 3
MOST_ROUNDS: Final = 60
REFUSED: Final = re.compile(r"Somebody (edits|has edited) this entry|was updated 20 times")

numbers = st.integers(0, 5)
replies = st.sampled_from((Reply.UPDATED, Reply.UPDATED, Reply.LOST, *Reply))
T = TypeVar("T")


def pick(among: Sequence[T], number: int) -> T:
    return among[number % len(among)]


class AnyUpdate(RuleBasedStateMachine):
    """Calls that grow after they were written."""

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self.history = History(resources)
        self.tenant = self.history.tenant
        self.people = People()
        self.workers: list[SteppedUpdate] = []
        self.facts: dict[str, set[str]] = {}
        self.summaries: dict[str, str] = {}
        self._names = count(1)
        self._clock = clock_of(self.history)
        self._clock.__enter__()

    @initialize(calls=st.integers(1, 2))
    def begin(self, calls: int) -> None:
        self.history.connect(min(self.history.accounts))
        for number in range(calls):
            call_id = f"call_{number}"
            self.history.accepted[call_id] = self.history.deliver(call_id).log_id
        self.history.check()
        self.history.take_round()
        self.account = self.history.accounts[min(self.history.accounts)]
        self.notes = {note.create.note.log_id: note.id for note in self.account.notes.values()}
        assert len(self.notes) == calls

    @rule(number=numbers, is_summary=st.booleans())
    def tell(self, number: int, *, is_summary: bool) -> None:
        """A delivery says more of a call."""
        call_id = pick(list(self.history.accepted), number)
        log_id = self.history.accepted[call_id]
        name = f"fact{next(self._names)}x"
        facts = {"summary": name} if is_summary else {"structured_data": {name: "said"}}
        with self.tenant.database.begin() as session:
            (stored,) = store_calls(
                session,
                [
                    NewCall(
                        user_id=self.tenant.user_id,
                        workspace_id=self.tenant.workspace_id,
                        call_id=call_id,
                        phone_number=None,
                        payload=facts,
                    )
                ],
                lane=Lane.LIVE,
            )
        assert stored.is_updated
        if is_summary:
            self.summaries[log_id] = name
        else:
            self.facts.setdefault(log_id, set()).add(name)

    @rule()
    def merge(self) -> None:
        with self.tenant.database.begin() as session:
            apply_news(session, **self.tenant.identity, most=100)

    @rule(number=numbers, is_first=st.booleans())
    def edit(self, number: int, *, is_first: bool) -> None:
        """A person adds a line at the beginning or the end."""
        note_id = pick(list(self.notes.values()), number)
        if (note := self.account.notes.get(note_id)) is None:
            return
        text = f"<p>Mine {next(self._names)}.</p>"
        body = text + body_of(note) if is_first else body_of(note) + text
        self.account.notes[note_id] = with_body(note, body)
        self.people.saved.setdefault(note_id, set()).add(text)
        self.people.edited.add(note_id)

    @rule(number=numbers)
    def delete_or_restore(self, number: int) -> None:
        note_id = pick(list(self.notes.values()), number)
        for source, target in (
            (self.people.trash, self.account.notes),
            (self.account.notes, self.people.trash),
        ):
            if note_id in source:
                target[note_id] = source.pop(note_id)
                return

    @rule(most=st.integers(1, 2))
    def claim(self, most: int) -> None:
        """A worker takes what is due."""
        connection = self.history.find_connection()
        if connection is not None and len(self.workers) < MOST_WORKERS:
            self.workers.append(self._claim(connection, most))

    @rule(number=numbers, steps=st.sampled_from((1, 2, 3, 5)), reply=replies)
    def go_on(self, number: int, steps: int, reply: Reply) -> None:
        if not self.workers:
            return
        worker = pick(self.workers, number)
        for _ in range(steps):
            if not worker.is_over:
                worker.step(reply)
        if worker.is_over:
            self.workers.remove(worker)

    @rule(number=numbers)
    def kill(self, number: int) -> None:
        if self.workers:
            worker = pick(self.workers, number)
            worker.die()
            self.workers.remove(worker)

    @rule(number=numbers)
    def commit_late(self, number: int) -> None:
        """HubSpot writes a body of which the worker heard nothing."""
        if self.people.late:
            late = pick(self.people.late, number)
            self.people.late.remove(late)
            write(self.history, self.people, late)

    @rule(seconds=st.sampled_from((1, 4, 12, 31, 125, 700)), are_alive=st.booleans())
    def wait(self, seconds: int, *, are_alive: bool) -> None:
        self.pass_time(seconds, are_alive=are_alive)

    def pass_time(self, seconds: float, *, are_alive: bool) -> None:
        self.history.pass_time(seconds)
        if are_alive:  # their claims were renewed all the time
            names = [self._name(each) for each in self.workers]
            with self.tenant.database.begin() as session:
                held = update(ActivityUpdate).where(ActivityUpdate.claimed_by.in_(names))
                session.execute(held.values(claimed_until=func.now() + timedelta(seconds=LEASE_S)))
        self.people.late = [each for each in self.people.late if each.until >= self.history.now]
        self.sweep()

    @rule()
    def sweep(self) -> None:
        with self.tenant.database.begin() as session:
            return_expired_updates(session)
            end_hopeless_updates(session)

    def _claim(self, connection: Connection, most: int) -> SteppedUpdate:
        assert connection.hub_id is not None
        with self.tenant.database.begin() as session:
            claimed = claim_due_updates(
                session,
                **self.tenant.identity,
                hub_id=connection.hub_id,
                claim_id=f"{self.tenant.user_id}-{next(self._names)}",
                most=most,
            )
        return SteppedUpdate(self.history, self.people, connection, claimed)

    @staticmethod
    def _name(worker: SteppedUpdate) -> str:
        return next((each.claim_id for each in worker._open.values()), "")

    def teardown(self) -> None:
        try:
            if self.history.accepted:
                self._finish()
        finally:
            for worker in self.workers:
                worker.die()
            self._clock.__exit__(None, None, None)
            self.history.end()

    def _finish(self) -> None:
        """Every worker dies, HubSpot answers properly, and the notes are there again."""
        for worker in self.workers:
            worker.die()
        self.workers.clear()
        self.account.notes |= self.people.trash
        self.people.trash.clear()
        for number in range(len(self.notes)):
            self.tell(number, is_summary=True)
        connection = self.history.find_connection()
        assert connection is not None
        for _ in range(MOST_ROUNDS):
            self.merge()
            self.sweep()
            worker = self._claim(connection, 100)
            while not worker.is_over:
                worker.step()
            if (wait := self._next_in()) is None:
                break
            self.pass_time(wait, are_alive=False)
        assert self._next_in() is None, "an update that never ends"
        for log_id, note_id in self.notes.items():
            self._check(log_id, note_id)

    def _next_in(self) -> float | None:
        soonest = func.min(func.coalesce(ActivityUpdate.claimed_until, ActivityUpdate.due_at))
        with self.tenant.database.begin() as session:
            wait = session.scalar(
                select(func.extract("epoch", soonest - func.now())).filter_by(
                    **self.tenant.identity
                )
            )
        return None if wait is None else max(float(wait) + 0.1, 1.0)

    def _check(self, log_id: str, note_id: str) -> None:
        body = body_of(self.account.notes[note_id])
        for text in self.people.saved.get(note_id, ()):
            assert text in body, "a person's text is lost"
        with self.tenant.database.begin() as session:
            left = session.get(ActivityUpdate, log_id)
            content = read_contents(session, [log_id])[log_id]
        if left is not None:
            assert left.state in {"failed", "held"}
            assert REFUSED.search(left.error or ""), left.error
            return
        for fact in {*self.facts.get(log_id, ()), self.summaries[log_id]}:
            assert fact in body, "a fact that was accepted is not in the note"
        call_id = next(each for each, it in self.history.accepted.items() if it == log_id)
        if note_id not in self.people.edited:
            whole = render_note(CallContent.from_payload(content), call_id=call_id, log_id=log_id)
            assert body == whole, "a note that nobody edited is not as it is written"


def test_every_fact_reaches_the_note_and_no_text_is_lost_whatever_happens(
    resources: Resources,
) -> None:
    class AnyUpdateHere(AnyUpdate):
        def __init__(self) -> None:
            super().__init__(resources)

    run_state_machine_as_test(
        AnyUpdateHere,
        settings=settings(
            max_examples=HISTORIES or 20,
            stateful_step_count=20,
            derandomize=not HISTORIES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
