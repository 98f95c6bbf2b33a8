"""Postgres that restarts, cuts connections, loses the answer to a COMMIT, or takes no writes."""

import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final

from faults.scenario import Scenario, scenario
from faults.scenarios.workers import CLAIM, MARK, RECORD
from faults.world import World
from shared.queue.claims import LEASE_S

INTAKE: Final = "INSERT INTO calls (log_id, payload"
TERMINATE: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'hubspot-call-sync'
"""


@scenario(recovers_in_s=10)
def killed_in_mid_load(world: World) -> float:
    """Postgres is killed (-9) while calls come in, and started again.

    Webhooks get 503 meanwhile, so the producer sends them again. Calls are seconds late.
    """
    calls = [call for _ in range(2) for call in world.tenant().calls(20)]
    world.post(calls[:10])
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(world.post, calls[10:], at_once=4)
        time.sleep(world.draws.uniform(0, 0.15))
        world.cluster.postgres.kill()
        time.sleep(world.draws.uniform(0, 0.5))
        world.cluster.postgres.restart()
        back_at = time.monotonic()
        world.reconnect()
        posting.result()
    world.recover()
    return time.monotonic() - back_at


@scenario()
def connections_terminated(world: World) -> float:
    """An operator terminates every connection to Postgres, again and again, while calls come in.

    Some webhooks get 503 and are sent again. Calls are a second or two late.
    """
    calls = world.tenant().calls(40)
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(world.post, calls, at_once=4)
        for _ in range(5):
            world.execute(TERMINATE)
            time.sleep(world.draws.uniform(0.05, 0.4))
        posting.result()
    return world.recover()


@scenario(recovers_in_s=10)
def frozen_in_mid_load(world: World) -> float:
    """Postgres is frozen (SIGSTOP) for some seconds while calls come in.

    Webhooks wait for their answer. Calls are as late as Postgres was frozen.
    """
    calls = world.tenant().calls(30)
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(world.post, calls, at_once=4)
        time.sleep(world.draws.uniform(0, 0.1))
        world.cluster.postgres.process.suspend()
        time.sleep(world.draws.uniform(0.5, 4))
        world.cluster.postgres.process.resume()
        back_at = time.monotonic()
        posting.result()
    world.recover()
    return time.monotonic() - back_at


@scenario(recovers_in_s=30)
def silent_for_workers(world: World) -> float:
    """The workers' connections to Postgres fall silent, with all that was under way on them.

    Calls of a turn that was caught wait until its lease has run out; others are seconds late.
    """
    tenant = world.tenant()
    calls = tenant.calls(20)
    world.post(calls[:5])
    world.cluster.worker_doors.postgres.half_open()
    world.post(calls[5:])
    time.sleep(world.draws.uniform(0, 3))
    world.cluster.worker_doors.postgres.heal()
    return world.recover()


@scenario()
def commit_of_intake_unanswered(world: World) -> None:
    """The connection breaks between the commit of a webhook's call and its answer.

    The webhook gets 503; sent again, it is known as a duplicate and there is one row.
    """
    trap = world.trap_commit(INTAKE, is_after=True, at_intake=True)
    _deliver_through(world, world.draws.randint(1, 5))
    if trap.sprung_by is None:
        world.complain("no commit was caught")
    if not any(each.is_duplicate for each in world.history.deliveries):
        world.complain("the webhook that was sent again was not known")
    world.settle()


@scenario()
def commit_of_intake_unheard(world: World) -> None:
    """The connection breaks before the statement that commits a webhook's call arrives.

    The webhook gets 503; sent again, it is accepted as new.
    """
    world.trap_commit(INTAKE, is_after=False, at_intake=True)
    _deliver_through(world, world.draws.randint(1, 5))
    if any(each.is_duplicate for each in world.history.deliveries):
        world.complain("a webhook that was not stored was taken for a duplicate")
    world.settle()


def _deliver_through(world: World, number: int) -> None:
    world.release_traps()  # cut at once, hold nothing
    calls = world.tenant().calls(number)
    first = world.producer.deliver(calls[0])
    if first.status != HTTPStatus.SERVICE_UNAVAILABLE:
        world.complain(f"an uncertain commit was answered with {first.status}")
    world.post(calls)


@scenario()
def commit_of_a_claim_unanswered(world: World) -> None:
    """The connection breaks between the COMMIT of a claim and its answer.

    The calls stay pending until the lease has run out.
    """
    _cut_at_commit(world, CLAIM)
    world.skip(LEASE_S)
    world.settle()


@scenario()
def commit_of_a_mark_unanswered(world: World) -> None:
    """The connection breaks between the COMMIT of a mark and its answer.

    The calls stay pending for about two minutes, because a mark may mean a note.
    """
    _cut_at_commit(world, MARK)
    world.settle()


@scenario()
def commit_of_outcomes_unanswered(world: World) -> None:
    """The connection breaks between the COMMIT of a turn's outcomes and its answer.

    Nothing: the outcomes are sent again and found recorded.
    """
    _cut_at_commit(world, RECORD)
    world.settle()


@scenario()
def commit_of_outcomes_unheard(world: World) -> None:
    """The connection breaks before the COMMIT of a turn's outcomes arrives.

    Nothing: the outcomes are sent again.
    """
    _cut_at_commit(world, RECORD, is_after=False)
    world.settle()


def _cut_at_commit(world: World, sql: str, *, is_after: bool = True) -> None:
    trap = world.trap_commit(sql, is_after=is_after)
    world.release_traps()
    world.post(world.tenant().calls(world.draws.randint(1, 8)))
    trap.wait()


@scenario(recovers_in_s=10)
def read_only(world: World) -> float:
    """Postgres takes no writes for some seconds, as after a failover.

    Webhooks get 503 and nothing is acknowledged; sent again later, they are accepted.
    """
    tenant = world.tenant()
    calls = tenant.calls(20)
    world.post(calls[:10])
    world.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    try:
        world.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)  # every backend reads its configuration before its next statement
        answers = {world.producer.deliver(call).status for call in calls[10:]}
        if answers != {HTTPStatus.SERVICE_UNAVAILABLE}:
            world.complain(f"webhooks that cannot be stored were answered with {answers}")
    finally:
        world.execute("SET default_transaction_read_only = off")
        world.execute("ALTER SYSTEM RESET default_transaction_read_only")
        world.execute("SELECT pg_reload_conf()")
    back_at = time.monotonic()
    world.post(calls[10:])
    world.recover()
    return time.monotonic() - back_at


SCENARIOS: Final[tuple[Scenario, ...]] = (
    killed_in_mid_load,
    connections_terminated,
    frozen_in_mid_load,
    silent_for_workers,
    commit_of_intake_unanswered,
    commit_of_intake_unheard,
    commit_of_a_claim_unanswered,
    commit_of_a_mark_unanswered,
    commit_of_outcomes_unanswered,
    commit_of_outcomes_unheard,
    read_only,
)
