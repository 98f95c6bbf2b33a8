"""Calls that have grown, as workers and people would have left them, without waiting for either."""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import psycopg

from tests.browser.history import FINISH, INSERT
from tests.browser.workspaces import Workspace

NUMBER: Final = "+12025550123"
# Long enough for no worker to take it up.
WAITS: Final = timedelta(days=1)
_CALL: Final = """
    INSERT INTO calls (log_id, payload, received_at, first_event, stamps, revision)
    VALUES (%(id)s, %(payload)s, %(created_at)s, 'call.ended', %(stamps)s, %(revision)s)
"""
_DELIVERY: Final = """
    INSERT INTO call_deliveries (log_id, user_id, workspace_id, content_hash, event, rank,
                                 received_at, is_end, is_final, fields, withdrawn)
    VALUES (%(id)s, %(user_id)s, %(workspace_id)s, %(hash)s, 'call.updated', 1, %(at)s, false,
            false, %(fields)s, %(withdrawn)s)
"""
_ATTEMPT: Final = """
    INSERT INTO hubspot_sync_attempts (log_id, kind, started_at, duration_ms, outcome, message)
    VALUES (%(id)s, %(kind)s, %(at)s, 400, %(outcome)s, %(message)s)
"""
_ACTIVITY: Final = """
    INSERT INTO activities (log_id, written_revision) VALUES (%(id)s, %(written_revision)s)
"""
_UPDATE: Final = """
    INSERT INTO activity_updates (log_id, user_id, workspace_id, hub_id, due_at, state, error)
    VALUES (%(id)s, %(user_id)s, %(workspace_id)s, %(hub_id)s, %(due_at)s, %(state)s, %(error)s)
"""


class Later(NamedTuple):
    """What came in later, and what the note's completion came to; None if it was not tried."""

    minutes: float
    fields: Sequence[str] = ()
    withdrawn: Sequence[str] = ()
    outcome: str | None = "success"
    message: str | None = None


def add_growing_call(
    workspace: Workspace,
    call_id: str,
    *later: Later,
    state: str | None = None,
    error: str | None = None,
    notices: Sequence[str] | None = None,
    payload: dict[str, Any] | None = None,
    minutes_ago: float = 60,
) -> str:
    """Add a synced call of `NUMBER` that came in so long ago; returns its log id."""
    created_at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    log_id = f"hs_{secrets.token_hex(16)}"
    content = {"phone_number": NUMBER, "direction": "inbound", **(payload or {})}
    written = [each for each in later if each.outcome == "success"]
    row = {
        "id": log_id,
        "user_id": workspace.user_id,
        "workspace_id": workspace.workspace_id,
        "call_id": call_id,
        "phone_number": NUMBER,
        "created_at": created_at,
        "status": "success",
        "error_code": None,
        "error_message": None,
        "hub_id": workspace.hub_id,
        "contact_id": "701",
        "engagement_id": str(secrets.randbelow(10**12)),
        "updated_at": created_at + timedelta(seconds=1),
        "payload": json.dumps(content),
        "stamps": json.dumps({name: [1, 1, 1] for each in later for name in each.fields}),
        "revision": 1 + len(later),
        "written_revision": 1 + len(written),
        "state": state,
        "error": error,
        "due_at": datetime.now(UTC) + WAITS if state == "waiting" else None,
    }
    attempt = {"id": log_id, "kind": "create", "outcome": "success", "message": None}
    with psycopg.connect(workspace.deployments.database_url) as connection:
        for query in (INSERT, FINISH, _CALL, _ACTIVITY):
            connection.execute(query, row)
        if notices:
            connection.execute(
                "UPDATE hubspot_sync_logs SET notices = %s WHERE id = %s",
                [json.dumps(list(notices)), log_id],
            )
        connection.execute(_ATTEMPT, attempt | {"at": created_at})
        for each in later:
            at = created_at + timedelta(minutes=each.minutes)
            delivery = {
                "at": at,
                "hash": secrets.token_bytes(16),
                "fields": list(each.fields),
                "withdrawn": list(each.withdrawn) or None,
            }
            connection.execute(_DELIVERY, row | delivery)
            if each.outcome is not None:
                tried = {"kind": "update", "outcome": each.outcome, "message": each.message}
                connection.execute(_ATTEMPT, attempt | tried | {"at": at + timedelta(seconds=5)})
        if state is not None:
            connection.execute(_UPDATE, row)
    return log_id


def set_update(workspace: Workspace, log_id: str, *, state: str, error: str | None) -> None:
    """Let the update of a call end."""
    with psycopg.connect(workspace.deployments.database_url) as connection:
        connection.execute(
            "UPDATE activity_updates SET state = %s, error = %s, due_at = NULL WHERE log_id = %s",
            [state, error, log_id],
        )
