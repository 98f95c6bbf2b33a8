"""Telling deployments apart: the names that one has in Redis, and who else is there under them."""

import hashlib
from collections.abc import Collection
from typing import Any, Final, Self, cast

from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.setting_values import DEFAULT_PREFIX, explicit_tls

# Whoever has not been seen for as long is gone.
SEEN_WITHIN_S: Final = 30


class DeploymentRedis(Redis):
    """A client that knows under which prefix its deployment keeps everything."""

    prefix = DEFAULT_PREFIX

    @classmethod
    def open(cls, url: str, prefix: str = DEFAULT_PREFIX, **options: Any) -> Self:
        """A client of the server at `url`, whose certificate is checked unless the URL says no."""
        client = cast("Self", cls.from_url(explicit_tls(url), **options))
        client.prefix = prefix
        return client

    def key(self, *parts: object) -> str:
        """A key of this deployment's, from the general to the particular."""
        return ":".join((self.prefix, *map(str, parts)))


# A copy of a database has the number of its original, but another server that serves it.
_IDENTITY = text("""
    SELECT system_identifier || ':' || pg_postmaster_start_time() || ':' || (
        SELECT oid FROM pg_database WHERE datname = current_database())
    FROM pg_control_system()
""")


def identify(session: Session) -> str:
    """What this deployment is called among others: its database, of which it has one.

    It is called otherwise after a restart of Postgres; the old name is forgotten within seconds.
    """
    told = str(session.execute(_IDENTITY).scalar_one())
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def sign_in(redis: DeploymentRedis, identity: str, *, formerly: Collection[str] = ()) -> None:
    """Say that this deployment works with this Redis, for `SEEN_WITHIN_S` seconds."""
    with redis.pipeline() as pipe:
        if formerly:
            pipe.zrem(redis.key("deployments"), *formerly)
        pipe.zadd(redis.key("deployments"), {identity: _now(redis)})
        pipe.expire(redis.key("deployments"), SEEN_WITHIN_S)
        pipe.execute()


def find_strangers(redis: DeploymentRedis, identity: str) -> list[str]:
    """Other deployments that work with this Redis under the same prefix at present."""
    present = redis.zrangebyscore(redis.key("deployments"), _now(redis) - SEEN_WITHIN_S, "+inf")
    return [name for name in map(_text, present) if name != identity]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _now(redis: Redis) -> float:
    """Redis's clock, because machines' clocks differ."""
    seconds, microseconds = redis.time()
    return float(seconds + microseconds / 1_000_000)
