"""The audit trail: who connected, disconnected, exported, retried, changed settings or erased.

An entry is written in the transaction of what it tells, so that neither is there without the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert, select, text
from sqlalchemy.orm import Session

from shared.models import AuditEntry
from shared.privacy.retention import MOST_AT_ONCE


class Actor(StrEnum):
    """Who did it."""

    USER = "user"
    OPERATOR = "operator"


class Action(StrEnum):
    """What was done."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    SETTINGS_CHANGED = "settings_changed"
    EXPORTED = "exported"
    RETRIED = "retried"
    TEST_CALL_SENT = "test_call_sent"
    PERSON_ERASED = "person_erased"
    TENANT_ERASED = "tenant_erased"
    SESSIONS_ENDED = "sessions_ended"
    SOURCE_ADDED = "source_added"
    SOURCE_CHANGED = "source_changed"
    SOURCE_REMOVED = "source_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is recorded.

    Attributes:
        user_id: Whose connection or calls, with `workspace_id`.
        workspace_id: See `user_id`.
        actor: The tenant's own user, or an operator at the command line.
        action: What was done.
        address: From which network address; None where there was none.
        details: Ids, names of settings, counts.
    """

    user_id: str
    workspace_id: str
    actor: Actor
    action: Action
    address: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def record_deed(session: Session, deed: Deed) -> None:
    """Add an entry; it counts as soon as the transaction has committed."""
    session.execute(
        insert(AuditEntry).values(
            user_id=deed.user_id,
            workspace_id=deed.workspace_id,
            actor=deed.actor,
            action=deed.action,
            address=deed.address,
            details=dict(deed.details),
        )
    )


def find_deeds(
    session: Session,
    *,
    user_id: str | None = None,
    workspace_id: str | None = None,
    limit: int,
    before: int | None = None,
) -> Sequence[AuditEntry]:
    """Read entries, newest first: of one tenant, of a user or workspace, or of all.

    Args:
        session: A transaction.
        user_id: Only of this user; None for all.
        workspace_id: Only of this workspace; None for all.
        limit: How many at most.
        before: Only entries older than the one with this id.
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if user_id is not None:
        query = query.where(AuditEntry.user_id == user_id)
    if workspace_id is not None:
        query = query.where(AuditEntry.workspace_id == workspace_id)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return session.scalars(query).all()


def delete_old_deeds(session: Session, *, days: int) -> int:
    """Delete entries older than `days` days, a batch at a time; returns how many."""
    old = (
        select(AuditEntry.id)
        .where(AuditEntry.at < text("now() - make_interval(days => :days)"))
        .order_by(AuditEntry.at)
        .limit(MOST_AT_ONCE)
    )
    gone = session.execute(
        delete(AuditEntry).where(AuditEntry.id.in_(old.scalar_subquery())), {"days": days}
    )
    return gone.rowcount  # type: ignore[attr-defined,no-any-return]
