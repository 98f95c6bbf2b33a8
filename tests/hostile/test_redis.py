"""Redis in the hands of somebody else: nothing that it holds changes more than how fast we are."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from redis import Redis
from sqlalchemy import text

from faults import garbage
from local.processes import Process
from shared.contact_cache import CACHE_S
from shared.db import Database
from shared.sealed import seal
from tests.local.waiting import wait_for
from tests.pipeline.conftest import (
    APP,
    MakeWorkspace,
    StartWorker,
    advance,
    clock,
    environment,
    make_workspace,
    module_worker,
    open_worker,
    sandbox,
    sandbox_url,
    start_worker,
    valkey,
    worker,
    workspace,
)
from tests.pipeline.workspaces import PHONE, Workspace, note_ids
from worker.sweep import _SWEEP_LOCK, sweep

__all__ = [
    "advance",
    "clock",
    "environment",
    "make_workspace",
    "module_worker",
    "open_worker",
    "sandbox",
    "sandbox_url",
    "start_worker",
    "valkey",
    "worker",
    "workspace",
]

OTHER_PHONE: Final = "+12025550144"

Forge = Callable[[bytes, str], bytes]


def contact_keys(redis: Redis) -> list[str]:
    return sorted(key.decode() for key in redis.scan_iter("callsync:contact:*"))


def cached(workspace: Workspace, phone: str) -> str:
    """Sync a call of a number whose contact is then cached; returns the key."""
    before = contact_keys(workspace.worker.redis)
    workspace.accept(phone)
    workspace.work()
    (key,) = set(contact_keys(workspace.worker.redis)) - set(before)
    return key


def assert_next_note_is_on(workspace: Workspace, contact_id: str, phone: str = PHONE) -> None:
    log_id = workspace.accept(phone)
    workspace.work()
    log = workspace.log(log_id)
    assert (log.status, log.contact_id) == ("success", contact_id)
    assert log.engagement_id in note_ids(workspace.notes(contact_id))


def test_what_we_cached_ourselves_costs_no_search(workspace: Workspace) -> None:
    contact_id = workspace.add_contact(PHONE)
    cached(workspace, PHONE)
    before = len(workspace.sandbox.requests(hub_id=workspace.hub_id))
    assert_next_note_is_on(workspace, contact_id)
    asked = workspace.sandbox.requests(hub_id=workspace.hub_id)[before:]
    assert not [each for each in asked if "search" in each.path]


def test_swapped_matches_count_as_absent(workspace: Workspace) -> None:
    ours, theirs = workspace.add_contact(PHONE), workspace.add_contact(OTHER_PHONE)
    redis = workspace.worker.redis
    our_key, their_key = cached(workspace, PHONE), cached(workspace, OTHER_PHONE)
    our_value, their_value = redis.mget([our_key, their_key])
    redis.mset({our_key: their_value, their_key: our_value})
    assert_next_note_is_on(workspace, ours)
    redis.mset({our_key: their_value, their_key: our_value})
    assert_next_note_is_on(workspace, theirs, OTHER_PHONE)


def test_match_of_another_account_counts_as_absent(make_workspace: MakeWorkspace) -> None:
    ours, theirs = make_workspace(), make_workspace()
    for each in (ours, theirs):
        each.connect()
    contact_id = ours.add_contact(PHONE)
    theirs.add_contact(OTHER_PHONE)
    stranger = theirs.add_contact(PHONE)
    redis = ours.worker.redis
    our_key, their_key = cached(ours, PHONE), cached(theirs, PHONE)
    redis.set(our_key, redis.get(their_key))
    assert stranger != contact_id
    assert_next_note_is_on(ours, contact_id)


@pytest.mark.parametrize(
    "forge",
    [
        lambda _held, contact_id: contact_id.encode(),
        lambda held, contact_id: held[:43] + contact_id.encode(),
        lambda _held, contact_id: b"99999999999" + b"0" * 32 + contact_id.encode(),
        lambda held, _contact_id: held[:-1],
        lambda held, _contact_id: held + b"0",
        lambda held, _contact_id: held.replace(held[:11], b"99999999999"),
        lambda _held, _contact_id: b"\xff\xfe",
        lambda _held, _contact_id: b"",
    ],
)
def test_forged_match_counts_as_absent(workspace: Workspace, forge: Forge) -> None:
    contact_id, other_id = workspace.add_contact(PHONE), workspace.add_contact(OTHER_PHONE)
    redis = workspace.worker.redis
    key = cached(workspace, PHONE)
    held = redis.get(key)
    assert isinstance(held, bytes)
    redis.set(key, forge(held, other_id))
    assert_next_note_is_on(workspace, contact_id)


def test_match_that_is_kept_beyond_its_time_counts_as_absent(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact_id, former_id = workspace.add_contact(PHONE), workspace.add_contact(OTHER_PHONE)
    worker = workspace.worker
    key = cached(workspace, PHONE)
    use = ("contact", f"{workspace.hub_id}:US:most_recent", PHONE)
    old = seal(worker.cipher, former_id, *use, lives_s=CACHE_S)
    worker.redis.set(key, old)
    log_id = workspace.accept(PHONE)
    workspace.work()
    assert workspace.log(log_id).contact_id == former_id  # while it lasts it is one of ours

    now = time.time()
    monkeypatch.setattr("shared.sealed.time.time", lambda: now + CACHE_S + 1)
    worker.redis.set(key, old)
    assert_next_note_is_on(workspace, contact_id)


@contextmanager
def sweeping_stopped(database: Database) -> Iterator[None]:
    """Nobody sweeps meanwhile: what is done, was done for a message."""
    with database.begin() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SWEEP_LOCK})
        yield


def is_synced(workspace: Workspace, calls: int) -> bool:
    return workspace.outcomes() == [("success", None)] * calls


@pytest.fixture(scope="module")
def running(start_worker: StartWorker) -> Process:
    """A worker process that no test may end."""
    return start_worker()


@pytest.mark.parametrize("seed", range(4))
def test_worker_drops_what_is_no_message(workspace: Workspace, running: Process, seed: int) -> None:
    draws = random.Random(seed)
    workspace.add_contact()
    redis = workspace.worker.redis
    with sweeping_stopped(workspace.worker.database):
        for entry in (garbage.make_entry(workspace.connection_id, draws) for _ in range(300)):
            redis.lpush(garbage.QUEUE, entry)
        workspace.accept()
        workspace.worker.wake_ups.wake(workspace.connection_id)
        wait_for(lambda: is_synced(workspace, 1))
    wait_for(lambda: not redis.llen(garbage.QUEUE))
    assert running.is_running


@pytest.mark.parametrize("key", [*garbage.QUEUES, "_kombu.binding.callsync", "unacked"])
@pytest.mark.parametrize("kind", ["string", "hash"])
def test_queue_of_another_type_is_replaced(
    workspace: Workspace, running: Process, key: str, kind: str
) -> None:
    workspace.add_contact()
    redis = workspace.worker.redis
    redis.delete(key)
    if kind == "string":
        redis.set(key, "nonsense")
    else:
        redis.hset(key, "non", "sense")
    with sweeping_stopped(workspace.worker.database):
        workspace.accept()
        workspace.worker.wake_ups.wake(workspace.connection_id)
        wait_for(lambda: is_synced(workspace, 1))
    assert running.is_running


@pytest.mark.parametrize("seed", range(3))
def test_worker_takes_no_command_that_would_stop_it(
    workspace: Workspace, running: Process, seed: int
) -> None:
    draws = random.Random(seed)
    workspace.add_contact()
    redis = workspace.worker.redis
    for _ in range(100):
        redis.publish("/0.celery.pidbox", garbage.make_broadcast(draws))
    with sweeping_stopped(workspace.worker.database):
        for calls in (1, 2):
            workspace.accept()
            workspace.worker.wake_ups.wake(workspace.connection_id)
            wait_for(lambda calls=calls: is_synced(workspace, calls))
    assert running.is_running


@pytest.mark.parametrize("seed", range(3))
def test_worker_starts_among_nonsense(
    workspace: Workspace, start_worker: StartWorker, seed: int
) -> None:
    draws = random.Random(seed)
    workspace.add_contact()
    for key in our_keys(workspace):
        garbage.spoil(workspace.worker.redis, key, draws)
    process = start_worker()
    workspace.accept()
    wait_for(lambda: is_synced(workspace, 1))
    assert process.is_running
    process.stop()


def our_keys(workspace: Workspace) -> list[str]:
    return garbage.list_keys(
        connection_ids=[workspace.connection_id],
        hub_ids=[workspace.hub_id],
        client_id=APP.client_id,
    ) + contact_keys(workspace.worker.redis)


@pytest.mark.parametrize("seed", range(25))
def test_calls_are_synced_whatever_is_in_any_key(workspace: Workspace, seed: int) -> None:
    draws = random.Random(seed)
    contact_id = workspace.add_contact()
    workspace.accept()
    workspace.work()
    for number in range(2, 4):
        for key in our_keys(workspace):
            if draws.random() < 0.8:
                garbage.spoil(workspace.worker.redis, key, draws)
        workspace.accept()
        sweep(workspace.worker)
        workspace.work()
        assert is_synced(workspace, number)
        assert [len(workspace.attempts(each.id)) for each in workspace.logs()] == [1] * number
    assert len(workspace.notes(contact_id)) == 3
