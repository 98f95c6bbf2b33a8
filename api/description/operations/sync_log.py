"""The sync log, retries, the export, and figures over time."""

from datetime import timedelta

from api.description.operations.failures import (
    CHANGING,
    CROWDED,
    DASHBOARD,
    INVALID,
    JSON_BODY,
    MISSING,
    READ_ONLY,
    TOO_OFTEN,
    UNAUTHORIZED,
)
from api.description.operations.operation import Operation
from api.description.operations.samples import (
    ATTEMPT,
    CAME_IN,
    CONTACT_URL,
    LOG_ID,
    NOTE_HTML,
    SKIPPED,
    SYNCED,
    WARNING,
)
from api.log.filters import LogQuery, LogSelection, RetryOrder
from api.log.statistics import StatisticsQuery
from api.responses.statistics import Statistics, StatisticsPoint
from api.responses.sync_log import LogDetail, LogNote, LogPage, Requeued
from shared.log.periods import Step

READING = (
    Operation(
        method="get",
        path="/api/hubspot/sync-logs",
        name="getHubSpotSyncLogs",
        tag="sync log",
        summary="What became of calls, newest first",
        description=(
            "A page costs the same wherever it begins when it is asked for by `cursor`. Ask with"
            " `ids` to refresh entries that are on the screen."
        ),
        answer=LogPage,
        answered={
            "page": LogPage(
                logs=[SYNCED, SKIPPED],
                total=2,
                total_exact=True,
                limit=50,
                offset=0,
                next_cursor=None,
            )
        },
        failures=(INVALID, *DASHBOARD),
        security="bearer",
        query=LogQuery,
        query_example={
            "status": "skipped",
            "error_code": "contact_not_found",
            "phone": "+1 202 555 0123",
            "from": "2026-11-22T00:00:00Z",
            "limit": 20,
        },
        is_conditional=True,
    ),
    Operation(
        method="get",
        path="/api/hubspot/sync-logs/{log_id}",
        name="getSyncLog",
        tag="sync log",
        summary="One entry with its attempts and its note",
        description="The note is rendered from the call as it is stored, as workers render it.",
        answer=LogDetail,
        answered={
            "synced": LogDetail(
                log=SYNCED,
                attempts=[ATTEMPT],
                contact_url=CONTACT_URL,
                warnings=[WARNING],
                note=LogNote(html=NOTE_HTML, written=True),
            ),
            "without contents": LogDetail(
                log=SYNCED, attempts=[], contact_url=None, warnings=[], note=None
            ),
        },
        failures=(MISSING, *DASHBOARD),
        security="bearer",
        is_conditional=True,
    ),
    Operation(
        method="get",
        path="/api/hubspot/sync-logs/export",
        name="exportSyncLogs",
        tag="sync log",
        summary="The sync log as CSV, newest first",
        description=(
            "Times are RFC 3339 in UTC. A cell that a spreadsheet might run as a formula (it"
            " begins with = + - @, a tab or a line end; phone numbers do) or that begins with an"
            " apostrophe gets one apostrophe more in front: programs take one away. At most"
            " 100,000 rows; X-Truncated says whether there are more, then ask with `to` for older"
            " ones. One at a time, and 12 or 120,000 rows a minute; whoever reads nothing of it for"
            " a minute is given up. Should the database fail meanwhile, the last line says that the"
            " export broke off."
        ),
        media_type="text/csv",
        answered={
            "two rows": (
                "created_at,call_id,phone_number,status,error_code,error_message,contact_id,"
                "engagement_id,attempts,next_attempt_at,updated_at,id\r\n"
                "2026-11-22T10:00:00.000Z,call_xyz,'+12025550123,success,,,701,8801,1,,"
                f"2026-11-22T10:00:01.000Z,{LOG_ID}\r\n"
            )
        },
        headers={
            "Content-Disposition": "Names the file.",
            "X-Truncated": "`true` when more entries match than the file has, else `false`.",
        },
        failures=(INVALID, UNAUTHORIZED, READ_ONLY, TOO_OFTEN, CROWDED),
        security="bearer",
        query=LogSelection,
        query_example={"status": "error", "from": "2026-11-01T00:00:00Z"},
    ),
    Operation(
        method="get",
        path="/api/hubspot/statistics",
        name="getStatistics",
        tag="sync log",
        summary="How calls ended over time, and how long they took",
        description=(
            "By the time at which calls came in: the last 24 hours by hour, or 30 days by day, or"
            " the period that is asked for, widened to whole steps. Hours and days are those that a"
            " clock of the time zone shows; where it is changed, they are longer or shorter."
        ),
        answer=Statistics,
        answered={
            "two hours": Statistics(
                bucket=Step.HOUR,
                since=CAME_IN,
                until=CAME_IN + timedelta(hours=2),
                points=[
                    StatisticsPoint(
                        at=CAME_IN,
                        pending=0,
                        success=40,
                        error=1,
                        skipped=3,
                        latency_p50_ms=840,
                        latency_p95_ms=2100,
                    ),
                    StatisticsPoint(
                        at=CAME_IN + timedelta(hours=1),
                        pending=2,
                        success=0,
                        error=0,
                        skipped=0,
                        latency_p50_ms=None,
                        latency_p95_ms=None,
                    ),
                ],
            )
        },
        failures=(INVALID, *DASHBOARD),
        security="bearer",
        query=StatisticsQuery,
        query_example={
            "bucket": "day",
            "time_zone": "Europe/Berlin",
            "from": "2026-11-01T00:00:00Z",
            "to": "2026-11-22T00:00:00Z",
        },
        is_conditional=True,
    ),
)
RETRYING = (
    Operation(
        method="post",
        path="/api/hubspot/sync-logs/{log_id}/retry",
        name="retrySyncLog",
        tag="sync log",
        summary="Try one failed or skipped call again",
        description="A call that is synced is never written again: it counts as ignored.",
        answer=Requeued,
        answered={
            "requeued": Requeued(requeued=1, ignored=0),
            "synced already": Requeued(requeued=0, ignored=1),
        },
        status=202,
        failures=(MISSING, *CHANGING),
        security="bearer",
    ),
    Operation(
        method="post",
        path="/api/hubspot/sync-logs/retry",
        name="retrySyncLogs",
        tag="sync log",
        summary="Try failed or skipped calls again",
        description=(
            "Either up to 1,000 ids, or the newest 10,000 of a filter: ask again until `requeued`"
            " is 0. One at a time, and 20 or 20,000 entries a minute."
        ),
        answer=Requeued,
        answered={"requeued": Requeued(requeued=12, ignored=3)},
        status=202,
        failures=(*JSON_BODY, *CHANGING),
        security="bearer",
        body=RetryOrder,
        asked={
            "selected": {"ids": [LOG_ID]},
            "all that failed": {"status": "error"},
            "an outage": {
                "error_code": "hubspot_unavailable",
                "from": "2026-11-22T08:00:00Z",
                "to": 1795341600000,
            },
        },
    ),
)
OPERATIONS = (*READING, *RETRYING)
