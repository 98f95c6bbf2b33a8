"""Connects for which more calls wait than are moved at once, and what comes in between."""

import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from faults.judging.history import SYNCED, Ending
from faults.proxies.traps import CommitTrap
from faults.scenario import Scenario, scenario
from faults.scenarios.lifecycle import NOT_CONNECTED, disconnect_for_a_while
from faults.tenants import Tenant
from faults.world import World
from shared.queue.handovers import PAGE

CALLERS: Final = 20
# The connect moves a page itself; what is left after it is the workers'.
MORE_THAN_A_PAGE: Final = (PAGE + 50, PAGE + 400)
REQUEUE: Final = "UPDATE hubspot_handovers h SET before"
PART: Final = "WHEN status = 'skipped' THEN error_code"
FIND_HANDOVERS: Final = """
    SELECT h.id FROM hubspot_handovers h JOIN hubspot_oauth_tokens c ON c.id = h.connection_id
    WHERE c.user_id = ANY(%(users)s)
"""
FIND_OTHERS: Final = """
    SELECT id FROM hubspot_sync_logs WHERE user_id = ANY(%(users)s)
        AND (status, error_code) IS DISTINCT FROM (%(status)s, %(code)s) LIMIT 1
"""


@scenario()
def worker_killed_while_it_requeues(world: World) -> None:
    """A worker is killed while it requeues the second page of the calls that waited for a connect.

    Another worker goes on where it was. All calls are synced.
    """
    tenant = world.tenant(is_connected=False)
    trap = _connect_into_trap(world, tenant)
    world.cluster.crew.kill(world.cluster.crew.owner(trap.wait()))
    _end(world)


@scenario()
def postgres_killed_while_a_worker_requeues(world: World) -> None:
    """Postgres is killed while a worker requeues the second page of the calls that waited.

    The page is moved when Postgres is back. All calls are synced.
    """
    tenant = world.tenant(is_connected=False)
    _connect_into_trap(world, tenant).wait()
    world.cluster.postgres.kill()
    world.cluster.postgres.restart()
    world.reconnect()
    _end(world)


@scenario()
def disconnected_while_a_worker_requeues(world: World) -> None:
    """A person disconnects while the calls that waited are being requeued, and connects again.

    No note is begun after the disconnect has answered. What was requeued ends as `not_connected`
    again, and all calls are synced after the reconnect.
    """
    tenant = world.tenant(is_connected=False)
    trap = _connect_into_trap(world, tenant, goes_on=True)
    trap.wait()
    with ThreadPoolExecutor(1) as pool:
        disconnecting = pool.submit(disconnect_for_a_while, world, tenant)
        time.sleep(world.draws.uniform(0, 0.5))
        world.release_traps()
        disconnecting.result()
    world.settle()
    if world.execute(FIND_HANDOVERS):
        world.complain("calls are requeued without a connection")
    tenant.connect()
    _end(world)


@scenario()
def worker_killed_while_it_parts(world: World) -> None:
    """A worker is killed while it parts the calls of the account before from the one connected now.

    Another worker goes on where it was. They end as `not_connected`, replayable by hand; none of
    them is written to the new account, and new calls are synced when all are parted.
    """
    tenant = world.tenant()
    world.sandbox.revoke_grants(tenant.hub_id)
    _wait_for_connect(world, tenant, ("error", "reconnect_required"), endings=[NOT_CONNECTED])
    other = world.add_account()
    trap = world.trap_commit(PART, is_after=world.draws.choice([True, False]))
    tenant.connect(other)
    world.post(tenant.calls(3))
    world.cluster.crew.kill(world.cluster.crew.owner(trap.wait()))
    _end(world)


def _connect_into_trap(world: World, tenant: Tenant, *, goes_on: bool = False) -> CommitTrap:
    """Let calls wait, connect, and hold the first worker that requeues some of them."""
    _wait_for_connect(world, tenant, NOT_CONNECTED)
    trap = world.trap_commit(
        REQUEUE, is_after=not goes_on and world.draws.choice([True, False]), goes_on=goes_on
    )
    tenant.connect()
    return trap


def _wait_for_connect(
    world: World, tenant: Tenant, reason: Ending, *, endings: Collection[Ending] = SYNCED
) -> None:
    callers = tenant.add_contacts(CALLERS)
    number = world.draws.randint(*MORE_THAN_A_PAGE)
    world.producer.deliver_array(
        [tenant.call(callers[each % CALLERS], endings=endings) for each in range(number)]
    )
    status, code = reason
    world.wait_for(lambda: not world.execute(FIND_OTHERS, status=status, code=code))


def _end(world: World) -> None:
    world.mend()
    world.wait_for(lambda: not world.execute(FIND_HANDOVERS))
    world.settle()


SCENARIOS: Final[tuple[Scenario, ...]] = (
    worker_killed_while_it_requeues,
    postgres_killed_while_a_worker_requeues,
    disconnected_while_a_worker_requeues,
    worker_killed_while_it_parts,
)
