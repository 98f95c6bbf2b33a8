"""Sync logs and connections as rows, in any state that workers may leave them in."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text, update

from shared.connections.lifecycle import Grant, connect, find_connection
from shared.crypto import TokenCipher
from shared.database.engines import Database
from shared.ids import new_log_id
from shared.models import (
    Activity,
    ActivityUpdate,
    Attempt,
    Call,
    CallDelivery,
    Connection,
    SyncLog,
)
from tests.api.asking import ENCRYPTION_KEY, Asker

REASONS = {
    "error": {"error_code": "network_error", "error_message": "The connection broke."},
    "skipped": {"error_code": "contact_not_found", "error_message": "Nobody has the number."},
}


def add_log(
    database: Database,
    asker: Asker,
    *,
    status: str = "pending",
    minutes_ago: float = 0,
    has_payload: bool = True,
    **columns: Any,
) -> str:
    """Add an entry that ended as `status`, the way workers end it; returns its id."""
    log_id = new_log_id()
    with database.begin() as session:
        session.add(
            SyncLog(
                id=log_id,
                **asker.tenant,
                call_id=f"call_{secrets.token_hex(6)}",
                created_at=datetime.now(UTC) - timedelta(minutes=minutes_ago),
            )
        )
        session.flush()
        if has_payload:
            session.add(Call(log_id=log_id, payload={"call_id": "call"}))
        outcome: dict[str, Any] = {"status": status, **REASONS.get(status, {})}
        if status != "pending":
            outcome["next_attempt_at"] = None
        if status == "success":
            outcome |= {"hub_id": 1, "contact_id": "7", "engagement_id": secrets.token_hex(6)}
        session.execute(update(SyncLog).filter_by(id=log_id).values(outcome | columns))
    return log_id


def add_attempt(database: Database, log_id: str, **columns: Any) -> None:
    with database.begin() as session:
        session.add(
            Attempt(
                log_id=log_id,
                started_at=datetime.now(UTC),
                duration_ms=120,
                **{"outcome": "error", **columns},
            )
        )


def add_update(
    database: Database,
    asker: Asker,
    *,
    state: str | None,
    error: str | None = None,
    has_payload: bool = True,
    **columns: Any,
) -> str:
    """Add a synced call that has grown since, its note not; returns the entry's id.

    Without a state the note has been completed.
    """
    log_id = add_log(database, asker, status="success", has_payload=has_payload, **columns)
    with database.begin() as session:
        session.execute(update(Call).filter_by(log_id=log_id).values(revision=2))
        session.add(Activity(log_id=log_id, written_revision=1 if state else 2))
        if state is not None:
            session.add(
                ActivityUpdate(
                    log_id=log_id,
                    **asker.tenant,
                    hub_id=1,
                    due_at=datetime.now(UTC) if state == "waiting" else None,
                    state=state,
                    error=error,
                    failures=3,
                    failing_since=datetime.now(UTC),
                )
            )
    return log_id


def add_delivery(
    database: Database, asker: Asker, log_id: str, *, fields: list[str], **columns: Any
) -> None:
    """Add a later delivery of a call, merged already."""
    with database.begin() as session:
        session.add(
            CallDelivery(
                log_id=log_id,
                **asker.tenant,
                content_hash=secrets.token_bytes(16),
                rank=1,
                is_end=False,
                is_final=False,
                fields=fields,
                **{"event": "call.updated", "received_at": datetime.now(UTC), **columns},
            )
        )


def add_connection(database: Database, asker: Asker, *, hub_id: int = 1) -> str:
    """Connect the user to an account without HubSpot; returns the connection's id."""
    cipher = TokenCipher([ENCRYPTION_KEY])

    def encrypt(plaintext: str, row_id: str, field: str) -> str:
        return cipher.encrypt(plaintext, row_id=row_id, field=field)

    grant = Grant("access", "na1-refresh", 1800, hub_id, "app-eu1.hubspot.com", ("oauth",))
    with database.begin() as session:
        return connect(session, **asker.tenant, grant=grant, encrypt=encrypt)


def pause(database: Database, hub_id: int, *, seconds: float, reason: str) -> None:
    with database.begin() as session:
        session.execute(
            text(
                "INSERT INTO hubspot_accounts (hub_id, paused_until, pause_reason)"
                " VALUES (:hub_id, now() + make_interval(secs => :seconds), :reason)"
            ),
            {"hub_id": hub_id, "seconds": seconds, "reason": reason},
        )


def connection_of(database: Database, asker: Asker) -> Connection:
    with database.begin() as session:
        found = find_connection(session, **asker.tenant)
    assert found is not None
    return found
