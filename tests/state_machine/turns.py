"""A worker's turn that stops after each of its steps for as long as a history likes.

The steps are those of `worker.sync`, `worker.doubts` and `worker.writing`, in their order; what
they call is the service's own. A turn that is not asked to go on while time passes is a frozen
worker; one that is forgotten is a dead one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from shared.claims import LEASE_S, ClaimedCall, abandon_calls, release_calls
from shared.connections import CONNECTED
from shared.hubspot.errors import RejectedError, UnavailableError
from shared.marks import LEASE_LEFT_TO_WRITE_S, Mark, mark_calls
from shared.models import Connection
from shared.outcomes import Outcome
from shared.surplus import add_surplus_notes
from tests.queue.tenants import Tenant
from tests.state_machine.accounts import Account, Create, Reader
from tests.state_machine.behaviour import (
    DEFINITE,
    JITTER,
    LOOK_UPS,
    PHONE,
    Answer,
    Behaviour,
    LookUp,
)
from worker import transitions
from worker.pacing import PacedHubSpot
from worker.reconciling import ContactGone, Finding, Found, Unknown, read_back
from worker.writing import MatchedCall

# From mark to POST; whoever takes longer was frozen.
LONGEST_TO_POST_S: Final = LEASE_S - LEASE_LEFT_TO_WRITE_S


@dataclass(slots=True)
class SteppedTurn:
    """The calls that a worker believes it holds, and how far it is with each.

    Attributes:
        tenant: Whose calls.
        connection: As it was when the turn began.
        account: The connection's HubSpot account.
        claim_id: The turn's name in the rows.
        open: Claimed calls without an outcome, by log id.
        matched: Those of them whose note is to be written next.
        marked: Those whose note may be sent, and when they were marked.
        unwritten: Marked in this turn, and HubSpot did certainly nothing.
        outcomes: What is known of calls and not recorded yet.
        sent: The creates that these are about.
    """

    tenant: Tenant
    connection: Connection
    account: Account
    claim_id: str
    open: dict[str, ClaimedCall]
    matched: dict[str, MatchedCall] = field(default_factory=dict)
    marked: dict[str, tuple[MatchedCall, float]] = field(default_factory=dict)
    unwritten: set[str] = field(default_factory=set)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    sent: dict[str, Create] = field(default_factory=dict)

    def step(self, hubspot: Behaviour, *, now: float) -> None:
        """Do what comes next: read back, look up, mark, send; record what is known by then."""
        if self.outcomes:
            self.record()
        elif self.doubted():
            self.read_back(hubspot)
        elif self.certain():
            self.look_up(hubspot)
        elif self.matched:
            self.mark(now=now)
        else:
            self.post(hubspot.answers, now=now)

    def doubted(self) -> list[ClaimedCall]:
        """Calls whose earlier write is in doubt."""
        return [call for call in self._untouched() if call.marked_for is not None]

    def certain(self) -> list[ClaimedCall]:
        """Calls that are to be looked up."""
        return [call for call in self._untouched() if call.marked_for is None]

    def _untouched(self) -> list[ClaimedCall]:
        busy = self.matched.keys() | self.marked.keys() | self.outcomes.keys()
        return [call for log_id, call in self.open.items() if log_id not in busy]

    def read_back(self, hubspot: Behaviour) -> None:
        """Look for the notes that may have been written before."""
        doubted = self.doubted()
        here = [call for call in doubted if call.hub_id == self.account.hub_id]
        for call in doubted:
            if call.hub_id != self.account.hub_id:
                self.outcomes[call.id] = transitions.account_changed(call)
        if hubspot.fails:
            for call in here:
                self.outcomes[call.id] = transitions.errored(
                    call, UnavailableError("x"), jitter=JITTER, in_doubt=True
                )
            return
        # Reading back asks no more of its client than the reader can answer.
        findings = read_back(cast(PacedHubSpot, Reader(self.account, hubspot.is_vague)), here)
        for call in here:
            self._act_on(call, findings[call.id])

    def _act_on(self, call: ClaimedCall, finding: Finding) -> None:
        contact_id = call.contact_id or ""
        match finding:
            case Found(note_id, surplus):
                self.outcomes[call.id] = self._written(call, note_id, contact_id)
                self._remember_surplus(call, surplus)
            case Unknown(survivor_id):
                self.outcomes[call.id] = transitions.read_back_unknown(call, survivor_id)
            case ContactGone():
                self.outcomes[call.id] = transitions.contact_vanished(call)
            case _ if not transitions.may_write_again(call):
                self.outcomes[call.id] = transitions.read_back_missed(call)
            case _ if call.payload is None:
                self.outcomes[call.id] = transitions.payload_gone(call)
            case _:
                settled = replace(call, marked_for=None, read_back_misses=0)
                self.matched[call.id] = MatchedCall(settled, contact_id, None)

    def _remember_surplus(self, call: ClaimedCall, note_ids: tuple[str, ...]) -> None:
        if note_ids:
            with self.tenant.database.begin() as session:
                add_surplus_notes(
                    session, hub_id=self.account.hub_id, log_id=call.id, note_ids=note_ids
                )

    def look_up(self, hubspot: Behaviour) -> None:
        """Find the contacts of calls of which no write is in doubt."""
        contacts = self.account.live_contacts()
        contact_id = contacts[hubspot.contact % len(contacts)]
        for index, call in enumerate(self.certain()):
            result = hubspot.look_ups[index % len(hubspot.look_ups)]
            if call.payload is None:
                self.outcomes[call.id] = transitions.payload_gone(call)
            elif result is LookUp.FOUND:
                self.matched[call.id] = MatchedCall(call, contact_id, PHONE)
            else:
                self.outcomes[call.id] = LOOK_UPS[result](call)

    def mark(self, *, now: float) -> None:
        """Mark the matched calls; those that are refused are given back."""
        marks = [
            Mark(each.call, each.contact_id, each.phone_number) for each in self.matched.values()
        ]
        before = {log.id: log for log in self.tenant.logs(self.matched)}
        with self.tenant.database.begin() as session:
            marked = mark_calls(
                session,
                marks,
                connection_id=self.connection.id,
                generation=self.connection.generation,
                hub_id=self.account.hub_id,
            )
            current = session.get_one(Connection, self.connection.id)
            lost = [mark.call for mark in marks if mark.call.id not in marked]
            release_calls(session, lost)
        is_unchanged = (current.state, current.generation) == (
            CONNECTED,
            self.connection.generation,
        )
        assert is_unchanged or not marked, "a mark under a connection that has changed"
        for log in (before[log_id] for log_id in marked - self.unwritten):
            assert log.last_write_at is None or log.read_back_misses > 0, "a rewrite too early"
        self.marked |= {log_id: (self.matched[log_id], now) for log_id in marked}
        self.unwritten -= marked
        self.matched.clear()
        for call in lost:
            del self.open[call.id]

    def post(self, answers: Sequence[Answer], *, now: float) -> None:
        """Send the marked notes in one create."""
        for index, (matched, marked_at) in enumerate(self.marked.values()):
            is_frozen = now - marked_at > LONGEST_TO_POST_S
            create = Create(self.account.hub_id, matched.note(), is_frozen)
            self._send(matched, create, answers[index % len(answers)], now=now)
        self.marked.clear()

    def _send(self, matched: MatchedCall, create: Create, answer: Answer, *, now: float) -> None:
        call = matched.call
        self.sent[call.id] = create
        note_id = None
        if answer in {Answer.CREATED, Answer.LOST_BUT_WRITTEN}:
            note_id = self.account.commit(create)
            answer = answer if note_id is not None else Answer.REFUSED  # the contact is gone
        if answer is Answer.CREATED and note_id is not None:
            self.outcomes[call.id] = self._written(call, note_id, matched.contact_id)
        elif answer is Answer.REFUSED:
            self.outcomes[call.id] = self._refused(matched)
        elif answer is Answer.SEND_AGAIN:
            self.unwritten.add(call.id)
            self.matched[call.id] = matched
        elif answer in DEFINITE:
            self.outcomes[call.id] = DEFINITE[answer](call)
        else:
            if answer is Answer.LOST:
                self.account.leave_unanswered(create, now=now)
            self.outcomes[call.id] = transitions.write_doubted(
                call,
                UnavailableError("x"),
                jitter=JITTER,
                hub_id=self.account.hub_id,
                contact_id=matched.contact_id,
            )

    def _refused(self, matched: MatchedCall) -> Outcome:
        if matched.contact_id not in self.account.live_contacts():
            return transitions.contact_vanished(matched.call)
        return transitions.errored(
            matched.call, RejectedError("x", definite=True), jitter=JITTER, in_doubt=False
        )

    def _written(self, call: ClaimedCall, note_id: str, contact_id: str) -> Outcome:
        return transitions.note_written(
            call, note_id, contact_id=contact_id, hub_id=self.account.hub_id
        )

    def record(self) -> None:
        """Store what is known."""
        self.tenant.record(*self.outcomes.values())
        for log_id, outcome in self.outcomes.items():
            self.open.pop(log_id, None)
            if outcome.engagement_id is not None:
                self.account.recorded.add(outcome.engagement_id)
            if log_id in self.sent:
                self.account.reported.add(self.sent.pop(log_id))
        self.outcomes.clear()

    def give_back(self, *, delay: float) -> None:
        """Return all calls, as a warm shutdown does."""
        with self.tenant.database.begin() as session:
            release_calls(session, self.open.values(), delay=delay, unwritten=self.unwritten)

    def abandon(self) -> None:
        """Let all calls go, as after an exception that nobody expected."""
        with self.tenant.database.begin() as session:
            abandon_calls(session, self.open.values())
