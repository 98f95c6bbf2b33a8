"""Updates of activities: a queue of its own beside that of calls, by tenant.

A row says that an activity in HubSpot lags behind its call. It is claimed, marked before a request
may start, and deleted once HubSpot has what was known when it was claimed; `news` tells whether
more came meanwhile. Nothing here touches the statements that make creating exactly once.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.queue.claims import COMPRESSED_AT_MOST, LEASE_S

# Nothing is sent to an activity so long after a request whose answer is not known: it may still be
# under way, and be committed after a newer one.
DOUBT_S: Final = 120.0
# From the first news that is not written yet to its writing: what comes meanwhile goes with it.
UPDATE_SETTLE_S: Final = 5.0
# At least so long after the one before, by how many a call has had; the last for all that follow.
UPDATES_SPACED_S: Final = (5.0, 30.0, 120.0, 600.0)
MOST_UPDATES: Final = 20
LONGEST_WAIT_DAYS: Final = 7
CRASHES_ALONE: Final = 3

POISON_ERROR: Final = (
    "Updating this entry in HubSpot has ended a worker three times, so it is not tried again by"
    " itself. Retry it, and tell us if it happens again."
)
OTHER_ACCOUNT_ERROR: Final = (
    "What came after writing was not sent: another HubSpot account is connected now than the one"
    " that has the entry."
)
TOO_LATE_ERROR: Final = (
    f"What came after writing was not sent: HubSpot was not connected for {LONGEST_WAIT_DAYS}"
    " days. Retry once it is connected."
)
TOO_OFTEN_ERROR: Final = (
    f"This entry was updated {MOST_UPDATES} times. What came after that is stored here; a retry by"
    " hand writes it."
)

# `write_when: complete`
AFTER_WRITING_ERROR: Final = (
    "This came after writing. A call that waits until it is complete is written once; what came"
    " later is stored here, and a retry by hand writes it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedUpdate:
    """An activity to be brought up to date, in a worker's hands; ages in seconds by Postgres.

    Attributes:
        id: The log id; with `fence` it says under which claim this is decided.
        fence: See `id`.
        news: How often it was said that the activity lags behind, when it was claimed.
        call_id: The producer's id.
        kind: What the activity is: `note`.
        activity_id: Its id in HubSpot.
        received_at: When the call came.
        footprint: What is remembered of the body written last; None if nothing is.
        withdrawn: Fields that must not be kept.
        updates: How many it has had.
        failures: How many tries failed in a row, for `failing_for` seconds.
        payload_bytes: Of the content as text, about.
    """

    id: str
    fence: int
    news: int
    call_id: str
    kind: str
    activity_id: str
    received_at: datetime
    footprint: Mapping[str, Any] | None
    withdrawn: Sequence[str]
    updates: int
    failures: int
    failing_for: float
    payload_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOutcome:
    """What became of a claimed update.

    Attributes:
        id: The log id; with `fence` it says under which claim this was decided.
        fence: See `id`.
        news: As claimed: if more came meanwhile, a finished update goes on.
        state: `done`, `waiting` (again in `next_in` seconds), `failed` or `deleted`.
        is_sent: HubSpot has the body now; otherwise `done` says that nothing had to be sent.
        error: Why it failed, for people.
        next_in: Seconds until it is due again.
        is_failing: Another try failed; the schedule goes on.
        keeps_mark: A request may still be under way.
        footprint: What to remember of the body.
        revision: Which revision of the call the body shows.
        content_hash: The hash of the content that the body was rendered from.
    """

    id: str
    fence: int
    news: int
    state: str
    is_sent: bool = False
    error: str | None = None
    next_in: float = 0.0
    is_failing: bool = False
    keeps_mark: bool = False
    footprint: Mapping[str, Any] | None = None
    revision: int | None = None
    content_hash: str | None = None
    http_status: int | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenActivity:
    """An activity that was written now, and what it was written from.

    Attributes:
        log_id: The call's.
        activity_id: Its id in HubSpot; if the log has another one, it is a stray.
        footprint: What its body was, as hashes.
        content_hash: Of the content, in hex.
        revision: Of the call.
    """

    log_id: str
    activity_id: str
    footprint: Mapping[str, Any]
    content_hash: str
    revision: int


# What is remembered goes with the content: nothing is remembered of a call that has none any more.
_REMEMBER = text("""
    INSERT INTO activities (log_id, kind, footprint, content_hash, written_revision)
    SELECT l.id, l.activity, w.footprint, decode(w.content_hash, 'hex'), w.revision
    FROM jsonb_to_recordset(CAST(:written AS jsonb)) AS w (
        log_id text, activity_id text, footprint jsonb, content_hash text, revision int)
    JOIN hubspot_sync_logs l ON l.id = w.log_id AND l.engagement_id = w.activity_id
    WHERE EXISTS (SELECT FROM calls c WHERE c.log_id = l.id)
    ORDER BY l.id
    ON CONFLICT (log_id) DO NOTHING
