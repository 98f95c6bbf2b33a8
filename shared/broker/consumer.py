"""Celery's consumer, which takes up our tasks and nothing else, whatever the broker."""

from collections.abc import Callable
from typing import Any, Final

from celery.utils.log import get_logger
from celery.worker.consumer import Consumer
from celery.worker.control import Panel

from shared.broker.messages import JSON_TYPE, read_task
from shared.broker.transport import drop_message

# Celery's own: what could not be acknowledged is its matter.
_logger = get_logger(__name__)

# Of Celery's commands: the doctor's, Flower's, and what tells a person how a worker is.
ANSWERED: Final = frozenset(
    {
        *("ping", "stats", "active", "reserved", "scheduled", "registered", "revoked"),
        *("active_queues", "conf", "report", "enable_events"),
    }
)


class GuardedConsumer(Consumer):  # type: ignore[misc]  # Celery ships no types
    """Makes each task anew from the little that is read of a message, and drops the others.

    Whoever can write to RabbitMQ could else have a worker call back, wait for ever or end. Workers
    do not listen to each other: they use nothing of what they would hear.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Questions are answered; what whoever reaches Redis could end or stop workers with is not.
        for name in Panel.data.keys() - ANSWERED:
            del Panel.data[name]
        super().__init__(*args, **{**kwargs, "without_gossip": True, "without_mingle": True})

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        handle = super().create_task_handler(*args, **kwargs)
        queue = self.app.conf.task_default_queue

        def take_up(message: Any) -> None:
            task = None if message.errors else read_task(message.headers, message.body, queue)
            if task is None:
                self.on_decode_error(message)
                return
            message.headers, message.body, message.properties = task
            message.content_type, message.content_encoding = JSON_TYPE, "utf-8"
            handle(message)

        return take_up

    def on_decode_error(self, message: Any, _error: Exception | None = None) -> None:
        """Drop a message; what it says is anybody's text and not for the log."""
        drop_message(self.app.conf.task_default_queue)
        message.ack_log_error(_logger, self.connection_errors)
