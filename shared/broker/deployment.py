"""Redis as one deployment of several sees it: the names it has there, and who else is there."""

import hashlib
from collections.abc import Collection
from typing import Any, Final, Self, cast

from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.broker.redis_replies import BoundedParser, WaryRedis
from shared.configuration.setting_values import DEFAULT_PREFIX, explicit_tls

# Whoever has not been seen for as long is gone.
SEEN_WITHIN_S: Final = 30
SOCKET_TIMEOUT_S: Final = 2.0

# KEYS[1]: its being there says that it was done. ARGV: milliseconds. A key that would last longer
# was not written by us, and would stop us for ever.
_ONCE: Final = """
local left = redis.call('PTTL', KEYS[1])
if left > 0 and left <= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 1
"""


class DeploymentRedis(WaryRedis):
    """A client that knows under which prefix its deployment keeps everything.

    What it reads may be nonsense, which counts as absent: whoever can write to Redis may make us
    slower and nothing else.
    """

    prefix = DEFAULT_PREFIX

    @classmethod
    def open(cls, url: str, prefix: str = DEFAULT_PREFIX, **options: Any) -> Self:
        """A client of the server at `url`, whose certificate is checked unless the URL says no."""
        client = cast(
            "Self", cls.from_url(explicit_tls(url), parser_class=BoundedParser, **options)
        )
        client.prefix = prefix
        return client

    def key(self, *parts: object) -> str:
        """A key of this deployment's, from the general to the particular."""
        return ":".join((self.prefix, *map(str, parts)))

    def once(self, key: str, *, within_s: float) -> bool:
        """Whether this is the first time in so many seconds, whatever process asks."""
        script = self.register_script(_ONCE)
        return bool(script(keys=[key], args=[int(within_s * 1000)]))

    def left_s(self, key: str, *, within_s: float) -> float:
        """Seconds that a key still lasts, of `within_s` at most; 0 if it is absent."""
        left_s = float(self.pttl(key)) / 1000
        return left_s if 0 < left_s <= within_s else 0.0

    def clear_unless(self, kind: str, key: str) -> None:
        """Delete a key that holds something else than a `zset`, `list` or `set`, as it should."""
        if self.type(key) not in {kind.encode(), b"none"}:
            self.delete(key)


def connect_redis(redis_url: str, prefix: str = DEFAULT_PREFIX) -> DeploymentRedis:
    """A Redis client that gives up on a frozen server after `SOCKET_TIMEOUT_S` seconds."""
    return DeploymentRedis.open(
        redis_url,
        prefix,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        socket_timeout=SOCKET_TIMEOUT_S,
        health_check_interval=15,
    )


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
    key, now = redis.key("deployments"), _now(redis)
    redis.clear_unless("zset", key)
    with redis.pipeline() as pipe:
        if formerly:
            pipe.zrem(key, *formerly)
        pipe.zremrangebyscore(key, "-inf", now - SEEN_WITHIN_S)
        pipe.zremrangebyscore(key, now + SEEN_WITHIN_S, "+inf")
        pipe.zadd(key, {identity: now})
        pipe.expire(key, SEEN_WITHIN_S)
        pipe.execute()


def find_strangers(redis: DeploymentRedis, identity: str) -> list[str]:
    """Other deployments that work with this Redis under the same prefix at present."""
    key, now = redis.key("deployments"), _now(redis)
    redis.clear_unless("zset", key)
    present = redis.zrangebyscore(key, now - SEEN_WITHIN_S, now + SEEN_WITHIN_S)
    return [name for name in map(_text, present) if name != identity]


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _now(redis: Redis) -> float:
    """Redis's clock, because machines' clocks differ."""
    seconds, microseconds = redis.time()
    return float(seconds + microseconds / 1_000_000)