""")


def remember_written(session: Session, written: Sequence[WrittenActivity]) -> None:
    """Remember what activities were written from; in the transaction that records them."""
    if written:
        session.execute(_REMEMBER, {"written": json.dumps([asdict(each) for each in written])})


_DUE: Final = """
    u.user_id = :user_id AND u.workspace_id = :workspace_id AND u.hub_id = :hub_id
    AND u.state = 'waiting' AND u.claimed_by IS NULL AND u.due_at <= now()
"""
_COUNT = text(f"""
    SELECT count(*) FROM (SELECT FROM activity_updates u WHERE {_DUE} LIMIT :most) AS due
""")  # noqa: S608 - constants of ours


def count_due_updates(
    session: Session, *, user_id: str, workspace_id: str, hub_id: int, most: int
) -> int:
    """How many updates of one connection could be claimed now, up to `most`."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id, "hub_id": hub_id}
    return int(session.execute(_COUNT, {**tenant, "most": most}).scalar_one())


# A suspect, whose last claim ended without any result, is held alone: three crashes in a row say
# that it is at fault, and no neighbour is.
_CLAIM = text(f"""
    WITH suspect AS (
        SELECT u.log_id FROM activity_updates u WHERE {_DUE} AND u.suspect_size IS NOT NULL
        ORDER BY u.due_at LIMIT 1
        FOR UPDATE SKIP LOCKED
    ), trusted AS (
        SELECT u.log_id FROM activity_updates u
        WHERE {_DUE} AND u.suspect_size IS NULL AND NOT EXISTS (SELECT FROM suspect)
        ORDER BY u.due_at LIMIT :most
        FOR UPDATE SKIP LOCKED
    ), chosen AS MATERIALIZED (
        SELECT log_id FROM suspect UNION ALL SELECT log_id FROM trusted
    ), claimed AS (
        UPDATE activity_updates u
        SET claimed_by = :claim_id, claimed_until = now() + make_interval(secs => :lease),
            claim_size = (SELECT count(*) FROM chosen), fence = u.fence + 1
        FROM chosen WHERE u.log_id = chosen.log_id
        RETURNING u.*
    )
    SELECT u.log_id AS id, u.fence, u.news, l.call_id, l.activity AS kind,
           l.engagement_id AS activity_id,
           c.received_at, a.footprint, coalesce(l.withdrawn, '{{}}') AS withdrawn,
           coalesce(a.updates, 0) AS updates, u.failures,
           coalesce(extract(epoch FROM now() - u.failing_since), 0)::float8 AS failing_for,
           coalesce(c.payload_bytes,
                    pg_column_size(c.payload)::bigint * :compressed) AS payload_bytes
    FROM claimed u
    JOIN hubspot_sync_logs l ON l.id = u.log_id
    JOIN calls c ON c.log_id = u.log_id
    LEFT JOIN activities a ON a.log_id = u.log_id
    ORDER BY u.due_at, u.log_id
""")  # noqa: S608 - constants of ours


