"""Forgetting a tenant: all that is stored of a user within a workspace, in pages.

Workers may be at it meanwhile. What they hold is deleted under them, which their fences are for:
a statement about a call that is gone changes nothing. No row is waited for, so that nobody waits
for each other: what is locked is met again in the next page.

What stays: the grant on the revocation list until HubSpot has been told, one entry of the audit
trail, the moment from which older tokens are refused, and, of calls that were pruned earlier, a
keyed hash that names nobody.
"""

from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Result, TextClause, text
from sqlalchemy.orm import Session

from shared.calls.intake import IDENTITY_HASH
from shared.connections.lifecycle import DISCONNECTED, disconnect, find_connection
from shared.connections.session_ends import end_sessions
from shared.privacy.audit import Action, Actor, Deed, record_deed
from shared.privacy.retention import give_up_grants_of

# Each has a content, and up to hundreds of attempts.
PAGE: Final = 1_000
ROWS_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class TenantRows:
    """What is stored of a tenant.

    Attributes:
        calls: Entries of the sync log.
        contents: Those whose content is still kept.
        waiting: Those that still wait for their note.
        notes: Those with a note in HubSpot, which stays there.
        audit_entries: Entries of the audit trail.
        is_connected: There is a live connection, or one that its person has to renew.
        is_known: There is anything at all.
    """

    calls: int
    contents: int
    waiting: int
    notes: int
    audit_entries: int
    is_connected: bool
    is_known: bool


_MINE: Final = "user_id = :user_id AND workspace_id = :workspace_id"
# Beside the sync log, whose rows take their contents, attempts and unanswered writes along, and the
# connection, whose row takes its handovers along. In the order of the trigger that keeps them. What
# waits for an entry of a platform's table is no tenant's yet.
_COUNTED: Final = {
    "hubspot_sync_tallies": "hour, status",
    "hubspot_sync_latencies": "hour, bin",
    "hubspot_daily_tallies": "day, status",
    "hubspot_daily_latencies": "day, bin",
    "hubspot_quotas": "action",
    "hubspot_oauth_states": "state_hash",
    "hubspot_audit": "id",
    # Their secrets, deliveries and counts go with them; the second are those of platforms' sources.
    "call_sources": "id",
    "call_source_deliveries": "id",
}

_COUNT = text(f"""
    SELECT count(*) AS calls, count(calls.log_id) AS contents,
           count(*) FILTER (WHERE next_attempt_at IS NOT NULL) AS waiting,
           count(engagement_id) AS notes,
           (SELECT count(*) FROM hubspot_audit WHERE {_MINE}) AS audit_entries,
           count(*) > 0 OR EXISTS (SELECT FROM hubspot_oauth_tokens WHERE {_MINE})
           OR EXISTS (SELECT FROM hubspot_pending_grants WHERE {_MINE})
           {"".join(f" OR EXISTS (SELECT FROM {table} WHERE {_MINE})" for table in _COUNTED)}
               AS is_known
    FROM hubspot_sync_logs l LEFT JOIN calls ON calls.log_id = l.id
    WHERE {_MINE}
""")  # noqa: S608 - our own text


def count_rows(session: Session, *, user_id: str, workspace_id: str) -> TenantRows:
    """Say what there is of a tenant."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    connection = find_connection(session, **tenant)
    counted = session.execute(_COUNT, tenant).mappings().one()
    return TenantRows(
        **counted, is_connected=connection is not None and connection.state != DISCONNECTED
    )


_DELETE_CALLS = text(f"""
    WITH page AS MATERIALIZED (
        SELECT l.id, l.engagement_id, calls.log_id IS NOT NULL AS has_content,
               {IDENTITY_HASH.format("l")} AS identity_hash
        FROM hubspot_sync_logs l LEFT JOIN calls ON calls.log_id = l.id
        WHERE {_MINE}
        ORDER BY l.created_at, l.id
        LIMIT :most
        FOR UPDATE OF l SKIP LOCKED
    ), unremembered AS (
        DELETE FROM hubspot_pruned_calls pruned USING page
        WHERE pruned.identity_hash = page.identity_hash
    ), surplus AS (
        DELETE FROM hubspot_strays s USING page
        WHERE s.log_id = page.id AND s.activity_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM hubspot_oauth_tokens c
                          WHERE c.hub_id = s.hub_id AND c.state <> 'disconnected')
    ), gone AS (
        DELETE FROM hubspot_sync_logs l USING page WHERE l.id = page.id RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone) AS calls, count(*) FILTER (WHERE has_content) AS contents,
           count(engagement_id) AS notes
    FROM page
