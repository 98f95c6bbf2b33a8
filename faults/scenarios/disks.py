"""Disks that are full: no file of Postgres can grow, by a limit that is set on it as it runs."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import psutil

from faults.judging.history import SentCall
from faults.scenario import Scenario, scenario
from faults.tenants import Tenant
from faults.world import World
from local.processes import Process

SEGMENT_BYTES: Final = 16 * 1024**2  # no file of the write-ahead log is longer
PAGE_BYTES: Final = 8192
PIECE_BYTES: Final = 1024**2
# Incompressible, and too long for a row: it goes where long contents are, and needs new space.
LONG_TEXT_BYTES: Final = 8_000
# One content that is longer than the limit, so that those after it lie beyond it.
_FILL: Final = """
    WITH filled AS (
        INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, status, error_code,
                                       error_message, next_attempt_at)
        SELECT 'hs_filler', 'filler', 'filler', 'filler', 'skipped', 'filler', 'filler', NULL
        RETURNING id
    )
    INSERT INTO calls (log_id, payload)
    SELECT id, jsonb_build_object('filler', (
        SELECT string_agg(md5(n::text), '') FROM generate_series(1, %(pieces)s) AS n))
    FROM filled
"""
_MD5_BYTES: Final = 32
_GROW: Final = "SELECT pg_logical_emit_message(false, 'filler', repeat('x', %(bytes)s))"


@contextmanager
def disk_full(world: World, *, most_bytes: int) -> Iterator[None]:
    """Let no file of Postgres grow beyond this meanwhile; to a program that is a full disk.

    Without privileges there is no small disk to be had. Postgres hears EFBIG instead of ENOSPC, at
    the same places and with the same consequences.
    """
    engine = world.cluster.postgres.process
    _limit(engine, str(most_bytes))
    try:
        yield
    finally:
        if engine.is_running:
            _limit(engine, "unlimited")


def _limit(engine: Process, most_bytes: str) -> None:
    # By a command of the engine's own user: even root may not, where capabilities are few.
    account = engine.command.account
    user, group = (account.user, account.group) if account else (None, None)
    postmaster = psutil.Process(engine.pid)
    # The first before its children: whom it starts from now on inherits the limit.
    for process in (postmaster, *postmaster.children(recursive=True)):
        command = ["prlimit", f"--pid={process.pid}", f"--fsize={most_bytes}:unlimited"]
        done = subprocess.run(command, user=user, group=group, capture_output=True, check=False)
        if done.returncode and process.is_running():
            raise LookupError("Postgres's files cannot be limited")


@scenario(recovers_in_s=10)
def full_for_contents(world: World) -> float:
    """The disk has no space for what is said in calls, while Postgres's log still has some.

    Webhooks with long contents get 503 and nothing is acknowledged; sent again when there is space,
    they are accepted. Short calls are accepted and synced all the time.
    """
    tenant = world.tenant()
    earlier, later = tenant.calls(5), long_calls(world, tenant, 8)
    world.execute("VACUUM FULL calls")  # nothing may fit into what earlier runs have left
    world.execute(_FILL, pieces=SEGMENT_BYTES * 3 // 2 // _MD5_BYTES)
    try:
        with disk_full(world, most_bytes=SEGMENT_BYTES):
            world.post(earlier)
            expect_refusals(world, later)
            world.recover()
        back_at = time.monotonic()
        world.post(later)
        world.recover()
        return time.monotonic() - back_at
    finally:
        world.execute("DELETE FROM hubspot_sync_logs WHERE user_id = 'filler'")


@scenario(recovers_in_s=10)
def full_for_the_write_ahead_log(world: World) -> float:
    """The disk has no space for Postgres's log: it crashes until it is restarted with space.

    Webhooks get 503 and nothing is acknowledged; sent again later, they are accepted.
    """
    tenant = world.tenant()
    earlier, later = tenant.calls(10), tenant.calls(10)
    world.post(earlier)
    # Far from both ends of a file: in the next one there would be space again.
    while not PIECE_BYTES < (used := bytes_of_current_file(world)) < SEGMENT_BYTES // 2:
        world.execute(_GROW, bytes=PIECE_BYTES)
    engine = world.cluster.postgres
    with disk_full(world, most_bytes=used - PAGE_BYTES):
        expect_refusals(world, later)
        time.sleep(world.draws.uniform(0, 2))
    engine.kill()  # it may have given up by itself, or be about to: the operator decides
    engine.restart()
    back_at = time.monotonic()
    world.reconnect()
    world.post(later)
    world.recover()
    return time.monotonic() - back_at


def bytes_of_current_file(world: World) -> int:
    """How much of the newest file of Postgres's log is used."""
    (used,) = world.execute(
        "SELECT file_offset::int AS bytes FROM pg_walfile_name_offset(pg_current_wal_insert_lsn())"
    )
    return int(used["bytes"])


def long_calls(world: World, tenant: Tenant, number: int) -> list[SentCall]:
    """Calls with much to tell."""
    return [
        tenant.call(contact, transcript=[{"role": "user", "text": text}])
        for contact, text in (
            (each, world.draws.randbytes(LONG_TEXT_BYTES).hex())
            for each in tenant.add_contacts(number)
        )
    ]


def expect_refusals(world: World, calls: list[SentCall]) -> None:
    """Post calls that cannot be stored, once each."""
    answers = {world.producer.deliver(call).status for call in calls}
    if answers != {HTTPStatus.SERVICE_UNAVAILABLE}:
        world.complain(f"webhooks that cannot be stored were answered with {answers}")


SCENARIOS: Final[tuple[Scenario, ...]] = (full_for_contents, full_for_the_write_ahead_log)
