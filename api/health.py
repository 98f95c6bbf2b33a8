"""For machines that watch: liveness, readiness and metrics, and a port of their own for these.

On that port probes and metrics get responses whatever webhooks hold: it shows that this
process runs and its threads get their turns. Each worker process of a server opens it for itself,
on the same port, and the kernel gives each probe to one of them.
"""

import sys
from collections.abc import Callable
from io import StringIO
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import Any, Final, Literal, Self, TextIO, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from flask import Blueprint, Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.context.services import EXTENSION, services
from api.description.operations import Failures, Operation
from api.http.error_responses import handle_errors
from api.http.errors import ApiError, TryLaterError
from api.http.responses import Success, respond
from shared.database.schema import MIGRATE, REQUIRED_REVISION, describe_age
from shared.telemetry.exposition import render_metrics

log = structlog.get_logger(__name__)

blueprint = Blueprint("health", __name__)

# Who says nothing for so long is hung up on.
SILENCE_S: Final = 5.0


class Alive(Success):
    """The process answers."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {"alive": cls()}


class Ready(Success):
    """Requests can be served."""

    postgres: Literal["ok"] = "ok"
    """Always ok, else the status is 503."""
    schema_revision: str
    """The database's migration."""
    redis: Literal["ok", "degraded"]
    """Degraded: nothing is lost, calls are synced later."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {"ready": cls(schema_revision=REQUIRED_REVISION, redis="ok")}


class PostgresAwayError(TryLaterError):
    code = "postgres_away"
    usual = "Postgres does not answer within a second."


class OldSchemaError(TryLaterError):
    code = "schema_too_old"

    @classmethod
    def example(cls) -> ApiError:
        return cls(f"{describe_age('0001')} {MIGRATE}")


NOT_READY: Final = Failures(
    "NotReady", "Requests cannot be served.", (PostgresAwayError, OldSchemaError)
)


@blueprint.get("/healthz")
@Operation("getHealth", "operation", response=Alive)
def show_liveness() -> Response:
    """Whether the process lives.

    Whatever its servers do.
    """
    return respond(Alive())


@blueprint.get("/readyz")
@Operation("getReadiness", "operation", response=Ready, failures=(NOT_READY,))
def show_readiness() -> Response:
    """Whether requests can be served.

    Redis may be degraded: calls are stored, and synced later.
    """
    probes = services().probes
    revision = probes.find_revision()
    if revision is None:
        raise PostgresAwayError
    if problem := describe_age(revision):
        raise OldSchemaError(f"{problem} {MIGRATE}")
    return respond(
        Ready(schema_revision=revision, redis="ok" if probes.redis_answers() else "degraded")
    )


@blueprint.get("/metrics")
@Operation(
    "getMetrics",
    "operation",
    media_type="text/plain",
    examples={"a gauge": "# TYPE callsync_postgres_up gauge\ncallsync_postgres_up 1.0\n"},
)
def show_metrics() -> Response:
    """Prometheus metrics.

    In Prometheus's text format.
    """
    return Response(render_metrics([services().gauges]), content_type=CONTENT_TYPE_LATEST)


class _Handler(WSGIRequestHandler):
    timeout = SILENCE_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Say nothing: a probe every few seconds is no event."""

    def get_stderr(self) -> TextIO:
        """Where wsgiref says who took nothing of a response. What fails in the app, Flask logs."""
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
