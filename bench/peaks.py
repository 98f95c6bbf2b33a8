"""The most memory that the API and a worker take under the largest contents that may come."""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from bench.load import send_in_turn
from bench.results import Goal, Result
from bench.rig import Rig, Workspace, phone_numbers

LIMIT_MIB: Final = 400
CONTENT_BYTES: Final = 1_000_000
CALLS: Final = 100
ROUNDS: Final = 32
CALLS_A_ROUND: Final = 12
WEBHOOKS: Final = 384
AT_ONCE: Final = 128
ACCEPTED: Final = 202
# Single words take most room when parsed; to parse 128 MiB of them takes minutes.
WORDS: Final = "yes yes"
SENTENCE: Final = "I would like to know what it costs, and how long it takes until it is here."
PROCESSES: Final = ("api", "worker-1")

# As a version that cut no transcript stored them: what waits in the queue at an upgrade.
_STORE: Final = """
    WITH made AS (
        INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number)
        SELECT 'hs_' || replace(gen_random_uuid()::text, '-', ''), %(user_id)s, %(workspace_id)s,
               'call_large_' || n, '+1202' || 2000000 + n - 1
        FROM generate_series(1, %(count)s) n
        RETURNING id, call_id
    )
    INSERT INTO calls (log_id, payload)
    SELECT id, jsonb_build_object('call_id', call_id, 'transcript', %(transcript)s::jsonb)
    FROM made
"""


def measure(_runs: int) -> Iterator[Result]:
    """Peaks of resident memory, each since its load began, beside the limit."""
    with Rig(latency_ms=0) as rig:
        rig.sandbox.set_behaviour(enforces_limits=False)
        workspaces = rig.connect_workspaces(ROUNDS)
        for workspace in workspaces:
            rig.add_contacts(workspace, phone_numbers(CALLS))
        refused: list[int] = []
        loads: dict[str, Callable[[], None]] = {
            f"{CALLS} calls of 1 MiB, one tenant": lambda: _sync(rig, workspaces[:1], CALLS),
            f"{ROUNDS} rounds at once, of calls of 1 MiB": lambda: _sync(
                rig, workspaces, CALLS_A_ROUND
            ),
            f"{AT_ONCE} webhooks of 1 MiB at once": lambda: refused.append(_send(rig, workspaces)),
        }
        for name, load in loads.items():
            refused.clear()
            pids = {each: rig.stack.processes[each].pid for each in PROCESSES}
            for pid in pids.values():
                _forget_peak(pid)
            load()
            for process, pid in pids.items():
                yield Result(
                    f"peak memory of {process}: {name}",
                    "MiB",
                    [peak_mib(pid)],
                    goal=Goal(LIMIT_MIB, is_least=False, of="ours"),
                    facts={"webhooks told to come again": sum(refused)} if refused else {},
                )


def make_transcript(text: str, size: int = CONTENT_BYTES) -> list[dict[str, str]]:
    """A conversation of about `size` bytes in which each turn says the same."""
    turn = {"role": "user", "text": text}
    return [turn] * (size // len(json.dumps(turn) + ", "))


def _sync(rig: Rig, workspaces: Sequence[Workspace], calls: int) -> None:
    rig.postgres.execute("DELETE FROM hubspot_sync_logs")
    transcript = json.dumps(make_transcript(WORDS))
    with rig.postgres.transaction():  # all become due at once
        for workspace in workspaces:
            rig.postgres.execute(
                _STORE,
                {
                    "user_id": workspace.user_id,
                    "workspace_id": workspace.workspace_id,
                    "count": calls,
                    "transcript": transcript,
                },
            )
    rig.wait_until_settled()
    if rig.count("success") != calls * len(workspaces):
        raise RuntimeError(f"only {rig.count('success')} calls have been synced")


def _send(rig: Rig, workspaces: Sequence[Workspace]) -> int:
    """Send large webhooks; returns how many were not accepted."""
    rig.postgres.execute("DELETE FROM hubspot_sync_logs")
    numbers = phone_numbers(WEBHOOKS // len(workspaces))
    calls: list[dict[str, Any]] = [
        workspace.call(number)
        | {"transcript": make_transcript(SENTENCE), "call_id": f"call_{secrets.token_hex(8)}"}
        for workspace in workspaces
        for number in numbers
    ]
    load = send_in_turn(rig.stack.api_url, rig.webhooks(calls), connections=AT_ONCE)
    rig.wait_until_settled()
    return sum(count for status, count in load.statuses.items() if status != ACCEPTED)


def _family(pid: int) -> list[int]:
    return [pid, *(each.pid for each in psutil.Process(pid).children(recursive=True))]


def _forget_peak(pid: int) -> None:
    for each in _family(pid):
        Path(f"/proc/{each}/clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    """MiB that a process and its children had at most, each at its own time."""
    return sum(_high_water_mark(each) for each in _family(pid)) / 1024


def _high_water_mark(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