""")  # noqa: S608 - our own text
_IS_LEFT = text(f"SELECT EXISTS (SELECT FROM hubspot_sync_logs WHERE {_MINE})")  # noqa: S608


@dataclass(frozen=True, slots=True)
class DeletedCalls:
    """One page of a tenant's calls; `is_last` says that none is left, locked ones included."""

    calls: int
    contents: int
    notes: int
    is_last: bool


def delete_calls(
    session: Session, *, user_id: str, workspace_id: str, most: int = PAGE
) -> DeletedCalls:
    """Delete the oldest calls that nobody holds locked, with all that hangs on them."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    page = session.execute(_DELETE_CALLS, {**tenant, "most": most}).one()
    is_last = not session.execute(_IS_LEFT, tenant).scalar_one()
    return DeletedCalls(page.calls, page.contents, page.notes, is_last)


def delete_counts(session: Session, *, user_id: str, workspace_id: str) -> int:
    """Delete a page of tallies, quotas, authorizations and audit entries; returns how many."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id, "most": ROWS_AT_ONCE}
    return sum(_count(session.execute(query, tenant)) for query in _DELETE_COUNTED)


def _delete_from(table: str, order: str) -> TextClause:
    return text(f"""
        DELETE FROM {table} WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM {table} WHERE {_MINE}
            ORDER BY {order} LIMIT :most FOR UPDATE SKIP LOCKED))
    """)  # noqa: S608 - our own text


_DELETE_COUNTED: Final = [_delete_from(*each) for each in _COUNTED.items()]

_DELETE_ACCOUNT = text("""
    DELETE FROM hubspot_accounts a
    WHERE a.hub_id = :hub_id
      AND NOT EXISTS (SELECT FROM hubspot_oauth_tokens c WHERE c.hub_id = a.hub_id)
""")
_DELETE_SOURCES = text(f"DELETE FROM call_sources WHERE {_MINE}")  # noqa: S608
_DELETE_CONNECTION = text(f"DELETE FROM hubspot_oauth_tokens WHERE {_MINE}")  # noqa: S608


def end_connection(session: Session, *, user_id: str, workspace_id: str) -> bool:
    """Disconnect, and put grants that nobody has confirmed on the revocation list as well.

    Call sources go first: nothing comes in by them any more.

    No note is begun any more soon after: see `shared.queue.marks.may_write`.
    """
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    session.execute(_DELETE_SOURCES, tenant)
    has_ended = disconnect(session, **tenant)
    give_up_grants_of(session, **tenant)
    return has_ended


def finish(session: Session, deleted: TenantRows, *, user_id: str, workspace_id: str) -> None:
    """Delete the connection with its settings, and record that the tenant is forgotten.

    Disconnects it first: a person may have connected it anew meanwhile.
    """
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    end_connection(session, **tenant)
    end_sessions(session, **tenant)
    connection = find_connection(session, **tenant)
    hub_id = connection.hub_id if connection is not None else None
    session.execute(_DELETE_CONNECTION, tenant)
    if hub_id is not None:
        session.execute(_DELETE_ACCOUNT, {"hub_id": hub_id})
    for query in _DELETE_COUNTED:
        session.execute(query, {**tenant, "most": ROWS_AT_ONCE})
    counts = {name: value for name, value in asdict(deleted).items() if name != "is_known"}
    record_deed(
        session,
        Deed(**tenant, actor=Actor.OPERATOR, action=Action.TENANT_ERASED, details=counts),
    )


def _count(result: Result[tuple[()]]) -> int:
    return result.rowcount  # type: ignore[attr-defined,no-any-return]
