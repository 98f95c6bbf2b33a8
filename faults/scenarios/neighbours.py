"""What others do to a call: a poisonous neighbour, a long queue, clocks that disagree, beats."""

import statistics
import time
from pathlib import Path
from typing import Final

from faults.cluster import Cluster
from faults.judging.history import SentCall
from faults.proxies.proxy import Link
from faults.proxies.traps import GUARD_S, TextAlarm
from faults.scenario import Scenario, scenario
from faults.tenants import Contact
from faults.world import World
from shared.queue.claims import LEASE_S

POISON: Final = ("error", "poison")
WAITING: Final = 100_000
SKEW_S: Final = 600
SKEWED_CLOCK: Final = Path(__file__).parents[1] / "skew"
RETURN_EXPIRED: Final = "AS was_alone"
# Twice as long as alone, and the noise of a machine that runs all of this at once.
NOISE_S: Final = 1.0

_FILL: Final = """
    WITH filled AS (
        INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number)
        SELECT 'hs_' || md5(%(user)s || n), %(user)s, %(workspace)s, 'waiting_' || n,
               '+1303' || (2000000 + n)
        FROM generate_series(1, %(number)s) AS n RETURNING id
    )
    INSERT INTO calls (log_id, payload) SELECT id, '{"call_id": "waiting"}' FROM filled
"""

# Calls that were settled meanwhile have been counted.
_EMPTY: Final = (
    "DELETE FROM hubspot_sync_logs WHERE user_id = %(user)s",
    "DELETE FROM hubspot_sync_tallies WHERE user_id = %(user)s",
)


@scenario()
def poison_that_kills_its_worker(world: World) -> None:
    """One call among others kills every worker that touches it.

    That call ends as `poison` after it was alone three times; its neighbours are synced.
    """
    tenant = world.tenant()
    bad, *others = tenant.add_contacts(world.draws.randint(2, 8))
    deaths = _kill_at_touch(world, bad)
    world.post([tenant.call(bad, endings=[POISON]), *(tenant.call(each) for each in others)])
    _survive(world, deaths)


@scenario()
def poison_among_the_calls_of_a_dead_host(world: World) -> None:
    """A host dies with the calls of eight workspaces; one call kills every worker that touches it.

    That call ends as `poison`; the others are synced, and nobody takes them for it.
    """
    tenants = [world.tenant() for _ in range(8)]
    for name in world.cluster.crew.names[1:]:
        world.cluster.crew.stop(name)
    world.sandbox.add_fault("contacts.search", "timeout_before")
    (bad,) = tenants[0].add_contacts(1)
    world.post(
        [
            tenants[0].call(bad, endings=[POISON]),
            *(call for each in tenants for call in each.calls(world.draws.randint(1, 6))),
        ]
    )
    world.wait_for(
        lambda: len({row["user_id"] for row in world.rows() if row["claimed_by"]}) == len(tenants)
    )
    world.cluster.crew.kill(*world.cluster.crew.names)
    world.sandbox.clear_faults()
    deaths = _kill_at_touch(world, bad)
    world.cluster.crew.fill_up()
    world.cluster.crew.wait_until_ready()
    world.skip(LEASE_S)
    _survive(world, deaths)


def _kill_at_touch(world: World, contact: Contact) -> list[str]:
    """Kill whoever asks for a caller from now on; returns the names, which become more."""
    deaths: list[str] = []

    def kill(link: Link) -> None:
        name = world.cluster.crew.owner(link)
        world.cluster.crew.kill(name)
        deaths.append(name)

    national = contact.phone_number.removeprefix("+1")
    world.cluster.worker_doors.hubspot.traps.append(TextAlarm(national, kill))
    return deaths


def _survive(world: World, deaths: list[str]) -> None:
    """Replace whoever dies, skipping its lease, until all calls are settled."""
    seen = 0
    deadline = time.monotonic() + GUARD_S
    while not world.is_settled() and time.monotonic() < deadline:
        if len(deaths) > seen:
            seen = len(deaths)
            world.cluster.crew.fill_up()
            world.cluster.crew.wait_until_ready()
            world.skip(LEASE_S)
        time.sleep(0.1)
    world.settle()


@scenario()
def neighbour_with_100_000_calls_waiting(world: World) -> None:
    """A workspace has 100,000 calls waiting when another one's calls come in.

    The other one's calls are synced about as fast as on a quiet day.
    """
    small = world.tenant()
    contacts = small.add_contacts(20)
    quiet = [_seconds_to_sync(world, small.call(each)) for each in contacts[:10]]
    neighbour = world.tenant()
    world.execute(_FILL, user=neighbour.user_id, workspace=neighbour.workspace_id, number=WAITING)
    try:
        time.sleep(3)  # until the sweep has found them
        busy = [_seconds_to_sync(world, small.call(each)) for each in contacts[10:]]
    finally:
        neighbour.disconnect()
        for statement in _EMPTY:
            world.execute(statement, user=neighbour.user_id)
    limit = 2 * statistics.median(quiet) + NOISE_S
    world.complain_if_slow("beside the neighbour a call", statistics.median(busy), limit=limit)


