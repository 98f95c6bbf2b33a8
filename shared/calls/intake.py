"""Intake: storing what is said of a call durably, each delivery once.

The first delivery makes the call. What a later one adds is appended to it, and merged by a worker
(`shared/activities/news.py`): no row of the log that is there already is locked here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.orm import Session

from shared.calls.choices import KEPT_FIELDS, Choices, Keep
from shared.calls.content import CallContent, FieldWarning
from shared.calls.contents import read_stored
from shared.calls.merging import CLOCK_TOLERANCE, HASH_BYTES, Delivery, fold, make_stamp
from shared.configuration.settings import Activity
from shared.ids import new_log_id
from shared.reasons import HELD_MESSAGE

# Of calls in one statement: each byte is copied several times on its way.
MAX_STATEMENT_BYTES: Final = 2 * 1024 * 1024
# A call that nobody has reported the end of is written so long after the last news of it, if it has
# a number and nothing says that it goes on; else so long after the first.
WITHOUT_NEWS_S: Final = 600.0
WITHOUT_END_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCall:
    """One delivery of a call, which may be the first.

    Attributes:
        user_id: Whose call it is, with `workspace_id`.
        workspace_id: See `user_id`.
        call_id: The producer's id; with user and workspace it is the call's identity.
        phone_number: The customer's number as given, None when withheld.
        payload: What the note is written from.
        trace: What it belongs to; kept beside the payload.
        document: Both as JSON in UTF-8, the form in which calls wait: parsed, a transcript
            takes ten times its bytes.
        content_hash: Of what is said: equal deliveries are told by it.
        warnings: What could not be taken over from the producer's fields.
        notices: What could not be taken over otherwise, in sentences.
        event: The producer's word for what happened.
        rank: Of the event among those of the same time.
        occurred_at: When that was, by the producer's account; None if it does not say.
        withdrawn: Fields that must not be kept; one that the payload has is the redacted version.
        is_end: It shows that the call is over.
        is_running: It says that the call is not over yet.
        is_final: It says that nothing more will come.
        source_id: The call source that delivered it; None for our own webhook.
        is_held: A call that this makes waits until a person says whether it is to be written.
    """

    user_id: str
    workspace_id: str
    call_id: str
    phone_number: str | None
    warnings: tuple[FieldWarning, ...] = ()
    notices: tuple[str, ...] = ()
    event: str = "call.ended"
    rank: int = 0
    occurred_at: datetime | None = None
    withdrawn: tuple[str, ...] = ()
    is_end: bool = True
    is_running: bool = False
    is_final: bool = False
    source_id: str | None = None
    is_held: bool = False
    payload: InitVar[Mapping[str, Any]]
    trace: InitVar[Mapping[str, str] | None] = None
    document: bytes = field(init=False, repr=False)
    content_hash: bytes = field(init=False, repr=False)

    def __post_init__(self, payload: Mapping[str, Any], trace: Mapping[str, str] | None) -> None:
        document = _to_json(payload)
        flags = _to_json([sorted(self.withdrawn), self.is_end, self.is_final])
        digest = blake2b(document, digest_size=HASH_BYTES)
        digest.update(flags)
        object.__setattr__(self, "content_hash", digest.digest())
        if trace:
            document = document[:-1] + b"," * (len(document) > len(b"{}")) + _to_json(trace)[1:]
        object.__setattr__(self, "document", document)

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it the same call as another delivery of it."""
        return self.user_id, self.workspace_id, self.call_id


@dataclass(frozen=True, slots=True)
class StoredCall:
    """What intake answers with.

    Attributes:
        log_id: The sync log's id, the first delivery's if this is a copy.
        is_duplicate: The call was stored before, and this delivery says nothing new of it.
        connection_id: Whom to wake; None when the workspace has no live connection.
        is_updated: The call was stored before, and this delivery changes it.
    """

    log_id: str
    is_duplicate: bool
    connection_id: str | None
    is_updated: bool = False


