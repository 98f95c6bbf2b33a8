"""Deliveries of a platform's source of which nobody knows yet whose they are, encrypted.

They wait until the table names their tenant, or the call is known from another delivery of it.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from shared.calls.content import FieldWarning
from shared.calls.intake import NewCall, store_calls
from shared.configuration.settings import Activity
from shared.crypto import TokenCipher, UndecryptableError
from shared.ids import new_unassigned_id
from shared.reasons import Lane
from shared.sources.options import Owner, TenantOptions

KEPT_DAYS: Final = 30
AT_ONCE: Final = 200
_FIELD: Final = "call"
# Whose it is as long as nobody knows.
NOBODY: Final = Owner("nobody", "nobody")
_STORED: Final = ("phone_number", "event", "rank", "is_end", "is_running", "is_final")

_FIND_OWNER = text("""
    SELECT user_id, workspace_id FROM hubspot_sync_logs
    WHERE source_id = :source_id AND call_id = :call_id
    LIMIT 1
""")


def find_owner(session: Session | Connection, *, source_id: str, call_id: str) -> Owner | None:
    """Whose a call is that a source has delivered before: later events may name nobody."""
    wanted = {"source_id": source_id, "call_id": call_id}
    row = session.execute(_FIND_OWNER, wanted).one_or_none()
    return Owner(row.user_id, row.workspace_id) if row is not None else None


_KEEP = text("""
    INSERT INTO call_source_unassigned (id, source_id, call_id, keys, content_hash, value)
    SELECT :id, s.id, :call_id, CAST(:keys AS text[]), :content_hash, :value
    FROM call_sources s WHERE s.id = :source_id
    ON CONFLICT (source_id, call_id, content_hash) DO NOTHING
    RETURNING id
""")


def keep_call(
    session: Session,
    cipher: TokenCipher,
    call: NewCall,
    *,
    keys: Sequence[str],
    claimed: tuple[str | None, str | None],
) -> bool:
    """Keep a call of `NOBODY`; returns whether it was not kept already.

    Args:
        session: A transaction.
        cipher: Encrypts it.
        call: What the delivery says; it has a `source_id`.
        keys: By which a table may find the tenant.
        claimed: User and workspace that its metadata names.
    """
    row_id = new_unassigned_id()
    document = {name: getattr(call, name) for name in _STORED} | {
        "payload": json.loads(call.document),
        "occurred_at": call.occurred_at.isoformat() if call.occurred_at else None,
        "withdrawn": list(call.withdrawn),
        "notices": list(call.notices),
        "warnings": [list(each) for each in call.warnings],
        "claimed": list(claimed),
    }
    kept = session.execute(
        _KEEP,
        {
            "id": row_id,
            "source_id": call.source_id,
            "call_id": call.call_id,
            "keys": list(keys),
            "content_hash": call.content_hash,
            "value": cipher.encrypt(
                json.dumps(document, ensure_ascii=False), row_id=row_id, field=_FIELD
            ),
        },
    )
    return kept.first() is not None


@dataclass(frozen=True, slots=True)
class UnassignedKey:
    """Deliveries that wait for an entry of the table.

    Attributes:
        keys: Any of which names the tenant, the most specific first; none if nothing does.
        calls: How many calls wait.
        since: When the oldest came.
    """

    keys: tuple[str, ...]
    calls: int
    since: datetime


_LIST = text("""
    SELECT keys, count(DISTINCT call_id) AS calls, min(received_at) AS since
    FROM call_source_unassigned WHERE source_id = :source_id
    GROUP BY keys ORDER BY count(DISTINCT call_id) DESC, keys
    LIMIT 1000
""")


def list_unassigned(session: Session, source_id: str) -> list[UnassignedKey]:
    """What waits of a source, by the keys that would find a tenant."""
    rows = session.execute(_LIST, {"source_id": source_id})
    return [UnassignedKey(tuple(row.keys), row.calls, row.since) for row in rows]


_COUNT = text("""
    SELECT source_id, count(DISTINCT call_id) AS calls FROM call_source_unassigned
    WHERE source_id = ANY(:ids) GROUP BY source_id
