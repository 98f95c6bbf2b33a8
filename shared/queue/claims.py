"""The queue in Postgres: claiming due calls, holding them, and giving them back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.calls.contents import read_contents
from shared.queue.lanes import EVERY_LANE
from shared.queue.suspects import ALONE, largest_batch, largest_suspect_size, may_claim_suspects
from shared.reasons import POISON_MESSAGE

# Calls of a killed worker go on within 30 s: this, a sweep, and the turns of all its connections.
LEASE_S: Final = 20.0
CRASHES_ALONE_MAKING_POISON: Final = 3
# A claim brings the contents along if they are no more than this together: a lone call's, mostly.
MAX_BYTES_CLAIMED: Final = 64 * 1024
# What is on the disk is compressed; of a version that did not measure it nothing else is known.
COMPRESSED_AT_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """A due call in a worker's hands. Times are Postgres's; ages are seconds on its clock."""

    id: str
    fence: int
    call_id: str
    status: str
    phone_number: str | None
    # What the note is written from; None if it is loaded later, or gone.
    payload: Mapping[str, Any] | None
    received_at: datetime
    lane: int
    # Complete searches so far, none of which found a contact.
    searches_done: int
    # The calculated properties were searched, for the search under way.
    calculated_searched: bool
    failures: int
    failing_for: float
    # Its last claim ended without any result.
    is_suspect: bool
    hub_id: int | None
    contact_id: str | None
    # Seconds since the mark; None when no write is in doubt.
    marked_for: float | None
    read_back_misses: int
    # Of the payload as text, about; 0 when it has been deleted.
    payload_bytes: int = 0
    # Of what is merged of it; news that is folded in beside does not count.
    revision: int = 1
    # Its end was never reported.
    awaits_end: bool = False
    # What it becomes in HubSpot, since its intake: `note` or `call`.
    activity: str = "note"

    @property
    def is_content_gone(self) -> bool:
        """Whether there was nothing left to write a note from when it was claimed."""
        return self.payload is None and self.payload_bytes == 0


# Lane by lane, so that calls scheduled for later are not looked at.
_COUNT_DUE = text(f"""
    SELECT count(*)
    FROM {EVERY_LANE}
    CROSS JOIN LATERAL (
        SELECT FROM hubspot_sync_logs l
        WHERE l.user_id = :user_id AND l.workspace_id = :workspace_id
          AND l.lane = lanes.lane AND l.claimed_by IS NULL AND l.next_attempt_at <= now()
        LIMIT :most
    ) AS due
""")  # noqa: S608 - our own text


def count_due_calls(session: Session, *, user_id: str, workspace_id: str, most: int) -> int:
    """How many calls of one connection could be claimed now; beyond `most` it may be any number."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    return int(session.execute(_COUNT_DUE, {**tenant, "most": most}).scalar_one())


# Every lane that waits gets a tenth of the batch; the rest goes by lane, then by age.
_CLAIM = """
    WITH candidate AS MATERIALIZED (
        SELECT due.id, lanes.lane, due.next_attempt_at,
               row_number() OVER (PARTITION BY lanes.lane ORDER BY due.next_attempt_at) AS place
        FROM {every_lane}
        CROSS JOIN LATERAL (
            SELECT l.id, l.next_attempt_at FROM hubspot_sync_logs l
            WHERE l.user_id = :user_id AND l.workspace_id = :workspace_id
              AND l.lane = lanes.lane AND l.claimed_by IS NULL AND l.next_attempt_at <= now()
              AND {suspicion}
            ORDER BY l.next_attempt_at
            LIMIT :most
            FOR UPDATE SKIP LOCKED
        ) AS due
    ), chosen AS MATERIALIZED (
        SELECT id FROM candidate
        ORDER BY place > greatest(:most / 10, 1), lane, next_attempt_at
        LIMIT :most
    ), claimed AS (
        UPDATE hubspot_sync_logs l
        SET claimed_by = :claim_id, claimed_until = now() + make_interval(secs => :lease),
            claim_size = (SELECT count(*) FROM chosen), fence = l.fence + 1
        FROM chosen WHERE l.id = chosen.id
        RETURNING l.*
    )
    SELECT l.id, l.fence, l.call_id, l.status, l.phone_number,
           CASE WHEN sum(content.bytes) OVER () <= :most_bytes THEN content.payload END AS payload,
           coalesce(content.bytes, 0) AS payload_bytes,
           coalesce(content.received_at, l.created_at) AS received_at,
           l.lane, l.looks AS searches_done, l.raw_lookup AS calculated_searched, l.failures,
           coalesce(extract(epoch FROM now() - l.failing_since), 0)::float8 AS failing_for,
           l.suspect_size IS NOT NULL AS is_suspect, l.hub_id, l.contact_id,
           extract(epoch FROM now() - l.last_write_at)::float8 AS marked_for,
           l.read_back_misses, coalesce(content.revision, 1) AS revision, l.awaits_end, l.activity,
           coalesce(content.has_news, false) AS has_news
    FROM claimed l LEFT JOIN LATERAL (
        SELECT payload, received_at, revision,
               EXISTS (SELECT FROM call_deliveries d
                       WHERE d.log_id = calls.log_id AND d.facts IS NOT NULL) AS has_news,
               coalesce(payload_bytes, pg_column_size(payload)::bigint * :compressed)
                   + (SELECT coalesce(sum(d.facts_bytes), 0) FROM call_deliveries d
                      WHERE d.log_id = calls.log_id AND d.facts IS NOT NULL)::bigint AS bytes
        FROM calls WHERE log_id = l.id
    ) AS content ON true
    ORDER BY l.lane, l.next_attempt_at, l.id
"""
# Two statements, because the planner misjudges one that serves both and sorts the whole backlog.
_CLAIM_TRUSTED = text(_CLAIM.format(every_lane=EVERY_LANE, suspicion="l.suspect_size IS NULL"))
_CLAIM_SUSPECTS = text(
    _CLAIM.format(every_lane=EVERY_LANE, suspicion="l.suspect_size = :suspect_size")
)


