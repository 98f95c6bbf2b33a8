"""What people and operators do in mid-load: disconnect, reconnect, rotate keys, deploy, migrate."""

import base64
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from faults.judging.history import SYNCED, SentCall
from faults.scenario import Scenario, scenario
from faults.tenants import Tenant
from faults.world import World
from local.databases import PROJECT
from shared.database.schema import REQUIRED_REVISION

NOT_CONNECTED: Final = ("skipped", "not_connected")
# An answer that was lost with the old connection stays lost.
PARTED: Final = frozenset({*SYNCED, NOT_CONNECTED, ("error", "unconfirmed")})
# A create that was on its way when the disconnect was answered is logged when it ends.
IN_FLIGHT_S: Final = 1.0


def while_calls_come_in(
    world: World, calls: list[SentCall], act: Callable[[], None], *, at_once: int = 2
) -> None:
    """Post calls and do something meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(world.post, calls, at_once=at_once)
        time.sleep(world.draws.uniform(0, 0.3))
        act()
        posting.result()


@scenario()
def disconnected_and_reconnected(world: World) -> None:
    """A person disconnects while calls come in, and connects the same account again.

    No note is begun after the disconnect has answered. Calls end as `not_connected` and are synced
    after the reconnect.
    """
    tenant = world.tenant()

    def disconnect() -> None:
        disconnect_for_a_while(world, tenant)
        tenant.connect()

    while_calls_come_in(world, tenant.calls(30), disconnect)
    world.settle()


def disconnect_for_a_while(world: World, tenant: Tenant) -> None:
    """Disconnect, and see for a second or two that no note is written any more."""
    tenant.disconnect()
    answered_at = time.time()
    time.sleep(world.draws.uniform(1.2, 2))
    asked = world.sandbox.requests(hub_id=tenant.hub_id)
    if any(each.at > answered_at + IN_FLIGHT_S and "create" in each.endpoint for each in asked):
        world.complain("a note was written after the disconnect had answered")


@scenario()
def reconnected_to_another_account(world: World) -> None:
    """A person connects another account while calls come in.

    Calls that waited for the first account end as `not_connected`, replayable by hand; none of
    them is written to the second.
    """
    tenant = world.tenant()
    other = world.add_account()
    world.post(tenant.calls(30, endings=PARTED))
    tenant.connect(other)
    world.settle()
    world.post(tenant.calls(5))
    world.settle()


@scenario()
def keys_rotated(world: World) -> None:
    """Operators add an encryption key, make it first, re-encrypt, and remove the old one.

    Nothing.
    """
    tenant = world.tenant()
    old = world.cluster.env["TOKEN_ENCRYPTION_KEYS"]
    new = base64.b64encode(world.draws.randbytes(32)).decode()

    def rotate() -> None:
        world.cluster.roll({"TOKEN_ENCRYPTION_KEYS": f"{old},{new}"})
        world.cluster.roll({"TOKEN_ENCRYPTION_KEYS": f"{new},{old}"})
        _run(world, "cli", "rotate-keys")
        world.cluster.roll({"TOKEN_ENCRYPTION_KEYS": new})

    while_calls_come_in(world, tenant.calls(40), rotate, at_once=1)
    world.post(tenant.calls(5))
    world.settle()


@scenario()
def everything_restarted_in_turn(world: World) -> None:
    """Every process is replaced (SIGTERM) while calls come in, as a deployment does.

    Nothing.
    """
    calls = world.tenant().calls(60)
    while_calls_come_in(world, calls, lambda: world.cluster.roll({}), at_once=1)
    world.settle()


@scenario()
def schema_upgraded_between_two_deployments(world: World) -> None:
    """Every process is replaced with the oldest schema that this build takes and with the newest.

    Nothing: calls come in all the time, also while the schema is upgraded under running processes.
    """
    calls = world.tenant().calls(80)

    def deploy() -> None:
        world.cluster.roll({})
        _run(world, "alembic", "upgrade", "head")
        world.cluster.roll({})

    _run(world, "alembic", "downgrade", REQUIRED_REVISION)
    try:
        while_calls_come_in(world, calls, deploy, at_once=1)
    finally:
        _run(world, "alembic", "upgrade", "head")
    world.settle()


@scenario()
def schema_upgraded_too_late(world: World) -> None:
    """The schema is older than this build takes for some seconds, and upgraded under load.

    Webhooks are accepted or get 503 meanwhile; what was accepted is synced in the end.
    """
    calls = world.tenant().calls(40)

    def upgrade_late() -> None:
        try:
            _run(world, "alembic", "downgrade", f"{REQUIRED_REVISION}-1")
            time.sleep(world.draws.uniform(0, 2))
        finally:
            _run(world, "alembic", "upgrade", "head")

    while_calls_come_in(world, calls, upgrade_late, at_once=1)
    world.settle()


def _run(world: World, *arguments: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", *arguments],
        env=world.cluster.env,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        world.complain(f"{' '.join(arguments)} failed: {finished.stderr[-500:]}")


SCENARIOS: Final[tuple[Scenario, ...]] = (
    disconnected_and_reconnected,
    reconnected_to_another_account,
    keys_rotated,
    everything_restarted_in_turn,
    schema_upgraded_between_two_deployments,
    schema_upgraded_too_late,
)
