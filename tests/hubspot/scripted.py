"""A real HTTP server that answers as it is told, well or badly."""

import json
import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "ScriptedServer"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def handle_one_request(self) -> None:
        if self.server.script and self.server.script[0] is reset_unread:
            self.server.script.popleft()(self)
            return
        super().handle_one_request()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append(Received(self.command, self.path, self.headers, body))
        self.server.script.popleft()(self)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def write(self, raw: bytes) -> None:
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


Step = Callable[[Handler], None]


class ScriptedServer(ThreadingHTTPServer):
    """Takes one step of `script` for each request and keeps what it received."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: deque[Step] = deque()
        self.received: list[Received] = []
        self.connections = 0
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def then(self, *steps: Step) -> None:
        self.script.extend(steps)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of the script."""


@contextmanager
def serving(server: ScriptedServer) -> Iterator[ScriptedServer]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Reply:
    """A whole answer; anything but bytes is sent as JSON."""

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, handler: Handler) -> None:
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        handler.send_response_only(self.status, "As told")
        for name, value in self.headers.items():
            handler.send_header(name, value)
        if self.status != 204:
            handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.write(raw)


@dataclass(frozen=True)
class Broken:
    """Writes `raw` as it stands and closes the connection."""

    raw: bytes

    def __call__(self, handler: Handler) -> None:
        handler.close_connection = True
        handler.write(self.raw)


def reset(handler: Handler) -> None:
    """Answer with a TCP reset."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.rfile.close()
    handler.connection.close()


def reset_unread(handler: Handler) -> None:
    """Reset the connection when something has come and before it is read."""
    select.select([handler.connection], [], [], 10)
    reset(handler)


def hang(handler: Handler) -> None:
    handler.server.closing.wait(10)
    handler.close_connection = True


def trickle(handler: Handler) -> None:
    """Send a body so slowly that no single read times out."""
    handler.close_connection = True
    handler.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not handler.server.closing.wait(0.05):
        handler.write(b" ")


def trickle_headers(handler: Handler) -> None:
    """Send headers so slowly that no single read times out."""
    handler.close_connection = True
    handler.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.closing.wait(0.05):
        handler.write(b"a")


def go_on_for_ever(handler: Handler) -> None:
    """Say that the request may go on, again and again."""
    handler.close_connection = True
    while not handler.server.closing.wait(0.05):
        handler.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def trickle_nothing(handler: Handler) -> None:
    """Send a compressed body that never becomes text: its file's name has no end."""
    handler.close_connection = True
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n"
    handler.write(head + b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\xff")
    while not handler.server.closing.wait(0.05):
        handler.write(b"a")


def trickle_trailers(handler: Handler) -> None:
    """Send what may follow the last chunk, without end."""
    handler.close_connection = True
    handler.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
    while not handler.server.closing.wait(0.05):
        handler.write(b"X: a\r\n")


def flood(handler: Handler) -> None:
    """Send more than anyone should take."""
    handler.close_connection = True
    piece = b" " * 1024 * 1024
    handler.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * len(piece)))
    for _ in range(64):
        handler.write(piece)