_IDENTITY = ("user_id", "workspace_id", "call_id")
_FIELDS = (
    *(*_IDENTITY, "phone_number", "event", "rank", "is_end", "is_final"),
    *("source_id", "is_held"),
)
_DELIVERED = ("user_id", "workspace_id", "event", "rank", "is_end", "is_final")

# What is known of a call whose log row has been pruned; NULL before anything has been. In Postgres,
# so that whoever stores calls knows it, whatever becomes of the keys of tokens.
IDENTITY_HASH: Final = """
    substring(sha256((SELECT key FROM hubspot_pruning_keys)
                     || convert_to({0}.user_id, 'UTF8') || decode('00', 'hex')
                     || convert_to({0}.workspace_id, 'UTF8') || decode('00', 'hex')
                     || convert_to({0}.call_id, 'UTF8')) FROM 1 FOR 16)
"""

# Most customers have decided nothing; the rest pay for taking out what they do not want kept.
_KEPT: Final = "CASE WHEN choices ? 'keep' THEN payload{} ELSE payload END".format(
    "".join(
        f" - CASE WHEN choices #> '{{keep,{key}}}' = 'false' THEN '{field}' ELSE '' END"
        for key, field in KEPT_FIELDS.items()
    )
)
# A look-up of its own for each call: the planner knows nothing of how many there are.
_OF_TENANT: Final = """
    LEFT JOIN LATERAL (
        SELECT c.id AS connection_id, c.state, c.choices FROM hubspot_oauth_tokens c
        WHERE c.user_id = {0}.user_id AND c.workspace_id = {0}.workspace_id OFFSET 0
    ) AS of_tenant ON true
"""

# The log row decides whether a call is new, or what is left of it once it has been pruned; only
# then is the payload stored. OFFSET keeps Postgres from reading all pruned calls instead of looking
# up each, should it have planned that while they were few. One document is one parameter, whatever
# the number of calls. A payload is measured as it will be read: Postgres writes the number 1e308 in
# 309 digits. They are inserted in the order of their identities, or
# two transactions with the same calls would wait for each other.
_STORE = text(f"""
    WITH given AS (
        SELECT given.*, of_tenant.*
        FROM json_to_recordset(CAST(:calls AS json)) AS given (
            place int, id text, user_id text, workspace_id text, call_id text,
            phone_number text, payload jsonb, warnings jsonb, content_hash text, event text,
            rank smallint, occurred_at timestamptz, withdrawn text[], is_end boolean,
            is_final boolean, due_in float8, source_id text, is_held boolean, notices jsonb)
        {_OF_TENANT.format("given")}
    ), new_log AS (
        INSERT INTO hubspot_sync_logs
            (id, user_id, workspace_id, call_id, phone_number, lane, warnings, withdrawn,
             awaits_end, next_attempt_at, activity, source_id, notices, status, error_code,
             error_message)
        SELECT id, user_id, workspace_id, call_id, phone_number, :lane, warnings, withdrawn,
               NOT is_end, CASE WHEN NOT is_held THEN now() + make_interval(secs => due_in) END,
               coalesce(choices ->> 'activity', :activity),
               source_id, notices, CASE WHEN is_held THEN 'skipped' ELSE 'pending' END,
               CASE WHEN is_held THEN 'held' END,
               CASE WHEN is_held THEN CAST(:held_message AS text) END
        FROM given
        WHERE NOT EXISTS (SELECT FROM hubspot_pruned_calls pruned
                          WHERE pruned.identity_hash = {IDENTITY_HASH.format("given")} OFFSET 0)
        ORDER BY place
        ON CONFLICT (user_id, workspace_id, call_id) DO NOTHING
        RETURNING id
    ), new_call AS (
        INSERT INTO calls (log_id, payload, payload_bytes, first_hash, first_event, first_rank,
                           first_occurred_at, first_is_end, is_ended, is_final)
        SELECT id, kept, octet_length(kept::text), decode(content_hash, 'hex'), event, rank,
               CASE WHEN occurred_at <= now() + :tolerance THEN occurred_at END, is_end, is_end,
               is_final
        FROM given JOIN new_log USING (id) CROSS JOIN LATERAL (SELECT {_KEPT} AS kept OFFSET 0) AS k
    )
    SELECT id, CASE WHEN state = 'connected' THEN connection_id END AS connection_id,
           choices -> 'own_numbers' AS own_numbers
    FROM given JOIN new_log USING (id)
""")  # noqa: S608 - a constant of ours

