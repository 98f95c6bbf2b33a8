"""Wake-ups may go through another broker than the Redis that coalesces them."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from urllib.parse import urlsplit

import pytest
from redis import Redis

from shared.broker.celery_app import SYNC_QUEUE, make_celery
from shared.broker.deployment import connect_redis
from shared.broker.waking import WakeUpError, WakeUps


@pytest.fixture
def broker_url(valkey_url: str) -> str:
    """Another database of the same server: as far as keys go, another server."""
    return urlsplit(valkey_url)._replace(path="/7").geturl()


@pytest.fixture
def broker(broker_url: str) -> Iterator[Redis]:
    with connect_redis(broker_url) as broker:
        broker.flushdb()
        yield broker
        broker.flushdb()


def test_messages_go_through_the_broker_and_only_they(
    redis: Redis, broker: Redis, valkey_url: str, broker_url: str
) -> None:
    wake_ups = WakeUps(valkey_url, broker_url)

    wake_ups.wake("hc_1")
    wake_ups.wake("hc_1")

    assert broker.llen(SYNC_QUEUE) == 1
    assert redis.llen(SYNC_QUEUE) == 0
    assert redis.dbsize() == 1  # what says that a wake-up is on its way


def test_rabbitmq_is_not_told_what_only_redis_understands() -> None:
    with make_celery("amqp://callsync:secret@rabbitmq:5672//") as app:
        assert app.conf.broker_transport_options == {}


@pytest.mark.usefixtures("redis")
def test_a_broker_that_is_away_is_a_lost_wake_up(valkey_url: str) -> None:
    wake_ups = WakeUps(valkey_url, "amqp://127.0.0.1:1//")

    with pytest.raises(WakeUpError):
        wake_ups.wake("hc_1")


def _frame(method: bytes) -> bytes:
    """A method of AMQP 0-9-1 on channel 0."""
    return struct.pack(">BHI", 1, 0, len(method)) + method + b"\xce"


def _text(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


def _refuse(server: socket.socket) -> None:
    with suppress(OSError), server.accept()[0] as client:
        client.recv(8)  # which protocol it speaks
        start = struct.pack(">HHBBI", 10, 10, 0, 9, 0) + _text(b"PLAIN") + _text(b"en_US")
        client.sendall(_frame(start))
        client.recv(4096)  # who it is
        refusal = b"ACCESS_REFUSED"
        close = struct.pack(">HHHB", 10, 50, 403, len(refusal)) + refusal + bytes(4)
        client.sendall(_frame(close))
        client.recv(4096)


@pytest.fixture
def refusing_broker() -> Iterator[str]:
    """The url of what RabbitMQ is to somebody whose password it does not know."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=_refuse, args=[server])
        thread.start()
        yield f"amqp://127.0.0.1:{server.getsockname()[1]}//"
        thread.join()


@pytest.mark.usefixtures("redis")
def test_a_broker_that_refuses_us_is_a_lost_wake_up(valkey_url: str, refusing_broker: str) -> None:
    wake_ups = WakeUps(valkey_url, refusing_broker)

    with pytest.raises(WakeUpError, match="AccessRefused"):
        wake_ups.wake("hc_1")
