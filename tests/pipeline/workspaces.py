"""A workspace as its people see it: an account connected, calls coming in, notes appearing."""

import base64
import hashlib
import html
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from sqlalchemy import delete, func, select, text, update

from sandbox.client import SandboxControl, SandboxRecord
from sandbox.world import LoggedRequest
from shared.activities.composing import compose
from shared.activities.destination import ActivityKind
from shared.activities.hubspot import TYPES
from shared.calls.content import CallContent
from shared.calls.intake import NewCall, store_calls
from shared.connections import lifecycle as connections
from shared.connections.accounts import AccountState, load_account
from shared.connections.lifecycle import Grant
from shared.hubspot.client import HubSpotClient
from shared.hubspot.models import NewEngagement
from shared.log.replays import requeue_calls
from shared.models import Attempt, Call, Connection, Revocation, SyncLog
from shared.reasons import Lane
from worker.maintenance.housekeeping import keep_house
from worker.maintenance.sweep import hand_over_calls, sweep
from worker.resources import Resources
from worker.rounds.reports import RoundEnd
from worker.rounds.sync import sync_connection

PHONE: Final = "+12025550123"
VERIFIER: Final = "a-verifier-of-at-least-forty-three-characters-0123"
CHALLENGE: Final = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
MOST_TURNS: Final = 25
# Requests before an activity is given up that HubSpot refuses without a word why: a Call is sent
# once more without what it can do without.
TRIES_ALONE: Final = {ActivityKind.NOTE: 1, ActivityKind.CALL: 2}


def _endpoint_of(activity: ActivityKind, endpoint: str) -> str:
    return re.sub(r"^notes\.", f"{TYPES[activity].name}.", endpoint)


