"""Whatever happens to a call and in whatever order, it ends as one note or as one reason.

The rules are what may happen. Time passes only by `pass_time`, and reaches Postgres as rows that
are that much older. `make test` tries the same histories every time; to look for new ones, say how
many:

    CALLSYNC_HISTORIES=5000 pytest --timeout=0 tests/state_machine
"""

import os
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared import connections
from shared.claims import renew_claims
from shared.connections import CONNECTED, DISCONNECTED, RECONNECT_REQUIRED
from shared.db import Database
from shared.models import Connection
from shared.replays import requeue_calls
from shared.retention import delete_old_payloads
from tests.queue.tenants import grant
from tests.state_machine.history import History
from tests.state_machine.turns import Answer, LookUp, SteppedTurn

HISTORIES: Final = int(os.environ.get("CALLSYNC_HISTORIES", "0"))
MOST_CALLS: Final = 4
MOST_TURNS: Final = 3
DAY: Final = 86_400
RETENTION_DAYS: Final = 30

# Within what a live worker takes, beyond the lease, a late commit, the end of a doubt, of a pause,
# of a retry, of retrying, of requeueing, of the content's life.
SECONDS: Final = (1, 9, 30, 90, 121, 700, 4000, DAY, 8 * DAY, 31 * DAY)

numbers = st.integers(0, 11)
look_ups = st.lists(
    st.one_of(st.just(LookUp.FOUND), st.sampled_from(LookUp)), min_size=1, max_size=3
)
answers = st.lists(st.sampled_from(Answer), min_size=1, max_size=3)

T = TypeVar("T")


def pick(among: Sequence[T], number: int) -> T:
    return among[number % len(among)]


def in_state(*states: str) -> Callable[[Any], Any]:
    """The rule applies while the connection is in one of these states."""
    return precondition(lambda self: self.state() in states)


def some_turn(is_able: Callable[[SteppedTurn], object]) -> Callable[[Any], Any]:
    """The rule applies while a worker is at that step."""
    return precondition(lambda self: any(is_able(turn) for turn in self.history.turns))


