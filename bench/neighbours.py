"""Many accounts at once: a small one beside a large one, and trickle and bursts mixed."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles
from typing import Final

from bench.load import send_at_rate, send_in_turn
from bench.results import Goal, Result
from bench.rig import Rig, Workspace, phone_numbers

WAITING: Final = 100_000
CONTACTS_OF_NEIGHBOUR: Final = 2000
SINGLE_CALLS: Final = 100

ACCOUNTS: Final = 200
TRICKLE_PER_SECOND: Final = 100.0
TRICKLE_S: Final = 30.0
BURSTS: Final = 20
BURST: Final = 300


def measure(runs: int) -> Iterator[Result]:
    """How long a small connection's calls take, alone and while a neighbour has many waiting."""
    alone, beside = [], []
    with Rig(workers=2) as rig:
        for run in range(runs):
            small, large = rig.connect_workspace(2 * run), rig.connect_workspace(2 * run + 1)
            alone.append(_p99(rig, small, first=0))
            rig.add_contacts(large, phone_numbers(CONTACTS_OF_NEIGHBOUR))
            rig.store_many_calls(large, WAITING, numbers=CONTACTS_OF_NEIGHBOUR)
            beside.append(_p99(rig, small, first=SINGLE_CALLS))
            if rig.count("pending", large) == 0:
                raise RuntimeError("the neighbour was finished too early")
            rig.forget_calls(large)
    yield Result(
        f"small connection beside a neighbour with {WAITING:,} waiting calls: p99",
        "ms",
        beside,
        alone,
        "alone",
        Goal(2, is_least=False),
    )


def measure_many(_runs: int) -> Iterator[Result]:
    """Two hundred accounts, some with a trickle of calls and some with bursts."""
    draws = random.Random(1)
    with Rig(workers=2) as rig:
        workspaces = rig.connect_workspaces(ACCOUNTS)
        numbers = phone_numbers(BURST)
        for workspace in workspaces:
            rig.add_contacts(workspace, numbers)
        trickle = [
            draws.choice(workspaces).call(draws.choice(numbers))
            for _ in range(int(TRICKLE_PER_SECOND * TRICKLE_S))
        ]
        bursts = [
            workspace.call(number)
            for workspace in draws.sample(workspaces, BURSTS)
            for number in numbers
        ]
        before, began = rig.cpu_seconds(), time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            url = rig.stack.api_url
            steady = pool.submit(
                send_at_rate, url, rig.webhooks(trickle), per_second=TRICKLE_PER_SECOND, seed=1
            )
            sudden = pool.submit(send_in_turn, url, rig.webhooks(bursts))
            for load in (steady.result(), sudden.result()):
                load.require(202)
        rig.wait_until_settled()
        lasted, calls = time.monotonic() - began, len(trickle) + len(bursts)
        after = rig.cpu_seconds()
        synced = rig.count("success")
    yield Result(
        f"calls/s over {ACCOUNTS} accounts, trickle and {BURSTS} bursts of {BURST}",
        "calls/s",
        [synced / lasted],
        facts={
            "synced": f"{synced:,} of {calls:,}",
            "processor seconds per 1,000 calls": {
                name: round((after[name] - before[name]) / calls * 1000, 3) for name in before
            },
        },
    )


def _p99(rig: Rig, workspace: Workspace, *, first: int) -> float:
    """Milliseconds from a webhook's answer to its note, HubSpot's time included."""
    waits = rig.time_single_calls(workspace, phone_numbers(SINGLE_CALLS, first=first))
    return quantiles(waits, n=100, method="inclusive")[98]
