"""Who has due calls, or news: found by hopping along an index, whatever the length of the queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.queue.handovers import REQUEUE_DAYS
from shared.reasons import NOT_CONNECTED_MESSAGE, RECONNECT_MESSAGE
from shared.telemetry.metrics import OUTCOMES


@dataclass(frozen=True, slots=True)
class WaitingTenant:
    """A user and workspace with due calls or news; `connection_id` is None if it never had one.

    `has_news` says that deliveries of calls wait to be merged.
    """

    user_id: str
    workspace_id: str
    connection_id: str | None
    state: str | None
    is_paused: bool
    has_news: bool = False


# The head of each line of waiting calls: of each user, workspace and lane. Two statements start so.
HEADS: Final = """
    WITH RECURSIVE head AS (
        (SELECT user_id, workspace_id, lane, next_attempt_at FROM hubspot_sync_logs
         WHERE next_attempt_at IS NOT NULL AND claimed_by IS NULL
         ORDER BY user_id, workspace_id, lane, next_attempt_at LIMIT 1)
        UNION ALL
        SELECT hop.* FROM head CROSS JOIN LATERAL (
            SELECT l.user_id, l.workspace_id, l.lane, l.next_attempt_at
            FROM hubspot_sync_logs l
            WHERE l.next_attempt_at IS NOT NULL AND l.claimed_by IS NULL
              AND (l.user_id, l.workspace_id, l.lane)
                  > (head.user_id, head.workspace_id, head.lane)
            ORDER BY l.user_id, l.workspace_id, l.lane, l.next_attempt_at LIMIT 1) AS hop
    )
"""

_WAITING = text(f"""{HEADS}, news AS (
        (SELECT user_id, workspace_id FROM call_deliveries
         WHERE facts IS NOT NULL ORDER BY user_id, workspace_id LIMIT 1)
        UNION ALL
        SELECT hop.* FROM news CROSS JOIN LATERAL (
            SELECT d.user_id, d.workspace_id FROM call_deliveries d
            WHERE d.facts IS NOT NULL
              AND (d.user_id, d.workspace_id) > (news.user_id, news.workspace_id)
            ORDER BY d.user_id, d.workspace_id LIMIT 1) AS hop
    )
    SELECT due.user_id, due.workspace_id, c.id AS connection_id, c.state,
           coalesce(a.paused_until > now(), false) AS is_paused, due.has_news
    FROM (SELECT user_id, workspace_id, bool_or(is_news) AS has_news
          FROM (SELECT user_id, workspace_id, false AS is_news FROM head
                WHERE next_attempt_at <= now()
                UNION ALL
                SELECT user_id, workspace_id, true FROM news) AS found
          GROUP BY user_id, workspace_id) AS due
    LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    LEFT JOIN hubspot_accounts a ON a.hub_id = c.hub_id
""")  # noqa: S608 - a constant of ours


def find_waiting_tenants(session: Session) -> list[WaitingTenant]:
    """Everyone with a due, unclaimed call, or with news of calls."""
    return [WaitingTenant(**row) for row in session.execute(_WAITING).mappings()]


# A skipped call that was only to be looked up again keeps its reason, and is kept in mind for a
# week. A call that waited when the connection ended belongs to that connection's account,
# whatever is connected next; those of an account before that are being parted from it.
_SETTLE = text("""
    WITH gone AS (
        SELECT l.id, c.hub_id, c.state, c.state_changed_at
        FROM unnest(CAST(:user_ids AS text[]), CAST(:workspace_ids AS text[]))
                 AS t (user_id, workspace_id)
        JOIN hubspot_sync_logs l USING (user_id, workspace_id)
        LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
        WHERE l.claimed_by IS NULL AND l.next_attempt_at <= now()
          AND c.state IS DISTINCT FROM 'connected'
          AND NOT EXISTS (SELECT FROM hubspot_handovers h
                          WHERE h.connection_id = c.id AND h.kind = 'part')
        LIMIT 5000
        FOR UPDATE OF l SKIP LOCKED
    )
    UPDATE hubspot_sync_logs l
    SET next_attempt_at = CASE WHEN l.status = 'skipped'
                                    AND l.created_at > now() - make_interval(days => :days)
                               THEN now() + interval '6 hours' END,
        updated_at = now(),
        status = CASE WHEN l.status = 'skipped' THEN 'skipped'
                      WHEN gone.state = 'reconnect_required' THEN 'error' ELSE 'skipped' END,
        error_code = CASE WHEN l.status = 'skipped' THEN l.error_code
                          WHEN gone.state = 'reconnect_required' THEN 'reconnect_required'
                          ELSE 'not_connected' END,
        error_message = CASE WHEN l.status = 'skipped' THEN l.error_message
                             WHEN gone.state = 'reconnect_required' THEN :reconnect
                             ELSE :not_connected END,
        hub_id = CASE WHEN l.created_at < gone.state_changed_at
                      THEN coalesce(l.hub_id, gone.hub_id) ELSE l.hub_id END
    FROM gone WHERE l.id = gone.id
    RETURNING l.status, l.error_code, l.next_attempt_at
""")


def settle_without_connection(session: Session, tenants: Sequence[WaitingTenant]) -> int:
    """Give due calls of tenants without a live connection their reason; returns how many."""
    rows = session.execute(
        _SETTLE,
        {
            "user_ids": [tenant.user_id for tenant in tenants],
            "workspace_ids": [tenant.workspace_id for tenant in tenants],
            "not_connected": NOT_CONNECTED_MESSAGE,
            "reconnect": RECONNECT_MESSAGE,
            "days": REQUEUE_DAYS,
        },
    ).all()
    for row in rows:
        if row.next_attempt_at is None:
            OUTCOMES.labels(row.status, row.error_code).inc()
    return len(rows)
