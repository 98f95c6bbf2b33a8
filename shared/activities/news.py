"""News of calls that are known: merged by a worker, and what follows from it for the sync log.

Deliveries are appended by intake (`shared/calls/intake.py`) and wait here as a queue. The news of a
call in a worker's hands waits until that is recorded, so that nothing can slip between what was
written and what has come since.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from shared.activities.bounds import fit_to_note
from shared.calls.choices import Choices
from shared.calls.content import RUNNING_OUTCOMES, CallContent, is_outcome_of
from shared.calls.contents import StoredCall, read_stored
from shared.calls.directions import read_direction
from shared.calls.intake import MAX_STATEMENT_BYTES, WITHOUT_END_S, WITHOUT_NEWS_S
from shared.calls.merging import Merge, fingerprint, fold, from_microseconds
from shared.calls.rules import what_rules_look_at
from shared.queue.updates import (
    AFTER_WRITING_ERROR,
    MOST_UPDATES,
    TOO_OFTEN_ERROR,
    UPDATE_SETTLE_S,
    UPDATES_SPACED_S,
)
from shared.reasons import Reason, Status

log = structlog.get_logger(__name__)

# Calls of one tenant in the hands of workers, or locked for a moment.
MOST_CLAIMED: Final = 1_000

# Whom no number was found for, or nothing that may be looked up: another number is another call.
_UNUSABLE: Final = (
    Reason.NO_PHONE_NUMBER,
    Reason.INVALID_PHONE_NUMBER,
    Reason.UNKNOWN_DIRECTION,
    Reason.FILTERED,
    Reason.CONTACT_NOT_FOUND,
    Reason.AMBIGUOUS_CONTACT,
)
# Once for each change: what was refused may be taken now, what was given up gets another day.
_TRIED_AGAIN: Final = (
    Reason.REJECTED_BY_HUBSPOT,
    Reason.POISON,
    Reason.RATE_LIMITED,
    Reason.HUBSPOT_UNAVAILABLE,
    Reason.NETWORK_ERROR,
    Reason.CONFIGURATION_ERROR,
)


_HAS_NEWS = text("""
    SELECT EXISTS (SELECT FROM call_deliveries
                   WHERE user_id = :user_id AND workspace_id = :workspace_id
                     AND facts IS NOT NULL)
""")


def has_news(session: Session, *, user_id: str, workspace_id: str) -> bool:
    """Whether a tenant has deliveries that nobody has merged."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    return bool(session.execute(_HAS_NEWS, tenant).scalar_one())


# In the order of the ids, as everywhere. Whoever holds a row is not waited for: its news stays.
# Once a call was looked up its end is awaited no more. One that waits for a fact, as its customer's
# settings ask, has no reason, and is not due yet. Few enough are looked at to be read in the index's
# order, however many wait, and more than workers ever hold of one tenant.
_LOCK = text("""
    SELECT l.id, l.status, l.error_code, l.created_at, l.last_write_at IS NOT NULL AS is_marked,
           l.awaits_end AND l.attempts = 0 AND l.looks = 0 AND NOT l.raw_lookup
               AND l.failing_since IS NULL AS awaits_end,
           l.status = 'pending' AND l.error_code IS NULL AND NOT l.awaits_end AND l.looks = 0
               AND NOT l.raw_lookup AND l.failing_since IS NULL AND l.suspect_size IS NULL
               AND l.next_attempt_at > now() AS awaits_fact,
           coalesce(c.payload_bytes, 0) AS payload_bytes
    FROM (SELECT DISTINCT log_id FROM call_deliveries
          WHERE user_id = :user_id AND workspace_id = :workspace_id AND facts IS NOT NULL
          ORDER BY log_id LIMIT :looked_at) AS news
    JOIN hubspot_sync_logs l ON l.id = news.log_id
    JOIN calls c ON c.log_id = l.id
    WHERE l.claimed_by IS NULL
    ORDER BY l.id
    LIMIT :most
    FOR NO KEY UPDATE OF l SKIP LOCKED
""")

_CHOICES = text("""
    SELECT choices FROM hubspot_oauth_tokens
    WHERE user_id = :user_id AND workspace_id = :workspace_id
""")

# Behind the log's rows, and gently: whoever appends a delivery refers to the call.
_LOCK_CALLS = text("""
    SELECT log_id FROM calls WHERE log_id = ANY(:ids) ORDER BY log_id FOR NO KEY UPDATE
""")

