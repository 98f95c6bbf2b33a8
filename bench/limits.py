"""What HubSpot's limits allow through one connection: requests a call, and calls a second."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.load import make_request, send_in_turn
from bench.peers.running import access_token, peer_server, peer_worker
from bench.results import Goal, Result
from bench.rig import Rig, Workspace, phone_numbers

BURST: Final = 1000
SMALL_BURST: Final = 200
# Shares of unknown callers, and the most requests a call that are meant.
UNKNOWN: Final = {0.0: 0.04, 0.1: 0.08, 0.5: None}
SUSTAINED_S: Final = 60.0
SUSTAINED_CALLS: Final = 30_000
PEERS_CALLS: Final = 1000
SEARCHES_A_SECOND: Final = 5
TOO_MANY_REQUESTS: Final = 429


@dataclass(frozen=True)
class Spent:
    """What a stretch of work cost in requests, by what HubSpot counted."""

    calls: int
    requests: int
    searches: int
    throttled: int
    lasted_s: float

    @property
    def calls_a_second(self) -> float:
        return self.calls / self.lasted_s


def measure(runs: int) -> Iterator[Result]:
    """The burst with unknown numbers among it, then the sustained rate, beside the textbook."""
    with Rig() as rig:
        yield _lose(rig, runs)
        workspaces = map(rig.connect_workspace, range(100))
        peers, ours = [], []
        for _ in range(runs):
            peers.append(_run_textbook(rig, next(workspaces)))
            ours.append(_sustain(rig, next(workspaces)))
        spent_by_peer = [each.requests / max(1, each.calls) for each in peers]
        for unknown, most in UNKNOWN.items():
            bursts = [_send_burst(rig, next(workspaces), unknown) for _ in range(runs)]
            yield Result(
                f"HubSpot requests per call: burst of {BURST:,}, {unknown:.0%} unknown",
                "requests",
                [each.requests / each.calls for each in bursts],
                spent_by_peer,
                "textbook worker, none unknown",
                None if most is None else Goal(most, is_least=False, of="ours"),
                {"answers of 429": sum(each.throttled for each in bursts)},
            )
    yield Result(
        "calls/s through one connection within HubSpot's limits",
        "calls/s",
        [each.calls_a_second for each in ours],
        [each.calls_a_second for each in peers],
        "textbook worker",
        Goal(60, is_least=True),
        {
            "answers of 429, peer": [f"{each.throttled / each.requests:.1%}" for each in peers],
        },
    )
    yield Result(
        "share of the search budget used, sustained",
        "of 5 searches/s",
        [each.searches / each.lasted_s / SEARCHES_A_SECOND for each in ours],
        goal=Goal(0.8, is_least=True, of="ours"),
    )
    yield Result(
        "share of answers that are 429, sustained",
        "of all answers",
        [each.throttled / each.requests for each in ours],
        [each.throttled / each.requests for each in peers],
        "textbook worker",
        Goal(0.001, is_least=False, of="ours"),
    )


def _lose(rig: Rig, runs: int) -> Result:
    """What is lost of a burst when the webhook's handler does it all, and when ours stores it."""
    numbers = phone_numbers(SMALL_BURST)
    ours, inline = [], []
    for run in range(runs):
        workspace = rig.connect_workspace(200 + run)
        rig.add_contacts(workspace, numbers)
        env = {"PEER_TOKEN": access_token(rig, workspace)}
        with peer_server(rig, "inline", env) as url:
            requests = [
                make_request(f"{url}/webhook", body=json.dumps({"data": call}).encode(), headers={})
                for call in map(workspace.call, numbers)
            ]
            send_in_turn(url, requests)
        inline.append(SMALL_BURST - len(rig.sandbox.notes(workspace.hub_id)))
        known = len(rig.sandbox.notes(workspace.hub_id))
        requests = rig.webhooks([workspace.call(number) for number in numbers])
        send_in_turn(rig.stack.api_url, requests).require(202)
        rig.wait_until_settled(workspace)
        ours.append(SMALL_BURST + known - len(rig.sandbox.notes(workspace.hub_id)))
    return Result(
        f"calls lost of a burst of {SMALL_BURST}, within HubSpot's limits",
        "calls",
        ours,
        inline,
        "the webhook's handler does it all",
        Goal(0, is_least=False, of="ours"),
    )


def _send_burst(rig: Rig, workspace: Workspace, unknown: float) -> Spent:
    numbers = phone_numbers(BURST)
    rig.add_contacts(workspace, numbers[round(BURST * unknown) :])
    began = time.time()
    load = send_in_turn(rig.stack.api_url, rig.webhooks([workspace.call(n) for n in numbers]))
    load.require(202)
    rig.wait_until_settled(workspace)
    return _spent(rig, workspace, began, time.time(), BURST)


def _sustain(rig: Rig, workspace: Workspace) -> Spent:
    """What `SUSTAINED_S` seconds bring when more calls wait than can be synced in them."""
    numbers = phone_numbers(SUSTAINED_CALLS)
    rig.add_contacts(workspace, numbers)
    rig.store_calls(workspace, numbers)
    while rig.count("success", workspace) == 0:
        time.sleep(0.1)
    before, began = rig.count("success", workspace), time.time()
    time.sleep(SUSTAINED_S)
    after, ended = rig.count("success", workspace), time.time()
    rig.forget_calls(workspace)
    return _spent(rig, workspace, began, ended, after - before)


def _run_textbook(rig: Rig, workspace: Workspace) -> Spent:
    numbers = phone_numbers(PEERS_CALLS)
    rig.add_contacts(workspace, numbers)
    with peer_worker(rig, "textbook", {"PEER_TOKEN": access_token(rig, workspace)}) as celery:
        for number in numbers:
            celery.send_task("textbook.sync_call", [workspace.call(number)])
        while not rig.sandbox.notes(workspace.hub_id):
            time.sleep(0.1)
        before, began = len(rig.sandbox.notes(workspace.hub_id)), time.time()
        time.sleep(SUSTAINED_S)
        after, ended = len(rig.sandbox.notes(workspace.hub_id)), time.time()
    return _spent(rig, workspace, began, ended, after - before)


def _spent(rig: Rig, workspace: Workspace, began: float, ended: float, calls: int) -> Spent:
    asked = [
        each for each in rig.sandbox.requests(hub_id=workspace.hub_id) if began <= each.at <= ended
    ]
    return Spent(
        calls,
        len(asked),
        sum(each.endpoint == "contacts.search" for each in asked),
        sum(each.status == TOO_MANY_REQUESTS for each in asked),
        ended - began,
    )
