"""Whatever happens to a call and in whatever order, it ends as one note or as one reason.

The rules are what may happen. Time passes only by `pass_time`, and reaches Postgres as rows that
are that much older. `make test` tries the same histories every time; to look for new ones, say how
many:

    CALLSYNC_HISTORIES=5000 pytest --timeout=0 tests/state_machine
"""

import os
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from shared.activities.destination import ActivityKind
from shared.connections import lifecycle as connections
from shared.connections.lifecycle import DISCONNECTED
from shared.log.replays import requeue_calls
from shared.models import Connection
from shared.queue.claims import renew_claims
from tests.state_machine.events import (
    LONG,
    MOST_CALLS,
    Change,
    Ending,
    Meanwhile,
    Work,
    meanwhiles,
    numbers,
    usually,
)
from tests.state_machine.history import History
from tests.state_machine.rounds import SteppedRound
from worker.resources import Resources

HISTORIES: Final = int(os.environ.get("CALLSYNC_HISTORIES", "0"))
MOST_STEPPED: Final = 3

T = TypeVar("T")


def pick(among: Sequence[T], number: int) -> T:
    return among[number % len(among)]


def happens(**drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """A rule after which time passes and workers go on."""

    def decorate(event: Callable[..., None]) -> Any:
        @wraps(event)
        def happen(self: "AnyHistory", meanwhile: Meanwhile, **values: Any) -> None:
            event(self, **values)
            self.history.check()
            self.go_on(meanwhile)

        return rule(meanwhile=meanwhiles, **drawn)(happen)  # type: ignore[call-overload]

    return decorate


class AnyHistory(RuleBasedStateMachine):
    """Intake, workers, HubSpot, people and time, in any order."""

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self.history = History(resources)
        self.tenant = self.history.tenant
        # The connection as the last round saw it that looked.
        self.seen: Connection | None = None

    @initialize(calls=st.integers(1, 3), activity=st.sampled_from(ActivityKind))
    def begin(self, calls: int, activity: ActivityKind) -> None:
        self.history.activity = activity
        self.connect(0)
        for number in range(calls):
            self.receive(number)

    @happens(number=st.integers(0, MOST_CALLS - 1))
    def receive_webhook(self, number: int) -> None:
        """A call has ended, or the producer delivers it once more."""
        self.receive(number)

    def receive(self, number: int) -> None:
        call_id = f"call_{number}"
        stored = self.history.deliver(call_id)
        assert stored.is_duplicate == (call_id in self.history.accepted)
        assert self.history.accepted.setdefault(call_id, stored.log_id) == stored.log_id

    @happens()
    def do_nothing(self) -> None:
        """Only workers go on."""

    def go_on(self, meanwhile: Meanwhile) -> None:
        self.pass_time(meanwhile.seconds, are_alive=meanwhile.are_alive)
        if meanwhile.late is not None:
            self.history.commit_late(meanwhile.late)
            self.history.check()
        if meanwhile.is_swept:
            self.history.sweep()
            self.history.check()
            self.history.keep_house()
            self.history.check()
        self.history.hand_over(meanwhile.moved)
        self.history.check()
        for work in meanwhile.work:
            self.take_steps(work)

    def pass_time(self, seconds: float, *, are_alive: bool) -> None:
        self.history.pass_time(seconds)
        if are_alive:
            with self.tenant.database.begin() as session:
                renew_claims(session, [round_.claim_id for round_ in self.history.rounds])

    def take_steps(self, work: Work) -> None:
        """A worker goes on, and is interrupted before the step after these."""
        round_ = self.choose_round(work)
        for _ in range(work.steps):
            if round_ is None or round_.is_over:
                break
            round_.step(work.hubspot)
            self.history.check()
        self.history.rounds = [round_ for round_ in self.history.rounds if not round_.is_over]

    def choose_round(self, work: Work) -> SteppedRound | None:
        """A round under way or a new one, which may have looked at the connection a while ago."""
        rounds = self.history.rounds
        if len(rounds) == MOST_STEPPED or work.number % (len(rounds) + 1) < len(rounds):
            return pick(rounds, work.number)
        if not work.saw_earlier_connection:
            self.seen = self.history.find_connection()
        if self.seen is None:
            return None
        rounds.append(self.history.claim(self.seen, most=work.most))
        self.history.check()
        return rounds[-1]

    @happens(number=numbers, ending=st.sampled_from(Ending))
    def end_round(self, number: int, ending: Ending) -> None:
        """A worker is shut down, loses Postgres, meets a defect, or is killed."""
        if not self.history.rounds:
            return
        round_ = pick(self.history.rounds, number)
        if ending is Ending.SHUT_DOWN:
            round_.shut_down()
        elif ending is Ending.POSTGRES_AWAY:
            round_.lose_postgres()
        elif ending is Ending.EXCEPTION:
            round_.meet_defect()
        else:
            round_.die()
        self.history.rounds.remove(round_)

    @happens(seconds=st.sampled_from(LONG))
    def wait_long(self, seconds: int) -> None:
        """Whoever holds calls meanwhile was frozen."""
        self.pass_time(seconds, are_alive=False)

    @happens(hub=st.integers(0, 1), number=numbers, is_merged=usually)
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

    @happens(change=st.sampled_from(Change))
    def change_connection(self, change: Change) -> None:
        """A person connects, disconnects or changes a setting, or HubSpot refuses the grant."""
        connection = self.tenant.connection()
        if change is Change.DISCONNECT:
            was_live = connection.state != DISCONNECTED
            assert self.tenant.disconnect() == was_live
        elif change is Change.GRANT_REFUSED:
            with self.tenant.database.begin() as session:
                connections.require_reconnect(
                    session, connection.id, token_version=connection.token_version, reason="x"
                )
        elif change is Change.REFUSAL_TAKEN_BACK:
            with self.tenant.database.begin() as session:
                connections.restore(session, [connection.id])
        elif change in {Change.REGION_WRONG, Change.REGION_RIGHT}:
            self.history.set_region("FR" if change is Change.REGION_WRONG else None)
        elif change is Change.OTHER_ACTIVITY:
            others = {ActivityKind.NOTE: ActivityKind.CALL, ActivityKind.CALL: ActivityKind.NOTE}
            self.history.activity = others[self.history.activity]
        else:
            self.connect(0 if change is Change.CONNECT else 1)

    def connect(self, hub: int) -> None:
        self.history.connect(pick(list(self.history.accounts), hub))

    @happens(number=numbers)
    def replay(self, number: int) -> None:
        """A person asks for another attempt."""
        log_id = pick(list(self.history.accepted.values()), number)
        with self.tenant.database.begin() as session:
            requeue_calls(session, [log_id], **self.tenant.identity)

    @invariant()
    def nothing_is_broken(self) -> None:
        self.history.check()

    def teardown(self) -> None:
        try:
            self.history.finish()
        finally:
            self.history.end()


def test_call_ends_as_one_note_or_one_reason_whatever_happens(resources: Resources) -> None:
    class AnyHistoryHere(AnyHistory):
        def __init__(self) -> None:
            super().__init__(resources)

    run_state_machine_as_test(
        AnyHistoryHere,
        settings=settings(
            max_examples=HISTORIES or 40,
            stateful_step_count=15,
            derandomize=not HISTORIES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
