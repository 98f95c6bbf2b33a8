"""Every operation of the API as the OpenAPI document describes it, one entry for each route."""

from api.description.operations import auditing, calls, connection, service, sync_log, trials

TAGS = {
    "webhooks": "Tell the service of finished calls. Signed as Standard Webhooks says.",
    "connection": "Connect a workspace to HubSpot, see how it is, and end it.",
    "sync log": "What became of each call, and why; try again what failed.",
    "trials": "Try the service out before the first real call.",
    "audit trail": "Who did what to a workspace's connection and calls.",
    "operation": "For those who run the service.",
}

OPERATIONS = (
    *calls.OPERATIONS,
    *connection.OPERATIONS,
    *sync_log.OPERATIONS,
    *trials.OPERATIONS,
    *auditing.OPERATIONS,
    *service.OPERATIONS,
)
