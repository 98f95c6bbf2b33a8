"""Time that passes when a test says so: all that Postgres, Redis and the sandbox know ages."""

import time
from datetime import timedelta

from redis import Redis
from sqlalchemy import DateTime, update

from shared.database.engines import Database
from shared.models import Base


class Clock:
    """The sandbox's clock, in epoch seconds; moving it makes all that is stored older."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float, database: Database, redis: Redis) -> None:
        self._ahead += seconds
        with database.begin() as session:
            for table in Base.metadata.tables.values():
                moments = [
                    column
                    for column in table.columns
                    if isinstance(column.type, DateTime) and not column.primary_key
                ]
                if moments:
                    age = timedelta(seconds=seconds)
                    session.execute(update(table).values({each: each - age for each in moments}))
        for key in redis.scan_iter("callsync:*"):
            if (life_ms := redis.pttl(key)) > 0:
                redis.pexpire(key, life_ms - int(seconds * 1000))
