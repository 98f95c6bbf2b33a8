"""Workers that are killed, at every step of a turn and at any time under load."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from faults.proxies.traps import StepTrap
from faults.scenario import Scenario, scenario
from faults.world import World
from shared.queue.claims import LEASE_S

CLAIM: Final = "claim_size = (SELECT count(*) FROM chosen)"
MARK: Final = "last_write_at = clock_timestamp()"
RECORD: Final = "engagement_id = o.engagement_id"
SEARCH: Final = "/contacts/search"
CREATE: Final = "/notes/batch/create"


def catch(world: World, trap: StepTrap) -> str:
    """Wait for a worker to be caught, and for the others to be done; returns its name."""
    link = trap.wait()
    world.wait_for(lambda: len({row["claimed_by"] for row in world.rows()} - {None}) <= 1)
    return world.cluster.crew.owner(link)


def kill_at(world: World, trap: StepTrap) -> None:
    """Kill whoever comes to a step, then let the lease run out."""
    calls = world.tenant().calls(world.draws.randint(1, 12))
    world.post(calls)
    world.cluster.crew.kill(catch(world, trap))
    world.mend()
    world.skip(LEASE_S)
    world.settle()


@scenario()
def killed_before_the_claim(world: World) -> None:
    """A worker is killed before its claim is committed.

    The calls stay pending and are synced by another worker within a second or two.
    """
    kill_at(world, world.trap_commit(CLAIM, is_after=False))


@scenario()
def killed_after_the_claim(world: World) -> None:
    """A worker is killed when its claim has just been committed.

    The calls stay pending until the lease has run out, then another worker syncs them.
    """
    kill_at(world, world.trap_commit(CLAIM, is_after=True))


@scenario()
def killed_during_the_search(world: World) -> None:
    """A worker is killed while HubSpot searches for the callers.

    The calls stay pending until the lease has run out, then another worker syncs them.
    """
    kill_at(world, world.trap_request(SEARCH, is_after=False))


@scenario()
def killed_before_the_mark(world: World) -> None:
    """A worker is killed before its mark is committed.

    The calls stay pending until the lease has run out, then another worker syncs them.
    """
    kill_at(world, world.trap_commit(MARK, is_after=False))


@scenario()
def killed_after_the_mark(world: World) -> None:
    """A worker is killed between its mark and its create.

    The calls stay pending for about two minutes: HubSpot is asked twice whether the notes are
    there before they are written.
    """
    kill_at(world, world.trap_commit(MARK, is_after=True))


@scenario()
def killed_before_the_create(world: World) -> None:
    """A worker is killed while its create is on the way to HubSpot.

    The calls stay pending for about two minutes: HubSpot is asked twice whether the notes are
    there before they are written.
    """
    kill_at(world, world.trap_request(CREATE, is_after=False))


@scenario()
def killed_after_the_create(world: World) -> None:
    """A worker is killed when HubSpot has written the notes and before it hears of it.

    The notes are there at once; the sync log says so when the lease has run out.
    """
    kill_at(world, world.trap_request(CREATE, is_after=True))


@scenario()
def killed_before_recording(world: World) -> None:
    """A worker is killed before the commit of its outcomes.

    The notes are there at once; the sync log says so when the lease has run out.
    """
    kill_at(world, world.trap_commit(RECORD, is_after=False))


@scenario()
def killed_after_recording(world: World) -> None:
    """A worker is killed when its outcomes have just been committed.

    Nothing.
    """
    kill_at(world, world.trap_commit(RECORD, is_after=True))


@scenario()
def killed_again_and_again_under_load(world: World) -> None:
    """Every two to five seconds one of three workers is killed while calls come in.

    Calls of a killed worker stay pending until its lease has run out; nothing else.
    """
    calls = [call for _ in range(2) for call in world.tenant().calls(60)]
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(world.post, calls, at_once=2)
        for _ in range(3):
            time.sleep(world.draws.uniform(2, 5))
            world.cluster.crew.kill(world.draws.choice(world.cluster.crew.names))
            world.cluster.crew.fill_up()
        posting.result()
    world.settle()


@scenario(recovers_in_s=30)
def killed_with_unmarked_calls_in_real_time(world: World) -> float:
    """A worker is killed while it searches for eight connections; no time is skipped.

    The calls are pending until the lease has run out.
    """
    return kill_while_all_hang(world, "contacts.search")


@scenario(recovers_in_s=180)
def killed_with_marked_calls_in_real_time(world: World) -> float:
    """A worker is killed while it creates the notes of eight connections; no time is skipped.

    The calls are pending for about two minutes, because HubSpot may still write the notes.
    """
    return kill_while_all_hang(world, "notes.batch_create")


def kill_while_all_hang(world: World, endpoint: str) -> float:
    """Let one worker hang at an endpoint with eight connections' calls and kill it."""
    tenants = [world.tenant() for _ in range(8)]
    for name in world.cluster.crew.names[1:]:
        world.cluster.crew.stop(name)
    world.sandbox.add_fault(endpoint, "timeout_before")
    world.post([call for tenant in tenants for call in tenant.calls(4)])
    world.wait_for(
        lambda: len({row["claimed_by"] for row in world.rows()} - {None}) >= len(tenants)
    )
    if endpoint == "notes.batch_create":
        world.wait_for(
            lambda: (
                len({row["user_id"] for row in world.rows() if row["last_write_at"]})
                == len(tenants)
            )
        )
    world.cluster.crew.kill(*world.cluster.crew.names)
    world.mend()
    return world.recover()


SCENARIOS: Final[tuple[Scenario, ...]] = (
    killed_before_the_claim,
    killed_after_the_claim,
    killed_during_the_search,
    killed_before_the_mark,
    killed_after_the_mark,
    killed_before_the_create,
    killed_after_the_create,
    killed_before_recording,
    killed_after_recording,
    killed_again_and_again_under_load,
    killed_with_unmarked_calls_in_real_time,
    killed_with_marked_calls_in_real_time,
)
