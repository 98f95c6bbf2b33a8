"""Intake does not wait for Redis, up, dead or frozen: another thread does."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from api.context.services import EXTENSION
from local.engines import Engine, start_valkey
from shared.broker.celery_app import SYNC_QUEUE
from shared.broker.waking import BackgroundWakeUps
from shared.database.engines import Database
from tests.api.asking import Asker
from tests.api.conftest import ClientFactory
from tests.api.rows import add_connection
from tests.local.waiting import wait_for
from tests.queue.publishers import list_publishers


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


@pytest.fixture
def publishers(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The threads that have asked Redis to wake somebody."""
    return list_publishers(monkeypatch)


def send_calls(asker: Asker) -> None:
    """Post a few webhooks; each is accepted."""
    for _ in range(5):
        asker.send_call()


def test_wake_up_reaches_the_queue(asker: Asker, valkey: Engine) -> None:
    send_calls(asker)
    with Redis.from_url(valkey.url) as redis:
        wait_for(lambda: redis.llen(SYNC_QUEUE) == 1)


def test_intake_leaves_a_dead_redis_to_another_thread(
    asker: Asker, valkey: Engine, publishers: set[int]
) -> None:
    valkey.kill()
    send_calls(asker)
    wait_for(lambda: bool(publishers))
    assert threading.get_ident() not in publishers
    valkey.restart()


def test_intake_leaves_a_frozen_redis_to_another_thread(
    asker: Asker, valkey: Engine, publishers: set[int]
) -> None:
    valkey.process.suspend()
    send_calls(asker)
    wait_for(lambda: bool(publishers))
    assert threading.get_ident() not in publishers
