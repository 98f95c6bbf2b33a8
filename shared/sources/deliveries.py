"""What has come of sources: the last deliveries that matter, and counts by the hour.

Names and ids only: nothing of a body is here.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

MOST_KEPT: Final = 50
COUNTED_HOURS: Final = 24


class Result(StrEnum):
    """What became of a delivery."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    UPDATED = "updated"
    IGNORED = "ignored"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


class Kind(StrEnum):
    """What a delivery counts as."""

    RECEIVED = "received"
    IGNORED = "ignored"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryNote:
    """A delivery that is remembered: its event and fields by name, no contents."""

    source_id: str
    at: datetime
    event: str | None
    result: Result
    call_id: str | None = None
    log_id: str | None = None
    user_id: str | None = None
    workspace_id: str | None = None
    fields: tuple[str, ...] = ()
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountNote:
    """Deliveries of one kind, of a source, within an hour; `event` is that of ignored ones."""

    source_id: str
    hour: datetime
    kind: Kind
    event: str
    count: int
    last_at: datetime
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNote:
    """When a source did what last; None for what it did not."""

    source_id: str
    received_at: datetime | None = None
    genuine_at: datetime | None = None
    refused_at: datetime | None = None
    refusal_code: str | None = None
    refusal_message: str | None = None


@dataclass(frozen=True, slots=True)
class SecretNote:
    """When a secret proved a delivery last."""

    secret_id: str
    used_at: datetime