_MERGE = text("""
    UPDATE calls c
    SET payload = m.payload, payload_bytes = octet_length(m.payload::text), stamps = m.stamps,
        revision = m.revision, is_ended = m.is_ended, is_final = m.is_final
    FROM jsonb_to_recordset(CAST(:merged AS jsonb)) AS m (
        log_id text, payload jsonb, stamps jsonb, revision int, is_ended boolean,
        is_final boolean)
    WHERE c.log_id = m.log_id
""")
_FORGET_FACTS = text("UPDATE call_deliveries SET facts = NULL WHERE id = ANY(:ids)")
_WITHDRAW = text("""
    UPDATE hubspot_sync_logs l SET withdrawn = w.withdrawn
    FROM jsonb_to_recordset(CAST(:withdrawn AS jsonb)) AS w (log_id text, withdrawn text[])
    WHERE l.id = w.log_id
""")

# What was learnt for another number counts no more: the call is looked up from the beginning, by a
# claim with a fence of its own, as after a replay.
_RENEW = text("""
    UPDATE hubspot_sync_logs l
    SET status = 'pending', error_code = NULL, error_message = NULL,
        phone_number = CASE WHEN l.last_write_at IS NULL THEN r.phone_number
                            ELSE l.phone_number END,
        awaits_end = r.awaits_end, next_attempt_at = coalesce(r.due_at, now()),
        failures = 0, failing_since = NULL, looks = 0, raw_lookup = false, fence = l.fence + 1,
        hub_id = CASE WHEN l.last_write_at IS NOT NULL THEN l.hub_id END,
        contact_id = CASE WHEN l.last_write_at IS NOT NULL THEN l.contact_id END,
        updated_at = now()
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
        log_id text, phone_number text, awaits_end boolean, due_at timestamptz)
    WHERE l.id = r.log_id
""")
_AWAIT = text("""
    UPDATE hubspot_sync_logs l
    SET awaits_end = r.awaits_end, next_attempt_at = coalesce(r.due_at, now()), updated_at = now()
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
        log_id text, awaits_end boolean, due_at timestamptz)
    WHERE l.id = r.log_id
""")
_RENUMBER = text("""
    UPDATE hubspot_sync_logs l SET phone_number = r.phone_number, updated_at = now()
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (log_id text, phone_number text)
    WHERE l.id = r.log_id
""")

# What waits or is being written goes on, and knows that more has come. A note that a person deleted
# is asked for again, since it may be restored. A withdrawal is written however often the activity
# was.
_WANT_UPDATES = text("""
    INSERT INTO activity_updates AS u
        (log_id, user_id, workspace_id, hub_id, first_news_at, due_at, state, error)
    SELECT l.id, l.user_id, l.workspace_id, l.hub_id, w.news_at,
           CASE WHEN w.is_urgent OR coalesce(a.updates, 0) < :most
                THEN greatest(w.news_at + make_interval(secs => :settle),
                              a.updated_at + make_interval(secs => spaced.seconds)) END,
           CASE WHEN w.is_urgent OR coalesce(a.updates, 0) < :most THEN 'waiting' ELSE 'held' END,
           CASE WHEN w.is_urgent OR coalesce(a.updates, 0) < :most THEN NULL ELSE :too_many END
    FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS w (
        log_id text, content_hash text, is_urgent boolean, news_at timestamptz)
    JOIN hubspot_sync_logs l ON l.id = w.log_id
    LEFT JOIN activities a ON a.log_id = l.id
    CROSS JOIN LATERAL (
        SELECT (CAST(:spaced AS float8[]))[least(coalesce(a.updates, 0), :steps - 1) + 1] AS seconds
    ) AS spaced
    WHERE l.engagement_id IS NOT NULL
      AND a.content_hash IS DISTINCT FROM decode(w.content_hash, 'hex')
    ORDER BY l.id
    ON CONFLICT (log_id) DO UPDATE
    SET news = u.news + 1,
        state = CASE WHEN u.state IN ('waiting', 'held') THEN u.state ELSE excluded.state END,
        error = CASE WHEN u.state IN ('waiting', 'held') THEN u.error ELSE excluded.error END,
        due_at = CASE WHEN u.state IN ('waiting', 'held') THEN u.due_at ELSE excluded.due_at END,
        first_news_at = CASE WHEN u.state = 'waiting' THEN u.first_news_at
                             ELSE excluded.first_news_at END,
        failures = CASE WHEN u.state = 'waiting' THEN u.failures ELSE 0 END,
        failing_since = CASE WHEN u.state = 'waiting' THEN u.failing_since END
    RETURNING u.log_id
""")

# What a person's retry, or a withdrawal, has made due goes on.
_FIND_IDLE = text("""
    SELECT wanted.id FROM unnest(CAST(:ids AS text[])) AS wanted (id)
    WHERE NOT EXISTS (SELECT FROM activity_updates u
                      WHERE u.log_id = wanted.id AND u.state = 'waiting')
""")
_HOLD = text("""
    UPDATE activity_updates SET state = 'held', due_at = NULL, error = :why
    WHERE log_id = ANY(:ids) AND state = 'waiting' AND claimed_by IS NULL
""")