# Who holds the row by now has found the number itself.
_RENUMBER = text("""
    WITH free AS MATERIALIZED (
        SELECT l.id, given.phone_number
        FROM json_to_recordset(CAST(:numbers AS json)) AS given (id text, phone_number text)
        JOIN hubspot_sync_logs l USING (id)
        WHERE l.claimed_by IS NULL AND l.attempts = 0
        ORDER BY l.id
        FOR NO KEY UPDATE OF l SKIP LOCKED
    )
    UPDATE hubspot_sync_logs l SET phone_number = free.phone_number FROM free WHERE l.id = free.id
""")

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
    session: Session | Connection,
    calls: Sequence[NewCall],
    *,
    lane: int,
    activity: Activity = "note",
) -> list[StoredCall]:
    """Store calls as pending; what is known already grows by what is new of it.

    Args:
        session: An open transaction; the calls count as accepted once it has committed. Or a
            connection on which each statement commits itself: up to `MAX_STATEMENT_BYTES` of calls
            are stored by one.
        calls: Of several with the same identity the first makes the call, and the others grow it.
        lane: `Lane.LIVE`, or `Lane.BACKFILL` for calls that may wait.
        activity: What calls become whose customer has chosen nothing.

    What a customer does not want kept is not stored, neither of a new call nor of what it grows by.

    Returns:
        What became of each call, in the order given.
    """
    ids = [new_log_id() for _ in calls]
    new: dict[str, str | None] = {}
    own_numbers: dict[str, list[str]] = {}
    stored_with = {
        "lane": lane,
        "activity": activity,
        "tolerance": CLOCK_TOLERANCE,
        "held_message": HELD_MESSAGE,
    }
    for document in _documents(calls, ids):
        for row in session.execute(_STORE, {**stored_with, "calls": document}):
            new[row.id] = row.connection_id
            if row.own_numbers:
                own_numbers[row.id] = row.own_numbers
    if own_numbers:
        _leave_out_own_numbers(session, dict(zip(ids, calls, strict=True)), own_numbers)
    stored = {
        place: StoredCall(log_id, is_duplicate=False, connection_id=new[log_id])
        for place, log_id in enumerate(ids)
        if log_id in new
    }
    later = {place: call for place, call in enumerate(calls) if place not in stored}
    if later:
        stored |= append_deliveries(session, later)
        # The first one was there a moment ago, and has been erased with its tenant since.
        orphans = [place for place in later if place not in stored]
        if orphans:
            again = store_calls(
                session, [calls[place] for place in orphans], lane=lane, activity=activity
            )
            stored |= zip(orphans, again, strict=True)
    return [stored[place] for place in range(len(calls))]


def _leave_out_own_numbers(
    session: Session | Connection,
    calls: Mapping[str, NewCall],
    own_numbers: Mapping[str, Sequence[str]],
) -> None:
    """Let the log say who the customer of these new calls is, none of whom has an own number."""
    numbers = {
        log_id: Choices(own_numbers=tuple(own)).find_number(json.loads(calls[log_id].document))
        for log_id, own in own_numbers.items()
    }
    changed = [
        {"id": log_id, "phone_number": number}
        for log_id, number in numbers.items()
        if number != calls[log_id].phone_number
    ]
    if changed:
        session.execute(_RENUMBER, {"numbers": json.dumps(changed)})


def _due_in(call: NewCall) -> float:
    """Seconds until a new call is looked up: at once, or when its end has been awaited."""
    if call.is_end:
        return 0
    is_written_anyway = call.phone_number is not None and not call.is_running
    return WITHOUT_NEWS_S if is_written_anyway else WITHOUT_END_S