class AnyHistory(RuleBasedStateMachine):
    """Intake, workers, HubSpot, people and time, in any order."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.history = History(database)
        self.tenant = self.history.tenant
        self.grant_names = count(1)
        # What a turn saw that is about to claim; the connection may change in between.
        self.seen: Connection | None = None

    def state(self) -> str:
        connection = self.history.connection()
        return connection.state if connection is not None else DISCONNECTED

    def turn(self, number: int, is_able: Callable[[SteppedTurn], object] = bool) -> SteppedTurn:
        return pick([turn for turn in self.history.turns if is_able(turn)], number)

    @initialize(calls=st.integers(1, 3), is_connected=st.booleans())
    def begin(self, calls: int, *, is_connected: bool) -> None:
        for _ in range(calls):
            self.accept_call()
        if is_connected:
            self.connect(0)

    @precondition(lambda self: len(self.history.accepted) < MOST_CALLS)
    @rule()
    def accept_call(self) -> None:
        call_id = f"call_{len(self.history.accepted)}"
        stored = self.history.deliver(call_id)
        assert not stored.is_duplicate
        self.history.accepted[call_id] = stored.log_id

    @rule(number=numbers)
    def deliver_call_again(self, number: int) -> None:
        call_id, log_id = pick(list(self.history.accepted.items()), number)
        stored = self.history.deliver(call_id)
        assert (stored.log_id, stored.is_duplicate) == (log_id, True)

    @in_state(CONNECTED)
    @rule()
    def look_at_connection(self) -> None:
        """A turn begins by reading the connection; it claims later."""
        self.seen = self.history.connection()

    @precondition(lambda self: self.seen is not None and len(self.history.turns) < MOST_TURNS)
    @rule(most=st.integers(1, MOST_CALLS))
    def claim(self, most: int) -> None:
        assert self.seen is not None
        turn = self.history.claim(self.seen, most=most)
        if turn.open:
            self.history.turns.append(turn)

    @some_turn(SteppedTurn.doubted)
    @rule(number=numbers, is_vague=st.booleans(), fails=st.booleans())
    def read_back(self, number: int, *, is_vague: bool, fails: bool) -> None:
        self.turn(number, SteppedTurn.doubted).read_back(is_vague=is_vague, fails=fails)

    @some_turn(SteppedTurn.certain)
    @rule(number=numbers, results=look_ups, contact=numbers)
    def look_up(self, number: int, results: list[LookUp], contact: int) -> None:
        turn = self.turn(number, SteppedTurn.certain)
        turn.look_up(results, [pick(turn.account.live_contacts(), contact)])

    @some_turn(lambda turn: turn.matched)
    @rule(number=numbers)
    def mark(self, number: int) -> None:
        """The intent to write is committed, and refused to whoever lost the right to write."""
        turn = self.turn(number, lambda turn: turn.matched)
        is_current = turn.connection.generation == self.generation() and self.state() == CONNECTED
        marked = turn.mark(now=self.history.now)
        assert is_current or not marked
        for log_id in marked - turn.unwritten:
            before = self.history.rows[log_id]
            assert before.last_write_at is None or before.read_back_misses >= 1

    def generation(self) -> int:
        connection = self.history.connection()
        return connection.generation if connection is not None else 0

    @some_turn(lambda turn: turn.marked)
    @rule(number=numbers, answers=answers)
    def post(self, number: int, answers: list[Answer]) -> None:
        self.turn(number, lambda turn: turn.marked).post(answers, now=self.history.now)

    @some_turn(lambda turn: turn.outcomes)
    @rule(number=numbers)
    def record(self, number: int) -> None:
        turn = self.turn(number, lambda turn: turn.outcomes)
        turn.record()
        if not turn.open:
            self.history.turns.remove(turn)

    @some_turn(bool)
    @rule()
    def renew_claims(self) -> None:
        with self.tenant.database.begin() as session:
            renew_claims(session, [turn.claim_id for turn in self.history.turns])

    @some_turn(bool)
    @rule(number=numbers, delay=st.sampled_from([0.0, 1.0]))
    def give_calls_back(self, number: int, delay: float) -> None:
        turn = self.turn(number)
        turn.give_back(delay=delay)
        self.history.turns.remove(turn)

    @some_turn(bool)
    @rule(number=numbers, is_noticed=st.booleans())
    def kill_worker(self, number: int, *, is_noticed: bool) -> None:
        turn = self.turn(number)
        if is_noticed:  # an exception that nobody expected: the claim ends at once
            turn.abandon()
        self.history.turns.remove(turn)

    @rule()
    def sweep(self) -> None:
        self.history.sweep()

    @rule(seconds=st.sampled_from(SECONDS))
    def pass_time(self, seconds: int) -> None:
        """Whoever does not renew its claims and go on meanwhile is frozen."""
        self.history.pass_time(seconds)

    @precondition(lambda self: any(each.unanswered for each in self.history.accounts.values()))
    @rule(number=numbers)
    def commit_late(self, number: int) -> None:
        """HubSpot writes a note of which the worker heard nothing."""
        late = [
            (account, unanswered)
            for account in self.history.accounts.values()
            for unanswered in account.unanswered
        ]
        account, unanswered = pick(late, number)
        account.unanswered.remove(unanswered)
        account.commit(unanswered[0])

    @rule(hub=st.integers(0, 1), number=numbers, is_merged=st.booleans())
    def lose_contact(self, hub: int, number: int, *, is_merged: bool) -> None:
        """A person merges a contact into another one, or deletes it; one always stays."""
        account = pick(list(self.history.accounts.values()), hub)
        contact_id, *others = sorted(
            account.live_contacts(), key=lambda each: each != pick(account.live_contacts(), number)
        )
        if not others:
            return
        if is_merged:
            account.survivors[contact_id] = others[0]
        else:
            account.delete_contact(contact_id)

    @rule(hub=st.integers(0, 1))
    def connect(self, hub: int) -> None:
        hub_id = pick(list(self.history.accounts), hub)
        self.tenant.connect(grant(hub_id, name=f"t{next(self.grant_names)}"))

    @in_state(CONNECTED, RECONNECT_REQUIRED)
    @rule()
    def disconnect(self) -> None:
        assert self.tenant.disconnect()

    @in_state(CONNECTED)
    @rule()
    def refuse_grant(self) -> None:
        """HubSpot says that the refresh token is no longer valid."""
        connection = self.tenant.connection()
        with self.tenant.database.begin() as session:
            assert connections.require_reconnect(
                session, connection.id, token_version=connection.token_version, reason="x"
            )

    @in_state(RECONNECT_REQUIRED)
    @rule()
    def restore(self) -> None:
        """The refusal turned out to be our own configuration's fault."""
        with self.tenant.database.begin() as session:
            connections.restore(session, [self.tenant.connection().id])

    @rule(number=numbers)
    def replay(self, number: int) -> None:
        """A person asks for another attempt."""
        log_id = pick(list(self.history.accepted.values()), number)
        with self.tenant.database.begin() as session:
            requeue_calls(session, [log_id], **self.tenant.identity)

    @rule()
    def delete_old_content(self) -> None:
        with self.tenant.database.begin() as session:
            delete_old_payloads(session, days=RETENTION_DAYS)

    @rule()
    def archive_surplus(self) -> None:
        self.history.archive_surplus()

    @invariant()
    def nothing_is_broken(self) -> None:
        self.history.check()

    def teardown(self) -> None:
        try:
            self.history.finish()
        finally:
            self.history.end()


def test_call_ends_as_one_note_or_one_reason_whatever_happens(database: Database) -> None:
    histories = settings(
        max_examples=HISTORIES or 60,
        derandomize=not HISTORIES,
        database=None,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: AnyHistory(database), settings=histories)  # type: ignore[no-untyped-call]
