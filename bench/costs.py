"""What a call costs each part of the service, in a burst and alone."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bench.load import send_at_rate, send_in_turn
from bench.results import Result
from bench.rig import Rig, Workspace, phone_numbers
from shared.broker.deployment import connect_redis

ACCOUNTS: Final = 200
BURST: Final = 100  # calls of each account
ALONE_PER_SECOND: Final = 25.0
ALONE: Final = 3000
MS: Final = 1000
KB: Final = 1000
# By process: those that are named here cost something for each call.
PARTS: Final = {"api": "API", "worker-1": "worker", "postgres": "Postgres", "valkey": "Redis"}


def measure(_runs: int) -> Iterator[Result]:
    """Each load once, on fresh engines; every call is found and gets a note."""
    bursts, alone = _costs(_send_bursts), _costs(_send_alone)
    for (name, unit), cost in bursts.items():
        yield Result(
            f"a call in a burst costs: {name}",
            unit,
            [cost],
            [alone[name, unit]],
            "a call that comes alone",
        )


def _costs(send: Callable[[Rig, list[Workspace]], int]) -> Mapping[tuple[str, str], float]:
    """What each call of a load cost, by what it is and in what unit."""
    with Rig() as rig:
        workspaces = rig.connect_workspaces(ACCOUNTS)
        numbers = phone_numbers(BURST)
        for workspace in workspaces:
            rig.add_contacts(workspace, numbers)
        before = _spent(rig)
        calls = send(rig, workspaces)
        rig.wait_until_settled()
        after = _spent(rig)
        if rig.count("success") != calls:
            raise RuntimeError("not every call became a note")
    return {key: (after[key] - before[key]) / calls for key in before}


def _spent(rig: Rig) -> Mapping[tuple[str, str], float]:
    row = rig.postgres.execute(
        "SELECT pg_current_wal_lsn() - '0/0', pg_database_size(current_database())"
    ).fetchone()
    if row is None:
        raise RuntimeError("Postgres says nothing")
    redis = connect_redis(rig.stack.env["REDIS_URL"])
    cpu = rig.cpu_seconds()
    return {
        **{(f"processor time, {PARTS[name]}", "ms"): cpu[name] * MS for name in PARTS},
        ("Postgres, write-ahead log", "kB"): float(row[0]) / KB,
        ("Postgres, disk", "kB"): float(row[1]) / KB,
        ("Redis, commands", "commands"): redis.info("stats")["total_commands_processed"],
        ("Redis, memory", "kB"): redis.info("memory")["used_memory"] / KB,
        ("HubSpot, requests", "requests"): float(len(rig.sandbox.requests())),
    }


def _send_bursts(rig: Rig, workspaces: list[Workspace]) -> int:
    """The accounts one after the other, each with a call from every contact."""
    calls = [each.call(number) for each in workspaces for number in phone_numbers(BURST)]
    send_in_turn(rig.stack.api_url, rig.webhooks(calls)).require(202)
    return len(calls)


def _send_alone(rig: Rig, workspaces: list[Workspace]) -> int:
    """Calls so far apart that hardly two of an account meet."""
    numbers = phone_numbers(BURST)
    calls = [
        workspaces[place % ACCOUNTS].call(numbers[place // ACCOUNTS]) for place in range(ALONE)
    ]
    load = send_at_rate(rig.stack.api_url, rig.webhooks(calls), per_second=ALONE_PER_SECOND, seed=1)
    load.require(202)
    return len(calls)