def _documents(calls: Sequence[NewCall], ids: Sequence[str]) -> Iterator[str]:
    """JSON arrays of calls, each of about `MAX_STATEMENT_BYTES` at most."""
    parts: list[bytes] = []
    size = 0
    in_order = sorted(zip(calls, ids, strict=True), key=lambda each: each[0].identity)
    for place, (call, log_id) in enumerate(in_order):
        row = {"place": place, "id": log_id} | {name: getattr(call, name) for name in _FIELDS}
        row["warnings"] = [each._asdict() for each in call.warnings] or None
        row["notices"] = list(call.notices) or None
        row["content_hash"] = call.content_hash.hex()
        row["occurred_at"] = call.occurred_at.isoformat() if call.occurred_at else None
        row["withdrawn"] = list(call.withdrawn) or None
        row["due_in"] = _due_in(call)
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


def _to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# Whether this very delivery was seen before, and how large the call is that it is about.
_FIND_LATER = text(f"""
    SELECT found.*, call.log_id IS NULL
                    OR coalesce(call.first_hash = found.hash, false)
                    OR EXISTS (SELECT FROM call_deliveries d
                               WHERE d.log_id = found.log_id AND d.content_hash = found.hash)
                        AS is_old,
           coalesce(call.payload_bytes, 0) AS payload_bytes
    FROM (
        SELECT given.place, of_tenant.choices, decode(given.content_hash, 'hex') AS hash,
               coalesce(log.id, (
            SELECT pruned.log_id FROM hubspot_pruned_calls pruned
            WHERE pruned.identity_hash = {IDENTITY_HASH.format("given")})) AS log_id
        FROM json_to_recordset(CAST(:calls AS json)) AS given (
            place int, user_id text, workspace_id text, call_id text, content_hash text)
        LEFT JOIN hubspot_sync_logs log USING (user_id, workspace_id, call_id)
        {_OF_TENANT.format("given")}) AS found
    LEFT JOIN calls call USING (log_id)
    WHERE found.log_id IS NOT NULL
    ORDER BY found.place
""")  # noqa: S608 - a constant of ours

# A delivery is of a call whose content is there: that it has gone is final. The rows are locked as
# the reference to them locks them anyhow, in the order in which everybody does. Who is deleting one
# is not waited for while others are held.
_APPEND: Final = """
    WITH given AS (
        SELECT * FROM json_to_recordset(CAST(:deliveries AS json)) AS given (
            log_id text, user_id text, workspace_id text, content_hash text, event text,
            rank smallint, occurred_at timestamptz, received_at timestamptz, is_end boolean,
            is_final boolean, withdrawn text[], fields text[], facts jsonb)
    ), held AS MATERIALIZED (
        SELECT log_id FROM calls WHERE log_id IN (SELECT log_id FROM given)
        ORDER BY log_id
        FOR KEY SHARE {waiting}
    ), appended AS (
        INSERT INTO call_deliveries
            (log_id, user_id, workspace_id, content_hash, event, rank, occurred_at, received_at,
             is_end, is_final, withdrawn, fields, facts)
        SELECT log_id, user_id, workspace_id, decode(content_hash, 'hex'), event, rank,
               CASE WHEN occurred_at <= received_at + :tolerance THEN occurred_at END, received_at,
               is_end, is_final, withdrawn, fields, facts
        FROM given JOIN held USING (log_id)
        ORDER BY log_id, content_hash
        ON CONFLICT (log_id, content_hash) DO NOTHING
        RETURNING log_id, content_hash, user_id, workspace_id
    )
    SELECT log_id, encode(content_hash, 'hex') AS content_hash,
           (SELECT c.id FROM hubspot_oauth_tokens c
             WHERE c.user_id = appended.user_id AND c.workspace_id = appended.workspace_id
               AND c.state = 'connected') AS connection_id
    FROM appended
"""
_APPEND_FREE = text(_APPEND.format(waiting="SKIP LOCKED"))
_APPEND_WAITING = text(_APPEND.format(waiting=""))


