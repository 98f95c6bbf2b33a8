"""A small threaded WSGI server that keeps connections alive and can drop them as faults ask.

Werkzeug's server closes every connection after one answer, and no production server lets an
application reset a connection; the sandbox needs both.
"""

import contextlib
import io
import os
import socket
import struct
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from wsgiref.types import WSGIApplication

from sandbox.replies import ConnectionDroppedError


class SandboxServer(ThreadingHTTPServer):
    """Serves one WSGI application, a thread for each connection."""

    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, app: WSGIApplication, port: int = 0, host: str = "127.0.0.1") -> None:
        self.app = app
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://{self.server_address[0]!s}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that went away; show everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def run_in_thread(app: WSGIApplication, port: int = 0) -> Iterator[SandboxServer]:
    """Serve in a thread for as long as the context lasts; port 0 takes a free one."""
    server = SandboxServer(app, port)
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: SandboxServer
    protocol_version = "HTTP/1.1"
    # Answers go out in one write, at once: otherwise Nagle's algorithm adds 40 ms to each.
    wbufsize = -1
    disable_nagle_algorithm = True

    def serve(self) -> None:
        try:
            status, headers, content = self._call()
        except ConnectionDroppedError as error:
            self.close_connection = True
            if error.is_reset:
                _reset(self.connection)
            return
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    # The names that http.server looks up; no other method is served.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815

    def _call(self) -> tuple[str, list[tuple[str, str]], bytes]:
        """Run the application; return status, headers with a length, and the whole body."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
            started[:] = [status, headers]

        answer = self.server.app(self._environ(), start_response)
        try:
            content = b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        status, headers = started
        names = {name.lower() for name, _ in headers}
        if "content-length" not in names and not status.startswith("204"):
            headers.append(("Content-Length", str(len(content))))
        return status, headers, content

    def _environ(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": urllib.parse.unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return environ


def _reset(connection: socket.socket) -> None:
    """Close a connection so that the client sees a TCP reset.

    With a zero linger time closing sends RST; detaching closes at once although the handler's
    files still refer to the socket.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())
