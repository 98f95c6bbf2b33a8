"""Entries of the sync log that have become too old, and what comes while they are deleted."""

from typing import Final

from faults.cluster import LOG_RETENTION_DAYS
from faults.judging.history import SentCall
from faults.proxies.traps import CommitTrap
from faults.scenario import Scenario, scenario
from faults.world import World

PRUNE: Final = "INSERT INTO hubspot_pruned_calls"
FIND_LOGS: Final = "SELECT id FROM hubspot_sync_logs WHERE user_id = ANY(%(users)s)"
FIND_PRUNED: Final = "SELECT log_id FROM hubspot_pruned_calls WHERE log_id = ANY(%(ids)s)"
# An entry is deleted a minute after its call was remembered.
LET_SETTLE: Final = """
    UPDATE hubspot_pruned_calls SET remembered_at = now() - interval '2 minutes'
    WHERE log_id = ANY(%(ids)s)
"""


@scenario()
def worker_killed_while_it_prunes(world: World) -> None:
    """A worker is killed when it has pruned old entries, before or after that is committed.

    The next round prunes what is left. Webhooks that are sent again after that are duplicates.
    """
    calls, ids = _grow_old(world)
    trap = _prune_into_trap(world, ids, is_after=world.draws.choice([True, False]))
    world.cluster.crew.kill(world.cluster.crew.owner(trap.wait()))
    world.mend()
    _prune(world, ids)
    world.post(calls)
    world.settle()


@scenario()
def redelivered_while_its_entry_is_pruned(world: World) -> None:
    """Webhooks are sent again before, while and after the entries of their calls are pruned.

    Each is a duplicate, answered with the id of the call's first delivery; no second note.
    """
    calls, ids = _grow_old(world)
    world.post(calls)
    trap = _prune_into_trap(world, ids, goes_on=True)
    trap.wait()
    world.post(calls)
    world.mend()
    world.post(calls)
    _prune(world, ids)
    world.post(calls)
    world.settle()


def _grow_old(world: World) -> tuple[list[SentCall], list[str]]:
    """Calls that were synced longer ago than entries are kept, and their log ids."""
    calls = world.tenant().calls(world.draws.randint(2, 30))
    world.post(calls)
    world.settle()
    world.age(LOG_RETENTION_DAYS + 1)
    return calls, [row["id"] for row in world.rows()]


def _prune_into_trap(
    world: World, ids: list[str], *, is_after: bool = False, goes_on: bool = False
) -> CommitTrap:
    """Hold the worker that remembers the calls, or the one that deletes their entries then."""
    if world.draws.choice([True, False]):
        _remember(world, ids)
        world.execute(LET_SETTLE, ids=ids)
    trap = world.trap_commit(PRUNE, is_after=is_after, goes_on=goes_on)
    world.keep_house_until(lambda: trap.sprung_by is not None)
    return trap


def _remember(world: World, ids: list[str]) -> None:
    world.keep_house_until(lambda: len(world.execute(FIND_PRUNED, ids=ids)) == len(ids))


def _prune(world: World, ids: list[str]) -> None:
    _remember(world, ids)
    world.execute(LET_SETTLE, ids=ids)
    world.keep_house_until(lambda: not world.execute(FIND_LOGS))


SCENARIOS: Final[tuple[Scenario, ...]] = (
    worker_killed_while_it_prunes,
    redelivered_while_its_entry_is_pruned,
)