def claim_due_updates(
    session: Session, *, user_id: str, workspace_id: str, hub_id: int, claim_id: str, most: int
) -> list[ClaimedUpdate]:
    """Take up to `most` due updates of one connection for `LEASE_S` seconds."""
    rows = session.execute(
        _CLAIM,
        {
            "user_id": user_id,
            "workspace_id": workspace_id,
            "hub_id": hub_id,
            "claim_id": claim_id,
            "lease": LEASE_S,
            "most": most,
            "compressed": COMPRESSED_AT_MOST,
        },
    )
    return [ClaimedUpdate(**row) for row in rows.mappings()]


# As the mark of a create: nobody has disconnected since, the claim holds, and the content is there.
_MARK = text("""
    WITH live AS (
        SELECT c.id FROM hubspot_oauth_tokens c
        WHERE c.id = :connection_id AND c.generation = :generation AND c.state = 'connected'
          AND c.hub_id = :hub_id
        FOR SHARE
    ), m AS MATERIALIZED (
        SELECT m.* FROM unnest(CAST(:ids AS text[]), CAST(:fences AS int[])) AS m (id, fence)
        JOIN activity_updates u ON u.log_id = m.id
        ORDER BY u.log_id
        FOR NO KEY UPDATE OF u
    )
    UPDATE activity_updates u
    SET last_write_at = clock_timestamp(),
        claimed_until = now() + make_interval(secs => :lease)
    FROM m
    WHERE u.log_id = m.id AND u.fence = m.fence AND u.claimed_by IS NOT NULL
      AND u.claimed_until > now() AND u.hub_id = :hub_id
      AND EXISTS (SELECT FROM live) AND EXISTS (SELECT FROM calls c WHERE c.log_id = u.log_id)
    RETURNING u.log_id
""")


def mark_updates(
    session: Session,
    updates: Collection[ClaimedUpdate],
    *,
    connection_id: str,
    generation: int,
    hub_id: int,
) -> frozenset[str]:
    """Write ahead that a request may start now; returns the log ids for which it may."""
    marked = session.execute(
        _MARK,
        {
            "ids": [each.id for each in updates],
            "fences": [each.fence for each in updates],
            "connection_id": connection_id,
            "generation": generation,
            "hub_id": hub_id,
            "lease": LEASE_S,
        },
    )
    return frozenset(marked.scalars())


