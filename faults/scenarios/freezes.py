"""Workers that are frozen beyond their lease and wake when others have done their work."""

from contextlib import suppress
from typing import Final

from faults.proxies.traps import StepTrap
from faults.scenario import Scenario, scenario
from faults.scenarios.workers import CREATE, MARK, SEARCH, catch
from faults.world import World
from sandbox.client import SandboxRecord
from shared.queue.claims import LEASE_S
from shared.queue.strays import LOOK_EVERY_S

FIND_TO_ARCHIVE: Final = (
    "SELECT id FROM hubspot_strays WHERE activity_id IS NOT NULL AND hub_id = ANY(%(hubs)s)"
)
FIND_SOUGHT: Final = (
    "SELECT attempts FROM hubspot_strays WHERE activity_id IS NULL AND hub_id = ANY(%(hubs)s)"
)
# What a create left unanswered is looked for twice, in case that HubSpot commits it late.
LOOKS: Final = 2
FREEZES: Final = 5


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
    freeze_until_second_notes(world)
    world.wait_for(lambda: bool(world.execute(FIND_TO_ARCHIVE)))
    world.keep_house()
    wait_until_archived(world)


@scenario()
def between_mark_and_create_for_minutes_and_unanswered(world: World) -> None:
    """The same, and the answer to the create that comes so late is lost.

    A second note can be seen for some three minutes: HubSpot is asked for it when it can no longer
    appear later. It is archived then.
    """
    kind = world.draws.choice(["reset_after", "garbage"])
    freeze_until_second_notes(world, answer=kind)
    world.wait_for(lambda: bool(world.execute(FIND_SOUGHT)))
    for looks in range(1, LOOKS + 1):
        look_again(world, looks)
    wait_until_archived(world)


@scenario()
def between_mark_and_create_for_seconds(world: World) -> None:
    """A worker is frozen between mark and create past its lease, and writes before others would.

    Its late success is adopted; the calls are pending a little longer.
    """
    calls = world.tenant().calls(world.draws.randint(1, 6))
    trap = world.trap_commit(MARK, is_after=True, goes_on=True)
    world.post(calls)
    frozen = world.cluster.crew.process(catch(world, trap))
    frozen.suspend()
    trap.release()
    world.skip(LEASE_S)
    world.wait_for(lambda: all(not row["claimed_by"] for row in world.rows()))
    frozen.resume()
    world.wait_for(lambda: len(notes_of(world)) > 0)
    world.settle()


def freeze_at(world: World, trap: StepTrap, *, answer: str | None = None) -> None:
    """Freeze whoever comes to a step, until others have settled all calls.

    With `answer`, a fault of the sandbox, that is what becomes of the create it wakes up to.
    """
    calls = world.tenant().calls(world.draws.randint(1, 6))
    world.post(calls)
    frozen = world.cluster.crew.process(catch(world, trap))
    frozen.suspend()
    try:
        trap.release()
        world.skip(LEASE_S)
        world.settle()
        if answer:
            world.sandbox.add_fault("notes.batch_create", answer, times=1)
    finally:
        frozen.resume()


def freeze_until_second_notes(world: World, *, answer: str | None = None) -> None:
    """Freeze workers between mark and create until a create has come too late.

    A worker looks at its lease right before it writes. If others took more than seconds to settle
    its calls it does not write, which is right, and the next one is frozen.
    """
    for _ in range(FREEZES):
        trap = world.trap_commit(MARK, is_after=True, goes_on=True)
        freeze_at(world, trap, answer=answer)
        with suppress(TimeoutError):
            world.wait_for(lambda: len(notes_of(world)) > len(world.rows()), timeout_s=20)
            return
        world.sandbox.clear_faults()
    raise TimeoutError(f"none of {FREEZES} frozen workers wrote late")


def look_again(world: World, looks: int) -> None:
    """Let housekeeping look for unanswered writes again, until it has done so `looks` times."""
    world.skip(LOOK_EVERY_S)
    world.keep_house()
    world.wait_for(lambda: fewest_looks(world) >= looks)


def fewest_looks(world: World) -> int:
    """How often the unanswered writes have been looked for; those that are settled often enough."""
    return min((row["attempts"] for row in world.execute(FIND_SOUGHT)), default=LOOKS)


def wait_until_archived(world: World) -> None:
    """Wait until every call has one note, and there is nothing left to look for or to archive."""
    world.wait_for(
        lambda: (
            len(notes_of(world)) == len(world.rows())
            and not world.execute(FIND_TO_ARCHIVE)
            and not world.execute(FIND_SOUGHT)
        ),
    )


def notes_of(world: World) -> list[SandboxRecord]:
    """The live notes of all accounts of the run."""
    hub_ids = {call.hub_id for call in world.history.sent.values()}
    return [note for hub_id in hub_ids for note in world.sandbox.activities(world.kind, hub_id)]


SCENARIOS: Final[tuple[Scenario, ...]] = (
    past_the_lease_during_the_search,
    past_the_lease_after_the_create,
    between_mark_and_create_for_seconds,
    between_mark_and_create_for_minutes,
    between_mark_and_create_for_minutes_and_unanswered,
)
