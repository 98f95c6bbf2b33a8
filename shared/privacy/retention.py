"""Deleting what has had its time: contents, entries of the log, attempts, authorizations."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.calls.intake import IDENTITY_HASH
from shared.reasons import Reason, Status
from shared.telemetry.metrics import OUTCOMES

# Rows in one transaction: each deletes its content too, of up to hundreds of pieces.
MOST_AT_ONCE: Final = 1_000
# Entries go in larger batches: what hangs on them is small, and a batch takes two rounds.
LOGS_AT_ONCE: Final = 10_000
# From a call's hash to the end of its row: longer than any statement lasts that began before.
HASH_SETTLES_S: Final = 45
# A producer that repeats a call after that, and after its entry was pruned, makes a second note.
PRUNED_CALL_KNOWN_DAYS: Final = 730
# Together what the dashboard shows of an entry.
FIRST_ATTEMPTS_KEPT: Final = 20
LAST_ATTEMPTS_KEPT: Final = 180

# A call in a worker's hands keeps its content until the next round. All deliveries go with it, and
# what its activity was written from. When HubSpot refuses a note it may quote what the note says,
# so its words go too.
_DELETE_PAYLOADS = text("""
    WITH old AS (
        SELECT c.log_id FROM calls c JOIN hubspot_sync_logs l ON l.id = c.log_id
        WHERE c.received_at < now() - make_interval(days => :days) AND l.claimed_by IS NULL
          AND NOT EXISTS (SELECT FROM activity_updates u
                          WHERE u.log_id = l.id AND u.claimed_by IS NOT NULL)
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
    ), unwanted AS (
        DELETE FROM activity_updates u USING deleted WHERE u.log_id = deleted.log_id
    ), unknown AS (
        DELETE FROM activities a USING deleted WHERE a.log_id = deleted.log_id
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


# Two random UUIDs are 244 bits.
_MAKE_KEY = text("""
    INSERT INTO hubspot_pruning_keys (id, key)
    SELECT 1, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
    WHERE NOT EXISTS (SELECT FROM hubspot_pruning_keys)
    ON CONFLICT DO NOTHING
""")

# Nothing is left to be done for it, and no note of it may turn up that nobody has heard of.
_IS_SETTLED: Final = """
    l.next_attempt_at IS NULL AND l.claimed_by IS NULL AND l.last_write_at IS NULL
    AND NOT EXISTS (SELECT FROM hubspot_strays s WHERE s.log_id = l.id)
"""

# Hops from tenant to tenant. A row ends a while after its hash was committed: a statement that
# stores a copy of the call meanwhile has seen the hash, or finds the row. Were both changed in one
# transaction, it could see neither. A hash that names another row than its call has now (it was
# stored anew all the same, or a backup was restored) comes to name that one first.
_PRUNE_LOGS = text(f"""
    WITH RECURSIVE tenant AS (
        (SELECT user_id, workspace_id FROM hubspot_sync_logs
         ORDER BY user_id, workspace_id LIMIT 1)
        UNION ALL
        SELECT hop.* FROM tenant CROSS JOIN LATERAL (
            SELECT l.user_id, l.workspace_id FROM hubspot_sync_logs l
            WHERE (l.user_id, l.workspace_id) > (tenant.user_id, tenant.workspace_id)
            ORDER BY l.user_id, l.workspace_id LIMIT 1) AS hop
    ), old AS MATERIALIZED (
        SELECT each.id FROM tenant CROSS JOIN LATERAL (
            SELECT l.id FROM hubspot_sync_logs l
            WHERE l.user_id = tenant.user_id AND l.workspace_id = tenant.workspace_id
              AND l.created_at < now() - make_interval(days => :days) AND {_IS_SETTLED}
            ORDER BY l.created_at, l.id
            LIMIT :most) AS each
        LIMIT :most
    ), held AS MATERIALIZED (
        SELECT l.id, {IDENTITY_HASH.format("l")} AS identity_hash
        FROM hubspot_sync_logs l WHERE l.id IN (SELECT id FROM old) AND {_IS_SETTLED}
        ORDER BY l.id
        FOR UPDATE SKIP LOCKED
    ), remembered AS (
        INSERT INTO hubspot_pruned_calls (identity_hash, log_id)
        SELECT identity_hash, id FROM held
        ON CONFLICT DO NOTHING
    ), renamed AS (
        UPDATE hubspot_pruned_calls pruned SET log_id = held.id, remembered_at = now()
        FROM held
        WHERE pruned.identity_hash = held.identity_hash AND pruned.log_id <> held.id
    ), gone AS (
        DELETE FROM hubspot_sync_logs l
        USING held JOIN hubspot_pruned_calls pruned USING (identity_hash)
        WHERE l.id = held.id AND pruned.log_id = held.id
          AND pruned.remembered_at < now() - make_interval(secs => :settles)
        RETURNING 1
    )
    SELECT count(*) FROM gone
""")  # noqa: S608 - constants of ours


def prune_logs(session: Session, *, days: int) -> int:
    """Delete entries of calls that came in more than `days` days ago, with all that hangs on them.

    What is left is a keyed hash of the call's identity, by which another delivery of it is told to
    be a duplicate. Kept are entries that wait, are in doubt, or may have a note too many. The first
    round remembers a batch, and the next one, a minute later, deletes it.

    Returns how many were deleted.
    """
    session.execute(_MAKE_KEY)
    pruned = session.execute(
        _PRUNE_LOGS, {"days": days, "most": LOGS_AT_ONCE, "settles": HASH_SETTLES_S}
    )
    return int(pruned.scalar_one())


# A content holds numbers too, so it goes first. What says why a call has no note may quote the
# number, in whole or its last digits.
_FORGET_NUMBERS = text(f"""
    WITH old AS (
        SELECT l.id FROM hubspot_sync_logs l
        WHERE l.phone_number IS NOT NULL AND l.next_attempt_at IS NULL
          AND l.created_at AT TIME ZONE 'UTC'
              < (now() - make_interval(days => :days)) AT TIME ZONE 'UTC'
          AND {_IS_SETTLED} AND NOT EXISTS (SELECT FROM calls WHERE calls.log_id = l.id)
        ORDER BY l.created_at AT TIME ZONE 'UTC'
        LIMIT :most
        FOR UPDATE OF l SKIP LOCKED
    ), unquoted AS (
        UPDATE hubspot_sync_attempts a SET message = NULL
        FROM old
        WHERE a.log_id = old.id AND a.message IS NOT NULL AND a.error_code = ANY(:quoting)
    ), gone AS (
        UPDATE hubspot_sync_logs l
        SET phone_number = NULL, updated_at = now(),
            error_message = CASE WHEN l.error_code = ANY(:quoting) THEN :message
                                 ELSE l.error_message END
        FROM old WHERE l.id = old.id
        RETURNING 1
    )
    SELECT count(*) FROM gone
""")  # noqa: S608 - constants of ours
_QUOTING: Final = (
    Reason.REJECTED_BY_HUBSPOT,
    Reason.INVALID_PHONE_NUMBER,
    Reason.UNKNOWN_DIRECTION,
)
NUMBER_FORGOTTEN_MESSAGE: Final = (
    "The phone number was deleted at the end of its retention period, and what quoted it."
)


def forget_numbers(session: Session, *, days: int) -> int:
    """Remove numbers of calls that came in more than `days` days ago, a batch at a time.

    Entries keep ids, times and outcomes. Left alone are calls that wait, are in doubt, may have a
    note too many, or whose content is still kept. Returns how many numbers were removed.
    """
    wanted = {
        "days": days,
        "most": MOST_AT_ONCE,
        "quoting": list(_QUOTING),
        "message": NUMBER_FORGOTTEN_MESSAGE,
    }
    return int(session.execute(_FORGET_NUMBERS, wanted).scalar_one())


_FORGET_PRUNED = text("""
    WITH old AS (
        SELECT identity_hash FROM hubspot_pruned_calls
        WHERE remembered_at < now() - make_interval(days => :days)
        ORDER BY remembered_at
        LIMIT :most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM hubspot_pruned_calls p USING old
        WHERE p.identity_hash = old.identity_hash
        RETURNING 1
    )
    SELECT count(*) FROM gone
""")


def forget_pruned_calls(session: Session) -> int:
    """Delete hashes of calls pruned more than `PRUNED_CALL_KNOWN_DAYS` ago, a batch at a time."""
    batch = {"days": PRUNED_CALL_KNOWN_DAYS, "most": MOST_AT_ONCE}
    return int(session.execute(_FORGET_PRUNED, batch).scalar_one())


# An entry grows by attempts only, so those with a new one are looked at.
_PRUNE_ATTEMPTS = text("""
    WITH long AS (
        SELECT l.id FROM hubspot_sync_logs l
        WHERE l.attempts > :first + :last
          AND l.id IN (SELECT log_id FROM (SELECT log_id FROM hubspot_sync_attempts
                                           ORDER BY id DESC LIMIT :most) AS newest)
    ), placed AS (
        SELECT a.id, row_number() OVER (PARTITION BY a.log_id ORDER BY a.id) AS place,
               count(*) OVER (PARTITION BY a.log_id) AS places
        FROM hubspot_sync_attempts a JOIN long ON long.id = a.log_id
    ), held AS MATERIALIZED (
        SELECT a.id FROM hubspot_sync_attempts a
        WHERE a.id IN (SELECT id FROM placed
                       WHERE place > :first AND place <= places - :last LIMIT :most)
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM hubspot_sync_attempts a USING held WHERE a.id = held.id RETURNING 1
    )
    SELECT count(*) FROM gone
""")


def prune_attempts(session: Session) -> int:
    """Delete attempts between an entry's first and last ones, a batch at a time; returns how many.

    The entry's own count of them stays.
    """
    batch = {"first": FIRST_ATTEMPTS_KEPT, "last": LAST_ATTEMPTS_KEPT, "most": LOGS_AT_ONCE}
    return int(session.execute(_PRUNE_ATTEMPTS, batch).scalar_one())


_DELETE_EXPIRED: Final = """
    WITH old AS (
        SELECT {key} FROM {table} WHERE expires_at < now()
        LIMIT :most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM {table} t USING old WHERE t.{key} = old.{key} RETURNING 1
    )
    SELECT count(*) FROM gone
"""
_DELETE_STATES = text(_DELETE_EXPIRED.format(table="hubspot_oauth_states", key="state_hash"))
_DELETE_DECIDED = text(_DELETE_EXPIRED.format(table="hubspot_decided_grants", key="grant_hash"))


def delete_expired_states(session: Session) -> int:
    """Delete authorizations that nobody finished, and what was decided long ago, in batches."""
    batch = {"most": MOST_AT_ONCE}
    return max(
        int(session.execute(query, batch).scalar_one())
        for query in (_DELETE_STATES, _DELETE_DECIDED)
    )


# HubSpot considers the app installed, though nobody confirmed it here.
_GIVE_UP_GRANTS: Final = """
    WITH old AS (
        SELECT grant_hash FROM hubspot_pending_grants WHERE {which}
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
"""
_GIVE_UP_EXPIRED = text(_GIVE_UP_GRANTS.format(which="expires_at < now()"))
_GIVE_UP_TENANTS = text(
    _GIVE_UP_GRANTS.format(which="user_id = :user_id AND workspace_id = :workspace_id")
)


def give_up_pending_grants(session: Session) -> int:
    """Hand grants that were never confirmed to the revocation list, a batch at a time."""
    return int(session.execute(_GIVE_UP_EXPIRED, {"most": MOST_AT_ONCE}).scalar_one())


def give_up_grants_of(session: Session, *, user_id: str, workspace_id: str) -> None:
    """The same at once for a tenant's, whatever their age."""
    batch = {"user_id": user_id, "workspace_id": workspace_id, "most": MOST_AT_ONCE}
    while session.execute(_GIVE_UP_TENANTS, batch).scalar_one() == MOST_AT_ONCE:
        pass
