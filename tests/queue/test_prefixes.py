"""Deployments that share a Redis share nothing when they have different prefixes."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from shared.broker.celery_app import make_celery
from shared.broker.deployment import (
    DeploymentRedis,
    connect_redis,
    find_strangers,
    identify,
    sign_in,
)
from shared.broker.waking import WakeUps
from shared.configuration.settings import WorkerSettings
from shared.database.engines import Database
from tests.settings.environment import make_environ
from worker.maintenance.sweep import sweeping
from worker.presence import Presence
from worker.resources import Resources, open_resources

STAGING = "staging"


@pytest.fixture
def staging(valkey_url: str) -> Iterator[DeploymentRedis]:
    with connect_redis(valkey_url, STAGING) as client:
        yield client


@pytest.fixture
def resources(postgres_url: str, valkey_url: str) -> Iterator[Resources]:
    environ = make_environ(DATABASE_URL=postgres_url, REDIS_URL=valkey_url, REDIS_PREFIX=STAGING)
    resources = open_resources(WorkerSettings.load(environ))
    yield resources
    resources.close()


def test_every_key_of_a_worker_begins_with_the_prefix(
    redis: DeploymentRedis, resources: Resources
) -> None:
    limits = resources.limits
    limits.reserve_search(1, longest_wait=9)
    limits.reserve_request(1, longest_wait=9)
    limits.reserve_token_request(longest_wait=9)
    limits.record_request_limit(1, 50)
    limits.enter_round(1, "turn", width=4)
    limits.record_busy("hc_1")
    resources.wake_ups.wake("hc_1")
    Presence(resources).look_round()
    sweeping(resources)._is_my_turn()
    with limits.gathering("hc_1"):
        keys = {str(key, "utf-8") for key in redis.scan_iter()}

    others = {key for key in keys if not key.startswith(f"{STAGING}:")}
    lasting = ("budget:search:1", "budget:requests:1", "budget:tokens", "allowed:1", "turns:1")
    assert {f"{STAGING}:{name}" for name in (*lasting, "deployments")} <= keys
    # Kombu's own: the queue of messages, and what is bound to its exchange.
    assert all(key.rpartition(".")[2] == STAGING for key in others), others


def test_a_wake_up_of_one_deployment_is_not_coalesced_with_anothers(
    redis: DeploymentRedis, valkey_url: str
) -> None:
    WakeUps(valkey_url).wake("hc_1")
    WakeUps(valkey_url, prefix=STAGING).wake("hc_1")

    assert (redis.llen("callsync"), redis.llen(STAGING)) == (1, 1)


@pytest.mark.parametrize("broker_url", ["redis://cache.example", "amqp://rabbit.example"])
def test_commands_and_events_have_exchanges_of_their_own(broker_url: str) -> None:
    with make_celery(broker_url) as ours, make_celery(broker_url, STAGING) as theirs:
        for name in ("task_default_queue", "control_exchange", "event_exchange"):
            assert ours.conf[name] != theirs.conf[name]
        assert ours.control.mailbox.namespace != theirs.control.mailbox.namespace
        assert (ours.conf.control_exchange, ours.conf.event_exchange) == ("celery", "celeryev")


def test_stranger_under_the_same_prefix_is_seen_and_under_another_is_not(
    redis: DeploymentRedis, staging: DeploymentRedis
) -> None:
    sign_in(redis, "ours")
    sign_in(staging, "theirs")
    assert find_strangers(redis, "ours") == []

    sign_in(redis, "theirs")
    assert find_strangers(redis, "ours") == ["theirs"]
    assert find_strangers(redis, "theirs") == ["ours"]

    sign_in(redis, "ours, restarted", formerly=["ours"])
    assert find_strangers(redis, "theirs") == ["ours, restarted"]


def test_one_database_is_one_deployment_however_often_it_is_asked(
    database: Database, postgres_server_url: str
) -> None:
    def ask(each: Database) -> str:
        with each.read() as session:
            return identify(session)

    other = Database(postgres_server_url.replace("postgresql://", "postgresql+psycopg://"))
    assert ask(database) == ask(database) != ask(other)
    other.dispose()


@pytest.mark.usefixtures("redis")
def test_worker_logs_a_stranger_once(resources: Resources) -> None:
    presence = Presence(resources)
    with capture_logs() as logs:
        presence.look_round()
        assert logs == []
        sign_in(resources.redis, "somebody else")
        presence.look_round()
        presence.look_round()

    assert [each["event"] for each in logs] == ["another_deployment_in_redis"]
    assert "REDIS_PREFIX" in logs[0]["hint"]
