"""The contents of calls as they are read: with all that is known, none larger than can be held."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import Session

from shared.calls.content import CallContent
from shared.calls.merging import Delivery, MergedCall, Stamp, fingerprint, fold, make_stamp

# As text. No webhook is as large: only numbers like 1e308 grow, to 309 digits each, when Postgres
# writes them.
MAX_CONTENT_BYTES: Final = 8 * 1024 * 1024
_INSTEAD: Final = {"structured_data": {"data": "too large to be shown"}}

# In one statement, so that no delivery is merged between its reading and that of the rest.
_READ = text("""
    SELECT c.log_id,
           CASE WHEN coalesce(c.payload_bytes, octet_length(c.payload::text)) <= :most
                THEN c.payload ELSE c.payload || CAST(:instead AS jsonb) END AS payload,
           c.received_at, c.first_occurred_at, coalesce(c.first_rank, 0) AS first_rank, c.stamps,
           c.revision, c.is_ended, c.is_final, l.withdrawn,
           (SELECT json_agg(json_build_object(
                       'id', d.id, 'occurred_at', d.occurred_at, 'rank', d.rank,
                       'received_at', d.received_at, 'is_end', d.is_end, 'is_final', d.is_final,
                       'withdrawn', d.withdrawn, 'facts', d.facts) ORDER BY d.id)
            FROM call_deliveries d WHERE d.log_id = c.log_id AND d.facts IS NOT NULL) AS news,
           clock_timestamp() AS read_at
    FROM calls c JOIN hubspot_sync_logs l ON l.id = c.log_id
    WHERE c.log_id = ANY(:ids)
""")


class StoredCall:
    """A call as it is stored: what is merged, and the news that waits.

    Attributes:
        merged: What has been merged.
        news: What has not, in the order of its reception.
        news_ids: Which deliveries those are.
        read_at: When, by Postgres's clock.
    """

    __slots__ = ("merged", "news", "news_ids", "read_at")

    def __init__(self, row: Row[Any]) -> None:
        self.merged = MergedCall(
            content=row.payload,
            base=make_stamp(row.first_occurred_at, row.first_rank, row.received_at),
            stamps={key: Stamp(*each) for key, each in (row.stamps or {}).items()},
            withdrawn=frozenset(row.withdrawn or ()),
            is_ended=row.is_ended,
            is_final=row.is_final,
            revision=row.revision,
        )
        self.news = [_read_delivery(each) for each in row.news or ()]
        self.news_ids: list[int] = [each["id"] for each in row.news or ()]
        self.read_at: datetime = row.read_at

    def fold(self) -> MergedCall:
        """The call with all that is known of it."""
        return fold(self.merged, self.news).call if self.news else self.merged


def read_stored(session: Session | Connection, log_ids: Iterable[str]) -> dict[str, StoredCall]:
    """Calls by log id, without those whose content is deleted."""
    return {row.log_id: StoredCall(row) for row in _read(session, list(log_ids))}


def read_contents(session: Session, log_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Payloads by log id, without those that are deleted; structured data beyond all use is cut.

    With the news that nobody has merged yet.
    """
    return {
        row.log_id: row.payload if row.news is None else StoredCall(row).fold().content
        for row in _read(session, log_ids)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class GrownContent:
    """All that is known of a call by now; `hash` as `fingerprint`, in hex."""

    call: CallContent
    revision: int
    hash: str


def read_grown_contents(session: Session, log_ids: Sequence[str]) -> dict[str, GrownContent]:
    """Calls with all that is known of them, by log id; without those that are deleted."""
    grown = {}
    for log_id, stored in read_stored(session, log_ids).items():
        merged = stored.fold()
        grown[log_id] = GrownContent(
            call=CallContent.from_payload(merged.content),
            revision=merged.revision,
            hash=fingerprint(merged.content).hex(),
        )
    return grown


@dataclass(frozen=True, slots=True)
class KnownCall:
    """What the customer's rules look at of a call, with the news that nobody has merged yet.

    Attributes:
        content: Without what nobody judges by: transcript and structured data.
        withdrawn: Fields that are not kept.
        is_final: Nothing more will come.
        ended_for: Seconds since we first heard of the end; None if we have not.
    """

    content: Mapping[str, Any]
    withdrawn: frozenset[str]
    is_final: bool
    ended_for: float | None


_READ_KNOWN = text("""
    SELECT c.log_id, c.payload - '{transcript,structured_data}'::text[] AS payload, c.is_final,
           l.withdrawn,
           extract(epoch FROM now() - CASE WHEN c.first_is_end THEN c.received_at ELSE
               (SELECT min(d.received_at) FROM call_deliveries d
                WHERE d.log_id = c.log_id AND d.is_end) END)::float8 AS ended_for,
           EXISTS (SELECT FROM call_deliveries d
                   WHERE d.log_id = c.log_id AND d.facts IS NOT NULL) AS has_news
    FROM calls c JOIN hubspot_sync_logs l ON l.id = c.log_id
    WHERE c.log_id = ANY(:ids)
""")


def read_known(session: Session, log_ids: Sequence[str]) -> dict[str, KnownCall]:
    """What is known of calls by log id, without those whose content is deleted."""
    rows = session.execute(_READ_KNOWN, {"ids": list(log_ids)}).all()
    growing = read_stored(session, [row.log_id for row in rows if row.has_news])
    grown = {log_id: call.fold() for log_id, call in growing.items()}
    return {
        row.log_id: KnownCall(
            content=row.payload,
            withdrawn=frozenset(row.withdrawn or ()),
            is_final=row.is_final,
            ended_for=row.ended_for,
        )
        if (call := grown.get(row.log_id)) is None
        else KnownCall(
            content=call.content,
            withdrawn=call.withdrawn,
            is_final=call.is_final,
            ended_for=row.ended_for,
        )
        for row in rows
    }


def _read(session: Session | Connection, log_ids: Sequence[str]) -> Iterable[Row[Any]]:
    wanted = {"ids": list(log_ids), "most": MAX_CONTENT_BYTES, "instead": json.dumps(_INSTEAD)}
    return session.execute(_READ, wanted)


def _read_delivery(told: Mapping[str, Any]) -> Delivery:
    occurred_at = told["occurred_at"]
    return Delivery(
        stamp=make_stamp(
            datetime.fromisoformat(occurred_at) if occurred_at else None,
            told["rank"],
            datetime.fromisoformat(told["received_at"]),
        ),
        facts=told["facts"],
        withdrawn=frozenset(told["withdrawn"] or ()),
        is_end=told["is_end"],
        is_final=told["is_final"],
    )
