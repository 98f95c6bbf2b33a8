"""The Celery application, and all that is switched off in Celery and Kombu.

Messages are hints: what Celery does so that none is lost, keeps results, or lets whoever reaches
the broker command workers, is of no use here and could end a worker.
"""

from ssl import VerifyMode as CertificateCheck
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection

from shared.broker.deployment import SOCKET_TIMEOUT_S
from shared.broker.transport import guard_redis, refuse_compression
from shared.configuration.setting_values import DEFAULT_PREFIX, explicit_tls

SYNC_QUEUE: Final = DEFAULT_PREFIX  # unless the deployment has another prefix
# In each worker process; a turn waits for HubSpot most of its time.
WORKER_THREADS: Final = 32


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
        worker_consumer="shared.broker.consumer:GuardedConsumer",
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


class _PromptConnection(Connection):
    """Comes back within a second or two; Kombu's own pauses grow to half a minute."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        prompt = {"interval_start": 1, "interval_step": 0, "interval_max": 1}
        return super().ensure_connection(*args, **{**prompt, **kwargs})  # type: ignore[no-untyped-call]


class _PromptAMQP(AMQP):  # type: ignore[misc]  # Celery ships no types
    Connection = _PromptConnection
