"""Intake: calls that ended are stored durably, then their connections are woken."""

from collections.abc import Sequence

import structlog

from api.context.services import services
from shared.calls.intake import NewCall, StoredCall, store_calls
from shared.reasons import Lane
from shared.telemetry.tracing import annotate

log = structlog.get_logger(__name__)


def accept_call(call: NewCall) -> StoredCall:
    """Store a call; when this returns it is committed."""
    stored = services().group_commit.store(call)
    annotate({"callsync.log_id": stored.log_id, "callsync.connection_id": stored.connection_id})
    if stored.connection_id is not None:
        services().waker.wake(stored.connection_id)
    return stored


def accept_together(calls: Sequence[NewCall]) -> list[StoredCall]:
    """Store live calls that came in one delivery; when this returns they are committed."""
    stored = services().group_commit.store_all(calls)
    for connection_id in {each.connection_id for each in stored} - {None}:
        services().waker.wake(connection_id or "")
    return stored


def accept_calls(calls: Sequence[NewCall]) -> list[StoredCall]:
    """Store calls behind the live ones, in one transaction; returned in order, and committed."""
    with services().database.begin() as session:
        activity = services().settings.activity
        stored = store_calls(session, calls, lane=Lane.BACKFILL, activity=activity)
    connection_ids = {each.connection_id for each in stored if each.connection_id is not None}
    for connection_id in connection_ids:
        services().waker.wake(connection_id)
    log.info(
        "array_accepted",
        calls=len(stored),
        duplicates=sum(each.is_duplicate for each in stored),
        updates=sum(each.is_updated for each in stored),
        connections=len(connection_ids),
    )
    return stored
