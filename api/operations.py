"""Every operation of the API as the OpenAPI document describes it, one entry for each route."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Literal

from pydantic import BaseModel

from api import answers
from api.call_ended import CallEnded
from api.connection import SettingsChange
from api.log_queries import LogQuery, RetryOrder

Security = Literal["bearer", "signature"] | None


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    `answer` is the body of a success, one of several if it is a union, None for pages and
    redirects; `failures` are the statuses that are answered with the error envelope. `parameters`
    (of the query), `headers` and `form` say of each what it is.
    """

    method: str
    path: str
    tag: str
    summary: str
    answer: type[BaseModel] | UnionType | None = None
    status: int = 200
    failures: tuple[int, ...] = ()
    security: Security = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "text/html"


DASHBOARD = (401, 503)

OPERATIONS = (
    Operation(
        "post",
        "/api/webhooks/call-ended",
        "webhooks",
        "Record a finished call; other types are acknowledged and ignored",
        answers.CallAccepted | answers.WebhookIgnored,
        status=202,
        failures=(400, 401, 403, 413, 415, 503),
        security="signature",
        body=CallEnded,
        headers={
            "webhook-id": "names the delivery; part of what is signed",
            "webhook-timestamp": "epoch seconds, at most 5 minutes off; part of what is signed",
        },
    ),
    Operation(
        "get",
        "/api/hubspot/oauth/initiate",
        "connection",
        "Start connecting: where to send the browser",
        answers.AuthorizationStarted,
        failures=(400, *DASHBOARD),
        security="bearer",
        parameters={"return_to": "where the browser returns to, within the allowed origins"},
    ),
    Operation(
        "get",
        "/api/hubspot/oauth/callback",
        "connection",
        "HubSpot sends the browser here; redirects with hubspot=connected or hubspot=error",
        status=302,
        parameters={"code": "by HubSpot", "state": "by HubSpot", "error": "by HubSpot"},
    ),
    Operation(
        "post",
        "/api/hubspot/oauth/confirm",
        "connection",
        "The form that confirms a connection; redirects like the callback",
        status=302,
        form={"grant": "from the page that asks", "decision": "connect, or else nothing is"},
    ),
    Operation(
        "get",
        "/api/hubspot/status",
        "connection",
        "The state of the connection and counts of calls; cheap enough to poll",
        answers.ConnectionStatus,
        failures=DASHBOARD,
        security="bearer",
    ),
    Operation(
        "get",
        "/api/hubspot/settings",
        "connection",
        "How phone numbers are read and matched",
        answers.ConnectionSettings,
        failures=DASHBOARD,
        security="bearer",
    ),
    Operation(
        "patch",
        "/api/hubspot/settings",
        "connection",
        "Change some settings; null goes back to the default",
        answers.ConnectionSettings,
        failures=(400, 413, 415, *DASHBOARD),
        security="bearer",
        body=SettingsChange,
    ),
    Operation(
        "delete",
        "/api/hubspot/disconnect",
        "connection",
        "Disconnect; HubSpot is told in the background",
        answers.Disconnected,
        failures=DASHBOARD,
        security="bearer",
    ),
    Operation(
        "get",
        "/api/hubspot/sync-logs",
        "sync log",
        "What became of calls, newest first",
        answers.LogPage,
        failures=(400, *DASHBOARD),
        security="bearer",
        query=LogQuery,
    ),
    Operation(
        "get",
        "/api/hubspot/sync-logs/{log_id}",
        "sync log",
        "One entry with its attempts",
        answers.LogDetail,
        failures=(404, *DASHBOARD),
        security="bearer",
    ),
    Operation(
        "post",
        "/api/hubspot/sync-logs/{log_id}/retry",
        "sync log",
        "Try one failed or skipped call again",
        answers.Requeued,
        status=202,
        failures=(404, *DASHBOARD),
        security="bearer",
    ),
    Operation(
        "post",
        "/api/hubspot/sync-logs/retry",
        "sync log",
        "Try failed or skipped calls again: up to 1,000 ids, or the 10,000 newest of a filter",
        answers.Requeued,
        status=202,
        failures=(400, 413, 415, *DASHBOARD),
        security="bearer",
        body=RetryOrder,
    ),
    Operation("get", "/healthz", "operation", "Whether the process lives", answers.Alive),
    Operation(
        "get",
        "/readyz",
        "operation",
        "Whether requests can be served; Redis may be degraded",
        answers.Ready,
        failures=(503,),
    ),
    Operation("get", "/metrics", "operation", "Prometheus metrics", media_type="text/plain"),
    Operation("get", "/openapi.json", "operation", "This document", media_type="application/json"),
    Operation("get", "/docs", "operation", "This document to read and try"),
    Operation("get", "/", "operation", "The dashboard"),
)