class Workspace:
    """One user's workspace, connected to an account of the sandbox.

    Attributes:
        worker: runs the turns unless a test hands in another one.
        advance: makes that many seconds pass.
        said: The number and the fields of each call that was accepted, by log id.
        activity: What calls become whose intake is from now on.
    """

    def __init__(
        self,
        worker: Resources,
        sandbox: SandboxControl,
        advance: Callable[[float], None],
        activity: ActivityKind = ActivityKind.NOTE,
    ) -> None:
        self.worker = worker
        self.sandbox = sandbox
        self.advance = advance
        self.user_id = f"user_{uuid4().hex[:8]}"
        self.workspace_id = "ws_1"
        self.hub_id = sandbox.add_account()
        self.connection_id = ""
        self.said: dict[str, dict[str, Any]] = {}
        self.activity = activity

    def connect(self, hub_id: int | None = None) -> None:
        """Connect the same account again or another, and let workers hand over what waited."""
        self.begin_connecting(hub_id)
        hand_over_calls(self.worker, deadline=math.inf)

    def begin_connecting(self, hub_id: int | None = None) -> None:
        """Go through HubSpot's consent page: nothing is handed over yet."""
        self.hub_id = hub_id or self.hub_id
        url = self.worker.oauth.authorize_url(state="a-state", code_challenge=CHALLENGE)
        callback = urlsplit(self.sandbox.approve(url, self.hub_id))
        code = parse_qs(callback.query)["code"][0]
        tokens = self.worker.oauth.exchange_code(code, code_verifier=VERIFIER)
        assert tokens.hub_id is not None
        assert tokens.refresh_token is not None
        grant = Grant(
            tokens.access_token,
            tokens.refresh_token,
            tokens.expires_in,
            tokens.hub_id,
            None,
            tokens.scopes,
            self.worker.oauth.client_id,
        )
        with self.worker.database.begin() as session:
            self.connection_id = connections.connect(
                session,
                user_id=self.user_id,
                workspace_id=self.workspace_id,
                grant=grant,
                encrypt=lambda token, row_id, field: self.worker.cipher.encrypt(
                    token, row_id=row_id, field=field
                ),
            )

    def disconnect(self) -> None:
        with self.worker.database.begin() as session:
            assert connections.disconnect(
                session, user_id=self.user_id, workspace_id=self.workspace_id
            )

    def change_settings(self, **settings: str | list[str]) -> None:
        with self.worker.database.begin() as session:
            for name, value in settings.items():
                setattr(session.get_one(Connection, self.connection_id), name, value)

    def add_contact(self, phone: str = PHONE, **properties: str) -> str:
        return self.sandbox.add_contacts(self.hub_id, [{"phone": phone, **properties}])[0]

    def accept(self, phone: str | None = PHONE, *, call_id: str = "", **details: Any) -> str:
        """Store a call as intake does; returns its log id."""
        call_id = call_id or f"call_{uuid4().hex[:8]}"
        with self.worker.database.begin() as session:
            log_id = store_calls(
                session,
                [
                    NewCall(
                        user_id=self.user_id,
                        workspace_id=self.workspace_id,
                        call_id=call_id,
                        phone_number=phone,
                        payload={"call_id": call_id, **CallContent(**details).to_payload()},
                    )
                ],
                lane=Lane.LIVE,
            )[0].log_id
            chosen = update(SyncLog).where(SyncLog.id == log_id)
            session.execute(chosen.values(activity=self.activity))
        self.said[log_id] = {"call_id": call_id, "phone": phone, **details}
        return log_id

    def delete_payload(self, log_id: str) -> None:
        with self.worker.database.begin() as session:
            session.execute(delete(Call).where(Call.log_id == log_id))

    def contents(self) -> int:
        """How many calls still have their content."""
        with self.worker.database.begin() as session:
            return session.scalars(select(func.count()).select_from(Call)).one()

    def make_due(self, log_id: str) -> None:
        """Bring the next attempt forward, whatever was scheduled."""
        with self.worker.database.begin() as session:
            due = update(SyncLog).where(SyncLog.id == log_id)
            session.execute(due.values(next_attempt_at=func.now()))

    def replay(self, log_id: str) -> None:
        """Ask for another attempt, as a person does in the dashboard."""
        with self.worker.database.begin() as session:
            assert requeue_calls(
                session, [log_id], user_id=self.user_id, workspace_id=self.workspace_id
            )

    def write_note(self, log_id: str, contact_id: str) -> str:
        """Write a call's note beside the worker: what a create that hung does when it commits."""
        log = self.log(log_id)
        kind = ActivityKind(log.activity)
        composed = compose(kind, CallContent(), call_id=log.call_id, log_id=log_id)
        note = NewEngagement(
            trace_id=log_id,
            contact_id=contact_id,
            timestamp_ms=1_790_000_000_000,
            properties={TYPES[kind].body: composed.body, **composed.properties},
        )
        return self._hubspot().create_engagements(TYPES[kind], [note]).created[log_id]

    def write_text(self, contact_id: str, body: str) -> None:
        """Write a note, or log a call, as people do, in their own words."""
        kind = TYPES[self.activity]
        note = NewEngagement("a-person", contact_id, 1_790_000_000_000, {kind.body: body})
        self._hubspot().create_engagements(kind, [note])

    def _hubspot(self) -> HubSpotClient:
        return HubSpotClient(
            self.worker.tokens.access_token(self.connection_id).value,
            api_url=self.worker.settings.hubspot_api_url,
            session=self.worker.http,
        )

    def turn(self, worker: Resources | None = None) -> RoundEnd:
        return sync_connection(worker or self.worker, self.connection_id).end

    def work(self, worker: Resources | None = None) -> RoundEnd:
        """Run turns until one finds nothing to do; returns how that one ended."""
        for _ in range(MOST_TURNS):
            if (end := self.turn(worker)) != RoundEnd.WORKED:
                return end
        raise AssertionError("the turns do not come to an end")

    def work_after(self, seconds: float) -> RoundEnd:
        """Let time pass, and work."""
        self.advance(seconds)
        return self.work()

    def finish(self) -> None:
        """Let everything that is scheduled within a quarter of an hour happen, sweeps included."""
        for _ in range(15):
            sweep(self.worker)
            self.work()
            self.advance(60)

    def keep_house(self) -> dict[str, int]:
        return keep_house(self.worker)

    def waiting_revocations(self) -> int:
        """Grants whose tokens are kept until HubSpot is told."""
        with self.worker.database.begin() as session:
            return len(session.scalars(select(Revocation)).all())

    def log(self, log_id: str) -> SyncLog:
        with self.worker.database.begin() as session:
            return session.get_one(SyncLog, log_id)

    def logs(self) -> list[SyncLog]:
        """The log of every call, oldest first."""
        with self.worker.database.begin() as session:
            wanted = select(SyncLog).filter_by(user_id=self.user_id).order_by(SyncLog.id)
            return list(session.scalars(wanted))

    def outcomes(self) -> list[tuple[str, str | None]]:
        """Status and error code of every call, oldest first."""
        return [(each.status, each.error_code) for each in self.logs()]

    def attempts(self, log_id: str) -> list[Attempt]:
        with self.worker.database.begin() as session:
            wanted = select(Attempt).filter_by(log_id=log_id).order_by(Attempt.id)
            return list(session.scalars(wanted))

    def due_in(self, log_id: str) -> float | None:
        """Seconds until the call is due; None when nothing more will happen."""
        with self.worker.database.begin() as session:
            seconds: float | None = session.execute(
                text(
                    "SELECT extract(epoch FROM next_attempt_at - now())::float8"
                    " FROM hubspot_sync_logs WHERE id = :id"
                ),
                {"id": log_id},
            ).scalar_one()
        return seconds

    def account(self) -> AccountState:
        with self.worker.database.begin() as session:
            return load_account(session, self.hub_id)

    def connection(self) -> Connection:
        with self.worker.database.begin() as session:
            return session.get_one(Connection, self.connection_id)

    def notes(self, contact_id: str | None = None) -> list[SandboxRecord]:
        """The notes of the account, or its Call objects if these are what calls become."""
        kind = TYPES[self.activity].name
        return self.sandbox.activities(kind, self.hub_id, contact_id=contact_id)

    def requests(self, *endpoints: str) -> list[LoggedRequest]:
        """What the account was asked at these endpoints."""
        logged = self.sandbox.requests(hub_id=self.hub_id)
        wanted = {_endpoint_of(self.activity, each) for each in endpoints}
        return [each for each in logged if each.endpoint in wanted]

    def inputs(self, endpoint: str) -> list[int | None]:
        """How many inputs each batch had that an endpoint got."""
        return [each.inputs for each in self.requests(endpoint)]


def assert_written_once(workspace: Workspace, log_id: str, contact_id: str) -> None:
    """The call succeeded, and its note is the only one of the account."""
    (note,) = workspace.notes()
    log = workspace.log(log_id)
    assert (log.status, log.error_code, log.error_message) == ("success", None, None)
    assert (log.hub_id, log.contact_id, log.engagement_id) == (
        workspace.hub_id,
        contact_id,
        note.id,
    )
    assert note.contact_ids == (contact_id,)
    assert log.last_write_at is None
    assert_tells_of_the_call(workspace, log_id, note)


def assert_tells_of_the_call(workspace: Workspace, log_id: str, note: SandboxRecord) -> None:
    """The log has the caller's number in full, and the note the words of this very call."""
    said = workspace.said[log_id]
    assert workspace.log(log_id).phone_number == said["phone"]
    assert html.escape(said.get("summary", "")) in note.body
    assert note.body.endswith(f"Call ID: {said['call_id']} · Ref: {log_id}</p>")


def note_ids(notes: Iterable[SandboxRecord]) -> list[str]:
    return [note.id for note in notes]
