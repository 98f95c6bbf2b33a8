"""One history: a workspace, two HubSpot accounts, workers between their steps, and a clock."""

import re
import time
from dataclasses import fields
from datetime import timedelta
from itertools import count
from typing import Final, Self

from sqlalchemy import ColumnElement, DateTime, delete, func, select, update

from shared.activities.destination import ActivityKind
from shared.calls.content import CallContent
from shared.calls.intake import NewCall, StoredCall, store_calls
from shared.connections.lifecycle import CONNECTED, find_connection
from shared.log.replays import requeue_calls
from shared.matching.contact_cache import CACHE_S, forget_everybody
from shared.models import Account as Health
from shared.models import (
    Activity,
    ActivityUpdate,
    Base,
    Call,
    Connection,
    Handover,
    PrunedCall,
    Stray,
    SyncLog,
)
from shared.privacy.retention import delete_old_payloads, prune_logs
from shared.queue.claims import return_expired_claims
from shared.queue.handovers import is_parting
from shared.queue.strays import LOOK_EVERY_S
from shared.queue.waiting import find_waiting_tenants, settle_without_connection
from shared.reasons import Lane, Reason
from tests.queue.tenants import Tenant, grant
from tests.state_machine.accounts import Account
from tests.state_machine.behaviour import PROPER, Behaviour
from tests.state_machine.callers import CONTACTLESS, ENDINGS, MESSAGES, Caller
from tests.state_machine.destinations import AccountDestination
from tests.state_machine.invariants import find_broken
from tests.state_machine.rounds import SteppedRound
from worker.maintenance.housekeeping import CHORES
from worker.resources import Resources

# Of contents, and of entries.
RETENTION_DAYS: Final = 30
MOST_ROUNDS: Final = 60
# Two that miss, and one more for each contact that was merged into another.
LOOKS: Final = 5
# A call that is due may have to wait for the claim of another one to end.
SHORTEST_WAIT_S: Final = 3.0

_numbers = count(1)


class _Resources(Resources):
    """A worker's, with the accounts of a history in place of HubSpot."""

    history: "History"

    @classmethod
    def of(cls, resources: Resources, history: "History") -> Self:
        made = cls(**{each.name: getattr(resources, each.name) for each in fields(Resources)})
        object.__setattr__(made, "history", history)
        return made

    def open_destination(
        self, connection_id: str, hub_id: int, *, deadline: float
    ) -> AccountDestination:
        del connection_id, deadline
        return AccountDestination(self.history.accounts[hub_id])


