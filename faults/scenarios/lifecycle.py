"""What people and operators do in mid-load: disconnect, reconnect, rotate keys, deploy, migrate."""

import base64
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from faults.history import SYNCED, SentCall
from faults.scenario import Scenario, scenario
from faults.world import World
from local.databases import PROJECT

NOT_CONNECTED: Final = ("skipped", "not_connected")
# An answer that was lost with the old connection stays lost.
PARTED: Final = frozenset({*SYNCED, NOT_CONNECTED, ("error", "unconfirmed")})
PREVIOUS_SCHEMA: Final = "0001"
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
        tenant.disconnect()
        answered_at = time.time()
        time.sleep(world.draws.uniform(1.2, 2))
        asked = world.sandbox.requests(hub_id=tenant.hub_id)
        if any(each.at > answered_at + IN_FLIGHT_S and "create" in each.endpoint for each in asked):
            world.complain("a note was written after the disconnect had answered")
        tenant.connect()

    while_calls_come_in(world, tenant.calls(30), disconnect)
    world.settle()


@scenario()
def reconnected_to_another_account(world: World) -> None:
    """A person connects another account while calls come in.

    Calls that waited for the first account end as `not_connected`, replayable by hand; none of
    them is written to the second.
    """
    tenant = world.tenant()
    other = world.sandbox.add_account()
    world.post(tenant.calls(30, endings=PARTED))
    tenant.connect(other)
    world.settle()
    world.post(tenant.calls(5))
    world.settle()


@scenario(most_runs=10)
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


@scenario(most_runs=10)
def everything_restarted_in_turn(world: World) -> None:
    """Every process is replaced (SIGTERM) while calls come in, as a deployment does.

    Webhooks are refused while the only API restarts, and sent again. Nothing else.
    """
    calls = world.tenant().calls(60)
    while_calls_come_in(world, calls, lambda: world.cluster.roll({}), at_once=1)
    world.settle()


@scenario(most_runs=10)
def schema_upgraded_under_load(world: World) -> None:
    """The newest schema is put in place while workers and API run and calls come in.

    Nothing; the processes run with the old schema, and are replaced when the new one is there.
    """
    calls = world.tenant().calls(60)
    _run(world, "alembic", "downgrade", PREVIOUS_SCHEMA)
    try:
        world.post(calls[:20])
    finally:
        while_calls_come_in(
            world, calls[20:], lambda: _run(world, "alembic", "upgrade", "head"), at_once=1
        )
    world.cluster.roll({})
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
    schema_upgraded_under_load,
)
