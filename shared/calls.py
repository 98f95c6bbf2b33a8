"""Intake: storing a finished call durably, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared.ids import new_log_id

LIVE_LANE = 0
BACKFILL_LANE = 3


@dataclass(frozen=True, slots=True)
class StoredCall:
    """What intake answers with.

    Attributes:
        log_id: The sync log's id, the first delivery's if this is a copy.
        is_duplicate: The call was stored before.
        connection_id: Whom to wake; None when the workspace has no live connection.
    """

    log_id: str
    is_duplicate: bool
    connection_id: str | None


# The log row decides whether the call is new; only then is the payload stored.
_STORE = text("""
    WITH new_log AS (
        INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number, lane)
        VALUES (:id, :user_id, :workspace_id, :call_id, :phone_number, :lane)
        ON CONFLICT (user_id, workspace_id, call_id) DO NOTHING
        RETURNING id
    ), new_call AS (
        INSERT INTO calls (log_id, payload) SELECT id, :payload FROM new_log
    )
    SELECT new_log.id,
           (SELECT c.id FROM hubspot_oauth_tokens c
             WHERE c.user_id = :user_id AND c.workspace_id = :workspace_id
               AND c.state = 'connected')
    FROM new_log
""").bindparams(bindparam("payload", type_=JSONB))

# A statement of its own: inside the first one a concurrent copy would be invisible.
_FIND = text("""
    SELECT id FROM hubspot_sync_logs
    WHERE user_id = :user_id AND workspace_id = :workspace_id AND call_id = :call_id
""")


def store_call(
    session: Session,
    *,
    user_id: str,
    workspace_id: str,
    call_id: str,
    phone_number: str | None,
    payload: Mapping[str, Any],
    lane: int = LIVE_LANE,
) -> StoredCall:
    """Store a call as pending, or find the copy that came first.

    Args:
        session: An open transaction; the call counts as accepted once it has committed.
        user_id: Whose call it is, with `workspace_id`.
        workspace_id: See `user_id`.
        call_id: The producer's id; with user and workspace it is the call's identity.
        phone_number: The customer's number as given, None when withheld.
        payload: What the note is written from.
        lane: `LIVE_LANE`, or `BACKFILL_LANE` for calls that may wait.
    """
    identity = {"user_id": user_id, "workspace_id": workspace_id, "call_id": call_id}
    stored = session.execute(
        _STORE,
        {
            **identity,
            "id": new_log_id(),
            "phone_number": phone_number,
            "payload": dict(payload),
            "lane": lane,
        },
    ).one_or_none()
    if stored is not None:
        return StoredCall(stored[0], is_duplicate=False, connection_id=stored[1])
    return StoredCall(
        session.execute(_FIND, identity).scalar_one(), is_duplicate=True, connection_id=None
    )
