"""Counts for the dashboard that cost the same whatever the length of the sync log.

A trigger on the log tallies how calls ended, by the quarter of an hour in which they came in. Old
tallies are moved into one row for each UTC day and kind, which keeps its quarters: a tenth of the
room, and still the days and hours of any place.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

MOST_PENDING: Final = 10_000
# A retry makes an older call the one that was synced last; this far back that is noticed.
SUCCESSES_LOOKED_AT: Final = 100
# Beyond all that the dashboard draws: the release before, to which one may go back, reads no days.
ROLL_UP_AFTER_DAYS: Final = 32
MOST_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class CallCounts:
    """Calls waiting now, at most `MOST_PENDING`, and how those of the last 24 hours ended.

    The day is the current quarter of an hour and the 95 before it. `has_any` says whether there
    ever was a call.
    """

    pending: int
    success: int
    error: int
    skipped: int
    last_sync_at: datetime | None
    has_any: bool


_TALLY = text("""
    SELECT status, greatest(sum(calls), 0)::bigint AS total FROM hubspot_sync_tallies
    WHERE user_id = :user_id AND workspace_id = :workspace_id
      AND hour > date_bin('15 minutes', now(), '2000-01-01T00:00Z') - interval '24 hours'
    GROUP BY status
""")

_COUNT_PENDING = text("""
    SELECT count(*) FROM (
        SELECT FROM hubspot_sync_logs
        WHERE user_id = :user_id AND workspace_id = :workspace_id AND status = 'pending'
        LIMIT :most) AS pending
""")

_LAST_SYNC = text("""
    SELECT max(updated_at) FROM (
        SELECT updated_at FROM hubspot_sync_logs
        WHERE user_id = :user_id AND workspace_id = :workspace_id AND status = 'success'
        ORDER BY created_at DESC, id DESC
        LIMIT :looked_at) AS newest
""")

# Calls whose entries have been pruned are tallied still. Ordered as an index is, or Postgres may
# read a table from its first row until it meets the tenant.
_HAS_ANY = text("""
    SELECT coalesce(
        (SELECT true FROM hubspot_sync_logs
         WHERE user_id = :user_id AND workspace_id = :workspace_id
         ORDER BY user_id, workspace_id, created_at LIMIT 1),
        (SELECT true FROM hubspot_sync_tallies
         WHERE user_id = :user_id AND workspace_id = :workspace_id
         ORDER BY user_id, workspace_id, hour LIMIT 1),
        (SELECT true FROM hubspot_daily_tallies
         WHERE user_id = :user_id AND workspace_id = :workspace_id
         ORDER BY user_id, workspace_id, day LIMIT 1),
        false)
""")


def count_calls(session: Session, *, user_id: str, workspace_id: str) -> CallCounts:
    """Count the calls of a user and workspace."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    tallies: dict[str, int] = {row.status: row.total for row in session.execute(_TALLY, tenant)}
    return CallCounts(
        pending=session.execute(_COUNT_PENDING, {**tenant, "most": MOST_PENDING}).scalar_one(),
        success=tallies.get("success", 0),
        error=tallies.get("error", 0),
        skipped=tallies.get("skipped", 0),
        last_sync_at=session.execute(
            _LAST_SYNC, {**tenant, "looked_at": SUCCESSES_LOOKED_AT}
        ).scalar_one(),
        has_any=session.execute(_HAS_ANY, tenant).scalar_one(),
    )


# Hops from tenant to tenant. What the trigger adds to an old quarter meanwhile makes a new row,
# which comes later: it is appended, and whoever reads sums up. In the order of the trigger, for
# which two statements with the same rows do not wait for each other.
_ROLL_UP = """
    WITH RECURSIVE tenant AS (
        (SELECT user_id, workspace_id FROM {table} ORDER BY user_id, workspace_id LIMIT 1)
        UNION ALL
        SELECT hop.* FROM tenant CROSS JOIN LATERAL (
            SELECT t.user_id, t.workspace_id FROM {table} t
            WHERE (t.user_id, t.workspace_id) > (tenant.user_id, tenant.workspace_id)
            ORDER BY t.user_id, t.workspace_id LIMIT 1) AS hop
    ), old AS MATERIALIZED (
        SELECT each.* FROM tenant CROSS JOIN LATERAL (
            SELECT t.user_id, t.workspace_id, t.hour, t.{kind} FROM {table} t
            WHERE t.user_id = tenant.user_id AND t.workspace_id = tenant.workspace_id
              AND t.hour < date_trunc('day', now(), 'UTC') - make_interval(days => :days)
            ORDER BY t.hour, t.{kind}
            LIMIT :most) AS each
        LIMIT :most
    ), held AS MATERIALIZED (
        SELECT user_id, workspace_id, hour, {kind}
        FROM {table} t JOIN old USING (user_id, workspace_id, hour, {kind})
        ORDER BY user_id, workspace_id, hour, {kind}
        FOR UPDATE OF t SKIP LOCKED
    ), gone AS (
        DELETE FROM {table} t USING held
        WHERE (t.user_id, t.workspace_id, t.hour, t.{kind})
              = (held.user_id, held.workspace_id, held.hour, held.{kind})
        RETURNING t.*, date_trunc('day', t.hour, 'UTC') AS midnight
    ), rolled_up AS (
        INSERT INTO {days} AS d (user_id, workspace_id, day, {kind}, quarters, calls)
        SELECT user_id, workspace_id, CAST(midnight AT TIME ZONE 'UTC' AS date), {kind},
               array_agg(CAST(extract(epoch FROM hour - midnight) / 900 AS smallint)
                         ORDER BY hour),
               array_agg(calls ORDER BY hour)
        FROM gone WHERE calls <> 0
        GROUP BY 1, 2, 3, 4
        ORDER BY 1, 2, 3, 4
        ON CONFLICT (user_id, workspace_id, day, {kind})
        DO UPDATE SET quarters = d.quarters || excluded.quarters, calls = d.calls || excluded.calls
    )
    SELECT count(*) FROM gone
"""
_ROLL_UP_TALLIES = text(
    _ROLL_UP.format(table="hubspot_sync_tallies", days="hubspot_daily_tallies", kind="status")
)
_ROLL_UP_LATENCIES = text(
    _ROLL_UP.format(table="hubspot_sync_latencies", days="hubspot_daily_latencies", kind="bin")
)


def roll_up_tallies(session: Session) -> int:
    """Move tallies and latencies of old days into one row a day and kind, a batch of each.

    Returns how many rows were moved, of one table or the other, whichever had more: if that is
    `MOST_AT_ONCE`, there may be others.
    """
    batch = {"days": ROLL_UP_AFTER_DAYS, "most": MOST_AT_ONCE}
    return max(
        int(session.execute(query, batch).scalar_one())
        for query in (_ROLL_UP_TALLIES, _ROLL_UP_LATENCIES)
    )
