"""Intake: storing a finished call durably, once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from shared.calls.content import FieldWarning
from shared.ids import new_log_id

LIVE_LANE = 0
BACKFILL_LANE = 3
# Of calls in one statement: each byte is copied several times on its way.
MAX_STATEMENT_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCall:
    """A call that may be new.

    Attributes:
        user_id: Whose call it is, with `workspace_id`.
        workspace_id: See `user_id`.
        call_id: The producer's id; with user and workspace it is the call's identity.
        phone_number: The customer's number as given, None when withheld.
        payload: What the note is written from.
        document: The payload as JSON in UTF-8, the form in which calls wait: parsed, a transcript
            takes ten times its bytes.
        warnings: What could not be taken over from the producer's fields.
    """

    user_id: str
    workspace_id: str
    call_id: str
    phone_number: str | None
    warnings: tuple[FieldWarning, ...] = ()
    payload: InitVar[Mapping[str, Any]]
    document: bytes = field(init=False, repr=False)

    def __post_init__(self, payload: Mapping[str, Any]) -> None:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        object.__setattr__(self, "document", text.encode())

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
_FIELDS = (*_IDENTITY, "phone_number")

# What is known of a call whose log row has been pruned; NULL before anything has been. In Postgres,
# so that whoever stores calls knows it, whatever becomes of the keys of tokens.
IDENTITY_HASH: Final = """
    substring(sha256((SELECT key FROM hubspot_pruning_keys)
                     || convert_to({0}.user_id, 'UTF8') || decode('00', 'hex')
                     || convert_to({0}.workspace_id, 'UTF8') || decode('00', 'hex')
                     || convert_to({0}.call_id, 'UTF8')) FROM 1 FOR 16)
"""

# The log row decides whether a call is new, or what is left of it once it has been pruned; only
# then is the payload stored. OFFSET keeps Postgres from reading all pruned calls instead of looking
# up each, should it have planned that while they were few. One document is one parameter, whatever
# the number of calls. A payload is measured as it will be read: Postgres writes the number 1e308 in
# 309 digits. They are inserted in the order of their identities, or
# two transactions with the same calls would wait for each other.
_STORE = text(f"""
    WITH given AS (
        SELECT * FROM json_to_recordset(CAST(:calls AS json)) AS given (
            place int, id text, user_id text, workspace_id text, call_id text,
            phone_number text, payload jsonb, warnings jsonb)
    ), new_log AS (
        INSERT INTO hubspot_sync_logs
            (id, user_id, workspace_id, call_id, phone_number, lane, warnings)
        SELECT id, user_id, workspace_id, call_id, phone_number, :lane, warnings FROM given
        WHERE NOT EXISTS (SELECT FROM hubspot_pruned_calls pruned
                          WHERE pruned.identity_hash = {IDENTITY_HASH.format("given")} OFFSET 0)
        ORDER BY place
        ON CONFLICT (user_id, workspace_id, call_id) DO NOTHING
        RETURNING id, user_id, workspace_id
    ), new_call AS (
        INSERT INTO calls (log_id, payload, payload_bytes)
        SELECT id, payload, octet_length(payload::text) FROM given JOIN new_log USING (id)
    )
    SELECT new_log.id,
           (SELECT c.id FROM hubspot_oauth_tokens c
             WHERE c.user_id = new_log.user_id AND c.workspace_id = new_log.workspace_id
               AND c.state = 'connected') AS connection_id
    FROM new_log
""")  # noqa: S608 - a constant of ours

# A statement of its own: inside the first one a concurrent copy would be invisible.
_FIND = text(f"""
    SELECT found.* FROM (
        SELECT given.*, coalesce(log.id, (
            SELECT pruned.log_id FROM hubspot_pruned_calls pruned
            WHERE pruned.identity_hash = {IDENTITY_HASH.format("given")})) AS id
        FROM json_to_recordset(CAST(:calls AS json))
            AS given (user_id text, workspace_id text, call_id text)
        LEFT JOIN hubspot_sync_logs log USING (user_id, workspace_id, call_id)) AS found
    WHERE id IS NOT NULL
""")  # noqa: S608 - a constant of ours


def store_calls(
    session: Session | Connection, calls: Sequence[NewCall], *, lane: int
) -> list[StoredCall]:
    """Store calls as pending, or find the copies that came first.

    Args:
        session: An open transaction; the calls count as accepted once it has committed. Or a
            connection on which each statement commits itself: up to `MAX_STATEMENT_BYTES` of calls
            are stored by one.
        calls: In any order. Of several with the same identity the first is stored.
        lane: `LIVE_LANE`, or `BACKFILL_LANE` for calls that may wait.

    Returns:
        What became of each call, in the order given.
    """
    ids = [new_log_id() for _ in calls]
    new: dict[str, str | None] = {}
    for document in _documents(calls, ids):
        rows = session.execute(_STORE, {"calls": document, "lane": lane})
        new |= {row.id: row.connection_id for row in rows}
    copies = [call for call, log_id in zip(calls, ids, strict=True) if log_id not in new]
    known = find_stored(session, copies)
    # The first copy was there a moment ago, and has been erased with its tenant since.
    orphans = [call for call in copies if call.identity not in known]
    stored = dict(
        zip(
            (call.identity for call in orphans),
            store_calls(session, orphans, lane=lane) if orphans else (),
            strict=True,
        )
    )
    return [
        StoredCall(log_id, is_duplicate=False, connection_id=new[log_id])
        if log_id in new
        else stored.get(call.identity)
        or StoredCall(known[call.identity], is_duplicate=True, connection_id=None)
        for call, log_id in zip(calls, ids, strict=True)
    ]


def _documents(calls: Sequence[NewCall], ids: Sequence[str]) -> Iterator[str]:
    """JSON arrays of calls, each of about `MAX_STATEMENT_BYTES` at most."""
    parts: list[bytes] = []
    size = 0
    in_order = sorted(zip(calls, ids, strict=True), key=lambda each: each[0].identity)
    for place, (call, log_id) in enumerate(in_order):
        row = {"place": place, "id": log_id} | {name: getattr(call, name) for name in _FIELDS}
        row["warnings"] = [each._asdict() for each in call.warnings] or None
        if parts and size + len(call.document) > MAX_STATEMENT_BYTES:
            yield _join(parts)
            parts, size = [], 0
        # Its last brace makes room for the document that is there already.
        parts.append(json.dumps(row, ensure_ascii=False).encode()[:-1] + b',"payload":')
        parts.append(call.document + b"}")
        size += len(call.document)
    if parts:
        yield _join(parts)


def _join(parts: Sequence[bytes]) -> str:
    rows = (start + end for start, end in zip(parts[::2], parts[1::2], strict=True))
    return (b"[" + b",".join(rows) + b"]").decode()


def find_stored(
    session: Session | Connection, calls: Sequence[NewCall]
) -> dict[tuple[str, str, str], str]:
    """The log ids of those calls that are stored, or were until pruned, by their identity."""
    if not calls:
        return {}
    identities = [dict(zip(_IDENTITY, call.identity, strict=True)) for call in calls]
    document = json.dumps(identities, ensure_ascii=False)
    rows = session.execute(_FIND, {"calls": document})
    return {(row.user_id, row.workspace_id, row.call_id): row.id for row in rows}
