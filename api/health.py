"""For machines that watch: liveness, readiness and metrics."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.context.services import services
from api.http.errors import TryLaterError
from api.responses.base import answer
from api.responses.service import Alive, Ready
from shared.database.schema import MIGRATE, describe_age
from shared.telemetry.exposition import render_metrics

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def show_liveness() -> Response:
    return answer(Alive())


@blueprint.get("/readyz")
def show_readiness() -> Response:
    probes = services().probes
    revision = probes.find_revision()
    if revision is None:
        raise TryLaterError("Postgres does not answer within a second.", code="postgres_away")
    if problem := describe_age(revision):
        raise TryLaterError(f"{problem} {MIGRATE}", code="schema_too_old")
    return answer(
        Ready(schema_revision=revision, redis="ok" if probes.redis_answers() else "degraded")
    )


@blueprint.get("/metrics")
def show_metrics() -> Response:
    return Response(render_metrics([services().gauges]), content_type=CONTENT_TYPE_LATEST)
