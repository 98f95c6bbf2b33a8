"""Deleting what has had its time: call contents, abandoned authorizations."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.metrics import OUTCOMES
from shared.reasons import Reason, Status

# Rows in one transaction: each deletes its content too, of up to hundreds of pieces.
MOST_AT_ONCE: Final = 1_000

# A call in a worker's hands keeps its content until the next round. When HubSpot refuses a note it
# may quote what the note says, so its words go with the content.
_DELETE_PAYLOADS = text("""
    WITH old AS (
        SELECT c.log_id FROM calls c JOIN hubspot_sync_logs l ON l.id = c.log_id
        WHERE c.received_at < now() - make_interval(days => :days) AND l.claimed_by IS NULL
        ORDER BY c.received_at
        LIMIT :most
        FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM calls USING old WHERE calls.log_id = old.log_id RETURNING calls.log_id
    ), settled AS (
        UPDATE hubspot_sync_logs l
        SET status = CASE WHEN l.status = 'pending' THEN 'error' ELSE l.status END,
            error_code = CASE WHEN l.status = 'pending' THEN 'payload_expired'
                              ELSE l.error_code END,
            error_message = CASE WHEN l.status = 'pending' THEN :message
                                 WHEN l.error_code = 'rejected_by_hubspot' THEN :refused
                                 ELSE l.error_message END,
            next_attempt_at = NULL, updated_at = now()
        FROM deleted
        WHERE l.id = deleted.log_id
          AND (l.next_attempt_at IS NOT NULL OR l.error_code = 'rejected_by_hubspot')
        RETURNING l.error_code
    ), unquoted AS (
        UPDATE hubspot_sync_attempts a SET message = NULL
        FROM deleted
        WHERE a.log_id = deleted.log_id AND a.error_code = 'rejected_by_hubspot'
    )
    SELECT count(*), (SELECT count(*) FROM settled WHERE error_code = 'payload_expired') AS expired
    FROM deleted
""")

PAYLOAD_EXPIRED_MESSAGE: Final = (
    "The call was still unresolved when the retention period ended and its content was deleted."
)
REFUSED_MESSAGE: Final = (
    "HubSpot refused the note. Its words were deleted together with the call's content."
)


def delete_old_payloads(session: Session, *, days: int) -> int:
    """Delete the content of calls received more than `days` days ago, a batch at a time."""
    deleted, expired = session.execute(
        _DELETE_PAYLOADS,
        {
            "days": days,
            "most": MOST_AT_ONCE,
            "message": PAYLOAD_EXPIRED_MESSAGE,
            "refused": REFUSED_MESSAGE,
        },
    ).one()
    OUTCOMES.labels(Status.ERROR, Reason.PAYLOAD_EXPIRED).inc(expired)
    return int(deleted)


_DELETE_STATES = text("""
    WITH old AS (
        SELECT state_hash FROM hubspot_oauth_states WHERE expires_at < now()
        LIMIT :most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM hubspot_oauth_states s USING old WHERE s.state_hash = old.state_hash RETURNING 1
    )
    SELECT count(*) FROM gone
""")


def delete_expired_states(session: Session) -> int:
    """Delete authorizations that nobody finished, a batch at a time."""
    return int(session.execute(_DELETE_STATES, {"most": MOST_AT_ONCE}).scalar_one())


# HubSpot considers the app installed, though nobody confirmed it here.
_GIVE_UP_GRANTS = text("""
    WITH old AS (
        SELECT grant_hash FROM hubspot_pending_grants WHERE expires_at < now()
        LIMIT :most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM hubspot_pending_grants g USING old WHERE g.grant_hash = old.grant_hash
        RETURNING g.*
    ), revoked AS (
        INSERT INTO hubspot_revocations
            (id, bound_to, hub_id, access_token, refresh_token, token_expires_at)
        SELECT gone.id, gone.id, gone.hub_id, gone.access_token, gone.refresh_token, gone.expires_at
        FROM gone
        WHERE NOT EXISTS (SELECT FROM hubspot_oauth_tokens c
                          WHERE c.hub_id = gone.hub_id AND c.state <> 'disconnected')
    )
    SELECT count(*) FROM gone
""")


def give_up_pending_grants(session: Session) -> int:
    """Hand grants that were never confirmed to the revocation list, a batch at a time."""
    return int(session.execute(_GIVE_UP_GRANTS, {"most": MOST_AT_ONCE}).scalar_one())
