"""Intake: storing a finished call durably, once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from shared.call_details import FieldWarning
from shared.ids import new_log_id

LIVE_LANE = 0
BACKFILL_LANE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCall:
    """A call that may be new.

    Attributes:
        user_id: Whose call it is, with `workspace_id`.
        workspace_id: See `user_id`.
        call_id: The producer's id; with user and workspace it is the call's identity.
        phone_number: The customer's number as given, None when withheld.
        payload: What the note is written from.
        warnings: What could not be taken over from the producer's fields.
    """

    user_id: str
    workspace_id: str
    call_id: str
    phone_number: str | None
    payload: Mapping[str, Any]
    warnings: tuple[FieldWarning, ...] = ()

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it the same call as another delivery of it."""
        return self.user_id, self.workspace_id, self.call_id


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


_IDENTITY = ("user_id", "workspace_id", "call_id")
_FIELDS = (*_IDENTITY, "phone_number", "payload")

# The log row decides whether a call is new; only then is the payload stored. One document is one
# parameter, whatever the number of calls. They are inserted in the order of their identities, or
# two transactions with the same calls would wait for each other.
_STORE = text("""
    WITH given AS (
        SELECT * FROM json_to_recordset(CAST(:calls AS json)) AS given (
            place int, id text, user_id text, workspace_id text, call_id text,
            phone_number text, payload jsonb, warnings jsonb)
    ), new_log AS (
        INSERT INTO hubspot_sync_logs
            (id, user_id, workspace_id, call_id, phone_number, lane, warnings)
        SELECT id, user_id, workspace_id, call_id, phone_number, :lane, warnings FROM given
        ORDER BY user_id, workspace_id, call_id, place
        ON CONFLICT (user_id, workspace_id, call_id) DO NOTHING
        RETURNING id, user_id, workspace_id
    ), new_call AS (
        INSERT INTO calls (log_id, payload) SELECT id, payload FROM given JOIN new_log USING (id)
    )
    SELECT new_log.id,
           (SELECT c.id FROM hubspot_oauth_tokens c
             WHERE c.user_id = new_log.user_id AND c.workspace_id = new_log.workspace_id
               AND c.state = 'connected') AS connection_id
    FROM new_log
""")

# A statement of its own: inside the first one a concurrent copy would be invisible.
_FIND = text("""
    SELECT user_id, workspace_id, call_id, log.id
    FROM json_to_recordset(CAST(:calls AS json))
        AS given (user_id text, workspace_id text, call_id text)
    JOIN hubspot_sync_logs log USING (user_id, workspace_id, call_id)
""")


def store_calls(
    session: Session | Connection, calls: Sequence[NewCall], *, lane: int
) -> list[StoredCall]:
    """Store calls as pending, or find the copies that came first; in two statements at most.

    Args:
        session: An open transaction; the calls count as accepted once it has committed. Or a
            connection on which each statement commits itself: all calls are stored by one.
        calls: In any order. Of several with the same identity the first is stored.
        lane: `LIVE_LANE`, or `BACKFILL_LANE` for calls that may wait.

    Returns:
        What became of each call, in the order given.
    """
    given = [
        {
            "place": place,
            "id": new_log_id(),
            **{name: getattr(call, name) for name in _FIELDS},
            "warnings": [each._asdict() for each in call.warnings] or None,
        }
        for place, call in enumerate(calls)
    ]
    document = json.dumps(given, ensure_ascii=False)
    rows = session.execute(_STORE, {"calls": document, "lane": lane})
    new: dict[str, str | None] = {row.id: row.connection_id for row in rows}
    copies = [call for call, row in zip(calls, given, strict=True) if row["id"] not in new]
    known = find_stored(session, copies)
    return [
        StoredCall(row["id"], is_duplicate=False, connection_id=new[row["id"]])
        if row["id"] in new
        else StoredCall(known[call.identity], is_duplicate=True, connection_id=None)
        for call, row in zip(calls, given, strict=True)
    ]


def find_stored(
    session: Session | Connection, calls: Sequence[NewCall]
) -> dict[tuple[str, str, str], str]:
    """The log ids of those calls that are stored, by their identity."""
    if not calls:
        return {}
    identities = [dict(zip(_IDENTITY, call.identity, strict=True)) for call in calls]
    document = json.dumps(identities, ensure_ascii=False)
    rows = session.execute(_FIND, {"calls": document})
    return {(row.user_id, row.workspace_id, row.call_id): row.id for row in rows}
