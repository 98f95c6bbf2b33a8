"""Many accounts at once: a small one beside a large one, and trickle and bursts mixed."""

import base64
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from statistics import mean, median, quantiles
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from bench.load import send_at_rate, send_in_turn
from bench.results import Goal, Result
from bench.rig import Rig, Workspace, phone_numbers
from bench.storms import HABITS, WEBHOOKS, Abuser, storm, use_up_webhooks
from local.producer import WEBHOOK_PATH

WAITING: Final = 100_000
CONTACTS_OF_NEIGHBOUR: Final = 2000
SINGLE_CALLS: Final = 100

ACCOUNTS: Final = 200
TRICKLE_PER_SECOND: Final = 100.0
TRICKLE_S: Final = 30.0
BURSTS: Final = 20
BURST: Final = 300

FAILED: Final = 100_000
PROBES: Final = 40
PROBE_PAUSE_S: Final = 0.02
# By then the small bursts are used up that every quota allows.
STORM_BREAKS_S: Final = 4.0


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


def measure_storms(runs: int) -> Iterator[Result]:
    """A tenant's webhooks and log queries, calm and beside another one's worst habits."""
    own = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    platform = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    env = {"WEBHOOK_SECRETS": f"{platform},ws_1={own}"}
    storms = {**{name: (name,) for name in HABITS}, "all of it at once": tuple(HABITS)}
    calm: dict[str, list[_Medians]] = {name: [] for name in storms}
    rough: dict[str, list[_Medians]] = {name: [] for name in storms}
    answered: Counter[str] = Counter()
    with Rig(workers=0, beat=False, env=env) as rig:
        victim, large = rig.connect_workspace(0), rig.connect_workspace(1)
        for workspace in (victim, large):
            rig.store_failed_calls(workspace, FAILED)
        abuser = Abuser(rig.stack.api_url, large.token, own, large.call("+12022000001"))
        _time_neighbour(rig, victim)  # caches and connections
        for _ in range(runs):
            for name, habits in storms.items():
                if WEBHOOKS in habits:
                    use_up_webhooks(abuser)
                before = _time_neighbour(rig, victim)
                with storm(abuser, habits) as told:
                    time.sleep(STORM_BREAKS_S)
                    rough[name].append(_time_neighbour(rig, victim))
                answered.update(told)
                # Before and after, because a shared machine's speed changes meanwhile.
                after = _time_neighbour(rig, victim)
                calm[name].append(_Medians(*map(mean, zip(before, after, strict=True))))
    for number, what in enumerate(_Medians._fields):
        ratios = {
            name: median(
                beside[number] / alone[number]
                for beside, alone in zip(rough[name], calm[name], strict=True)
            )
            for name in storms
        }
        worst = max(ratios, key=lambda name: ratios[name])
        yield Result(
            f"median of {what} beside a tenant's worst habit ({worst})",
            "ms",
            [each[number] for each in rough[worst]],
            [each[number] for each in calm[worst]],
            "calm",
            Goal(1.5, is_least=False),
            {
                "ratio by habit": {name: round(each, 2) for name, each in ratios.items()},
                "answers to the habits": dict(sorted(answered.items())),
            },
        )


class _Medians(NamedTuple):
    """Milliseconds; the fields' names are what the table calls them."""

    webhooks: float
    log_queries: float


def _time_neighbour(rig: Rig, workspace: Workspace) -> _Medians:
    """What a tenant waits for, asking a few times a second."""
    parts = urlsplit(rig.stack.api_url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    queried = {"Authorization": f"Bearer {workspace.token}"}
    waits: tuple[list[float], list[float]] = ([], [])
    for number in phone_numbers(PROBES):
        webhook = rig.webhooks([workspace.call(number)])[0]
        head, _, body = webhook.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        for kept, asked in zip(
            waits,
            (
                ("POST", WEBHOOK_PATH, body, headers),
                ("GET", "/api/hubspot/sync-logs?limit=50", None, queried),
            ),
            strict=True,
        ):
            time.sleep(PROBE_PAUSE_S)
            began = time.perf_counter()
            connection.request(*asked)
            answer = connection.getresponse()
            answer.read()
            kept.append((time.perf_counter() - began) * 1000)
            if answer.status >= 400:  # noqa: PLR2004
                raise RuntimeError(f"the neighbour was answered with {answer.status}")
    connection.close()
    return _Medians(*map(median, waits))


def _p99(rig: Rig, workspace: Workspace, *, first: int) -> float:
    """Milliseconds from a webhook's answer to its note, HubSpot's time included."""
    waits = rig.time_single_calls(workspace, phone_numbers(SINGLE_CALLS, first=first))
    return quantiles(waits, n=100, method="inclusive")[98]
