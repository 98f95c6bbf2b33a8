"""Whether Postgres and Redis answer, asked so that a frozen one cannot hold the asker."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final, Generic, TypeVar

import structlog
from redis import Redis, RedisError
from sqlalchemy.exc import SQLAlchemyError

from shared.database.engines import Database
from shared.database.schema import find_revision

log = structlog.get_logger(__name__)

POSTGRES_TIMEOUT_S: Final = 1.0

T = TypeVar("T")


class KeptAnswer(Generic[T]):
    """A server's answer that one request at a time asks for; the others get the last one.

    So a server that is silent holds one thread, however many want to know. Only as long as there
    has been no answer at all do the others wait for the first.
    """

    def __init__(
        self,
        ask: Callable[[], T],
        *,
        kept_for_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask by `ask`, which raises nothing, and not again within `kept_for_s` seconds."""
        self._ask = ask
        self._kept_for_s = kept_for_s
        self._clock = clock
        self._asking = threading.Lock()
        self._last: tuple[T, float] | None = None

    def get(self) -> T:
        """The answer."""
        last = self._last
        if last is not None and self._clock() < last[1] + self._kept_for_s:
            return last[0]
        if last is not None and not self._asking.acquire(blocking=False):
            return last[0]
        if last is None:
            self._asking.acquire()
        try:
            if self._last is None or self._last is last:
                self._last = (self._ask(), self._clock())
            return self._last[0]
        finally:
            self._asking.release()


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