# An outcome whose claim is lost changes nothing, but its request may have been sent: the mark stays
# and keeps others off. A footprint is remembered even then, if no other update has begun since.
_RECORD = text("""
    WITH o AS MATERIALIZED (
        SELECT o.* FROM jsonb_to_recordset(CAST(:outcomes AS jsonb)) AS o (
            id text, fence int, news int, state text, is_sent boolean, error text, next_in float8,
            is_failing boolean, keeps_mark boolean, footprint jsonb, revision int,
            content_hash text, http_status smallint, correlation_id text)
        JOIN activity_updates u ON u.log_id = o.id
        WHERE u.fence = o.fence AND u.claimed_by IS NOT NULL
        ORDER BY u.log_id
        FOR UPDATE OF u
    ), remembered AS (
        INSERT INTO activities AS a
            (log_id, kind, footprint, written_revision, content_hash, updates)
        SELECT o.id, l.activity, o.footprint, o.revision, decode(o.content_hash, 'hex'),
               o.is_sent::int
        FROM o JOIN hubspot_sync_logs l ON l.id = o.id WHERE o.state = 'done'
        ON CONFLICT (log_id) DO UPDATE
        SET footprint = excluded.footprint, written_revision = excluded.written_revision,
            content_hash = excluded.content_hash, updates = a.updates + excluded.updates,
            updated_at = CASE WHEN excluded.updates > 0 THEN now() ELSE a.updated_at END
    ), finished AS (
        DELETE FROM activity_updates u USING o
        WHERE u.log_id = o.id AND o.state = 'done' AND u.news = o.news
    ), kept AS (
        UPDATE activity_updates u
        SET state = CASE WHEN o.state = 'done' THEN 'waiting' ELSE o.state END,
            error = o.error,
            due_at = CASE WHEN o.state IN ('done', 'waiting')
                          THEN now() + make_interval(secs => o.next_in) END,
            failures = CASE WHEN o.is_failing THEN u.failures + 1 ELSE 0 END,
            failing_since = CASE WHEN o.is_failing THEN coalesce(u.failing_since, now()) END,
            last_write_at = CASE WHEN o.keeps_mark THEN u.last_write_at END,
            claimed_by = NULL, claimed_until = NULL, claim_size = NULL,
            suspect_size = NULL, solo_crashes = 0
        FROM o WHERE u.log_id = o.id AND NOT (o.state = 'done' AND u.news = o.news)
    ), attempted AS (
        INSERT INTO hubspot_sync_attempts (log_id, started_at, duration_ms, outcome,
                                           message, http_status, correlation_id)
        SELECT o.id, :started_at,
               greatest(extract(epoch FROM clock_timestamp() - :started_at) * 1000, 0)::int,
               CASE WHEN o.state = 'done' THEN 'success' WHEN o.is_failing THEN 'pending'
                    ELSE 'error' END,
               o.error, o.http_status, o.correlation_id
        FROM o WHERE o.is_sent OR o.is_failing OR o.state IN ('failed', 'deleted')
    )
    SELECT id FROM o
""")


def record_updates(
    session: Session, outcomes: Sequence[UpdateOutcome], *, started_at: datetime
) -> frozenset[str]:
    """Store what became of claimed updates; returns the log ids of those whose claim still held."""
    if not outcomes:
        return frozenset()
    values = {
        "outcomes": json.dumps([asdict(each) for each in outcomes]),
        "started_at": started_at,
    }
    return frozenset(session.execute(_RECORD, values).scalars())


_RENEW = text("""
    WITH held AS MATERIALIZED (
        SELECT log_id FROM activity_updates
        WHERE claimed_by = ANY(:claim_ids) AND claimed_until > now()
        ORDER BY log_id
        FOR NO KEY UPDATE
    )
    UPDATE activity_updates u SET claimed_until = now() + make_interval(secs => :lease)
    FROM held WHERE u.log_id = held.log_id
""")


def renew_updates(session: Session, claim_ids: Collection[str]) -> None:
    """Extend the leases of claims that have not expired."""
    session.execute(_RENEW, {"claim_ids": list(claim_ids), "lease": LEASE_S})


_RELEASE = text("""
    UPDATE activity_updates u
    SET claimed_by = NULL, claimed_until = NULL, claim_size = NULL,
        due_at = now() + make_interval(secs => :delay)
    FROM unnest(CAST(:ids AS text[]), CAST(:fences AS int[])) AS held (id, fence)
    WHERE u.log_id = held.id AND u.fence = held.fence AND u.claimed_by IS NOT NULL
""")


def release_updates(
    session: Session, updates: Collection[ClaimedUpdate], *, delay: float = 0
) -> None:
    """Give claimed updates back without a result, due again in `delay` seconds."""
    values = {"ids": [each.id for each in updates], "fences": [each.fence for each in updates]}
    session.execute(_RELEASE, {**values, "delay": delay})