""")


def count_unassigned(session: Session, source_ids: Collection[str]) -> dict[str, int]:
    """How many calls of each source wait for their tenant."""
    rows = session.execute(_COUNT, {"ids": list(source_ids)})
    return dict.fromkeys(source_ids, 0) | {row.source_id: row.calls for row in rows}


@dataclass(frozen=True, slots=True)
class Assigned:
    """What was assigned: deliveries, and the connections that are to be woken."""

    deliveries: int
    connection_ids: frozenset[str]


_PAGE = text("""
    SELECT id, call_id, keys, value FROM call_source_unassigned
    WHERE source_id = :source_id AND id > :after
      AND (CAST(:call_id AS text) IS NULL OR call_id = :call_id)
    ORDER BY id
    LIMIT :most
    FOR UPDATE SKIP LOCKED
""")
_DELETE = text("DELETE FROM call_source_unassigned WHERE id = ANY(:ids)")


def assign_waiting(
    session: Session,
    cipher: TokenCipher,
    source_id: str,
    tenants: TenantOptions,
    *,
    activity: Activity,
    is_held: bool,
    call_id: str | None = None,
    owner: Owner | None = None,
) -> Assigned:
    """Store what waits and has a tenant by now, as calls of that tenant; in this transaction.

    Args:
        session: A transaction.
        cipher: Decrypts what waits. What no key opens goes on waiting.
        source_id: Of which source.
        tenants: How a tenant is found.
        activity: What calls become whose customer has chosen nothing.
        is_held: The source is paused: what is stored waits as skipped.
        call_id: Only that call's.
        owner: Whose that call is, if it is known.
    """
    after, deliveries = "", 0
    woken: set[str] = set()
    while True:
        wanted = {"source_id": source_id, "after": after, "call_id": call_id, "most": AT_ONCE}
        rows = session.execute(_PAGE, wanted).all()
        if not rows:
            return Assigned(deliveries, frozenset(woken))
        after = rows[-1].id
        found: dict[str, NewCall] = {}
        for row in rows:
            document = _open(cipher, row.id, row.value)
            if document is None:
                continue
            whose = (
                owner
                or find_owner(session, source_id=source_id, call_id=row.call_id)
                or tenants.find(row.keys, *document["claimed"])
            )
            if whose is not None:
                found[row.id] = _restore(document, row.call_id, source_id, whose, is_held=is_held)
        if found:
            stored = store_calls(session, list(found.values()), lane=Lane.LIVE, activity=activity)
            session.execute(_DELETE, {"ids": list(found)})
            woken |= {each.connection_id for each in stored if each.connection_id}
            deliveries += len(found)


def _open(cipher: TokenCipher, row_id: str, value: str) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(cipher.decrypt(value, row_id=row_id, field=_FIELD))
    except UndecryptableError:
        return None
    return document


def _restore(
    document: dict[str, Any], call_id: str, source_id: str, owner: Owner, *, is_held: bool
) -> NewCall:
    occurred_at = document["occurred_at"]
    return NewCall(
        user_id=owner.user_id,
        workspace_id=owner.workspace_id,
        call_id=call_id,
        payload=document["payload"],
        occurred_at=datetime.fromisoformat(occurred_at) if occurred_at else None,
        withdrawn=tuple(document["withdrawn"]),
        notices=tuple(document["notices"]),
        warnings=tuple(FieldWarning(*each) for each in document["warnings"]),
        source_id=source_id,
        is_held=is_held,
        **{name: document[name] for name in _STORED},
    )


_FORGET = text("""
    WITH old AS (
        SELECT id FROM call_source_unassigned
        WHERE received_at < now() - make_interval(days => :days)
        ORDER BY received_at
        LIMIT :most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM call_source_unassigned u USING old WHERE u.id = old.id RETURNING 1
    )
    SELECT count(*) FROM gone
""")


def forget_unassigned(session: Session, *, most: int) -> int:
    """Delete what nobody has claimed for `KEPT_DAYS`, a batch at a time; returns how many."""
    return int(session.execute(_FORGET, {"days": KEPT_DAYS, "most": most}).scalar_one())


def iterate_unassigned(
    session: Session, cipher: TokenCipher
) -> Sequence[tuple[str, dict[str, Any]]]:
    """Ids and contents of everything that waits: for whoever looks for a person."""
    rows = session.execute(text("SELECT id, value FROM call_source_unassigned ORDER BY id"))
    opened = ((row.id, _open(cipher, row.id, row.value)) for row in rows)
    return [(row_id, each["payload"]) for row_id, each in opened if each is not None]


def drop_unassigned(session: Session, ids: Collection[str]) -> int:
    """Delete what waits, by id; returns how many."""
    deleted = session.execute(
        text("DELETE FROM call_source_unassigned WHERE id = ANY(:ids) RETURNING id"),
        {"ids": list(ids)},
    )
    return len(deleted.all())
