"""A port of its own for those who watch: whatever webhooks hold, probes and metrics are answered.

What it shows is that this process runs and its threads get their turns. Each worker process of a
server opens it for itself, on the same port, and the kernel gives each probe to one of them.
"""

import sys
from collections.abc import Callable
from io import StringIO
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import Any, Final, TextIO, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from flask import Flask

from api.context.services import EXTENSION
from api.health import blueprint
from api.http.errors import handle_errors

log = structlog.get_logger(__name__)

# Who says nothing for so long is hung up on.
SILENCE_S: Final = 5.0


class _Handler(WSGIRequestHandler):
    timeout = SILENCE_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Say nothing: a probe every few seconds is no event."""

    def get_stderr(self) -> TextIO:
        """Where wsgiref says who took nothing of an answer. What fails in the app, Flask logs."""
        return StringIO()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_port = True

    def server_bind(self) -> None:
        # Not HTTPServer's, which looks up the host's name, however long that takes.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = cast("tuple[str, int]", self.server_address[:2])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 -- its names
        # Who leaves, or is silent, is no event either: scanners and checks of the port do so.
        if not isinstance(error := sys.exception(), OSError):
            log.error("probe_failed", exc_info=error)


def serve_health(app: Flask, port: int) -> Callable[[], None]:
    """Answer `/healthz`, `/readyz` and `/metrics` of an app on a port, from threads of their own.

    Returns what ends it. Raises OSError when the port is another program's, unless that shares it
    too and runs as the same user: then each gets some of the probes.
    """
    own = Flask(__name__, static_folder=None)
    own.extensions[EXTENSION] = app.extensions[EXTENSION]
    handle_errors(own)
    own.register_blueprint(blueprint)
    server = _Server(("", port), _Handler)
    server.set_app(own)
    Thread(target=server.serve_forever, name="health", daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
