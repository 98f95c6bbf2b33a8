"""Redis that forgets, dies, freezes, flaps, lies or falls silent: the queue is only a wake-up."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from redis import Redis, ResponseError

from faults import garbage
from faults.judging.history import Delivery, SentCall, p99
from faults.scenario import Scenario, scenario
from faults.world import World
from shared.broker.messages import SYNC_TASK

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


@scenario(recovers_in_s=15)
def full_of_nonsense(world: World) -> float:
    """Somebody writes nonsense of all types into every key and into the queue, again and again.

    Webhooks are answered as fast as ever, no worker ends, and no call is blamed for it. Calls are
    some seconds late, also because HubSpot is asked too often when its limits are forgotten.
    """
    world.excuse_haste()
    tenants = [world.tenant() for _ in range(2)]
    before = world.post([call for each in tenants for call in each.calls(10)], at_once=2)
    stopping = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        spoiling = pool.submit(_spoil_until, stopping, world)
        try:
            for _ in range(10):
                _post_and_compare(
                    world, [call for each in tenants for call in each.calls(2)], before
                )
                time.sleep(world.draws.uniform(0, 0.5))
        finally:
            stopping.set()
        spoiling.result()
    seconds = world.recover()
    for key in world.redis.scan_iter("callsync:*"):
        if world.redis.pttl(key) == -1:  # ours, as nothing of the service's lasts for ever
            world.redis.delete(key)
    if blamed := [row["id"] for row in world.rows() if row["suspect_size"] is not None]:
        world.complain(f"{len(blamed)} calls are suspects")
    return seconds


def _spoil_until(stopping: threading.Event, world: World) -> None:
    draws = random.Random(world.draws.random())
    found = world.execute(
        "SELECT id, hub_id FROM hubspot_oauth_tokens WHERE user_id = ANY(%(users)s)"
    )
    connection_ids = [row["id"] for row in found]
    with Redis.from_url(world.cluster.valkey.url) as redis:
        while True:
            is_last = stopping.is_set()
            keys = garbage.list_keys(
                connection_ids=connection_ids,
                hub_ids=[row["hub_id"] for row in found],
                client_id=world.cluster.env["HUBSPOT_CLIENT_ID"],
            )
            keys += [key.decode() for key in redis.scan_iter("callsync:contact:*")]
            for key in draws.sample(keys, len(keys) // 2):
                with suppress(ResponseError):  # somebody else has just made it what it should be
                    garbage.spoil(redis, key, draws)
            for _ in range(20):
                entry = garbage.make_entry(draws.choice(connection_ids), draws)
                with suppress(ResponseError):  # we have just made it what it should not be
                    redis.lpush(garbage.QUEUE, entry)
            redis.publish(f"/0.{garbage.BROADCAST}", garbage.make_broadcast(draws))
            if is_last:
                return
            stopping.wait(draws.uniform(0.05, 0.3))


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
    usual_s = p99(before) if before else P99_GRACE_S
    world.complain_if_slow("webhooks", p99(deliveries), limit=usual_s + P99_GRACE_S)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    flushed,
    killed_and_restarted_empty,
    frozen_for_a_moment,
    flapping,
    half_open,
    wake_up_lost_after_its_pop,
    full_of_nonsense,
    frozen_for_half_a_minute,
)