_RETURN_EXPIRED = text("""
    WITH lost AS (
        SELECT log_id FROM activity_updates
        WHERE claimed_by IS NOT NULL AND claimed_until <= now()
        LIMIT 5000
        FOR UPDATE SKIP LOCKED
    )
    UPDATE activity_updates u
    SET solo_crashes = u.solo_crashes + (u.suspect_size IS NOT NULL)::int,
        suspect_size = 1,
        state = CASE WHEN u.solo_crashes + (u.suspect_size IS NOT NULL)::int >= :poison
                     THEN 'failed' ELSE u.state END,
        error = CASE WHEN u.solo_crashes + (u.suspect_size IS NOT NULL)::int >= :poison
                     THEN :message END,
        due_at = CASE WHEN u.solo_crashes + (u.suspect_size IS NOT NULL)::int < :poison
                      THEN greatest(now(), u.last_write_at + make_interval(secs => :doubt)) END,
        claimed_by = NULL, claimed_until = NULL, claim_size = NULL
    FROM lost WHERE u.log_id = lost.log_id
""")


def return_expired_updates(session: Session) -> int:
    """Free the updates of workers that died, and fail what died alone too often; returns how many.

    One with a mark waits until its request cannot be under way any more.
    """
    result = session.execute(
        _RETURN_EXPIRED,
        {"poison": CRASHES_ALONE, "message": POISON_ERROR, "doubt": DOUBT_S},
    )
    return result.rowcount  # type: ignore[attr-defined,no-any-return]


_END = text("""
    WITH ended AS (
        SELECT u.log_id, c.hub_id IS DISTINCT FROM u.hub_id AND c.state = 'connected' AS is_other
        FROM activity_updates u
        LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
        WHERE u.state = 'waiting' AND u.claimed_by IS NULL AND u.due_at <= now()
          AND ((c.state = 'connected' AND c.hub_id <> u.hub_id)
               OR (c.state IS DISTINCT FROM 'connected'
                   AND u.first_news_at < now() - make_interval(days => :days)))
        LIMIT 5000
        FOR UPDATE OF u SKIP LOCKED
    )
    UPDATE activity_updates u
    SET state = 'failed', due_at = NULL, error = CASE WHEN ended.is_other THEN :other ELSE :late END
    FROM ended WHERE u.log_id = ended.log_id
""")


def end_hopeless_updates(session: Session) -> int:
    """Fail updates of another account than the one connected now, and of none for too long."""
    result = session.execute(
        _END,
        {"days": LONGEST_WAIT_DAYS, "other": OTHER_ACCOUNT_ERROR, "late": TOO_LATE_ERROR},
    )
    return result.rowcount  # type: ignore[attr-defined,no-any-return]


_TENANTS = text("""
    WITH RECURSIVE head AS (
        (SELECT user_id, workspace_id FROM activity_updates
         WHERE state = 'waiting' AND claimed_by IS NULL ORDER BY user_id, workspace_id LIMIT 1)
        UNION ALL
        SELECT hop.* FROM head CROSS JOIN LATERAL (
            SELECT u.user_id, u.workspace_id FROM activity_updates u
            WHERE u.state = 'waiting' AND u.claimed_by IS NULL
              AND (u.user_id, u.workspace_id) > (head.user_id, head.workspace_id)
            ORDER BY u.user_id, u.workspace_id LIMIT 1) AS hop
    )
    SELECT c.id FROM head
    JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    LEFT JOIN hubspot_accounts a ON a.hub_id = c.hub_id
    WHERE c.state = 'connected' AND coalesce(a.paused_until <= now(), true)
      AND EXISTS (SELECT FROM activity_updates u
                  WHERE u.user_id = c.user_id AND u.workspace_id = c.workspace_id
                    AND u.hub_id = c.hub_id AND u.state = 'waiting' AND u.claimed_by IS NULL
                    AND u.due_at <= now())
""")


def find_connections_with_updates(session: Session) -> list[str]:
    """Ids of live connections with due updates."""
    return list(session.execute(_TENANTS).scalars())


def spacing_after(updates: int) -> float:
    """Seconds until a call that has had so many updates may have the next one."""
    return UPDATES_SPACED_S[min(updates, len(UPDATES_SPACED_S) - 1)]
