"""The mark: the intent to write a note, committed before any POST may start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.queue.claims import LEASE_S, ClaimedCall

# No POST may start with less of the lease left: HubSpot's timeouts together stay below it.
LEASE_LEFT_TO_WRITE_S: Final = 15.0
# So no POST starts that was marked longer ago.
WRITE_WITHIN_S: Final = LEASE_S - LEASE_LEFT_TO_WRITE_S

# The generation proves that nobody disconnected since the claim; the fence, that it still holds.
# A disconnect waits for a mark under way, and a mark for a disconnect: whoever is second sees what
# the first has done.
_MARK = text("""
    WITH live AS (
        SELECT c.id FROM hubspot_oauth_tokens c
        WHERE c.id = :connection_id AND c.generation = :generation AND c.state = 'connected'
        FOR SHARE
    ), m AS MATERIALIZED (
        SELECT m.*
        FROM unnest(CAST(:ids AS text[]), CAST(:fences AS int[]), CAST(:contact_ids AS text[]),
                    CAST(:phone_numbers AS text[])) AS m (id, fence, contact_id, phone_number)
        JOIN hubspot_sync_logs l ON l.id = m.id
        ORDER BY l.id
        FOR NO KEY UPDATE OF l
    )
    UPDATE hubspot_sync_logs l
    SET hub_id = :hub_id, contact_id = m.contact_id,
        phone_number = coalesce(m.phone_number, l.phone_number),
        last_write_at = clock_timestamp(), read_back_misses = 0,
        claimed_until = now() + make_interval(secs => :lease)
    FROM m
    WHERE l.id = m.id AND l.fence = m.fence AND l.claimed_by IS NOT NULL
      AND l.claimed_until > now() AND l.status <> 'success'
      AND EXISTS (SELECT FROM live)
    RETURNING l.id
""")


@dataclass(frozen=True, slots=True)
class Mark:
    """The intent to write one note; without a number the call's log keeps the one it has."""

    call: ClaimedCall
    contact_id: str
    phone_number: str | None


def mark_calls(
    session: Session, marks: Sequence[Mark], *, connection_id: str, generation: int, hub_id: int
) -> frozenset[str]:
    """Write ahead that a POST may start now; returns the log ids for which it may.

    The others lost their claim, or the connection changed. A mark renews the lease in full.
    """
    marked = session.execute(
        _MARK,
        {
            "ids": [mark.call.id for mark in marks],
            "fences": [mark.call.fence for mark in marks],
            "contact_ids": [mark.contact_id for mark in marks],
            "phone_numbers": [mark.phone_number for mark in marks],
            "connection_id": connection_id,
            "generation": generation,
            "hub_id": hub_id,
            "lease": LEASE_S,
        },
    )
    return frozenset(marked.scalars())


# With or without a claim: a replay takes one away from a worker that may have marked the call, and
# so do an erasure and a handover to another account, which end it. In parts, each by its own index.
_MAY_WRITE = text("""
    SELECT EXISTS (SELECT FROM hubspot_sync_logs
                   WHERE user_id = :user_id AND workspace_id = :workspace_id
                     AND claimed_by IS NOT NULL
                     AND last_write_at > clock_timestamp() - make_interval(secs => :seconds))
        OR EXISTS (SELECT FROM hubspot_sync_logs
                   WHERE user_id = :user_id AND workspace_id = :workspace_id
                     AND claimed_by IS NULL AND next_attempt_at IS NOT NULL
                     AND last_write_at > clock_timestamp() - make_interval(secs => :seconds))
        OR EXISTS (SELECT FROM hubspot_sync_logs
                   WHERE user_id = :user_id AND workspace_id = :workspace_id
                     AND error_code IN ('payload_expired', 'unconfirmed')
                     AND last_write_at > clock_timestamp() - make_interval(secs => :seconds))
        OR EXISTS (SELECT FROM activity_updates
                   WHERE user_id = :user_id AND workspace_id = :workspace_id
                     AND last_write_at > clock_timestamp() - make_interval(secs => :seconds))
""")


def may_write(session: Session, *, user_id: str, workspace_id: str) -> bool:
    """Whether a create or an update may still start under a mark; false `WRITE_WITHIN_S` after."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    found = session.execute(_MAY_WRITE, {**tenant, "seconds": WRITE_WITHIN_S})
    return bool(found.scalar_one())
