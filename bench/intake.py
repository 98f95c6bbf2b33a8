"""Accepting webhooks: verify, validate, insert durably, answer; and how soon the note is there."""

from collections.abc import Iterator
from statistics import median, quantiles
from typing import Final

from bench.load import make_request, send_at_rate, send_in_turn
from bench.peers.running import peer_server
from bench.results import Goal, Result
from bench.rig import Rig, Workspace, phone_numbers

BATCH: Final = 6000
CAPACITY_RUNS: Final = 3
SHARE_OF_CAPACITY: Final = 0.8
POISSON_S: Final = 15.0
IDLE_REQUESTS: Final = 300
IDLE_PER_SECOND: Final = 20.0
FROZEN_PER_SECOND: Final = 200.0
FROZEN_S: Final = 10.0
SINGLE_CALLS: Final = 200
MS: Final = 1000


def measure(runs: int) -> Iterator[Result]:
    """Capacity beside a bare INSERT; times under Poisson arrivals, and with Redis frozen."""
    with Rig(workers=0, beat=False) as rig:
        # Not connected: nothing of what comes in gives a worker anything to do.
        workspace = Workspace("user_1", "ws_1", 0, "")
        rig.postgres.execute(
            "CREATE TABLE bare_calls (id bigint GENERATED ALWAYS AS IDENTITY, body text)"
        )
        ours, bare = [], []
        with peer_server(rig, "bare") as url:
            # More often than the rest: it is short, and a shared machine's speed changes meanwhile.
            for _ in range(CAPACITY_RUNS * runs):
                ours.append(_capacity(rig, workspace))
                bare.append(_capacity_of_bare(rig, workspace, url))
        yield Result(
            "webhooks accepted a second",
            "webhooks/s",
            ours,
            bare,
            "a bare INSERT of the same body",
            Goal(0.7, is_least=True),
        )
        idle, busy = [], []
        for run in range(runs):
            idle.append(_p99(rig, workspace, IDLE_PER_SECOND, IDLE_REQUESTS, run))
            rate = SHARE_OF_CAPACITY * median(ours)
            busy.append(_p99(rig, workspace, rate, int(rate * POISSON_S), run))
        yield Result(
            "webhook p99 at 80 % of capacity, Poisson arrivals",
            "ms",
            busy,
            idle,
            "its own p99 when idle",
            Goal(8, is_least=False),
        )
        frozen, thawed = [], []
        requests = int(FROZEN_PER_SECOND * FROZEN_S)
        for run in range(runs):
            thawed.append(_p99(rig, workspace, FROZEN_PER_SECOND, requests, run))
            rig.stack.process("valkey").suspend()
            frozen.append(_p99(rig, workspace, FROZEN_PER_SECOND, requests, run))
            rig.stack.process("valkey").resume()
        yield Result(
            f"webhook p99 at {FROZEN_PER_SECOND:.0f}/s with Redis frozen",
            "ms",
            frozen,
            thawed,
            "with Redis answering",
            Goal(1.5, is_least=False),
        )


def measure_latency(runs: int) -> Iterator[Result]:
    """From the answer to a webhook to its note, one call at a time; HubSpot takes no time."""
    medians, p99s = [], []
    with Rig(latency_ms=0) as rig:
        for number in range(runs):
            workspace = rig.connect_workspace(number)
            waits = rig.time_single_calls(workspace, phone_numbers(SINGLE_CALLS))
            medians.append(median(waits))
            p99s.append(quantiles(waits, n=100, method="inclusive")[98])
    name = "webhook answered to note written, idle, without HubSpot's latency"
    yield Result(f"{name}: median", "ms", medians, goal=Goal(30, is_least=False, of="ours"))
    yield Result(f"{name}: p99", "ms", p99s, goal=Goal(100, is_least=False, of="ours"))


def _capacity(rig: Rig, workspace: Workspace) -> float:
    load = send_in_turn(rig.stack.api_url, rig.webhooks(_calls(workspace, BATCH)))
    load.require(202)
    return load.rate


def _capacity_of_bare(rig: Rig, workspace: Workspace, url: str) -> float:
    requests = [
        make_request(f"{url}/webhook", body=request.partition(b"\r\n\r\n")[2], headers={})
        for request in rig.webhooks(_calls(workspace, BATCH))
    ]
    load = send_in_turn(url, requests)
    load.require(202)
    return load.rate


def _p99(rig: Rig, workspace: Workspace, per_second: float, count: int, seed: int) -> float:
    """Milliseconds within which 99 % of Poisson arrivals were answered."""
    requests = rig.webhooks(_calls(workspace, count))
    load = send_at_rate(rig.stack.api_url, requests, per_second=per_second, seed=seed)
    load.require(202)
    return load.percentile(99) * MS


def _calls(workspace: Workspace, count: int) -> list[dict[str, object]]:
    return [workspace.call(number) for number in phone_numbers(count)]
