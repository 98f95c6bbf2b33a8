"""Redis in the hands of somebody else: nothing that it holds changes more than how fast we are."""

import json
import random
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any, Final

import pytest
from kombu.transport.redis import Channel
from redis import Redis
from sqlalchemy import text, update

from faults import garbage
from local.engines import Engine
from local.processes import Process
from shared.broker.celery_app import make_celery
from shared.broker.messages import HOUSEKEEPING_TASK, read_message
from shared.broker.transport import RELIED_ON, GuardedChannel, GuardedTransport
from shared.broker.waking import WakeUps
from shared.crypto import seal
from shared.database.engines import Database
from shared.ids import new_connection_id
from shared.matching.contact_cache import CACHE_S
from shared.models import Connection
from tests.local.waiting import wait_for
from tests.pipeline.conftest import (
    APP,
    OTHER_APP,
    MakeWorkspace,
    OpenWorker,
    StartWorker,
    activity,
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
from worker.maintenance.housekeeping import housekeeping
from worker.maintenance.recurring import DUTIES_LOCK, MOST_MISSED, Recurring
from worker.maintenance.sweep import NAME, sweep, sweeping
from worker.presence import Presence
from worker.resources import Resources

__all__ = [
    "activity",
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

LIFETIME_S: Final = 1800
OTHER_PHONE: Final = "+12025550144"

Forge = Callable[[bytes, str], bytes]


def contact_keys(redis: Redis) -> list[str]:
    return sorted(key.decode() for key in redis.scan_iter("callsync:contact:*"))


def held_in(redis: Redis, key: str) -> bytes:
    held = redis.get(key)
    assert isinstance(held, bytes)
    return held


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
    our_value, their_value = held_in(redis, our_key), held_in(redis, their_key)
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
    redis.set(our_key, held_in(redis, their_key))
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
    redis.set(key, forge(held_in(redis, key), other_id))
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
    monkeypatch.setattr("shared.crypto.time.time", lambda: now + CACHE_S + 1)
    worker.redis.set(key, old)
    assert_next_note_is_on(workspace, contact_id)


@contextmanager
def sweeping_stopped(database: Database) -> Iterator[None]:
    """Nobody sweeps meanwhile: what is done, was done for a message."""
    with database.begin() as session:
        session.execute(
            text("SELECT pg_advisory_xact_lock(:key, hashtext(:name))"),
            {"key": DUTIES_LOCK, "name": NAME},
        )
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
            wait_for(partial(is_synced, workspace, calls))
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


def is_synced_by_now(workspace: Workspace, calls: int) -> bool:
    sweep(workspace.worker)
    workspace.work()
    return is_synced(workspace, calls)


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
        # What could be true, such as a slot that is taken for some seconds, is waited for.
        wait_for(partial(is_synced_by_now, workspace, number))
        assert [len(workspace.attempts(each.id)) for each in workspace.logs()] == [1] * number
    assert len(workspace.notes(contact_id)) == 3


NUMBERS: Final = ("abc", "", "nan", "-nan", "inf", "-inf", "1e308", "-1", "0", "9" * 400)
HUB: Final = 4711


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", ["tat", "rate", "rate_at"])
def test_line_of_slots_that_cannot_be_ours_is_begun_anew(
    worker: Resources, number: str, field: str
) -> None:
    line: dict[Any, Any] = {"tat": "0", "rate": "2", "rate_at": repr(time.time()), field: number}
    for kind in ("search", "requests"):
        worker.redis.hset(f"callsync:budget:{kind}:{HUB}", mapping=line)
    assert worker.limits.reserve_search(HUB, longest_wait=0) == 0
    assert worker.limits.reserve_request(HUB, longest_wait=0) == 0
    worker.redis.hset(f"callsync:budget:search:{HUB}", mapping=line)
    worker.limits.lower_search_rate(HUB)
    wait = worker.limits.reserve_search(HUB, longest_wait=2)
    assert wait is not None
    assert wait > 0  # the pause after a refusal of HubSpot's


def test_slot_reserved_for_years_ahead_is_none(worker: Resources) -> None:
    for seconds in (60, 1e9):
        worker.redis.hset(f"callsync:budget:search:{HUB}", "tat", str(time.time() + seconds))
        assert worker.limits.reserve_search(HUB, longest_wait=0) == 0


@pytest.mark.parametrize("number", [*NUMBERS, "19", "101", "1_0", "20.5"])
def test_limit_that_hubspot_cannot_have_told_is_none(worker: Resources, number: str) -> None:
    worker.redis.set(f"callsync:allowed:{HUB}", number, ex=60)
    assert [worker.limits.reserve_request(HUB, longest_wait=0) for _ in range(10)] == [0] * 10


def test_places_taken_for_years_are_free(worker: Resources) -> None:
    places = {"a": float("inf"), "b": time.time() + 1e9, "c": time.time() + 60}
    worker.redis.zadd(f"callsync:turns:{HUB}", places)
    assert worker.limits.enter_round(HUB, "ours", width=1)
    assert not worker.limits.enter_round(HUB, "another", width=1)


@pytest.mark.parametrize("life_s", [None, 1_000_000])
def test_batch_that_gathers_for_ever_does_not_gather(worker: Resources, life_s: int | None) -> None:
    for name in ("busy", "gathering"):
        worker.redis.set(f"callsync:{name}:hc_1", b"", ex=life_s)
    with worker.limits.gathering("hc_1") as seconds:
        assert seconds == 0


@pytest.mark.parametrize("life_s", [None, 1_000_000])
def test_what_was_done_for_ever_is_done_again_once(worker: Resources, life_s: int | None) -> None:
    worker.redis.set("callsync:some", b"", ex=life_s)
    assert [worker.redis.once("callsync:some", within_s=60) for _ in range(3)] == [1, 0, 0]


def test_duty_is_done_though_it_never_was_this_processs_turn(
    worker: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.redis, "once", lambda *_, **__: False)
    duty = Recurring(worker, name="a-duty", every_s=1, do=lambda *_: None)
    turns = [duty._is_my_turn() for _ in range(3 * (MOST_MISSED + 1))]
    assert turns == ([False] * MOST_MISSED + [True]) * 3


def test_forged_refresh_does_not_turn_our_mistake_into_the_customers(
    workspace: Workspace, open_worker: OpenWorker
) -> None:
    other = open_worker(
        HUBSPOT_CLIENT_ID=OTHER_APP.client_id, HUBSPOT_CLIENT_SECRET=OTHER_APP.client_secret
    )
    workspace.worker.redis.set(f"callsync:grants:refreshed:{OTHER_APP.client_id}", b"")
    workspace.advance(LIFETIME_S)
    workspace.accept()
    workspace.work(other)
    assert workspace.outcomes() == [("pending", "configuration_error")]
    assert workspace.connection().state == "connected"


def test_forged_refusals_bring_no_ended_grant_back(make_workspace: MakeWorkspace) -> None:
    ended, other = make_workspace(), make_workspace()
    for each in (ended, other):
        each.connect()
        each.sandbox.revoke_grants(each.hub_id)
    with ended.worker.database.begin() as session:
        session.execute(update(Connection).values(client_id=None))
    ended.advance(LIFETIME_S)
    for each in (ended, other):
        members: dict[Any, float] = {ended.connection_id: time.time(), b"\xff": time.time()}
        each.worker.redis.delete("callsync:grants:refused")
        each.worker.redis.zadd("callsync:grants:refused", members)
        each.accept()
        each.work()
        assert each.connection().state == "reconnect_required"
    assert ended.connection().state == "reconnect_required"


def test_presence_outlives_names_that_nobody_can_read(worker: Resources) -> None:
    presence = Presence(worker)
    worker.redis.set("callsync:deployments", "nonsense")
    presence.look_round()
    forever: dict[Any, float] = {b"\xff\xfe": time.time(), "for ever": float("inf")}
    worker.redis.zadd("callsync:deployments", forever)
    presence.look_round()
    present = worker.redis.zrange("callsync:deployments", 0, -1)
    assert b"for ever" not in present


def test_nonsense_goes_into_every_key_that_the_service_uses(workspace: Workspace) -> None:
    with workspace.worker.redis.monitor() as monitor:  # type: ignore[no-untyped-call]
        workspace.add_contact()
        workspace.sandbox.add_fault("contacts.search", "status", times=1, status=429)
        workspace.advance(LIFETIME_S)
        for _ in range(10):
            workspace.accept()
        workspace.work()
        workspace.advance(10)
        for duty in (sweeping, housekeeping):
            duty(workspace.worker)._is_my_turn()
        sweep(workspace.worker)
        Presence(workspace.worker).look_round()
        workspace.worker.limits.record_request_limit(workspace.hub_id, 50)
        workspace.worker.redis.set("the end", b"")
        used = set()
        for each in monitor.listen():
            words = each["command"].replace("\\x06\\x16", garbage.SEPARATOR).split()
            used |= {word for word in words if word.startswith("callsync")}
            if "the end" in each["command"]:
                break
    others = {"callsync:*", garbage.SEPARATOR.join([garbage.QUEUE, "", garbage.QUEUE])}
    spoilt = {*our_keys(workspace), *others}  # by one time passes in here, one is in a set
    assert len(used) > 10
    assert {key for key in used if "callsync:contact:" not in key} <= spoilt


def test_kombu_still_has_what_we_rely_on() -> None:
    for name in RELIED_ON:
        ours, theirs = getattr(GuardedChannel, name), getattr(Channel, name)
        parameters = [list(signature(each).parameters) for each in (ours, theirs)]
        assert parameters[0] == parameters[1]
    with make_celery("redis://127.0.0.1:1/0") as app, app.connection_for_write() as connection:
        assert type(connection.transport) is GuardedTransport
    for pooled in (app.amqp.producer_pool.connections.connection, app.pool.connection):
        assert pooled.get_transport_cls() is GuardedTransport


def test_celery_makes_messages_that_we_read_and_no_more_than_we_make(
    worker: Resources, valkey: Engine
) -> None:
    WakeUps(valkey.url, prefix="nobodys").wake(new_connection_id())
    (held,) = worker.redis.lrange("nobodys", 0, -1)
    assert isinstance(held, bytes)
    made = read_message(held, garbage.QUEUE)
    assert made is not None
    theirs, ours = json.loads(held), json.loads(made)
    assert theirs.keys() == ours.keys()
    assert theirs["headers"].keys() == ours["headers"].keys()
    assert theirs["properties"].keys() == ours["properties"].keys()
    assert json.loads(b64decode(theirs["body"])) == json.loads(b64decode(ours["body"]))


@pytest.mark.parametrize(
    "header",
    [
        {"eta": "2999-01-01T00:00:00"},
        {"timelimit": [1, 1]},
        {"id": "x", "root_id": 7},
        {"retries": "many", "shadow": {}},
        {"compression": "bzip2"},
        {"stamps": 1},
    ],
)
def test_what_a_message_says_beside_its_call_is_not_handed_on(
    workspace: Workspace, header: dict[str, object]
) -> None:
    message = garbage.make_message(workspace.connection_id)
    message["headers"] |= header
    made = read_message(json.dumps(message).encode(), garbage.QUEUE)
    assert made is not None
    headers = json.loads(made)["headers"]
    assert all(headers.get(name) != value for name, value in header.items())


def test_expired_housekeeping_keeps_its_end() -> None:
    message = garbage.make_message("", HOUSEKEEPING_TASK)
    message["body"] = b64encode(b"[[], {}, {}]").decode()
    message["headers"]["expires"] = "2026-01-01T00:00:00+00:00"
    made = read_message(json.dumps(message).encode(), garbage.QUEUE)
    assert made is not None
    assert json.loads(made)["headers"]["expires"] == "2026-01-01T00:00:00+00:00"
