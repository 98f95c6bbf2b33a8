"""Intake does not wait for Redis: up, dead or frozen."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from api.services import EXTENSION
from local.engines import Engine, start_valkey
from shared.db import Database
from shared.queue import SYNC_QUEUE, BackgroundWakeUps
from tests.api.asking import Asker
from tests.api.conftest import ClientFactory
from tests.api.rows import add_connection
from tests.local.waiting import wait_for

# A dead Redis costs a publisher about a second, a frozen one its socket timeout of two.
FAST_S = 0.5


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Engine]:
    with start_valkey(tmp_path) as engine:
        yield engine


@pytest.fixture
def asker(make_client: ClientFactory, valkey: Engine, database: Database) -> Iterator[Asker]:
    """A connected user; wake-ups really go out."""
    client = make_client(waker=None, REDIS_URL=valkey.url)
    asker = Asker(client)
    add_connection(database, asker)
    yield asker
    waker = client.application.extensions[EXTENSION].waker
    assert isinstance(waker, BackgroundWakeUps)
    valkey.process.resume()
    waker.close()


def slowest_answer(asker: Asker) -> float:
    """Seconds that the slowest of a few webhooks took; each was accepted."""
    slowest = 0.0
    for _ in range(5):
        started = time.perf_counter()
        asker.send_call()
        slowest = max(slowest, time.perf_counter() - started)
    return slowest


def test_wake_up_reaches_the_queue(asker: Asker, valkey: Engine) -> None:
    assert slowest_answer(asker) < FAST_S
    with Redis.from_url(valkey.url) as redis:
        wait_for(lambda: redis.llen(SYNC_QUEUE) == 1)


def test_dead_redis_does_not_slow_intake(asker: Asker, valkey: Engine) -> None:
    valkey.kill()
    assert slowest_answer(asker) < FAST_S
    valkey.restart()


def test_frozen_redis_does_not_slow_intake(asker: Asker, valkey: Engine) -> None:
    valkey.process.suspend()
    assert slowest_answer(asker) < FAST_S