class History:
    """A workspace of its own, so that one database serves many histories one after another.

    Attributes:
        tenant: The workspace.
        accounts: The HubSpot accounts that it may connect, by hub id.
        rounds: Workers that believe to hold calls.
        accepted: Log ids by call id: what webhooks were answered with.
        now: Seconds since the history began.
        rows: The sync log as it was after the last step.
        pruned: Entries as they were before they were deleted for their age, by log id.
    """

    def __init__(self, resources: Resources) -> None:
        number = next(_numbers)
        self.resources = _Resources.of(resources, self)
        self.tenant = Tenant(resources.database, f"user_{number}")
        self.accounts = {hub_id: Account(hub_id) for hub_id in (2 * number, 2 * number + 1)}
        self.rounds: list[SteppedRound] = []
        self.accepted: dict[str, str] = {}
        self.now = 0.0
        # What new calls become; intake will take it from the connection.
        self.activity = ActivityKind.NOTE
        self.rows: dict[str, SyncLog] = {}
        self.pruned: dict[str, SyncLog] = {}
        self._all_rounds: list[SteppedRound] = []
        self._checked_at = 0.0
        self._matches_expire_at = 0.0
        self._claim_ids = count(1)
        self._grants = count(1)

    def deliver(self, call_id: str) -> StoredCall:
        """A webhook arrives, perhaps not for the first time."""
        caller = Caller.of(call_id)
        content = CallContent(summary=caller.summary)
        with self.tenant.database.begin() as session:
            stored = store_calls(
                session,
                [
                    NewCall(
                        user_id=self.tenant.user_id,
                        workspace_id=self.tenant.workspace_id,
                        call_id=call_id,
                        phone_number=caller.spelling,
                        payload={"call_id": call_id, **content.to_payload()},
                    )
                ],
                lane=Lane.LIVE,
            )[0]
            if stored.log_id not in self.accepted.values():
                chosen = update(SyncLog).where(SyncLog.id == stored.log_id)
                session.execute(chosen.values(activity=self.activity))
            return stored

    def connect(self, hub_id: int) -> None:
        """A person goes through HubSpot's consent page; workers hand over what waited."""
        self.tenant.begin_connecting(grant(hub_id, name=f"t{next(self._grants)}"))

    def set_region(self, region: str | None) -> None:
        """A person says where numbers without a country code are."""
        with self.tenant.database.begin() as session:
            session.execute(
                update(Connection).filter_by(**self.tenant.identity).values(default_region=region)
            )

    def hand_over(self, calls: int | None = None) -> None:
        """Move calls that waited for a connect one by one, by default all."""
        self.tenant.hand_over(most=calls, size=1)

    def find_connection(self) -> Connection | None:
        """What a round finds when it looks: None if it has to do without a connection."""
        with self.tenant.database.begin() as session:
            connection = find_connection(session, **self.tenant.identity)
            if connection is None or connection.state != CONNECTED:
                return None
            return None if is_parting(session, connection.id) else connection

    def claim(self, connection: Connection, *, most: int) -> SteppedRound:
        """A round takes calls under a connection that it has looked at, perhaps a while ago."""
        assert connection.hub_id is not None
        claim_id = f"{self.tenant.user_id}-round-{next(self._claim_ids)}"
        calls = self.tenant.claim(most, claim_id=claim_id)
        for call in calls:
            before = self.rows[call.id]
            assert before.claimed_by is None, "a call was claimed that somebody holds"
            assert call.fence == before.fence + 1
        round_ = SteppedRound(
            self.resources,
            connection,
            self.accounts[connection.hub_id],
            claim_id,
            calls,
            clock=lambda: self.now,
        )
        self._all_rounds.append(round_)
        return round_

    def pass_time(self, seconds: float) -> None:
        """Make all that the workspace has in Postgres older, and cut off what took too long."""
        self.now += seconds
        if self.now >= self._matches_expire_at:
            forget_everybody(self.resources.redis)
            self._matches_expire_at = self.now + CACHE_S
        log_ids = select(SyncLog.id).filter_by(**self.tenant.identity)
        connection_ids = select(Connection.id).filter_by(**self.tenant.identity)
        owned: dict[type[Base], ColumnElement[bool]] = {
            SyncLog: SyncLog.id.in_(log_ids),
            Call: Call.log_id.in_(log_ids),
            Activity: Activity.log_id.in_(log_ids),
            ActivityUpdate: ActivityUpdate.log_id.in_(log_ids),
            Connection: Connection.user_id == self.tenant.user_id,
            Handover: Handover.connection_id.in_(connection_ids),
            PrunedCall: PrunedCall.log_id.in_(self.accepted.values()),
            Stray: Stray.log_id.in_(log_ids),
        }
        age = timedelta(seconds=seconds)
        with self.tenant.database.begin() as session:
            for model, is_ours in owned.items():
                columns = model.__table__.columns
                moments = [each for each in columns if isinstance(each.type, DateTime)]
                changes = {each.name: each - age for each in moments}
                session.execute(update(model).where(is_ours).values(changes))
        for account in self.accounts.values():
            account.cut_off(now=self.now)

    def sweep(self) -> None:
        """Return the calls of dead workers, and give reasons to those of nobody's."""
        with self.tenant.database.begin() as session:
            live = set(
                session.scalars(select(SyncLog.id).where(SyncLog.claimed_until > func.now()))
            )
            return_expired_claims(session)
            claimed = select(SyncLog.id).where(SyncLog.claimed_by.is_not(None))
            assert set(session.scalars(claimed)) == live, "the sweep ends what has expired"
            waiting = find_waiting_tenants(session)
            settle_without_connection(
                session, [each for each in waiting if each.state != CONNECTED]
            )

    def commit_late(self, number: int) -> None:
        """HubSpot writes a note of which the worker heard nothing, if there is one left."""
        late = [(each, it) for each in self.accounts.values() for it in each.unanswered]
        if late:
            account, unanswered = late[number % len(late)]
            account.unanswered.remove(unanswered)
            account.commit(unanswered[0])

    def keep_house(self) -> None:
        """Delete what is older than the retention, find late notes, archive second ones."""
        with self.tenant.database.begin() as session:
            delete_old_payloads(session, days=RETENTION_DAYS)
            prune_logs(session, days=RETENTION_DAYS)
        for chore in ("strays_settled", "strays_archived"):
            CHORES[chore](self.resources, time.monotonic() + 50)

    def check(self) -> None:
        """Compare Postgres with HubSpot, and with itself before the step."""
        with self.tenant.database.begin() as session:
            now = session.scalars(select(func.now())).one()
            rows = session.scalars(select(SyncLog).filter_by(**self.tenant.identity)).all()
            after = {row.id: row for row in rows}
            for log_id in self.rows.keys() - after.keys():
                assert self.rows[log_id].created_at < now - timedelta(days=RETENTION_DAYS)
                self.pruned[log_id] = self.rows.pop(log_id)
            broken = find_broken(
                session,
                **self.tenant.identity,
                accounts=self.accounts.values(),
                rounds=self.rounds,
                pruned=self.pruned.values(),
            )
        assert not broken
        assert sorted({*after, *self.pruned}) == sorted(self.accepted.values())
        for log_id, before in self.rows.items():
            _check_change(before, after[log_id])
            age = timedelta(seconds=self.now - self._checked_at)
            assert after[log_id].created_at == before.created_at - age
        calls = {log_id: Caller.of(call_id) for call_id, log_id in self.accepted.items()}
        for row in rows:
            _check_row(calls[row.id], row)
        for account in self.accounts.values():
            for note in account.notes.values():
                wanted = note.create.note
                assert calls[wanted.log_id].describes(wanted.body, wanted.log_id)
                assert any(
                    (calls[wanted.log_id].number, each) in account.found
                    for each in account.aliases(wanted.contact_id)
                ), "a note on a contact that nobody found"
        self.rows = after
        self._checked_at = self.now

    def finish(self) -> None:
        """Every worker dies and HubSpot answers properly: what can be done gets done by itself.

        Then a person connects an account and replays whatever did not get a note. Of what workers
        knew before they died, nothing is left twice.
        """
        for round_ in self._all_rounds:
            while round_.is_recording:
                round_.step()
            round_.die()
        self.rounds.clear()
        self._work_on()
        hub_id, *_ = self.accounts
        self.connect(hub_id)
        self.set_region(None)
        self.hand_over()  # what is replayed before it is parted is parted all the same
        with self.tenant.database.begin() as session:
            requeue_calls(session, list(self.accepted.values()), **self.tenant.identity)
        self._work_on()
        with self.tenant.database.begin() as session:
            contents = set(session.scalars(select(Call.log_id)))
        for row in self.rows.values():
            is_elsewhere = row.error_code == Reason.UNCONFIRMED and row.hub_id != hub_id
            assert row.status == "success" or is_elsewhere or row.id not in contents
        for account in self.accounts.values():
            if self._surplus(account):
                self._tidy(account)

    def _tidy(self, account: Account) -> None:
        """Connect the account once more, and let housekeeping look at it for long enough."""
        self.connect(account.hub_id)
        self._work_on()
        for _ in range(LOOKS):
            self.pass_time(LOOK_EVERY_S)
            self.keep_house()
            self.check()
        assert not self._surplus(account), "a second note that stays"

    def _surplus(self, account: Account) -> set[str]:
        # Who was frozen until its call was pruned writes a note that nobody can know of.
        return set(account.surplus()) - self.pruned.keys()

    def _work_on(self) -> None:
        """Let time pass until nothing is left to do: no call is lost."""
        for _ in range(MOST_ROUNDS):
            self.sweep()
            self.check()
            self.hand_over()
            self.check()
            if (connection := self.find_connection()) is not None:
                self._take_round(connection)
            wait = self._next_in()
            if wait is None:
                break
            self.pass_time(wait)
        self.keep_house()
        self.check()
        for row in self.rows.values():
            assert row.status != "pending"
            assert row.next_attempt_at is None
            assert row.claimed_by is None

    def take_round(self, hubspot: Behaviour = PROPER) -> None:
        """A worker that nothing interrupts."""
        connection = self.find_connection()
        assert connection is not None
        self._take_round(connection, hubspot)

    def _take_round(self, connection: Connection, hubspot: Behaviour = PROPER) -> None:
        round_ = self.claim(connection, most=100)
        while not round_.is_over:
            round_.step(hubspot)
            self.check()

    def _next_in(self) -> float | None:
        """Seconds until something is due or a claim ends; None when nothing ever will."""
        soonest = func.min(func.coalesce(SyncLog.claimed_until, SyncLog.next_attempt_at))
        with self.tenant.database.begin() as session:
            wait = session.scalar(
                select(func.extract("epoch", soonest - func.now())).filter_by(
                    **self.tenant.identity
                )
            )
        return None if wait is None else max(float(wait) + 0.1, SHORTEST_WAIT_S)

    def end(self) -> None:
        """Remove the workspace: claims of suspects are counted over all workspaces."""
        for round_ in self._all_rounds:
            round_.die()
        with self.tenant.database.begin() as session:
            session.execute(delete(SyncLog).filter_by(**self.tenant.identity))
            session.execute(delete(Connection).filter_by(**self.tenant.identity))
            session.execute(delete(PrunedCall).where(PrunedCall.log_id.in_(self.accepted.values())))
            for table in (Stray, Health):
                session.execute(delete(table).where(table.hub_id.in_(self.accounts)))