# What was kept back is kept back for good, but for a withdrawal.
_RELEASE_WITHDRAWALS = text("""
    UPDATE activity_updates u
    SET state = 'waiting', error = NULL, due_at = now() + make_interval(secs => :settle)
    WHERE u.log_id = ANY(:ids) AND u.state = 'held'
""")

# The activity shows it already: it was folded in when that was written.
_IS_WRITTEN = text("""
    UPDATE activities a SET written_revision = w.revision
    FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS w (
        log_id text, content_hash text, revision int)
    WHERE a.log_id = w.log_id AND a.content_hash = decode(w.content_hash, 'hex')
      AND a.written_revision < w.revision
""")


@dataclass(frozen=True, slots=True)
class AppliedNews:
    """What a batch of news was: calls that were merged, requeued, and are to be written again."""

    calls: int = 0
    requeued: int = 0
    updates: int = 0


def apply_news(session: Session, *, user_id: str, workspace_id: str, most: int) -> AppliedNews:
    """Merge the news of up to `most` calls of a tenant that no worker holds, the oldest first.

    What is committed then: the content with its stamps, and what follows from it for the call.
    """
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    bounds = {"most": most, "looked_at": most + MOST_CLAIMED}
    locked = session.execute(_LOCK, tenant | bounds).all()
    rows = {row.id: row for row in _cut(locked)}
    if not rows:
        return AppliedNews()
    ids = {"ids": list(rows)}
    session.execute(_LOCK_CALLS, ids)
    # A statement of its own: the first one saw what was committed before its locks.
    stored = read_stored(session, rows)
    choices = Choices.of(session.execute(_CHOICES, tenant).scalar_one_or_none())
    changes = list(_merge(rows, stored, choices))
    _store(session, changes)
    return AppliedNews(
        calls=len(changes),
        requeued=_requeue(session, changes),
        updates=_want_updates(session, changes, is_written_once=choices.write_when == "complete"),
    )


def _merge(
    rows: Mapping[str, Row[Any]], stored: Mapping[str, StoredCall], choices: Choices
) -> Iterator["_Change"]:
    """Each call that can be merged: a defect that one brings out holds up no other."""
    for log_id, call in sorted(stored.items()):
        try:
            yield _Change(rows[log_id], call, choices)
        except Exception:
            log.exception("news_not_merged", log_id=log_id)


def want_updates(session: Session, log_ids: Iterable[str]) -> int:
    """Have activities written again that were not written from all that is known by now.

    For those whose claim was lost while they were written: news was merged under another one.
    Returns how many it were.
    """
    stored = read_stored(session, log_ids)
    wanted = [
        {
            "log_id": log_id,
            "content_hash": fingerprint(call.fold().content).hex(),
            "revision": call.fold().revision,
            "is_urgent": False,
            "news_at": call.read_at.isoformat(),
        }
        for log_id, call in sorted(stored.items())
    ]
    return _insert_updates(session, wanted)


def _cut(locked: Sequence[Row[Any]]) -> Iterable[Row[Any]]:
    """As many as fit into memory, one at least."""
    size = 0
    for place, row in enumerate(locked):
        size += row.payload_bytes
        if place and size > MAX_STATEMENT_BYTES:
            return
        yield row


class _Change:
    """What the news of one call makes of it."""

    def __init__(self, row: Row[Any], stored: StoredCall, choices: Choices) -> None:
        self.row = row
        self.news_ids = stored.news_ids
        self.merge: Merge = fold(stored.merged, stored.news)
        self.call = self.merge.call
        before = stored.merged.content
        self.content = self.call.content
        if self.merge.changed:
            self.content = _fit(self.content)
        self.number = choices.find_number(self.content)
        self.is_rematched = (self.number, read_direction(self.content.get("direction"))) != (
            choices.find_number(before),
            read_direction(before.get("direction")),
        )
        self.is_judged_anew = row.error_code == Reason.FILTERED and (
            what_rules_look_at(self.content) != what_rules_look_at(before)
        )
        self.is_withdrawn = self.call.withdrawn != stored.merged.withdrawn
        received = [each.stamp.received_at for each in stored.news]
        self.first_news_at = from_microseconds(min(received))
        self._last_news_at = from_microseconds(max(received))

    @property
    def is_news(self) -> bool:
        return bool(self.merge.changed)

    @property
    def is_renewed(self) -> bool:
        """Whether the call is worked on anew; a write in doubt is settled first."""
        row = self.row
        if row.status == Status.ERROR:
            return self.is_news and row.error_code in _TRIED_AGAIN
        if row.is_marked:
            return False
        if row.awaits_fact or self.is_judged_anew:
            return True
        if not self.is_rematched:
            return False
        return row.status == Status.PENDING or row.error_code in _UNUSABLE

    @property
    def awaits_end(self) -> bool:
        return bool(self.row.awaits_end) and not self.call.is_ended

    @property
    def due_at(self) -> datetime | None:
        """When a call is due whose end was awaited, or which is worked on anew; None: now."""
        if not self.awaits_end:
            return None
        at_latest: datetime = self.row.created_at + timedelta(seconds=WITHOUT_END_S)
        if self.number is None or is_outcome_of(self.content.get("outcome"), RUNNING_OUTCOMES):
            return at_latest
        return min(at_latest, self._last_news_at + timedelta(seconds=WITHOUT_NEWS_S))


