"""Memory of a worker and of the API while many calls pass through."""

from collections.abc import Iterator
from typing import Final

import psutil

from bench.load import send_in_turn
from bench.results import Goal, Result
from bench.rig import Rig, phone_numbers

CALLS: Final = 200_000
WARM_UP: Final = 20_000
STEP: Final = 5000
ACCOUNTS: Final = 50
MEBIBYTE: Final = 1024 * 1024


def measure(_runs: int) -> Iterator[Result]:
    """Resident memory after the warm-up and at the end; the highest of three readings each."""
    readings: dict[str, list[float]] = {"api": [], "worker-1": []}
    numbers = phone_numbers(STEP // ACCOUNTS)
    with Rig(latency_ms=0) as rig:
        rig.sandbox.set_behaviour(enforces_limits=False)
        workspaces = rig.connect_workspaces(ACCOUNTS)
        for workspace in workspaces:
            rig.add_contacts(workspace, numbers)
        for _ in range(CALLS // STEP):
            calls = [each.call(number) for each in workspaces for number in numbers]
            send_in_turn(rig.stack.api_url, rig.webhooks(calls)).require(202)
            rig.wait_until_settled()
            for name, kept in readings.items():
                kept.append(_resident(rig.stack.processes[name].pid))
    warm = WARM_UP // STEP
    for name, kept in readings.items():
        yield Result(
            f"memory of {name} after {CALLS:,} calls",
            "MiB",
            [max(kept[-3:])],
            [max(kept[warm : warm + 3])],
            f"after {WARM_UP:,}",
            Goal(1.05, is_least=False),
            {"every 5,000 calls": [round(each) for each in kept]},
        )


def _resident(pid: int) -> float:
    parent = psutil.Process(pid)
    family = (parent, *parent.children(recursive=True))
    return sum(each.memory_info().rss for each in family) / MEBIBYTE
