"""Duties that the worker processes share: every so often one of them does each."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.broker.waking import WakeUpError
from worker.resources import Resources

log = structlog.get_logger(__name__)

FIRST_AFTER_S: Final = 1.0
# Of its period: then the next process may have its turn.
_TICK: Final = 0.9
# A process that has not had its turn for so many periods takes it: whatever Redis says, every duty
# is done. Where there are that many processes, it is done about twice as often as it must be.
MOST_MISSED: Final = 20
DUTIES_LOCK: Final = 4_825_303


def lock_duty(session: Session, name: str) -> bool:
    """Keep others off a duty until the transaction ends; returns whether nobody was at it.

    The lock ends with its worker, and soon after one that is frozen.
    """
    query = text("SELECT pg_try_advisory_xact_lock(:key, hashtext(:name))")
    return bool(session.execute(query, {"key": DUTIES_LOCK, "name": name}).scalar_one())


class Recurring:
    """A thread for one duty, in every process, so that none of them is a point of failure.

    Redis says whose turn it is; without it each process does the duty, which is only wasteful:
    locks in Postgres keep them apart.
    """

    def __init__(
        self,
        resources: Resources,
        *,
        name: str,
        every_s: float,
        do: Callable[[Resources, bool], object],
    ) -> None:
        """Describe a duty.

        Args:
            resources: The process's.
            name: Of the thread, and of the duty in Redis and in the log.
            every_s: Seconds from one time to the next, in all processes together.
            do: Is told whether the last time failed.
        """
        self._resources = resources
        self._name = name
        self._every_s = every_s
        self._do = do
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._is_troubled = False
        self._missed = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no more; what is under way ends first, within seconds."""
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        wait = FIRST_AFTER_S
        while not self._stopping.wait(wait):
            began = time.monotonic()
            try:
                if self._is_my_turn():
                    self._do(self._resources, self._is_troubled)
                    self._is_troubled = False
            except (SQLAlchemyError, RedisError, WakeUpError) as error:
                if not self._is_troubled:
                    log.warning("duty_failed", duty=self._name, error=type(error).__name__)
                self._is_troubled = True
            wait = max(self._every_s - (time.monotonic() - began), FIRST_AFTER_S)

    def _is_my_turn(self) -> bool:
        redis = self._resources.redis
        try:
            is_first = redis.once(redis.key(self._name), within_s=self._every_s * _TICK)
        except RedisError:
            is_first = True
        self._missed = 0 if is_first or self._missed >= MOST_MISSED else self._missed + 1
        return is_first or not self._missed