def _fit(content: Any) -> dict[str, Any]:
    """The content, no larger than one delivery's: many may have added up."""
    fitted, _ = fit_to_note(CallContent.from_payload(content))
    others = {name: each for name, each in content.items() if name not in CallContent.model_fields}
    return others | fitted.to_payload()


def _store(session: Session, changes: Sequence[_Change]) -> None:
    merged = [
        {
            "log_id": each.row.id,
            "payload": each.content,
            "stamps": each.call.stamps,
            "revision": each.call.revision,
            "is_ended": each.call.is_ended,
            "is_final": each.call.is_final,
        }
        for each in changes
    ]
    session.execute(_MERGE, {"merged": _to_json(merged)})
    session.execute(_FORGET_FACTS, {"ids": [id_ for each in changes for id_ in each.news_ids]})
    withdrawn = [
        {"log_id": each.row.id, "withdrawn": sorted(each.call.withdrawn)}
        for each in changes
        if each.is_withdrawn
    ]
    if withdrawn:
        session.execute(_WITHDRAW, {"withdrawn": _to_json(withdrawn)})


def _requeue(session: Session, changes: Sequence[_Change]) -> int:
    """Set calls to what follows from their news; returns how many are worked on anew."""
    renewed = [each for each in changes if each.is_renewed]
    awaited = [
        each
        for each in changes
        if not each.is_renewed
        and each.row.awaits_end
        and each.row.status == Status.PENDING
        and not each.row.is_marked
    ]
    renumbered = [
        each
        for each in changes
        if not each.is_renewed
        and each.is_rematched
        and (each.row.status != Status.SUCCESS or each.is_withdrawn)
        and not each.row.is_marked
    ]
    for query, calls in ((_RENEW, renewed), (_AWAIT, awaited), (_RENUMBER, renumbered)):
        if calls:
            rows = [
                {
                    "log_id": each.row.id,
                    "phone_number": each.number,
                    "awaits_end": each.awaits_end,
                    "due_at": each.due_at.isoformat() if each.due_at else None,
                }
                for each in calls
            ]
            session.execute(query, {"rows": _to_json(rows)})
    return len(renewed)


def _want_updates(session: Session, changes: Sequence[_Change], *, is_written_once: bool) -> int:
    """Have activities written again; what is written once is kept back, but for a withdrawal."""
    wanted = [
        {
            "log_id": each.row.id,
            "content_hash": fingerprint(each.content).hex(),
            "revision": each.call.revision,
            "is_urgent": each.is_withdrawn,
            "news_at": each.first_news_at.isoformat(),
        }
        for each in changes
        if each.row.status == Status.SUCCESS and each.is_news
    ]
    held: list[str] = []
    if is_written_once:
        ids = [each["log_id"] for each in wanted if not each["is_urgent"]]
        held.extend(session.execute(_FIND_IDLE, {"ids": ids}).scalars())
    count = _insert_updates(session, wanted)
    if held:
        kept_back = session.execute(_HOLD, {"ids": held, "why": AFTER_WRITING_ERROR})
        count -= kept_back.rowcount  # type: ignore[attr-defined]
    return count


def _insert_updates(session: Session, wanted: Sequence[dict[str, Any]]) -> int:
    if not wanted:
        return 0
    session.execute(_IS_WRITTEN, {"wanted": _to_json(wanted)})
    inserted = session.execute(
        _WANT_UPDATES,
        {
            "wanted": _to_json(wanted),
            "settle": UPDATE_SETTLE_S,
            "spaced": list(UPDATES_SPACED_S),
            "steps": len(UPDATES_SPACED_S),
            "most": MOST_UPDATES,
            "too_many": TOO_OFTEN_ERROR,
        },
    )
    if urgent := [each["log_id"] for each in wanted if each["is_urgent"]]:
        session.execute(_RELEASE_WITHDRAWALS, {"ids": urgent, "settle": UPDATE_SETTLE_S})
    return len(inserted.all())


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
