"""Connections to public hosts that anybody on the way can read are named, all others are quiet."""

import pytest

from shared.configuration.settings import WorkerSettings
from shared.database.plain_connections import find_plain_connections
from tests.api.asking import environment

PUBLIC = ("db.example.com", "8.8.8.8", "[2001:4860:4860::8888]", "db.example.com.")
INNER = (
    *("postgres", "localhost", "127.0.0.1", "10.1.2.3", "192.168.7.8", "172.16.0.9", "[::1]"),
    *("[fd00::1]", "redis.svc.cluster.local", "db.internal", "169.254.1.1"),
    "redis.callsync.svc",
)


def found(**changes: str) -> list[str]:
    settings = WorkerSettings.load(environment(**changes))
    return [each.setting for each in find_plain_connections(settings)]


@pytest.mark.parametrize("host", PUBLIC)
def test_plain_connections_to_public_hosts_are_named(host: str) -> None:
    assert found(REDIS_URL=f"redis://:secret@{host}:6379/0") == ["REDIS_URL"]
    assert found(BROKER_URL=f"amqp://user:secret@{host}:5672//") == ["BROKER_URL"]
    assert found(DATABASE_URL=f"postgresql://user:secret@{host}/calls") == ["DATABASE_URL"]
    for mode in ("disable", "prefer", "require", "verify-ca"):
        url = f"postgresql://user@{host}/calls?sslmode={mode}"
        assert found(DATABASE_URL=url) == ["DATABASE_URL"]
    assert found(REDIS_URL=f"rediss://{host}/0?ssl_cert_reqs=none") == ["REDIS_URL"]


@pytest.mark.parametrize("host", PUBLIC)
def test_connections_that_check_the_certificate_are_quiet(host: str) -> None:
    assert found(REDIS_URL=f"rediss://{host}:6379/0") == []
    assert found(BROKER_URL=f"amqps://{host}//") == []
    assert found(DATABASE_URL=f"postgresql://user@{host}/calls?sslmode=verify-full") == []


@pytest.mark.parametrize("host", INNER)
def test_inner_hosts_are_quiet(host: str) -> None:
    assert found(REDIS_URL=f"redis://{host}:6379/0") == []
    assert found(BROKER_URL=f"amqp://{host}:5672//") == []
    assert found(DATABASE_URL=f"postgresql://user@{host}/calls") == []


def test_sockets_and_each_of_several_servers_are_looked_at() -> None:
    assert found(DATABASE_URL="postgresql:///calls?host=/run/postgresql") == []
    assert found(REDIS_URL="unix:///run/redis.sock") == []
    several = "postgresql://user@postgres,db.example.com/calls"
    assert found(DATABASE_URL=several) == ["DATABASE_URL"]
