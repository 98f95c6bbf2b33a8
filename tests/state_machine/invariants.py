"""What must be true after every step, as queries that find whatever breaks it."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.models import SyncLog
from tests.state_machine.accounts import Account
from tests.state_machine.rounds import SteppedRound

# `log` is the tenant's sync log, `note` what HubSpot has, `unanswered` the creates it may still
# commit, `held` what workers believe to hold, `pruned` what was deleted from the log for its age.
_FACTS: Final = """
    WITH log AS (
        SELECT * FROM hubspot_sync_logs
        WHERE user_id = :user_id AND workspace_id = :workspace_id
    ), note AS (
        SELECT * FROM jsonb_to_recordset(CAST(:notes AS jsonb))
            AS n (id text, hub_id bigint, contact_ids jsonb, ref text, kind text,
                  is_frozen boolean, is_recorded boolean)
    ), unanswered AS (
        SELECT * FROM jsonb_to_recordset(CAST(:unanswered AS jsonb))
            AS u (ref text, is_frozen boolean)
    ), held AS (
        SELECT * FROM jsonb_to_recordset(CAST(:held AS jsonb))
            AS h (id text, fence int, claim_id text)
    ), tally AS (
        SELECT status, sum(calls) AS calls FROM hubspot_sync_tallies
        WHERE user_id = :user_id AND workspace_id = :workspace_id GROUP BY status
    ), pruned AS (
        SELECT * FROM jsonb_to_recordset(CAST(:pruned AS jsonb)) AS p (id text, status text)
    ), counted AS (
        SELECT status, count(*) AS calls
        FROM (SELECT status FROM log UNION ALL SELECT status FROM pruned) AS calls
        WHERE status <> 'pending' GROUP BY status
    )
