"""Recording what became of claimed calls: one statement for a whole batch."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.queue.strays import Surplus, UnansweredWrite, add_surplus, add_unanswered_writes
from shared.reasons import CONTACTLESS, Lane


@dataclass(frozen=True, slots=True)
class Outcome:
    """The next state of one claimed call, complete: what is not named here is cleared.

    Attributes:
        id: The log id; with `fence` it says under which claim this was decided.
        fence: See `id`. A success is recorded whether or not the claim still holds.
        status: The status a person sees.
        next_in: Seconds until the call is due again; None when nothing more will happen.
        is_failing: The retry schedule goes on; otherwise it starts afresh next time.
        keeps_mark: A write is still in doubt; a write of this claim, if `hub_id` and `contact_id`
            say where.
        is_attempt: This is shown as an attempt; a mere wait is not.
        notices: What of the call is not in HubSpot, and why, in sentences.
        hub_id: Overwrites the row's only when given, as do `phone_number` and `contact_id`. A
            contact that was matched earlier is cleared when the reason says that there is none.
    """

    id: str
    fence: int
    status: str
    error_code: str | None = None
    error_message: str | None = None
    next_in: float | None = None
    lane: int = Lane.LIVE
    searches_done: int = 0
    calculated_searched: bool = False
    failures: int = 0
    is_failing: bool = False
    keeps_mark: bool = False
    read_back_misses: int = 0
    hub_id: int | None = None
    phone_number: str | None = None
    contact_id: str | None = None
    engagement_id: str | None = None
    is_attempt: bool = True
    http_status: int | None = None
    correlation_id: str | None = None
    notices: tuple[str, ...] = ()


class Recorded(NamedTuple):
    """An outcome that was stored.

    Attributes:
        age: Seconds since the call came in.
        was_held: Whether its claim still held; without it only an activity counts.
    """

    age: float
    was_held: bool


# Rows are locked in the order of their ids, those that will be left alone too: whoever else locks
# several waits in the same order, and never in a circle.
_RECORD = text("""
    WITH o AS MATERIALIZED (
        SELECT o.*, l.fence = o.fence AND l.claimed_by IS NOT NULL AS is_held
        FROM jsonb_to_recordset(CAST(:outcomes AS jsonb)) AS o (
            id text, fence int, status text, error_code text, error_message text,
            next_in float8, lane smallint, searches_done smallint, calculated_searched boolean,
            failures smallint, is_failing boolean, keeps_mark boolean,
            read_back_misses smallint, hub_id bigint, phone_number text, contact_id text,
            engagement_id text, is_attempt boolean, http_status smallint, correlation_id text,
            notices jsonb)
        JOIN hubspot_sync_logs l ON l.id = o.id
        ORDER BY l.id
        FOR NO KEY UPDATE OF l
    ), recorded AS (
        UPDATE hubspot_sync_logs l
        SET status = o.status, error_code = o.error_code, error_message = o.error_message,
            next_attempt_at = now() + make_interval(secs => o.next_in),
            lane = o.lane, looks = o.searches_done, raw_lookup = o.calculated_searched,
            failures = o.failures,
            failing_since = CASE WHEN o.is_failing THEN coalesce(l.failing_since, now()) END,
            last_write_at = CASE WHEN o.keeps_mark THEN l.last_write_at END,
            read_back_misses = o.read_back_misses,
            hub_id = coalesce(o.hub_id, l.hub_id),
            phone_number = coalesce(o.phone_number, l.phone_number),
            contact_id = CASE WHEN o.keeps_mark OR o.error_code IS NULL
                                   OR o.error_code <> ALL(:contactless)
                              THEN coalesce(o.contact_id, l.contact_id) END,
            engagement_id = o.engagement_id,
            notices = CASE WHEN o.notices <> '[]' THEN o.notices END,
            attempts = l.attempts + o.is_attempt::int,
            claimed_by = NULL, claimed_until = NULL, claim_size = NULL,
            suspect_size = NULL, solo_crashes = 0, updated_at = now()
        FROM o
        WHERE l.id = o.id AND l.engagement_id IS NULL
          AND (o.engagement_id IS NOT NULL OR o.is_held)
        RETURNING l.id, o.is_held,
                  extract(epoch FROM clock_timestamp() - l.created_at)::float8 AS age
    ), attempted AS (
        INSERT INTO hubspot_sync_attempts (log_id, started_at, duration_ms, outcome, error_code,
                                           message, http_status, correlation_id)
        SELECT o.id, :started_at,
               greatest(extract(epoch FROM clock_timestamp() - :started_at) * 1000, 0)::int,
               o.status, o.error_code, o.error_message, o.http_status, o.correlation_id
        FROM o JOIN recorded USING (id) WHERE o.is_attempt
    )
    SELECT id, age, is_held FROM recorded
""")


def record_outcomes(
    session: Session, outcomes: Sequence[Outcome], *, started_at: datetime
) -> dict[str, Recorded]:
    """Store outcomes and their attempts; returns those that were taken, by log id.

    An outcome without a note is dropped when its claim is lost: whoever holds the call now
    decides. A note is proof and always counts; if the row has another one, this one is a stray, as
    is a write in doubt that is dropped.
    """
    if not outcomes:
        return {}
    rows = session.execute(
        _RECORD,
        {
            "outcomes": json.dumps([asdict(outcome) for outcome in outcomes]),
            "started_at": started_at,
            "contactless": list(CONTACTLESS),
        },
    )
    recorded = {row.id: Recorded(row.age, row.is_held) for row in rows}
    dropped = [each for each in outcomes if each.id not in recorded]
    add_surplus(
        session,
        [
            Surplus(each.id, each.hub_id, each.engagement_id)
            for each in dropped
            if each.engagement_id
        ],
    )
    add_unanswered_writes(
        session,
        [
            UnansweredWrite(each.id, each.hub_id, each.contact_id)
            for each in dropped
            if each.keeps_mark and each.hub_id is not None and each.contact_id is not None
        ],
    )
    return recorded


# Raw searches take several spellings a number, so they wait until a search body is full: those that
# would fill only a part of another go on waiting. Those that failed wait for their retry instead.
_HASTEN = text("""
    WITH waiting AS (
        SELECT id FROM hubspot_sync_logs
        WHERE user_id = :user_id AND workspace_id = :workspace_id AND claimed_by IS NULL
          AND next_attempt_at > now() AND next_attempt_at < now() + interval '10 seconds'
          AND raw_lookup AND looks = ANY(:looks) AND failing_since IS NULL
        ORDER BY next_attempt_at, id
        FOR UPDATE SKIP LOCKED
    ), filling AS (
        SELECT id FROM waiting LIMIT (SELECT count(*) / :enough * :enough FROM waiting)
    )
    UPDATE hubspot_sync_logs l SET next_attempt_at = now()
    FROM filling WHERE l.id = filling.id
""")


def hasten_raw_searches(
    session: Session,
    *,
    user_id: str,
    workspace_id: str,
    searches_done: Collection[int],
    enough: int,
) -> int:
    """Make raw searches after so many complete ones due at once, a multiple of `enough` of them.

    Those that have waited longest go first. Returns how many it were.
    """
    result = session.execute(
        _HASTEN,
        {
            "user_id": user_id,
            "workspace_id": workspace_id,
            "looks": list(searches_done),
            "enough": enough,
        },
    )
    return result.rowcount  # type: ignore[attr-defined,no-any-return]
