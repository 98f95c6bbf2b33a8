"""For machines that watch: liveness, readiness and metrics."""

from collections.abc import Iterator

import structlog
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from api.answers import Alive, Ready, answer
from api.errors import TryLaterError
from api.services import services
from shared.backlog import read_backlog
from shared.db import Database
from shared.metrics import render_metrics

log = structlog.get_logger(__name__)

blueprint = Blueprint("health", __name__)

# The oldest schema this build can work with; as numbered in alembic/versions.
REQUIRED_REVISION = "0002"


@blueprint.get("/healthz")
def show_liveness() -> Response:
    return answer(Alive())


@blueprint.get("/readyz")
def show_readiness() -> Response:
    probes = services().probes
    revision = probes.find_revision()
    if revision is None:
        raise TryLaterError("Postgres does not answer within a second.", code="postgres_away")
    if revision < REQUIRED_REVISION:
        raise TryLaterError(
            f"The schema is at revision {revision or 'none'}, older than {REQUIRED_REVISION}."
            " Run: alembic upgrade head",
            code="schema_too_old",
        )
    return answer(
        Ready(schema_revision=revision, redis="ok" if probes.redis_answers() else "degraded")
    )


@blueprint.get("/metrics")
def show_metrics() -> Response:
    text = render_metrics([BacklogCollector(services().database)])
    return Response(text, content_type=CONTENT_TYPE_LATEST)


class BacklogCollector(Collector):
    """The backlog as gauges; without Postgres only `callsync_postgres_up 0` is left of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        try:
            with self._database.begin() as session:
                backlog = read_backlog(session)
        except SQLAlchemyError as error:
            log.warning("metrics_incomplete", error=type(error).__name__)
            yield GaugeMetricFamily("callsync_postgres_up", "Whether Postgres answers.", value=0)
            return
        yield GaugeMetricFamily("callsync_postgres_up", "Whether Postgres answers.", value=1)
        calls = GaugeMetricFamily("callsync_calls", "Calls in the queue.", labels=["kind"])
        calls.add_metric(["pending"], backlog.pending)
        calls.add_metric(["due"], backlog.due)
        calls.add_metric(["claimed"], backlog.claimed)
        yield calls
        yield GaugeMetricFamily(
            "callsync_oldest_due_seconds",
            "How long the oldest due call has waited to be taken up.",
            value=backlog.oldest_due_seconds,
        )
        connections = GaugeMetricFamily(
            "callsync_connections", "Connections by state.", labels=["state"]
        )
        for state, count in backlog.connections.items():
            connections.add_metric([state], count)
        yield connections
