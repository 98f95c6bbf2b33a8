"""Waking workers: the Celery application, and the one message there is, a connection's id.

The queue in Postgres is the truth and a message only a hint: every loss in here costs seconds,
because the sweep wakes again.
"""

import threading
from ssl import VerifyMode as CertificateCheck
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import structlog
from amqp import AMQPError  # type: ignore[import-untyped]  # comes with Kombu
from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError

from shared.broker.deployment import DeploymentRedis
from shared.broker.messages import SYNC_TASK
from shared.broker.transport import guard_redis, refuse_compression
from shared.configuration.setting_values import DEFAULT_PREFIX, explicit_tls
from shared.telemetry.metrics import WAKE_UPS

log = structlog.get_logger(__name__)

SYNC_QUEUE: Final = DEFAULT_PREFIX  # unless the deployment has another prefix
# In each worker process; a turn waits for HubSpot most of its time.
WORKER_THREADS: Final = 32
# A burst leaves about one message per connection; a turn clears the key first thing.
COALESCE_S: Final = 2
SOCKET_TIMEOUT_S: Final = 2.0


guard_redis()
refuse_compression()


def make_celery(broker_url: str, prefix: str = DEFAULT_PREFIX) -> Celery:
    """The Celery application, configured the same in every process.

    The queue, and the exchanges of commands and events, are named by the deployment's prefix.

    Raises:
        InvalidValueError: The URL says something about TLS that cannot be.
    """
    redis_options = {
        "task_queue": prefix,
        "ack_emulation": False,
        "health_check_interval": 5,  # seconds; else a silent connection is noticed after 25
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_keepalive": True,
    }
    if broker_url.startswith("unix://"):  # Kombu's word for the same
        broker_url = broker_url.replace("unix://", "redis+socket://", 1)
    broker_url, tls = _take_tls(explicit_tls(broker_url))
    app = Celery("callsync", broker=broker_url, set_as_current=False, amqp=_PromptAMQP)
    if prefix != DEFAULT_PREFIX:  # else Celery's own names
        app.conf.update(control_exchange=prefix, event_exchange=f"{prefix}ev")
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_default_queue=prefix,
        broker_use_ssl=tls,
        task_send_sent_event=False,
        worker_send_task_events=True,
        worker_pool="threads",
        worker_concurrency=WORKER_THREADS,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A Redis that is loading, full or a replica now: to be tried again, not the worker's end.
        broker_channel_error_retry=True,
        broker_transport_options={} if broker_url.startswith("amqp") else redis_options,
        enable_utc=True,
        timezone="UTC",
    )
    return app


def _take_tls(broker_url: str) -> tuple[str, dict[str, Any] | None]:
    """What RabbitMQ's URL says of TLS, in the words of the client, which knows none of a URL's."""
    parts = urlsplit(broker_url)
    if parts.scheme != "amqps":
        return broker_url, None
    said = dict(parse_qsl(parts.query))
    tls: dict[str, Any] = {"cert_reqs": CertificateCheck[f"CERT_{said['ssl_cert_reqs'].upper()}"]}
    if said["ssl_cert_reqs"] != "none" and said.get("ssl_check_hostname") != "false":
        tls["server_hostname"] = parts.hostname
    for name in ("ca_certs", "certfile", "keyfile"):
        if path := said.get(f"ssl_{name}"):
            tls[name] = path
    rest = {name: text for name, text in said.items() if not name.startswith("ssl_")}
    return parts._replace(query=urlencode(rest)).geturl(), tls


def connect_redis(redis_url: str, prefix: str = DEFAULT_PREFIX) -> DeploymentRedis:
    """A Redis client that gives up on a frozen server after `SOCKET_TIMEOUT_S` seconds."""
    return DeploymentRedis.open(
        redis_url,
        prefix,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        socket_timeout=SOCKET_TIMEOUT_S,
        health_check_interval=15,
    )


class _PromptConnection(Connection):
    """Comes back within a second or two; Kombu's own pauses grow to half a minute."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        prompt = {"interval_start": 1, "interval_step": 0, "interval_max": 1}
        return super().ensure_connection(*args, **{**prompt, **kwargs})  # type: ignore[no-untyped-call]


class _PromptAMQP(AMQP):  # type: ignore[misc]  # Celery ships no types
    Connection = _PromptConnection


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