def claim_due_calls(
    session: Session, *, user_id: str, workspace_id: str, claim_id: str, most: int
) -> list[ClaimedCall]:
    """Take up to `most` due calls of one connection for `LEASE_S` seconds.

    A call whose last claim ended without any result is claimed apart from the others, in a batch
    half the size of the one it was lost in, and in the end alone in the whole system: a crash must
    not convict its neighbours.
    """
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    suspect_size = largest_suspect_size(session, **tenant)
    wanted = {
        **tenant,
        "claim_id": claim_id,
        "lease": LEASE_S,
        "most": most,
        "most_bytes": MAX_BYTES_CLAIMED,
        "compressed": COMPRESSED_AT_MOST,
    }
    if suspect_size is not None and may_claim_suspects(session, suspect_size):
        suspects = {"suspect_size": suspect_size, "most": min(most, largest_batch(suspect_size))}
        rows = session.execute(_CLAIM_SUSPECTS, wanted | suspects)
    else:
        rows = session.execute(_CLAIM_TRUSTED, wanted)
    claimed = [dict(row) for row in rows.mappings()]
    # What came since the round has merged the news before it.
    growing = [row["id"] for row in claimed if row.pop("has_news") and row["payload"] is not None]
    if growing:
        contents = read_contents(session, growing)
        claimed = [row | {"payload": contents.get(row["id"], row["payload"])} for row in claimed]
    return [ClaimedCall(**row) for row in claimed]


def load_contents(session: Session, calls: Collection[ClaimedCall]) -> dict[str, Mapping[str, Any]]:
    """What the notes of claimed calls are written from, by log id; without those that are gone.

    The caller sees to it that `payload_bytes` of all of them fit into memory.
    """
    return read_contents(session, [call.id for call in calls])


# In the order of the ids, as everywhere: the turn itself may be recording the same calls. The
# conditions stand once, where rows are locked: repeated, they cost a nested loop over all claims.
_RENEW = text("""
    WITH held AS MATERIALIZED (
        SELECT id FROM hubspot_sync_logs
        WHERE claimed_by = ANY(:claim_ids) AND claimed_until > now()
        ORDER BY id
        FOR NO KEY UPDATE
    )
    UPDATE hubspot_sync_logs l SET claimed_until = now() + make_interval(secs => :lease)
    FROM held WHERE l.id = held.id
""")


def renew_claims(session: Session, claim_ids: Collection[str]) -> None:
    """Extend the leases of claims that have not expired."""
    session.execute(_RENEW, {"claim_ids": list(claim_ids), "lease": LEASE_S})


# A call that was put off is as suspect as before; only a result acquits it.
_RELEASE = text("""
    WITH held AS MATERIALIZED (
        SELECT held.*
        FROM unnest(CAST(:ids AS text[]), CAST(:fences AS int[]), CAST(:unwritten AS boolean[]))
                 AS held (id, fence, is_unwritten)
        JOIN hubspot_sync_logs l ON l.id = held.id
        ORDER BY l.id
        FOR NO KEY UPDATE OF l
    )
    UPDATE hubspot_sync_logs l
    SET claimed_by = NULL, claimed_until = NULL, claim_size = NULL,
        last_write_at = CASE WHEN held.is_unwritten THEN NULL ELSE l.last_write_at END,
        read_back_misses = CASE WHEN held.is_unwritten THEN 0 ELSE l.read_back_misses END,
        next_attempt_at = CASE WHEN :delay > 0 THEN now() + make_interval(secs => :delay)
                               ELSE l.next_attempt_at END
    FROM held
    WHERE l.id = held.id AND l.fence = held.fence AND l.claimed_by IS NOT NULL
""")


