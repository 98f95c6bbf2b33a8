"""Redis as the broker: a Kombu transport that nothing in Redis can end or lead astray.

Kombu believes what it finds there. A key of another type, an entry that is no message, or one that
Celery cannot cope with raises in a worker's event loop, which ends the worker. Here all of them
count as absent: messages are hints, and the sweep wakes again.
"""

from collections.abc import Callable, Iterable
from functools import partial
from queue import Empty
from typing import Any, Final, TypeVar

import structlog
from kombu import compression
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.redis import Channel, Transport
from redis import Redis, ResponseError

from shared.broker.messages import is_broadcast, read_message
from shared.broker.redis_replies import BoundedParser, WaryRedis, read_sensibly, refuse_answer
from shared.telemetry.metrics import MESSAGES_DROPPED

log = structlog.get_logger(__name__)

T = TypeVar("T")

# What of Kombu is overridden or called in here, and is not its public interface.
RELIED_ON: Final = (
    *("_brpop_read", "_connparams", "_deliver_fanout_message", "_get_client", "_has_queue", "_put"),
    *("_q_for_pri", "_queue_bind", "_receive_one", "_size", "get_table"),
)


def drop_message(queue: str) -> None:
    """Count what was no message of ours."""
    MESSAGES_DROPPED.inc()
    log.warning("message_dropped", queue=queue)


class _Client(WaryRedis):
    """Hands out messages of the task queue, and nothing else that lies in it."""

    def __init__(self, *args: Any, task_queue: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._task_queue = task_queue

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        answer = super().parse_response(connection, command_name, **options)
        if command_name != "BRPOP" or not answer:
            return answer
        match answer:
            case [bytes(key), bytes(held)]:
                pass
            case _:
                refuse_answer()
        if not key.startswith(self._task_queue.encode()):
            return answer  # a reply to a command, read by whoever gave it
        message = read_message(held, self._task_queue)
        if message is None:
            drop_message(self._task_queue)
            return None
        return key, message


class GuardedChannel(Channel):
    """A channel that replaces keys of the wrong type, and passes on only what is a message."""

    # A worker that loses Redis with messages in hand dies of Kombu's care for them: it puts them
    # back, or acknowledges them, over the connection that is gone, and takes the error for a fatal
    # one. Nothing is put back, and what leaves the queue counts as acknowledged.
    do_restore = False
    task_queue = ""
    from_transport_options = (*Channel.from_transport_options, "task_queue")  # type: ignore[assignment]

    def _get_client(self) -> Callable[..., Redis]:
        super()._get_client()  # type: ignore[no-untyped-call]  # checks the library's version
        return partial(_Client, task_queue=self.task_queue)

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[no-untyped-call]
        return {**params, "parser_class": BoundedParser}

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            _require_wrong_type(error)
            self._clear_queues(self.active_queues)
            raise Empty from None

    def _receive_one(self, c: Any) -> Any:
        receive = super()._receive_one

        def receive_message() -> Any:
            try:
                return receive(c)  # type: ignore[no-untyped-call]
            except RecursionError:
                drop_message("broadcast")

        return read_sensibly(receive_message)

    def _deliver_fanout_message(self, message: Any, exchange: str) -> Any:
        if not is_broadcast(message):
            drop_message("broadcast")
            return False
        return super()._deliver_fanout_message(message, exchange)  # type: ignore[no-untyped-call]

    def _put(self, queue: str, message: Any, **kwargs: Any) -> Any:
        return self._repeat_once(
            lambda: super(GuardedChannel, self)._put(queue, message, **kwargs),  # type: ignore[no-untyped-call]
            lambda: self._clear_queues([queue]),
        )

    def _size(self, queue: str) -> Any:
        return self._repeat_once(
            lambda: super(GuardedChannel, self)._size(queue),  # type: ignore[no-untyped-call]
            lambda: self._clear_queues([queue]),
        )

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> Any:
        return self._repeat_once(
            lambda: super(GuardedChannel, self)._queue_bind(exchange, routing_key, pattern, queue),  # type: ignore[no-untyped-call]
            lambda: self._clear_bindings(exchange),
        )

    def get_table(self, exchange: str) -> list[tuple[str, ...]]:
        """The bindings that can be read, each a routing key, a pattern and a queue."""
        with self.conn_or_acquire() as client:
            try:
                held = client.smembers(self.keyprefix_queue % exchange)
            except ResponseError as error:
                _require_wrong_type(error)
                self._clear_bindings(exchange)
                return []
        table = [tuple(each.decode(errors="replace").split(self.sep)) for each in held]
        return [binding for binding in table if len(binding) == 3]  # noqa: PLR2004 - as said

    def _repeat_once(self, act: Callable[[], T], clear: Callable[[], None]) -> T:
        try:
            return act()
        except ResponseError as error:
            _require_wrong_type(error)
        clear()
        return act()

    def _clear_queues(self, queues: Iterable[str]) -> None:
        keys = [self._q_for_pri(queue, each) for queue in queues for each in self.priority_steps]  # type: ignore[no-untyped-call]
        self._clear_unless(b"list", *keys)

    def _clear_bindings(self, exchange: str) -> None:
        self._clear_unless(
            b"set", self.keyprefix_queue % exchange, self.keyprefix_binding_permanent % exchange
        )
        self._clear_unless(b"zset", self.keyprefix_binding_deadlines)

    def _clear_unless(self, kind: bytes, *keys: str) -> None:
        with self.conn_or_acquire() as client:
            for key in keys:
                if client.type(key) not in {kind, b"none"}:
                    log.warning("key_of_wrong_type_deleted", key=key)
                    client.delete(key)


class GuardedTransport(Transport):
    """Kombu's transport with our channels."""

    Channel = GuardedChannel


def refuse_compression() -> None:
    """Have Kombu unpack nothing: ours are small, and a small one may become gigabytes."""
    compression._decoders.clear()  # noqa: SLF001 - there is no other way to take one out


def guard_redis() -> None:
    """Have Kombu use this transport for each URL that names Redis.

    A connection cannot be told: Kombu's pools make connections of a class of their own.
    """
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{GuardedTransport.__module__}:{GuardedTransport.__name__}"


def _require_wrong_type(error: ResponseError) -> None:
    """Raise the error unless it is about a key that holds something else."""
    if "WRONGTYPE" not in str(error):
        raise error
