"""A TCP proxy that stands between two processes and behaves as badly as a network can."""

import random
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

CHUNK_BYTES: Final = 65_536
CONNECT_TIMEOUT_S: Final = 2.0
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: close() sends RST


class Mode(StrEnum):
    """What becomes of bytes, and of new connections."""

    CARRY = "carry"
    REFUSE = "refuse"
    HALF_OPEN = "half-open"


class Trap(Protocol):
    """Watches what passes and may act on it, holding the bytes for as long as it takes.

    Both methods return whether the bytes go on; False cuts the connection instead.
    """

    def sees_request(self, link: "Link", data: bytes) -> bool:
        """Look at bytes from the client before the server gets them."""

    def sees_answer(self, link: "Link", data: bytes) -> bool:
        """Look at bytes from the server before the client gets them."""


@dataclass(eq=False)
class Link:
    """One connection through the proxy; `client_port` tells whose it is."""

    client: socket.socket
    server: socket.socket
    client_port: int
    is_swallowing: bool = False
    is_over: threading.Event = field(default_factory=threading.Event)

    def cut(self, *, is_reset: bool = False) -> None:
        """Close both sides, with RST if asked; the first to cut decides."""
        if self.is_over.is_set():
            return
        self.is_over.set()
        for end in (self.client, self.server):
            with suppress(OSError):
                if is_reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # Whoever waits in recv() must be woken, or the socket stays open behind close().
                end.shutdown(socket.SHUT_RD if is_reset else socket.SHUT_RDWR)
            with suppress(OSError):
                end.close()


class Proxy:
    """Carries connections from a port of its own to `upstream_port`, both on 127.0.0.1.

    Attributes:
        port: where it listens.
        upstream_port: where new connections are carried to.
        delay_s: what each piece waits before it goes on, more or less by up to `jitter_s`.
        bytes_per_s: how fast each direction of a connection is; None for full speed.
        traps: what watches the bytes until the proxy is healed.
    """

    def __init__(self, upstream_port: int, listener: Trap | None = None) -> None:
        """Begin to listen; `listener` watches the bytes as long as the proxy lives."""
        self.upstream_port = upstream_port
        self.delay_s = 0.0
        self.jitter_s = 0.0
        self.bytes_per_s: int | None = None
        self.traps: list[Trap] = []
        self._mode = Mode.CARRY
        self._is_closed = False
        self._links: set[Link] = set()
        self._lock = threading.Lock()
        self._always = () if listener is None else (listener,)
        self._door = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._door.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._links)

    def heal(self) -> None:
        """Carry everything again. What was half-open stays dead, as it would in a network."""
        self._mode = Mode.CARRY
        self.delay_s = 0.0
        self.jitter_s = 0.0
        self.bytes_per_s = None
        self.traps.clear()

    def refuse(self) -> None:
        """Cut every connection, and new ones as they come."""
        self._mode = Mode.REFUSE
        self.cut()

    def half_open(self) -> None:
        """Swallow what is sent, on old and new connections, without a sign to either side."""
        self._mode = Mode.HALF_OPEN
        for link in self._copy():
            link.is_swallowing = True

    def cut(self, *, is_reset: bool = False) -> int:
        """End every connection there is; returns how many."""
        links = self._copy()
        for link in links:
            self._end(link, is_reset=is_reset)
        return len(links)

    def bury(self) -> None:
        """End what was half-open."""
        for link in self._copy():
            if link.is_swallowing:
                self._end(link)

    def close(self) -> None:
        """Listen no more and cut everything."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        with self._lock:
            self._is_closed = True  # whoever is still connecting cuts its own
        self.cut()

    def _copy(self) -> list[Link]:
        with self._lock:
            return list(self._links)

    def _accept(self) -> None:
        while True:
            try:
                client, (_, client_port) = self._door.accept()
            except OSError:
                return
            if self._mode == Mode.REFUSE:
                client.close()
                continue
            threading.Thread(target=self._connect, args=[client, client_port], daemon=True).start()

    def _connect(self, client: socket.socket, client_port: int) -> None:
        try:
            server = socket.create_connection(
                ("127.0.0.1", self.upstream_port), timeout=CONNECT_TIMEOUT_S
            )
        except OSError:
            client.close()
            return
        link = Link(client, server, client_port, is_swallowing=self._mode == Mode.HALF_OPEN)
        with self._lock:
            self._links.add(link)
            is_late = self._is_closed
        try:
            for end in (client, server):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # one of them has reset it already
            is_late = True
        if is_late:
            self._end(link)
            return
        threading.Thread(target=self._carry, args=[link, True], daemon=True).start()
        self._carry(link, False)

    def _carry(self, link: Link, is_request: bool) -> None:
        source, target = (link.client, link.server) if is_request else (link.server, link.client)
        try:
            while data := source.recv(self._piece_bytes()):
                if link.is_swallowing:
                    continue
                if not self._may_pass(link, data, is_request=is_request):
                    break
                self._slow_down(len(data))
                if not link.is_swallowing:  # it may have become half-open meanwhile
                    target.sendall(data)
        except OSError:
            pass
        # The end of one side is not told to the other if it is half-open: `bury` closes both.
        if not link.is_swallowing:
            self._end(link)

    def _end(self, link: Link, *, is_reset: bool = False) -> None:
        link.cut(is_reset=is_reset)
        with self._lock:
            self._links.discard(link)

    def _may_pass(self, link: Link, data: bytes, *, is_request: bool) -> bool:
        for trap in (*self._always, *self.traps):
            look = trap.sees_request if is_request else trap.sees_answer
            if not look(link, data):
                return False
        return not link.is_over.is_set()

    def _piece_bytes(self) -> int:
        # Small enough to leave drop by drop, not in one gush after a long silence.
        return max(self.bytes_per_s // 10, 1) if self.bytes_per_s else CHUNK_BYTES

    def _slow_down(self, size: int) -> None:
        seconds = self.delay_s + random.uniform(-self.jitter_s, self.jitter_s)
        if self.bytes_per_s:
            seconds += size / self.bytes_per_s
        if seconds > 0:
            time.sleep(seconds)