"""

_BROKEN: Final = {
    "two notes of one call, none of them by a worker that was frozen before its POST": """
        SELECT ref FROM note WHERE NOT is_frozen GROUP BY ref HAVING count(*) > 1
    """,
    "a success whose note is of another call, or not where the log says": """
        SELECT log.id FROM log JOIN note ON (note.hub_id, note.id) = (log.hub_id, engagement_id)
        WHERE note.ref <> log.id OR NOT note.contact_ids @> to_jsonb(log.contact_id)
    """,
    "an activity of another kind than was decided when its call came in": """
        SELECT note.id FROM note JOIN log ON log.id = note.ref WHERE note.kind <> log.activity
    """,
    "a stray of another kind than its call": """
        SELECT log.id FROM log JOIN hubspot_strays s ON s.log_id = log.id
        WHERE s.kind <> log.activity
    """,
    "a success without a note, though its contact is there": """
        SELECT log.id FROM log
        WHERE status = 'success' AND NOT (CAST(:gone AS jsonb) @> jsonb_build_array(
            log.hub_id || '/' || log.contact_id))
          AND NOT EXISTS (SELECT FROM note
                          WHERE (note.hub_id, note.id) = (log.hub_id, engagement_id))
    """,
    "a note that exists or may yet, and whose log says that none does": """
        SELECT log.id FROM log
        WHERE status <> 'success' AND last_write_at IS NULL
          AND (log.id IN (SELECT ref FROM note WHERE NOT is_frozen)
               OR log.id IN (SELECT ref FROM unanswered WHERE NOT is_frozen))
    """,
    "a note that was recorded, and is neither the one of its call nor to be archived": """
        SELECT note.id FROM note JOIN log ON log.id = note.ref
        WHERE is_recorded AND (note.hub_id, note.id) IS DISTINCT FROM (log.hub_id, engagement_id)
          AND (note.hub_id, note.id) NOT IN (SELECT hub_id, activity_id FROM hubspot_strays
                                             WHERE activity_id IS NOT NULL)
    """,
    "a note that nobody asked for": """
        SELECT id FROM note
        WHERE ref NOT IN (SELECT id FROM log UNION ALL SELECT id FROM pruned)
    """,
    "an entry that was pruned while something was left to be done, or a note to be found": """
        SELECT id FROM pruned
        WHERE status = 'pending'
           OR id IN (SELECT ref FROM unanswered WHERE NOT is_frozen)
           OR (status <> 'success' AND id IN (SELECT ref FROM note WHERE NOT is_frozen))
    """,
    "an entry that was pruned and is not remembered": """
        SELECT id FROM pruned WHERE id NOT IN (SELECT log_id FROM hubspot_pruned_calls)
    """,
    "a second note that could be archived though it is the only one": """
        SELECT s.activity_id FROM hubspot_strays s
        JOIN log ON log.id = s.log_id AND log.status <> 'success'
        JOIN note ON note.id = s.activity_id
        WHERE NOT EXISTS (SELECT FROM note other
                          WHERE other.ref = s.log_id AND other.id <> s.activity_id)
    """,
    "a pending call that nobody will take up": """
        SELECT id FROM log WHERE status = 'pending' AND next_attempt_at IS NULL
    """,
    "a final state without a reason": """
        SELECT id FROM log
        WHERE status IN ('error', 'skipped') AND (error_code IS NULL OR error_message IS NULL)
    """,
    "an error that is tried again by itself": """
        SELECT id FROM log WHERE status = 'error' AND next_attempt_at IS NOT NULL
    """,
    "a success that is claimed, marked or due": """
        SELECT id FROM log
        WHERE status = 'success'
          AND num_nonnulls(claimed_by, last_write_at, next_attempt_at, suspect_size) > 0
    """,
    "a mark that does not say where to look": """
        SELECT id FROM log
        WHERE last_write_at IS NOT NULL AND (hub_id IS NULL OR contact_id IS NULL)
    """,
    "misses without a mark": """
        SELECT id FROM log WHERE last_write_at IS NULL AND read_back_misses > 0
    """,
    "a doubt given up without the mark that says where the note may be": """
        SELECT id FROM log WHERE error_code = 'unconfirmed' AND last_write_at IS NULL
    """,
    "two workers with the same claim": """
        SELECT id FROM held GROUP BY id, fence HAVING count(*) > 1
    """,
    "a claim that its log knows nothing of": """
        SELECT held.id FROM held JOIN log USING (id)
        WHERE held.fence > log.fence
           OR (held.fence = log.fence AND log.claimed_by <> held.claim_id)
    """,
    "a tally that counting the rows does not give": """
        SELECT status FROM tally FULL JOIN counted USING (status)
        WHERE coalesce(tally.calls, 0) <> coalesce(counted.calls, 0)
    """,
}

_FIND: Final = text(
    _FACTS
    + " UNION ALL ".join(
        f"SELECT '{name}' AS broken, found.* FROM ({query}) AS found (what)"  # noqa: S608 - constants
        for name, query in _BROKEN.items()
    )
)


def find_broken(
    session: Session,
    *,
    user_id: str,
    workspace_id: str,
    accounts: Iterable[Account],
    rounds: Sequence[SteppedRound],
    pruned: Iterable[SyncLog],
) -> list[tuple[str, str]]:
    """What is broken, and the log or note id that shows it."""
    accounts = list(accounts)
    facts = {
        "notes": [
            {
                "id": note.id,
                "hub_id": account.hub_id,
                "contact_ids": account.aliases(note.create.note.contact_id),
                "ref": note.create.note.log_id,
                "kind": note.create.note.kind,
                "is_frozen": note.create.is_frozen,
                "is_recorded": note.id in account.recorded,
            }
            for account in accounts
            for note in account.notes.values()
        ],
        "unanswered": [
            {"ref": create.note.log_id, "is_frozen": create.is_frozen}
            for account in accounts
            for create, _ in account.unanswered
        ],
        "held": [
            {"id": call.id, "fence": call.fence, "claim_id": round_.claim_id}
            for round_ in rounds
            for call in round_.open.values()
        ],
        "pruned": [{"id": log.id, "status": log.status} for log in pruned],
        "gone": [
            f"{account.hub_id}/{each}"
            for account in accounts
            for each in account.contact_ids
            if account.survivor(each) in account.gone
        ],
    }
    rows = session.execute(
        _FIND,
        {"user_id": user_id, "workspace_id": workspace_id}
        | {name: json.dumps(fact) for name, fact in facts.items()},
    )
    return [(broken, what) for broken, what in rows]
