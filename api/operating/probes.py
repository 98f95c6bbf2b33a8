"""Whether Postgres and Redis answer, asked so that a frozen one cannot hold the asker."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final

import structlog
from redis import Redis, RedisError
from sqlalchemy.exc import SQLAlchemyError

from api.http.kept_answers import KeptAnswer
from shared.database.engines import Database
from shared.database.schema import find_revision

log = structlog.get_logger(__name__)

POSTGRES_TIMEOUT_S: Final = 1.0


class Probes:
    """Asks the servers on behalf of readiness checks, each for one of them at a time."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database = database
        # A socket to a frozen server gives up late, so somebody else waits for it.
        self._asker = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._redis = redis
        self._revision = KeptAnswer(self._find_revision)
        self._redis_up = KeptAnswer(self._ping_redis)

    def find_revision(self) -> str | None:
        """The schema's revision, empty before the first migration; None when Postgres is away."""
        return self._revision.get()

    def redis_answers(self) -> bool:
        """Whether wake-ups get through at the moment; nothing is lost when they do not."""
        return self._redis_up.get()

    def _find_revision(self) -> str | None:
        asked = self._asker.submit(find_revision, self._database)
        try:
            return asked.result(POSTGRES_TIMEOUT_S)
        except (FutureTimeoutError, SQLAlchemyError) as error:
            asked.cancel()
            log.warning("postgres_away", error=type(error).__name__)
            return None

    def _ping_redis(self) -> bool:
        try:
            return bool(self._redis.ping())
        except RedisError as error:
            log.warning("redis_away", error=type(error).__name__)
            return False