def release_calls(
    session: Session,
    calls: Collection[ClaimedCall],
    *,
    delay: float = 0,
    unwritten: Collection[str] = (),
) -> None:
    """Give claimed calls back without a result.

    Args:
        session: An open transaction.
        calls: The calls; those that are no longer held are left alone.
        delay: Seconds until they are due again.
        unwritten: Log ids whose mark led to certainly no note: it is cleared.
    """
    session.execute(
        _RELEASE,
        {
            "ids": [call.id for call in calls],
            "fences": [call.fence for call in calls],
            "unwritten": [call.id in unwritten for call in calls],
            "delay": delay,
        },
    )


_TAKE_BACK = text("""
    WITH held AS MATERIALIZED (
        SELECT id FROM hubspot_sync_logs WHERE claimed_by = :claim_id
        ORDER BY id
        FOR NO KEY UPDATE
    )
    UPDATE hubspot_sync_logs l SET claimed_by = NULL, claimed_until = NULL, claim_size = NULL
    FROM held WHERE l.id = held.id AND l.claimed_by = :claim_id
""")


def take_back_claim(session: Session, claim_id: str) -> None:
    """End a claim of which nobody knows whether it was committed: nothing was begun under it."""
    session.execute(_TAKE_BACK, {"claim_id": claim_id})


_ABANDON = text("""
    WITH held AS MATERIALIZED (
        SELECT held.* FROM unnest(CAST(:ids AS text[]), CAST(:fences AS int[])) AS held (id, fence)
        JOIN hubspot_sync_logs l ON l.id = held.id
        ORDER BY l.id
        FOR NO KEY UPDATE OF l
    )
    UPDATE hubspot_sync_logs l SET claimed_until = now()
    FROM held
    WHERE l.id = held.id AND l.fence = held.fence AND l.claimed_by IS NOT NULL
""")


def abandon_calls(session: Session, calls: Collection[ClaimedCall]) -> None:
    """End the leases at once, as the death of their worker would: the calls become suspects."""
    session.execute(
        _ABANDON, {"ids": [call.id for call in calls], "fences": [call.fence for call in calls]}
    )


# Poison is judged here: only a suspect that was held alone counts towards it. It need not be alone
# at once: a host may have died with hundreds of calls, each in a claim of its own. A call with a
# mark may have its note and is read back before anything else: judged if that crashes as often.
_RETURN_EXPIRED = text("""
    WITH lost AS (
        SELECT id, (suspect_size = :alone)::int AS was_alone FROM hubspot_sync_logs
        WHERE claimed_by IS NOT NULL AND claimed_until <= now()
        LIMIT 5000
        FOR UPDATE SKIP LOCKED
    ), returned AS (
        UPDATE hubspot_sync_logs l
        SET claimed_by = NULL, claimed_until = NULL, claim_size = NULL,
            solo_crashes = l.solo_crashes + coalesce(lost.was_alone, 0),
            suspect_size = :alone + CASE WHEN l.suspect_size IS NULL
                                         THEN greatest(l.claim_size / 2, 1)
                                         ELSE l.claim_size / 2 END,
            next_attempt_at = coalesce(l.next_attempt_at, now())
        FROM lost WHERE l.id = lost.id
        RETURNING l.id, l.solo_crashes, l.last_write_at IS NOT NULL AS is_marked
    )
    SELECT count(*), coalesce(
        array_agg(id) FILTER (WHERE solo_crashes >= :poison * (1 + is_marked::int)), '{}')
    FROM returned
""")

_POISON = text("""
    UPDATE hubspot_sync_logs
    SET status = 'error', error_code = 'poison', error_message = :message,
        next_attempt_at = NULL, suspect_size = NULL, solo_crashes = 0, updated_at = now()
    WHERE id = ANY(:ids) AND status <> 'success'
""")


def return_expired_claims(session: Session) -> tuple[int, list[str]]:
    """Free the calls of workers that died; returns how many, and the ids set aside as poison."""
    count, poisonous = session.execute(
        _RETURN_EXPIRED, {"poison": CRASHES_ALONE_MAKING_POISON, "alone": ALONE}
    ).one()
    if poisonous:
        session.execute(_POISON, {"ids": poisonous, "message": POISON_MESSAGE})
    return count, poisonous
