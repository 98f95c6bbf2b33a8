"""Servers that answer anything or nothing, in place of those that a proxy leads to."""

import random
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from faults.proxies.proxy import Proxy

PIECE: Final = 65_536
FLOOD_PIECES: Final = 512  # of 64 KiB each
TRICKLE_S: Final = 0.2

# What a connection is told when it has asked for something, piece by piece.
Speech = Callable[["Conversation"], Iterator[bytes]]


class Conversation:
    """One connection to a liar."""

    def __init__(self, asked: bytes, is_over: threading.Event, draws: random.Random) -> None:
        self.asked = asked
        self.draws = draws
        self._is_over = is_over

    def trickle(self, piece: bytes) -> Iterator[bytes]:
        """Say the same, again and again, too slowly for anything and too often for a timeout."""
        while not self._is_over.wait(TRICKLE_S):
            yield piece

    def wait(self) -> Iterator[bytes]:
        """Say nothing."""
        self._is_over.wait()
        yield b""


class Liar:
    """Listens on a port of its own until it is closed, and speaks by turns as `speeches` do."""

    def __init__(self, draws: random.Random, speeches: Sequence[Speech]) -> None:
        self._draws = random.Random(draws.random())
        self._speeches = speeches
        self._is_over = threading.Event()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._door.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self._accept, name="liar", daemon=True).start()

    def close(self) -> None:
        """Listen no more, and hang up."""
        self._is_over.set()
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=[client], daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            while not self._is_over.is_set() and (asked := client.recv(PIECE)):
                self.asked += 1
                speak = self._draws.choice(self._speeches)
                for piece in speak(Conversation(asked, self._is_over, self._draws)):
                    client.sendall(piece)


@contextmanager
def replaced(proxies: Sequence[Proxy], draws: random.Random, *speeches: Speech) -> Iterator[Liar]:
    """Lead the proxies to a liar inside the block, also what is connected already."""
    liar, honest = Liar(draws, speeches), [each.upstream_port for each in proxies]
    _lead(proxies, [liar.port] * len(proxies))
    try:
        yield liar
    finally:
        _lead(proxies, honest)
        liar.close()


def _lead(proxies: Sequence[Proxy], ports: Sequence[int]) -> None:
    for proxy, port in zip(proxies, ports, strict=True):
        proxy.upstream_port = port
        proxy.cut()


def stay_silent(told: Conversation) -> Iterator[bytes]:
    """Take everything and answer nothing."""
    yield from told.wait()


def _http(headers: bytes, body: bytes = b"") -> Speech:
    def speak(_told: Conversation) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n" + body

    return speak


def _trickle(begins: bytes, goes_on: bytes) -> Speech:
    def speak(told: Conversation) -> Iterator[bytes]:
        yield begins
        yield from told.trickle(goes_on)

    return speak


def _flood(begins: bytes, goes_on: bytes) -> Speech:
    def speak(_told: Conversation) -> Iterator[bytes]:
        yield begins
        for _ in range(FLOOD_PIECES):
            yield goes_on * (PIECE // len(goes_on))

    return speak


_OK: Final = b"HTTP/1.1 200 OK\r\n"
_JSON: Final = b"Content-Type: application/json\r\n"
HTTP_TRICKLES: Final[tuple[Speech, ...]] = (
    _trickle(_OK + b"Content-Length: 1000000\r\n\r\n", b" "),
    _trickle(_OK + b"X-Endless: ", b"a"),
    _trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    _trickle(_OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X: a\r\n"),
)
HTTP_LIES: Final[tuple[Speech, ...]] = (
    *HTTP_TRICKLES,
    _flood(_OK + _JSON + b"\r\n", b"["),
    _flood(_OK + b"X-Huge: ", b"a"),
    _flood(_OK, b"X-Many: a\r\n"),
    _http(_JSON + b"Content-Length: 7\r\n", b"\xff{}]nan"),
    _http(_JSON + b"Content-Length: 4\r\n", b"null"),
    _http(_JSON + b"Content-Length: 20000\r\n", b"[" * 20000),
    _http(b"Content-Type: image/png\r\nContent-Length: 2\r\n", b"{}"),
    _http(b"Content-Encoding: gzip\r\nContent-Length: 2\r\n", b"{}"),
    _http(b"Content-Length: -5\r\n", b"{}"),
)


def _reply(answer: bytes) -> Speech:
    def speak(_told: Conversation) -> Iterator[bytes]:
        yield answer

    return speak


_REPLIES: Final = (
    *(b":7\r\n", b":-9999999999\r\n", b"+OK\r\n", b"+PONG\r\n", b"_\r\n", b"$-1\r\n", b",nan\r\n"),
    *(
        b"#t\r\n",
        b"$3\r\nabc\r\n",
        b"*0\r\n",
        b"*3\r\n:1\r\n+a\r\n_\r\n",
        b"%1\r\n+proto\r\n:3\r\n",
    ),
    *(b"-LOADING Redis is loading the dataset in memory\r\n", b"-READONLY a replica\r\n"),
    *(b"-OOM command not allowed\r\n", b"-NOAUTH Authentication required.\r\n", b"-ERR what\r\n"),
    *(b"-NOSCRIPT No matching script.\r\n", b"-MOVED 1 127.0.0.1:1\r\n", b"-BUSY script\r\n"),
    *(
        b"$abc\r\n",
        b"*abc\r\n",
        b":abc\r\n",
        b"$-7\r\n",
        b"\x00\xff\r\n",
        b"\r\n",
        b"HTTP/1.1 400\r\n",
    ),
    *(b"*1\r\n" * 5000, b">3\r\n+message\r\n+a\r\n+b\r\n", b"*2\r\n+callsync\r\n:1\r\n"),
    # What another client waits for.
    *(
        b"*2\r\n$8\r\ncallsync\r\n$2\r\n{}\r\n",
        b"*4\r\n+pmessage\r\n+a\r\n+/0.celery.pidbox\r\n+b\r\n",
    ),
)
REDIS_LIES: Final[tuple[Speech, ...]] = (
    # Polite to whoever connects, so that the lies meet commands as well.
    *[_reply(b"%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n+OK\r\n")] * 8,
    *map(_reply, _REPLIES),
    _flood(b"$999999999\r\n", b"a"),
    _flood(b"*999999999\r\n", b":1\r\n"),
    _flood(b"+", b"a"),
)
REDIS_TRICKLES: Final[tuple[Speech, ...]] = (
    _trickle(b"$1000000\r\n", b"a"),
    _trickle(b"*1000000\r\n", b":1\r\n"),
)
