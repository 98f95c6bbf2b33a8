"""Workers that are frozen beyond their lease and wake when others have done their work."""

from typing import Final

from faults.scenario import Scenario, scenario
from faults.scenarios.workers import CREATE, MARK, SEARCH, catch
from faults.traps import StepTrap
from faults.world import World
from local.hubspot.client import SandboxRecord
from shared.claims import LEASE_S

COUNT_SURPLUS: Final = (
    "SELECT count(*) AS surplus FROM hubspot_surplus_notes WHERE hub_id = ANY(%(hubs)s)"
)


@scenario()
def past_the_lease_during_the_search(world: World) -> None:
    """A worker is frozen (SIGSTOP) while it searches and wakes when others have done its work.

    Another worker syncs the calls when the lease has run out. What the frozen one then does is
    refused: no second note.
    """
    freeze_at(world, world.trap_request(SEARCH, is_after=True, goes_on=True))


@scenario()
def past_the_lease_after_the_create(world: World) -> None:
    """A worker is frozen with its create's answer unread, and wakes when others have read back.

    The notes are there at once; another worker finds them when the lease has run out.
    """
    freeze_at(world, world.trap_request(CREATE, is_after=True, goes_on=True))


@scenario()
def between_mark_and_create_for_minutes(world: World) -> None:
    """A worker is frozen between mark and create until another has written the notes, then writes.

    For up to a minute (housekeeping's round) a second note can be seen; it is archived then.
    """
    freeze_at(world, world.trap_commit(MARK, is_after=True, goes_on=True))
    world.wait_for(lambda: len(notes_of(world)) > len(world.rows()), timeout_s=15)
    world.wait_for(lambda: bool(world.execute(COUNT_SURPLUS)[0]["surplus"]), timeout_s=15)
    world.keep_house()
    world.wait_for(lambda: len(notes_of(world)) == len(world.rows()), timeout_s=15)


@scenario()
def between_mark_and_create_for_seconds(world: World) -> None:
    """A worker is frozen between mark and create past its lease, and writes before others would.

    Its late success is adopted; the calls are pending a little longer.
    """
    calls = world.tenant().calls(world.draws.randint(1, 6))
    trap = world.trap_commit(MARK, is_after=True, goes_on=True)
    world.post(calls)
    frozen = world.cluster.workers[catch(world, trap)]
    frozen.suspend()
    trap.release()
    world.skip(LEASE_S)
    world.wait_for(lambda: all(not row["claimed_by"] for row in world.rows()))
    frozen.resume()
    world.wait_for(lambda: len(notes_of(world)) > 0, timeout_s=15)
    world.settle()


def freeze_at(world: World, trap: StepTrap) -> None:
    """Freeze whoever comes to a step, until others have settled all calls."""
    calls = world.tenant().calls(world.draws.randint(1, 6))
    world.post(calls)
    frozen = world.cluster.workers[catch(world, trap)]
    frozen.suspend()
    try:
        trap.release()
        world.skip(LEASE_S)
        world.settle()
    finally:
        frozen.resume()


def notes_of(world: World) -> list[SandboxRecord]:
    """The live notes of all accounts of the run."""
    hub_ids = {call.hub_id for call in world.history.sent.values()}
    return [note for hub_id in hub_ids for note in world.sandbox.notes(hub_id)]


SCENARIOS: Final[tuple[Scenario, ...]] = (
    past_the_lease_during_the_search,
    past_the_lease_after_the_create,
    between_mark_and_create_for_seconds,
    between_mark_and_create_for_minutes,
)
