"""Wake-ups: one message per burst, and no request ever waits for Redis."""

import json
import threading
from collections.abc import Iterator

import pytest
from redis import Redis

from local.engines import Engine, start_valkey
from shared.broker import celery_app, deployment, waking
from shared.broker.celery_app import SYNC_QUEUE
from shared.broker.deployment import DeploymentRedis, connect_redis
from shared.broker.messages import SYNC_TASK
from shared.broker.waking import COALESCE_S, BackgroundWakeUps, WakeUpError, WakeUps
from tests.local.waiting import wait_for
from tests.queue.publishers import list_publishers

TIMEOUT_S = 0.3


@pytest.fixture
def wake_ups(redis: Redis, valkey_url: str) -> WakeUps:
    assert redis.dbsize() == 0
    return WakeUps(valkey_url)


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A Valkey to be killed and frozen."""
    with start_valkey(tmp_path_factory.mktemp("valkey")) as engine:
        yield engine


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests need not wait as long as production does."""
    for module in (celery_app, deployment, waking):
        monkeypatch.setattr(module, "SOCKET_TIMEOUT_S", TIMEOUT_S)


def messages(redis: Redis) -> list[str]:
    """The connection ids of the published wake-ups, oldest first."""
    found = []
    for message in reversed(redis.lrange(SYNC_QUEUE, 0, -1)):
        envelope = json.loads(message)
        assert envelope["headers"]["task"] == SYNC_TASK
        assert envelope["content-type"] == "application/json"
        found.append(json.loads(envelope["headers"]["argsrepr"].replace("'", '"'))[0])
    return found


def test_burst_leaves_one_message_per_connection(redis: Redis, wake_ups: WakeUps) -> None:
    for connection_id in ("hc_1", "hc_2", "hc_1", "hc_1"):
        wake_ups.wake(connection_id)
    assert messages(redis) == ["hc_1", "hc_2"]


def test_turn_that_heard_its_wake_up_may_be_woken_again(redis: Redis, wake_ups: WakeUps) -> None:
    wake_ups.wake("hc_1")
    wake_ups.heard("hc_1")
    wake_ups.wake("hc_1")
    assert messages(redis) == ["hc_1", "hc_1"]


def test_lost_message_silences_a_connection_for_two_seconds_only(
    redis: Redis, wake_ups: WakeUps
) -> None:
    wake_ups.wake("hc_1")
    (key,) = redis.keys("callsync:*")
    assert 0 < redis.pttl(key) <= COALESCE_S * 1000


def test_wake_up_carries_no_more_than_an_id(redis: Redis, wake_ups: WakeUps) -> None:
    wake_ups.wake("hc_1")
    (message,) = redis.lrange(SYNC_QUEUE, 0, -1)
    assert json.loads(message)["headers"]["kwargsrepr"] == "{}"


@pytest.mark.usefixtures("impatient")
def test_dead_redis_is_told_as_such(engine: Engine) -> None:
    wake_ups = WakeUps(engine.url)
    engine.kill()
    with pytest.raises(WakeUpError):
        wake_ups.wake("hc_1")


@pytest.mark.usefixtures("impatient")
def test_frozen_redis_is_given_up_after_the_socket_timeout(engine: Engine) -> None:
    wake_ups = WakeUps(engine.url)
    wake_ups.wake("hc_1")
    engine.process.suspend()
    with pytest.raises(WakeUpError):
        wake_ups.wake("hc_2")


@pytest.mark.usefixtures("impatient")
def test_publishing_to_a_broker_that_freezes_half_way_is_given_up(
    engine: Engine, redis: DeploymentRedis
) -> None:
    wake_ups = WakeUps(engine.url)
    wake_ups.wake("hc_1")
    wake_ups._redis = redis  # answers; the broker does not any more
    engine.process.suspend()
    with pytest.raises(WakeUpError):
        wake_ups.wake("hc_2")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", ["dead", "frozen"])
def test_background_wake_up_waits_for_nobody_and_works_again_when_redis_does(
    engine: Engine, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishers = list_publishers(monkeypatch)
    background = BackgroundWakeUps(WakeUps(engine.url))
    background.wake("hc_before")
    with connect_redis(engine.url) as client:
        wait_for(lambda: messages(client) == ["hc_before"])
        if trouble == "dead":
            engine.kill()
        else:
            engine.process.suspend()
        for number in range(1000):
            background.wake(f"hc_{number}")
        if trouble == "dead":
            engine.restart()
        else:
            engine.process.resume()

        def is_published() -> bool:
            background.wake("hc_after")
            return "hc_after" in messages(client)

        wait_for(is_published)
    background.close()
    assert threading.get_ident() not in publishers


def test_closing_publishes_what_waits(redis: Redis, wake_ups: WakeUps) -> None:
    background = BackgroundWakeUps(wake_ups)
    for number in range(20):
        background.wake(f"hc_{number}")
    background.close()
    assert sorted(messages(redis)) == sorted(f"hc_{number}" for number in range(20))


def test_nothing_runs_before_the_first_wake_up_or_after_the_close(
    redis: Redis, wake_ups: WakeUps
) -> None:
    background = BackgroundWakeUps(wake_ups)
    assert background._thread is None
    background.close()
    background.wake("hc_1")
    assert background._thread is None
    assert messages(redis) == []
