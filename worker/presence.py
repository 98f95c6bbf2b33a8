"""Says in Redis that this deployment works with it, and in the log who else does."""

import threading
from typing import Final

import structlog
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from shared.broker.deployment import find_strangers, identify, sign_in
from worker.resources import Resources

log = structlog.get_logger(__name__)

EVERY_S: Final = 10.0


class Presence:
    """The thread that signs in every few seconds until it is stopped."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._identity = ""
        self._former: set[str] = set()
        self._strangers: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(EVERY_S)

    def look_round(self) -> None:
        """Sign in once, and log strangers when there are other ones than before.

        Raises:
            SQLAlchemyError, RedisError: Tried again seconds later.
        """
        with self._resources.database.read() as session:
            identity = identify(session)
        if identity != self._identity:
            self._former.add(self._identity)  # before Postgres was restarted
            self._former.discard(identity)
            self._identity = identity
        redis = self._resources.redis
        sign_in(redis, identity, formerly=self._former)
        strangers = [each for each in find_strangers(redis, identity) if each not in self._former]
        if strangers and strangers != self._strangers:
            log.error(
                "another_deployment_in_redis",
                prefix=redis.prefix,
                hint="Two deployments take each other's wake-ups, sweeps and budgets: give one"
                " another REDIS_PREFIX.",
            )
        self._strangers = strangers

    def _run(self) -> None:
        while True:
            try:
                self.look_round()
            except (SQLAlchemyError, RedisError) as error:
                log.warning("presence_unknown", error=type(error).__name__)
            if self._stopping.wait(EVERY_S):
                return
