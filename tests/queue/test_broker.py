"""Wake-ups may go through another broker than the Redis that coalesces them."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from redis import Redis

from shared.queue import SYNC_QUEUE, WakeUpError, WakeUps, connect_redis, make_celery


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
