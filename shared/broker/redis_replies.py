"""What Redis answers, or whatever answers in its place: no larger than it may be, and of its kind.

An answer that is none counts as a broken connection, which whoever asks Redis expects anyway.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeVar

from redis import ConnectionError as BrokenConnectionError
from redis import InvalidResponse, Redis, ResponseError
from redis._parsers import _RESP3Parser
from redis._parsers.socket import SocketBuffer
from redis.client import Pipeline

T = TypeVar("T")

# Ours have some kilobytes; the longest lists the connections that HubSpot has refused lately.
MOST_BYTES: Final = 4 * 1024 * 1024

# What clients raise when they look for one thing in another, and what parsers raise.
_NONSENSE: Final = (
    *(AttributeError, InvalidResponse, LookupError, OverflowError, RecursionError),
    *(TypeError, ValueError),
)
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "BRPOP": (list, tuple, type(None)),
    "EVALSHA": (int, type(None)),
    "MGET": (list,),
    "PTTL": (int,),
    "TYPE": (bytes, str),
    "ZRANGEBYSCORE": (list,),
}


def read_sensibly(act: Callable[[], T]) -> T:
    """Return what a function makes of an answer; raises redis.ConnectionError if that is none."""
    try:
        return act()
    except _NONSENSE as error:
        refuse_answer(error)


def refuse_answer(error: Exception | None = None) -> NoReturn:
    """Raise redis.ConnectionError."""
    raise BrokenConnectionError("what came is no answer of Redis's") from error


class _BoundedBuffer(SocketBuffer):
    """Reads `MOST_BYTES` for one answer and no more."""

    began = 0

    def _read_from_socket(self, length: int | None = None, *args: Any, **kwargs: Any) -> bool:
        held = self.began_until_end()
        if held + (length or 0) > MOST_BYTES:
            raise InvalidResponse("too large")
        return super()._read_from_socket(length, *args, **kwargs)

    def began_until_end(self) -> int:
        """The bytes that are there since the current answer began."""
        return self.get_pos() - self.began + self.unread_bytes()


class BoundedParser(_RESP3Parser):
    """The client library's parser of RESP3."""

    def on_connect(self, connection: Any) -> None:
        super().on_connect(connection)  # type: ignore[no-untyped-call]
        self._is_greeted = False
        sock: Any = self._sock
        self._buffer = _BoundedBuffer(sock, self.socket_read_size, connection.socket_timeout)

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        if self._buffer is not None:
            self._buffer.began = self._buffer.get_pos()
        answer = read_sensibly(lambda: super(BoundedParser, self).read_response(*args, **kwargs))
        if not self._is_greeted and not isinstance(answer, dict | ResponseError):
            refuse_answer()  # the library takes any answer to HELLO for the server's properties
        self._is_greeted = True
        return answer


class _WaryPipeline(Pipeline):
    def execute(self, raise_on_error: bool = True) -> list[Any]:
        execute = super().execute
        return read_sensibly(lambda: execute(raise_on_error))


class WaryRedis(Redis):
    """A client that takes an answer of another kind for a broken connection.

    Its connections need `BoundedParser` as their `parser_class`.
    """

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        parse = super().parse_response
        try:
            answer = read_sensibly(lambda: parse(connection, command_name, **options))  # type: ignore[no-untyped-call]
            if not isinstance(answer, _KINDS.get(command_name, object)):
                refuse_answer()
        except BrokenConnectionError:
            connection.disconnect()  # what comes next may belong to somebody else
            raise
        return answer

    def mget(self, keys: Any, *args: Any) -> Any:
        """As the library's, an answer to each key."""
        found = super().mget(keys, *args)
        if len(found) != len(keys) + len(args):
            refuse_answer()
        return found

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """As the library's."""
        return _WaryPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
