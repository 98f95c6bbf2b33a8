"""Waking workers by the one message that there is, a connection's id.

The queue in Postgres is the truth and a message only a hint: every loss in here costs seconds,
because the sweep wakes again.
"""

import threading
from typing import Final

import structlog
from amqp import AMQPError  # type: ignore[import-untyped]  # comes with Kombu
from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError

from shared.broker.celery_app import make_celery
from shared.broker.deployment import SOCKET_TIMEOUT_S, connect_redis
from shared.broker.messages import SYNC_TASK
from shared.configuration.setting_values import DEFAULT_PREFIX
from shared.telemetry.metrics import WAKE_UPS

log = structlog.get_logger(__name__)

# A burst leaves about one message per connection; a turn clears the key first thing.
COALESCE_S: Final = 2


class WakeUpError(Exception):
    """A wake-up could not be published: Redis or RabbitMQ is away, or refuses us.

    Nothing is lost, the sweep wakes later.
    """


class WakeUps:
    """Tells the workers that a connection has due calls, at most once per `COALESCE_S`."""

    def __init__(
        self, redis_url: str, broker_url: str | None = None, *, prefix: str = DEFAULT_PREFIX
    ) -> None:
        """The messages go through `broker_url`, or through Redis, which coalesces them."""
        self._redis = connect_redis(redis_url, prefix)
        self._celery = make_celery(broker_url or redis_url, prefix)

    def wake(self, connection_id: str) -> None:
        """Publish a wake-up unless one is on its way.

        Raises:
            WakeUpError: It could not.
        """
        try:
            is_first = self._redis.once(self._key(connection_id), within_s=COALESCE_S)
            if is_first:
                self._celery.send_task(SYNC_TASK, args=[connection_id], retry=False)
        except (RedisError, BrokerError, AMQPError, OSError) as error:
            WAKE_UPS.labels("lost").inc()
            raise WakeUpError(type(error).__name__) from error
        WAKE_UPS.labels("published" if is_first else "coalesced").inc()

    def heard(self, connection_id: str) -> None:
        """Say that the wake-up has arrived: what becomes due from now on needs another."""
        self._redis.delete(self._key(connection_id))

    def _key(self, connection_id: str) -> str:
        return self._redis.key("wake", connection_id)


class BackgroundWakeUps:
    """Wakes from a thread of its own: publishing to a frozen Redis would block a request.

    What is not published yet is a set of connection ids, so its size is bounded by their number.
    The thread starts with the first wake-up, hence after any fork.
    """

    def __init__(self, wake_ups: WakeUps) -> None:
        self._wake_ups = wake_ups
        self._waiting: set[str] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def wake(self, connection_id: str) -> None:
        """Note a wake-up; returns at once and never raises."""
        with self._changed:
            self._waiting.add(connection_id)
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="wake-ups", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Publish what waits, within the socket timeout, and stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(SOCKET_TIMEOUT_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                batch, self._waiting = self._waiting, set()
            for connection_id in batch:
                self._publish(connection_id)

    def _publish(self, connection_id: str) -> None:
        try:
            self._wake_ups.wake(connection_id)
        except WakeUpError as error:
            log.warning("wake_up_lost", connection_id=connection_id, error=str(error))
        except Exception as error:  # noqa: BLE001 - what lies in Redis must not end this thread
            log.error("wake_up_failed", connection_id=connection_id, error=type(error).__name__)  # noqa: TRY400 - once a call, and the sweep wakes