# A source that has been removed meanwhile is left out.
_INSERT = text("""
    INSERT INTO call_source_deliveries
        (source_id, at, event, result, call_id, log_id, user_id, workspace_id, fields, message)
    SELECT n.source_id, n.at, n.event, n.result, n.call_id, n.log_id, n.user_id, n.workspace_id,
           coalesce(n.fields, '{}'), n.message
    FROM json_to_recordset(CAST(:notes AS json)) AS n (
        source_id text, at timestamptz, event text, result text, call_id text, log_id text,
        user_id text, workspace_id text, fields text[], message text)
    JOIN call_sources s ON s.id = n.source_id
    ORDER BY n.at
""")
_CUT = text("""
    DELETE FROM call_source_deliveries d
    USING unnest(CAST(:ids AS text[])) AS source (id)
    WHERE d.source_id = source.id
      AND d.id <= (SELECT e.id FROM call_source_deliveries e WHERE e.source_id = source.id
                   ORDER BY e.id DESC OFFSET :most LIMIT 1)
""")
_COUNT = text("""
    INSERT INTO call_source_counts AS c (source_id, hour, kind, event, count, last_at, message)
    SELECT n.source_id, n.hour, n.kind, n.event, n.count, n.last_at, n.message
    FROM json_to_recordset(CAST(:notes AS json)) AS n (
        source_id text, hour timestamptz, kind text, event text, count bigint,
        last_at timestamptz, message text)
    JOIN call_sources s ON s.id = n.source_id
    ORDER BY n.source_id, n.hour, n.kind, n.event
    ON CONFLICT (source_id, hour, kind, event) DO UPDATE
    SET count = c.count + excluded.count, last_at = greatest(c.last_at, excluded.last_at),
        message = coalesce(excluded.message, c.message)
""")
_TOUCH = text("""
    UPDATE call_sources s
    SET last_received_at = greatest(s.last_received_at, n.received_at),
        last_genuine_at = greatest(s.last_genuine_at, n.genuine_at),
        last_refused_at = greatest(s.last_refused_at, n.refused_at),
        last_refusal_code = CASE WHEN n.refused_at >= coalesce(s.last_refused_at, n.refused_at)
                                 THEN n.refusal_code ELSE s.last_refusal_code END,
        last_refusal_message = CASE
            WHEN n.refused_at >= coalesce(s.last_refused_at, n.refused_at)
            THEN n.refusal_message ELSE s.last_refusal_message END
    FROM json_to_recordset(CAST(:notes AS json)) AS n (
        source_id text, received_at timestamptz, genuine_at timestamptz, refused_at timestamptz,
        refusal_code text, refusal_message text)
    WHERE s.id = n.source_id
""")
# In the order of the ids, as by whoever else flushes at the same time.
_LOCK = text("SELECT id FROM call_sources WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
_USE = text("""
    UPDATE call_source_secrets e SET last_used_at = greatest(e.last_used_at, n.used_at)
    FROM json_to_recordset(CAST(:notes AS json)) AS n (secret_id text, used_at timestamptz)
    WHERE e.id = n.secret_id
""")


def record(
    session: Session,
    *,
    deliveries: Collection[DeliveryNote] = (),
    counts: Collection[CountNote] = (),
    sources: Collection[SourceNote] = (),
    secrets: Collection[SecretNote] = (),
) -> None:
    """Store what has come lately; of a source's deliveries the last ones are kept."""
    touched = {
        *(each.source_id for each in deliveries),
        *(each.source_id for each in counts),
        *(each.source_id for each in sources),
    }
    session.execute(_LOCK, {"ids": sorted(touched)})
    for query, notes in ((_TOUCH, sources), (_USE, secrets), (_COUNT, counts)):
        if notes:
            session.execute(query, {"notes": _to_json(notes)})
    if deliveries:
        session.execute(_INSERT, {"notes": _to_json(deliveries)})
        ids = sorted({each.source_id for each in deliveries})
        session.execute(_CUT, {"ids": ids, "most": MOST_KEPT})


def _to_json(notes: Collection[Any]) -> str:
    return json.dumps([asdict(each) for each in notes], default=_as_text)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


@dataclass(frozen=True, slots=True)
class ListedDelivery:
    """A delivery as it is shown, or how many of an ignored event there were."""

    at: datetime
    event: str | None
    result: str
    call_id: str | None
    log_id: str | None
    fields: Sequence[str]
    message: str | None
    count: int


_LIST = text("""
    SELECT at, event, result, call_id, log_id, fields, message, 1 AS count
    FROM call_source_deliveries WHERE source_id = :id
    UNION ALL
    SELECT max(last_at), event, 'ignored', NULL, NULL, '{}', max(message), sum(count)::bigint
    FROM call_source_counts
    WHERE source_id = :id AND kind = 'ignored' AND hour > now() - make_interval(hours => :hours)
    GROUP BY event
    ORDER BY at DESC
""")


def list_deliveries(session: Session, source_id: str) -> list[ListedDelivery]:
    """The last deliveries that matter and, of 24 hours, one line for each ignored event."""
    rows = session.execute(_LIST, {"id": source_id, "hours": COUNTED_HOURS})
    return [ListedDelivery(*row) for row in rows]


_COUNTS = text("""
    SELECT source_id, kind, sum(count)::bigint AS total
    FROM call_source_counts
    WHERE source_id = ANY(:ids) AND hour > now() - make_interval(hours => :hours)
    GROUP BY source_id, kind
""")


def read_counts(session: Session, source_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """How many deliveries came within 24 hours, of each source by kind."""
    counts = {each: dict.fromkeys(map(str, Kind), 0) for each in source_ids}
    for row in session.execute(_COUNTS, {"ids": list(source_ids), "hours": COUNTED_HOURS}):
        counts[row.source_id][row.kind] = int(row.total)
    return counts


_FORGET = text("""
    WITH old AS (
        SELECT ctid FROM call_source_counts
        WHERE hour < now() - make_interval(hours => :hours)
        LIMIT :most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM call_source_counts c USING old WHERE c.ctid = old.ctid RETURNING 1
    )
    SELECT count(*) FROM gone
""")


def forget_counts(session: Session, *, most: int) -> int:
    """Delete counts of hours that nobody is shown any more, a batch at a time; returns how many."""
    wanted = {"hours": COUNTED_HOURS + 1, "most": most}
    return int(session.execute(_FORGET, wanted).scalar_one())