def _seconds_to_sync(world: World, call: SentCall) -> float:
    started = time.monotonic()
    world.post([call])
    world.wait_for(
        lambda: all(
            row["status"] != "pending"
            for row in world.execute(
                "SELECT status FROM hubspot_sync_logs WHERE call_id = %(call)s", call=call.call_id
            )
        )
    )
    return time.monotonic() - started


@scenario()
def clocks_ten_minutes_apart(world: World) -> None:
    """One worker's clock is ten minutes behind, another's ten minutes ahead; one of them dies.

    Nothing more than when a worker dies whose clock is right.
    """
    for name in world.cluster.crew.names:
        world.cluster.crew.stop(name)
    for skew_s in (-SKEW_S, SKEW_S):
        world.cluster.crew.start({"PYTHONPATH": str(SKEWED_CLOCK), "CLOCK_SKEW_S": str(skew_s)})
    world.cluster.crew.fill_up()
    world.cluster.crew.wait_until_ready()
    tenant = world.tenant()
    world.sandbox.add_fault("notes.batch_create", "reset_after", times=1, hub_id=tenant.hub_id)
    world.post(tenant.calls(10))
    world.sandbox.expire_tokens(tenant.hub_id)
    world.post(tenant.calls(10))
    trap = world.trap_request("/notes/batch/create", is_after=False)
    world.post(tenant.calls(3))
    world.cluster.crew.kill(world.cluster.crew.owner(trap.wait()))
    world.release_traps()
    world.skip(LEASE_S)
    world.settle()
    for name in world.cluster.crew.names:
        world.cluster.crew.stop(name)


@scenario()
def two_beats(world: World) -> None:
    """Two beats run by mistake, one of which dies; in every other scenario there is none.

    Nothing.
    """
    beats = [world.cluster.start_beat() for _ in range(2)]
    try:
        world.post(world.tenant().calls(20))
        for _ in range(3):
            world.keep_house()
        beats[0].kill()
        world.settle()
    finally:
        for beat in beats:
            beat.stop()


@scenario()
def leader_of_the_sweep_killed(world: World) -> None:
    """The worker that sweeps for all is killed in the middle of it, with all wake-ups lost.

    The calls are a few seconds late.
    """
    tenant = world.tenant()
    trap = world.trap_commit(RETURN_EXPIRED, is_after=False)
    leader = world.cluster.crew.owner(trap.wait())
    world.post(tenant.calls(world.draws.randint(1, 8)))
    world.redis.flushall()
    world.cluster.crew.kill(leader)
    world.mend()
    world.settle()


@scenario()
def another_deployment_on_the_same_redis(world: World) -> None:
    """Two deployments with prefixes of their own share a Redis; the workers of one are away.

    Neither does anything of the other's: wake-ups, turns at the sweep and housekeeping stay there
    until their own workers are back.
    """
    ours = world.cluster
    with (
        Cluster(workers=1, beside=ours, activity=ours.activity) as theirs,
        World(theirs, world.draws) as other,
    ):
        tenant, stranger = world.tenant(), other.tenant()
        for name in ours.crew.names:
            ours.crew.stop(name)
        world.wait_for(lambda: not world.redis.exists(f"{ours.prefix}:sweep"))
        world.post(tenant.calls(world.draws.randint(1, 8)))
        other.post(stranger.calls(world.draws.randint(1, 8)))
        other.settle()
        other.keep_house()
        other.wait_for(lambda: not world.redis.llen(theirs.prefix))
        if not world.redis.llen(ours.prefix):
            world.complain("the other deployment took a wake-up")
        if world.redis.exists(f"{ours.prefix}:sweep"):
            world.complain("the other deployment took a turn at the sweep")
        ours.crew.fill_up()
        world.settle()
        other.post(stranger.calls(3))
        other.settle()
        for problem in other.judge().problems:
            world.complain(f"the other deployment: {problem}")


SCENARIOS: Final[tuple[Scenario, ...]] = (
    poison_that_kills_its_worker,
    poison_among_the_calls_of_a_dead_host,
    leader_of_the_sweep_killed,
    two_beats,
    clocks_ten_minutes_apart,
    neighbour_with_100_000_calls_waiting,
    another_deployment_on_the_same_redis,
)
