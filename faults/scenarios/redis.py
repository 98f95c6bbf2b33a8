"""Redis that forgets, dies, freezes, flaps or falls silent: the queue is only a wake-up."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from faults.history import Delivery, SentCall
from faults.scenario import Scenario, scenario
from faults.world import World
from shared.messages import SYNC_TASK

# More than the noise of a machine that runs all of this at once, less than Redis's timeouts.
P99_GRACE_S: Final = 0.5


@scenario(recovers_in_s=5)
def flushed(world: World) -> float:
    """Redis is flushed while calls come in.

    Calls that just came in are a few seconds late.
    """
    calls = [call for _ in range(2) for call in world.tenant().calls(20)]
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(world.post, calls)
        while not posting.done():
            world.redis.flushall()
            time.sleep(0.1)
    world.redis.flushall()
    return world.recover()


@scenario(recovers_in_s=5)
def killed_and_restarted_empty(world: World) -> float:
    """Redis is killed, calls come in meanwhile, and it starts again empty.

    Webhooks are accepted all the time. Nothing is synced until Redis is back.
    """
    tenant = world.tenant()
    calls = tenant.calls(20)
    world.post(calls[:10])
    world.cluster.valkey.kill()
    try:
        _post_and_compare(world, calls[10:], [])
    finally:
        world.cluster.valkey.restart()
    return world.recover()


@scenario(recovers_in_s=5)
def frozen_for_a_moment(world: World) -> float:
    """Redis is frozen (SIGSTOP) for some seconds while calls come in.

    Webhooks are answered as fast as ever. Nothing is synced until Redis thaws.
    """
    return _freeze(world, seconds=world.draws.uniform(2, 5))


@scenario(recovers_in_s=5)
def frozen_for_half_a_minute(world: World) -> float:
    """Redis is frozen (SIGSTOP) for 30 seconds while calls come in.

    Webhooks are answered as fast as ever. Nothing is synced until Redis thaws.
    """
    return _freeze(world, seconds=30)


def _freeze(world: World, *, seconds: float) -> float:
    tenant = world.tenant()
    before = world.post(tenant.calls(20), at_once=2)
    redis = world.cluster.valkey.process
    redis.suspend()
    try:
        until = time.monotonic() + seconds
        _post_and_compare(world, tenant.calls(20), before)
        while time.monotonic() < until:
            _post_and_compare(world, tenant.calls(4), before)
            time.sleep(0.4)
    finally:
        redis.resume()
    return world.recover()


@scenario()
def flapping(world: World) -> float:
    """Every connection to Redis is cut several times a second.

    Calls are a few seconds late at most.
    """
    calls = world.tenant().calls(30)
    until = time.monotonic() + 3
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(world.post, calls, at_once=2)
        while time.monotonic() < until or not posting.done():
            for doors in (world.cluster.api_doors, world.cluster.worker_doors):
                doors.redis.cut(is_reset=world.draws.random() < 0.5)  # noqa: PLR2004 - a coin
            time.sleep(world.draws.uniform(0.05, 0.5))
    return world.recover()


@scenario()
def half_open(world: World) -> float:
    """Every connection to Redis falls silent without being closed, and stays so.

    Webhooks are accepted all the time. Nothing is synced until new connections come through.
    """
    tenant = world.tenant()
    calls = tenant.calls(20)
    world.post(calls[:10])
    for doors in (world.cluster.api_doors, world.cluster.worker_doors):
        doors.redis.half_open()
    _post_and_compare(world, calls[10:], [])
    time.sleep(world.draws.uniform(0, 3))
    world.mend()
    return world.recover()


@scenario(recovers_in_s=5)
def wake_up_lost_after_its_pop(world: World) -> float:
    """A wake-up is taken from the queue and its taker dies before it is noted as unacknowledged.

    The call is a few seconds late.
    """
    trap = world.trap_handout(f'"task": "{SYNC_TASK}"')
    world.post(world.tenant().calls(1))
    trap.wait()  # Redis has handed out what waited, and nobody gets it
    trap.release()
    return world.recover()


def _post_and_compare(world: World, calls: list[SentCall], before: list[Delivery]) -> None:
    """Post calls once each; every one must be acknowledged, about as fast as those before."""
    deliveries = [world.producer.deliver(call) for call in calls]
    refused = [each.status for each in deliveries if not each.is_acknowledged]
    if refused:
        world.complain(
            f"{len(refused)} webhooks were answered with {sorted(set(refused), key=str)}"
        )
    world.complain_if_slow("webhooks", _p99(deliveries), limit=_p99(before) + P99_GRACE_S)


def _p99(deliveries: list[Delivery]) -> float:
    seconds = sorted(each.seconds for each in deliveries)
    return seconds[math.ceil(len(seconds) * 0.99) - 1] if seconds else P99_GRACE_S


SCENARIOS: Final[tuple[Scenario, ...]] = (
    flushed,
    killed_and_restarted_empty,
    frozen_for_a_moment,
    flapping,
    half_open,
    wake_up_lost_after_its_pop,
    frozen_for_half_a_minute,
)
