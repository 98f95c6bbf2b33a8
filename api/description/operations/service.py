"""The service itself: health, figures, and what describes it."""

from api.description.operations.failures import NOT_READY, SWITCHED_OFF
from api.description.operations.operation import Operation
from api.responses.service import Alive, Ready
from shared.database.schema import REQUIRED_REVISION

OPERATIONS = (
    Operation(
        method="get",
        path="/healthz",
        name="getHealth",
        tag="operation",
        summary="Whether the process lives",
        description="Whatever its servers do.",
        answer=Alive,
        answered={"alive": Alive()},
    ),
    Operation(
        method="get",
        path="/readyz",
        name="getReadiness",
        tag="operation",
        summary="Whether requests can be served",
        description="Redis may be degraded: calls are stored, and synced later.",
        answer=Ready,
        answered={"ready": Ready(schema_revision=REQUIRED_REVISION, redis="ok")},
        failures=(NOT_READY,),
    ),
    Operation(
        method="get",
        path="/metrics",
        name="getMetrics",
        tag="operation",
        summary="Prometheus metrics",
        description="In Prometheus's text format.",
        media_type="text/plain",
        answered={"a gauge": "# TYPE callsync_postgres_up gauge\ncallsync_postgres_up 1.0\n"},
    ),
    Operation(
        method="get",
        path="/openapi.json",
        name="getOpenApi",
        tag="operation",
        summary="This document",
        description="OpenAPI 3.1.",
        media_type="application/json",
        answered={"start": '{"openapi": "3.1.0"}'},
    ),
    Operation(
        method="get",
        path="/docs",
        name="getDocs",
        tag="operation",
        summary="This document to read and try",
        description="Works with a token: press Authorize.",
    ),
    Operation(
        method="get",
        path="/",
        name="getDashboard",
        tag="operation",
        summary="The dashboard",
        description="A page; the token is taken from the address's fragment, `#token=…`. Not there"
        " where `BUILT_IN_PAGE` is off.",
        failures=(SWITCHED_OFF,),
    ),
)
