"""Stored calls through workers without HubSpot's limits and latency: what our own code costs."""

import time
from collections.abc import Iterator
from typing import Final

from bench.peers.running import peer_worker
from bench.results import Goal, Result
from bench.rig import Rig, phone_numbers
from shared.broker.deployment import connect_redis

CALLS: Final = 20_000
ACCOUNTS: Final = 100
TASKS: Final = 10_000
GROWING_ACCOUNTS: Final = (1, 10, 100, 1000)
GROWING_WORKERS: Final = (1, 2, 4)
GROWTH_CALLS: Final = 10_000
POLL_S: Final = 0.01
BEGUN: Final = 0.02  # of the tasks: the worker is then at work


def measure(runs: int) -> Iterator[Result]:
    """One worker process, side by side with empty tasks on a worker configured the same."""
    ours, peers, shares = [], [], []
    for _ in range(runs):
        with _rig() as rig:
            peers.append(_run_empty_tasks(rig))
            rate, share = _drain(rig, accounts=ACCOUNTS, calls=CALLS, workers=1)
            ours.append(rate)
            shares.append(share)
    yield Result(
        f"draining {CALLS:,} stored calls of {ACCOUNTS} accounts, one worker process",
        "calls/s",
        ours,
        peers,
        "empty Celery tasks",
        Goal(1, is_least=True),
        {"processor seconds per 1,000 calls": shares[-1]},
    )


def measure_growth(_runs: int) -> Iterator[Result]:
    """How the rate changes with the number of accounts, and with the number of workers."""
    by_accounts = {}
    for accounts in GROWING_ACCOUNTS:
        with _rig() as rig:
            by_accounts[accounts], _ = _drain(rig, accounts=accounts, calls=GROWTH_CALLS, workers=1)
    by_workers, spent = {}, {}
    for workers in GROWING_WORKERS:
        with _rig() as rig:
            by_workers[workers], spent[workers] = _drain(
                rig, accounts=ACCOUNTS, calls=GROWTH_CALLS, workers=workers
            )
    yield Result(
        "calls/s with 1, 10, 100 and 1,000 accounts, one worker process",
        "calls/s",
        list(by_accounts.values()),
        facts={"by accounts": by_accounts},
        is_series=True,
    )
    yield Result(
        "calls/s with 1, 2 and 4 worker processes, 100 accounts",
        "calls/s",
        list(by_workers.values()),
        facts={"by workers": by_workers, "processor seconds per 1,000 calls": spent},
        is_series=True,
    )


def _rig() -> Rig:
    return Rig(workers=0, latency_ms=0, beat=False)


def _drain(rig: Rig, *, accounts: int, calls: int, workers: int) -> tuple[float, dict[str, float]]:
    """Calls a second, from first to last outcome, and what each process spent on 1,000 calls."""
    rig.sandbox.set_behaviour(enforces_limits=False)
    numbers = phone_numbers(calls // accounts)
    for workspace in rig.connect_workspaces(accounts):
        rig.add_contacts(workspace, numbers)
        rig.store_calls(workspace, numbers)
    rig.hold_calls()
    for number in range(workers):
        rig.start_worker(number + 1)
    before = rig.cpu_seconds()
    rig.free_calls()
    rig.wait_until_settled()
    spent = {
        name: round((seconds - before.get(name, 0)) / calls * 1000, 3)
        for name, seconds in rig.cpu_seconds().items()
    }
    return calls / rig.outcomes_took(), spent


def _run_empty_tasks(rig: Rig) -> float:
    """Empty tasks a second, while the worker has nothing else to wait for."""
    queue = connect_redis(rig.stack.env["REDIS_URL"])
    with peer_worker(rig, "empty") as celery:
        rig.stack.processes["empty"].suspend()
        for number in range(TASKS):
            celery.send_task("empty.nothing", [number])
        rig.stack.processes["empty"].resume()
        while queue.llen("empty") > TASKS * (1 - BEGUN):
            time.sleep(POLL_S)
        began, left = time.monotonic(), int(queue.llen("empty"))
        while queue.llen("empty"):
            time.sleep(POLL_S)
        return left / (time.monotonic() - began)