def append_deliveries(
    session: Session | Connection, calls: Mapping[int, NewCall]
) -> dict[int, StoredCall]:
    """Append what is new of calls that are known; returns what became of each, by its place.

    Left out are calls that are not known.
    """
    document = json.dumps(
        [
            dict(zip(_IDENTITY, call.identity, strict=True))
            | {"place": place, "content_hash": call.content_hash.hex()}
            for place, call in calls.items()
        ],
        ensure_ascii=False,
    )
    found = session.execute(_FIND_LATER, {"calls": document}).all()
    stored = {row.place: StoredCall(row.log_id, True, None) for row in found}
    keep = {row.place: Choices.of(row.choices).keep for row in found}
    group: dict[int, str] = {}
    size = 0
    for row in found:
        if row.is_old:
            continue
        if group and size + row.payload_bytes > MAX_STATEMENT_BYTES:
            stored |= _append_group(session, calls, group, keep)
            group, size = {}, 0
        group[row.place] = row.log_id
        size += row.payload_bytes + len(calls[row.place].document)
    if group:
        stored |= _append_group(session, calls, group, keep)
    return stored


def _append_group(
    session: Session | Connection,
    calls: Mapping[int, NewCall],
    log_ids: Mapping[int, str],
    keep: Mapping[int, Keep],
) -> dict[int, StoredCall]:
    """Append what changes these calls; what changes nothing is remembered without its facts."""
    known = read_stored(session, dict.fromkeys(log_ids.values()))
    states = {log_id: call.fold() for log_id, call in known.items()}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    updating: dict[int, tuple[str, str]] = {}
    for number, (place, log_id) in enumerate(log_ids.items()):
        call = calls[place]
        key = log_id, call.content_hash.hex()
        if log_id not in states or key in rows:
            continue
        received_at = known[log_id].read_at + timedelta(microseconds=number)
        # What it withdraws and gives itself is the redacted version.
        unwanted = states[log_id].withdrawn.difference(call.withdrawn) | keep[place].dropped
        facts = {
            name: value
            for name, value in json.loads(call.document).items()
            if name in CallContent.model_fields and name not in unwanted
        }
        delivery = Delivery(
            stamp=make_stamp(call.occurred_at, call.rank, received_at),
            facts=facts,
            withdrawn=frozenset(call.withdrawn),
            is_end=call.is_end,
            is_final=call.is_final,
        )
        merge = fold(states[log_id], [delivery])
        if merge.call.revision != states[log_id].revision:
            updating[place] = key
        states[log_id] = merge.call
        rows[key] = {
            **{name: getattr(call, name) for name in _DELIVERED},
            "log_id": log_id,
            "content_hash": key[1],
            "occurred_at": call.occurred_at.isoformat() if call.occurred_at else None,
            "received_at": received_at.isoformat(),
            "withdrawn": list(call.withdrawn) or None,
            "fields": list(facts),
            "facts": facts if merge.has_gained else None,
        }
    appended = _append(session, rows)
    return {
        place: StoredCall(key[0], False, appended[key], is_updated=True)
        for place, key in updating.items()
        if key in appended
    }


def _append(
    session: Session | Connection, rows: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[tuple[str, str], str | None]:
    """Whom to wake for each that is appended; others are there already, or their call is gone."""
    appended = _append_rows(session, _APPEND_FREE, list(rows.values())) if rows else {}
    for key in sorted(rows.keys() - appended.keys()):
        appended |= _append_rows(session, _APPEND_WAITING, [rows[key]])
    return appended


def _append_rows(
    session: Session | Connection, query: TextClause, rows: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], str | None]:
    document = json.dumps(rows, ensure_ascii=False)
    found = session.execute(query, {"deliveries": document, "tolerance": CLOCK_TOLERANCE})
    return {(row.log_id, row.content_hash): row.connection_id for row in found}