def _check_row(caller: Caller, row: SyncLog) -> None:
    """What a person sees of a call, wherever it is on its way."""
    assert row.phone_number in {caller.spelling, caller.number}, "the caller's number is lost"
    assert row.error_code in ENDINGS[row.status]
    assert (row.error_code is None) == (row.error_message is None)
    if row.error_code in MESSAGES:
        assert re.search(MESSAGES[row.error_code], row.error_message or "")
    if row.status == "success":
        assert row.phone_number == caller.number
        assert row.hub_id is not None
        assert row.contact_id is not None


def _check_change(before: SyncLog, after: SyncLog) -> None:
    if (before.phone_number or "").startswith("+"):
        assert after.phone_number == before.phone_number
    assert before.fence <= after.fence <= before.fence + 1
    assert before.attempts <= after.attempts
    is_recorded = after.attempts > before.attempts and after.last_write_at is None
    if is_recorded and after.error_code in CONTACTLESS:
        assert after.contact_id is None, "a contact that was not found"
    if before.engagement_id is not None:
        assert (after.status, after.engagement_id) == ("success", before.engagement_id)
        assert (after.hub_id, after.contact_id) == (before.hub_id, before.contact_id)
    if after.fence == before.fence and before.claimed_by is None:
        assert after.claimed_by is None
