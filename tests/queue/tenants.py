"""A user's workspace as the queue knows it: calls stored, claimed, aged and looked at."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import ColumnElement, func, select, update

from shared.calls.intake import NewCall, store_calls
from shared.connections import lifecycle as connections
from shared.connections.lifecycle import Grant
from shared.database.engines import Database
from shared.models import Attempt, Connection, Stray, SyncLog
from shared.queue.claims import ClaimedCall, claim_due_calls, release_calls, return_expired_claims
from shared.queue.handovers import PAGE, MovedPage, move_page
from shared.queue.marks import Mark, mark_calls
from shared.queue.outcomes import Outcome, record_outcomes

STARTED_AT: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)
HUB: Final = 101


def ago(seconds: float) -> ColumnElement[datetime]:
    """A moment before now, on Postgres's clock; after it if negative."""
    return func.now() - timedelta(seconds=seconds)


def grant(hub_id: int = HUB, *, name: str = "t1", expires_in: float = 1800) -> Grant:
    return Grant(f"access-{name}", f"refresh-{name}", expires_in, hub_id, None, ("oauth",))


def encrypt(plaintext: str, row_id: str, field: str) -> str:
    """Not secret, but bound to its row and field as the real one is."""
    return f"{row_id}/{field}/{plaintext}"


class Tenant:
    def __init__(self, database: Database, user_id: str = "user_1") -> None:
        self.database = database
        self.user_id = user_id
        self.workspace_id = "ws_1"
        self.identity = {"user_id": user_id, "workspace_id": self.workspace_id}

    def store(
        self,
        count: int = 1,
        *,
        lane: int = 0,
        payload: Mapping[str, Any] = MappingProxyType({}),
        **changes: Any,
    ) -> list[str]:
        """Store calls, with columns changed as wanted; returns their log ids."""
        with self.database.begin() as session:
            ids = [
                store_calls(
                    session,
                    [
                        NewCall(
                            user_id=self.identity["user_id"],
                            workspace_id=self.identity["workspace_id"],
                            call_id=f"call_{uuid4().hex}",
                            phone_number="+12025550123",
                            payload=dict(payload),
                        )
                    ],
                    lane=lane,
                )[0].log_id
                for _ in range(count)
            ]
        if changes:
            self.change(ids, **changes)
        return ids

    def change(self, ids: Collection[str], **columns: Any) -> None:
        with self.database.begin() as session:
            session.execute(update(SyncLog).where(SyncLog.id.in_(ids)).values(**columns))

    def claim(self, most: int = 100, *, claim_id: str = "turn_1") -> list[ClaimedCall]:
        with self.database.begin() as session:
            return claim_due_calls(session, **self.identity, claim_id=claim_id, most=most)

    def release(self, calls: Sequence[ClaimedCall], *, delay: float = 0) -> None:
        with self.database.begin() as session:
            release_calls(session, calls, delay=delay)

    def return_expired(self) -> tuple[int, list[str]]:
        with self.database.begin() as session:
            return return_expired_claims(session)

    def lose(self, calls: Sequence[ClaimedCall]) -> list[str]:
        """The worker that holds these calls dies; returns the ids set aside as poison."""
        self.change([call.id for call in calls], claimed_until=ago(1))
        return self.return_expired()[1]

    def record(self, *outcomes: Outcome) -> frozenset[str]:
        with self.database.begin() as session:
            return frozenset(record_outcomes(session, outcomes, started_at=STARTED_AT))

    def connect(self, wanted: Grant | None = None) -> Connection:
        """Connect, and let workers hand over what waited."""
        connection = self.begin_connecting(wanted)
        self.hand_over()
        return connection

    def begin_connecting(self, wanted: Grant | None = None) -> Connection:
        """Connect: nothing is handed over yet."""
        with self.database.begin() as session:
            connection_id = connections.connect(
                session, **self.identity, grant=wanted or grant(), encrypt=encrypt
            )
            return session.get_one(Connection, connection_id)

    def hand_over(self, *, most: int | None = None, size: int = PAGE) -> list[MovedPage]:
        """Move pages, by default until none is left."""
        pages: list[MovedPage] = []
        while most is None or len(pages) < most:
            with self.database.begin() as session:
                page = move_page(session, size=size)
            if page is None:
                break
            pages.append(page)
        return pages

    def disconnect(self) -> bool:
        with self.database.begin() as session:
            return connections.disconnect(session, **self.identity)

    def connection(self) -> Connection:
        with self.database.begin() as session:
            connection = connections.find_connection(session, **self.identity)
        assert connection is not None
        return connection

    def mark(self, calls: Sequence[ClaimedCall], **changes: Any) -> frozenset[str]:
        """Mark calls as to be written to contact 7."""
        connection = self.connection()
        wanted: dict[str, Any] = {
            "connection_id": connection.id,
            "generation": connection.generation,
            "hub_id": connection.hub_id,
        }
        with self.database.begin() as session:
            return mark_calls(
                session, [Mark(call, "7", "+12025550123") for call in calls], **wanted | changes
            )

    def log(self, log_id: str) -> SyncLog:
        with self.database.begin() as session:
            return session.get_one(SyncLog, log_id)

    def logs(self, ids: Collection[str]) -> list[SyncLog]:
        return [self.log(log_id) for log_id in ids]

    def due_in(self, log_id: str) -> float:
        """Seconds until the call is due, on Postgres's clock."""
        with self.database.begin() as session:
            due_at, now = session.execute(
                select(SyncLog.next_attempt_at, func.now()).where(SyncLog.id == log_id)
            ).one()
        assert due_at is not None
        return (due_at - now).total_seconds()

    def attempts(self, log_id: str) -> list[Attempt]:
        with self.database.begin() as session:
            wanted = select(Attempt).filter_by(log_id=log_id).order_by(Attempt.id)
            return list(session.scalars(wanted))

    def age_strays(self, seconds: float) -> None:
        age = timedelta(seconds=seconds)
        with self.database.begin() as session:
            session.execute(
                update(Stray).values(
                    written_at=Stray.written_at - age,
                    next_attempt_at=Stray.next_attempt_at - age,
                )
            )

    def surplus_notes(self) -> set[tuple[int, str, str]]:
        with self.database.begin() as session:
            notes = session.scalars(select(Stray).where(Stray.activity_id.is_not(None))).all()
        return {(note.hub_id, note.activity_id or "", note.log_id) for note in notes}


def written(call: ClaimedCall, note_id: str = "9", *, hub_id: int = HUB) -> Outcome:
    return Outcome(
        call.id, call.fence, "success", hub_id=hub_id, contact_id="7", engagement_id=note_id
    )


def skipped(call: ClaimedCall, *, next_in: float | None = None) -> Outcome:
    return Outcome(
        call.id,
        call.fence,
        "skipped",
        error_code="contact_not_found",
        error_message="Nobody has it.",
        next_in=next_in,
        lane=3,
    )
