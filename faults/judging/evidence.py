"""What there is at the end of a run: in Postgres, in Redis, in HubSpot and in the API's answers."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import requests

from sandbox.client import SandboxRecord

if TYPE_CHECKING:
    from faults.world import World

TIMEOUT_S: Final = 60.0

Row = Mapping[str, Any]
Identity = tuple[str, str, str]

_ATTEMPTS: Final = """
    SELECT a.log_id, a.outcome FROM hubspot_sync_attempts a
    JOIN hubspot_sync_logs l ON l.id = a.log_id
    WHERE l.user_id = ANY(%(users)s) ORDER BY a.id
"""
_TALLIES: Final = """
    SELECT user_id, workspace_id, status, sum(calls)::int AS calls FROM hubspot_sync_tallies
    WHERE user_id = ANY(%(users)s) GROUP BY 1, 2, 3 HAVING sum(calls) <> 0
"""
_UNFINISHED: Final = """
    SELECT l.id, CASE WHEN c.log_id IS NULL THEN 'its content is gone'
                      ELSE coalesce(u.error, u.state) END AS reason
    FROM hubspot_sync_logs l
    LEFT JOIN calls c ON c.log_id = l.id
    LEFT JOIN activity_updates u ON u.log_id = l.id
    WHERE l.user_id = ANY(%(users)s) AND (c.log_id IS NULL OR u.log_id IS NOT NULL)
"""
_SURPLUS: Final = """
    SELECT log_id, activity_id FROM hubspot_strays
    WHERE activity_id IS NOT NULL AND hub_id = ANY(%(hubs)s)
"""


@dataclass(frozen=True)
class Evidence:
    """What is found at the end of a run.

    Attributes:
        rows: the rows of the sync log, by identity.
        unfinished: why a note need not say everything that was accepted, by log id: its content is
            gone, or a person is told that it was not completed.
        pruned: rows that were there, and are not any more because they had become too old.
        attempts: the outcomes of each call's attempts, oldest first, by log id.
        tallies: how many calls are counted in which final status, by user, workspace and status.
        shown: what the API's sync log shows, by log id.
        notes: the notes of every account there is, archived ones too.
        violations: requests beyond HubSpot's limits, by account.
        leftovers: what nobody will clean up, in words.
    """

    rows: Mapping[Identity, Row]
    attempts: Mapping[str, Sequence[str]]
    tallies: Mapping[Identity, int]
    shown: Mapping[str, Row]
    notes: Mapping[int, Collection[SandboxRecord]]
    violations: Mapping[int, int]
    leftovers: Collection[str] = ()
    pruned: Mapping[Identity, Row] = field(default_factory=dict)
    unfinished: Mapping[str, str] = field(default_factory=dict)


def gather(world: "World") -> Evidence:
    """Collect the evidence of a run whose sandbox has no accounts but the run's."""
    attempts: dict[str, list[str]] = {}
    for attempt in world.execute(_ATTEMPTS):
        attempts.setdefault(attempt["log_id"], []).append(attempt["outcome"])
    accounts = world.sandbox.state()["hubs"]
    rows = by_identity(world.rows())
    return Evidence(
        rows=rows,
        pruned={each: row for each, row in world.aged.items() if each not in rows},
        attempts=attempts,
        tallies={
            (row["user_id"], row["workspace_id"], row["status"]): row["calls"]
            for row in world.execute(_TALLIES)
        },
        shown={log["id"]: log for tenant in world.tenants for log in tenant.shown_logs()},
        notes={each["hub_id"]: _notes(world, each["hub_id"]) for each in accounts},
        violations={
            each["hub_id"]: sum(each["rate_limit_violations"].values()) for each in accounts
        },
        leftovers=list(_leftovers(world)),
        unfinished={each["id"]: each["reason"] for each in world.execute(_UNFINISHED)},
    )


def by_identity(rows: Iterable[Row]) -> dict[Identity, Row]:
    """Rows of the sync log by whose call it is and which."""
    return {(row["user_id"], row["workspace_id"], row["call_id"]): row for row in rows}


def _notes(world: "World", hub_id: int) -> list[SandboxRecord]:
    # The sandbox's client leaves out archived notes, which tell of duplicates that were seen.
    url = f"{world.cluster.sandbox_url}/sandbox/accounts/{hub_id}/{world.kind}"
    answer = requests.get(url, timeout=TIMEOUT_S)
    answer.raise_for_status()
    return [
        SandboxRecord(**{**note, "contact_ids": tuple(note["contact_ids"])})
        for note in answer.json()[world.kind]
    ]


def _leftovers(world: "World") -> Iterator[str]:
    for note in world.execute(_SURPLUS):
        yield f"{note['log_id']}: its second note {note['activity_id']} still waits to be archived"
    for key in world.redis.scan_iter(f"{world.cluster.prefix}:*"):
        # A key that says "was woken", "is being worked on" or "place taken" and lasts for ever
        # would silence a connection.
        if world.redis.pttl(key) == -1:
            yield f"{key.decode()} stays in Redis for ever"
