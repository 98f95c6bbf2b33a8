"""The sync log as the dashboard sees it, and retries by hand."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import structlog
from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from api.context.quotas import RETRYING_MANY
from api.context.rationing import ration, take_break, take_turn
from api.context.services import services
from api.context.tenants import current_tenant, find_own_connection, guard, open_to_viewers
from api.description.operations import Operation
from api.http.bodies import read_model, takes_body
from api.http.errors import KIB, NotFoundError
from api.http.queries import read_query
from api.http.responses import respond, respond_if_changed
from api.identity.auth import Tenant
from api.log.auditing import audit
from api.log.entries import (
    LOG_ID,
    IntakeWarning,
    LogAttempt,
    LogDelivery,
    LogDetail,
    LogEntry,
    LogNote,
    LogPage,
    Requeued,
)
from api.log.filters import LogQuery, LogSelection, RetryOrder, write_cursor
from shared.activities.rendering import render_note
from shared.calls.content import CallContent
from shared.connections.lifecycle import CONNECTED
from shared.log.growth import find_deliveries, find_growth
from shared.log.replays import requeue_batch, requeue_calls
from shared.log.sync_logs import (
    MOST_COUNTED,
    LogFilter,
    Position,
    count_logs,
    find_attempts,
    find_contents,
    find_log,
    find_logs,
)
from shared.matching.preferences import region_of
from shared.models import Connection, SyncLog
from shared.privacy.audit import Action
from shared.reasons import Status

log = structlog.get_logger(__name__)

blueprint = Blueprint("sync_logs", __name__, url_prefix="/api/hubspot/sync-logs")
guard(blueprint)

MOST_REPLAYED: Final = 10_000
BATCH: Final = 1000
ENTRY: Final = {"log_id": ("The entry's id.", LOG_ID)}


class NoSuchEntryError(NotFoundError):
    """There is no such entry, or it is not yours: the two look the same."""

    usual = "There is no such entry in this sync log."


@blueprint.get("")
@open_to_viewers
@Operation("getHubSpotSyncLogs", "sync log", response=LogPage, query=LogQuery, is_conditional=True)
def list_logs() -> Response:
    """What became of calls, newest first.

    A page costs the same wherever it begins when it is asked for by `cursor`. Ask with `ids` to
    refresh entries that are on the screen.
    """
    query = read_query(LogQuery, request.args)
    offset = query.offset or 0
    with services().database.begin() as session:
        wanted = select_logs(session, query)
        found = find_logs(session, wanted, limit=query.limit, offset=offset, after=query.cursor)
        total = count_logs(session, wanted)
        logs = describe_logs(session, found.logs)
    return respond_if_changed(
        LogPage(
            logs=logs,
            total=min(total, MOST_COUNTED),
            total_exact=total <= MOST_COUNTED,
            limit=query.limit,
            offset=offset,
            next_cursor=write_cursor(found.next_position) if found.next_position else None,
        )
    )


@blueprint.get("/<log_id>")
@open_to_viewers
@Operation(
    "getSyncLog",
    "sync log",
    path=ENTRY,
    response=LogDetail,
    failures=(NoSuchEntryError,),
    is_conditional=True,
)
def show_log(log_id: str) -> Response:
    """One entry with what came in of the call, its attempts and its note.

    The note is rendered from the call as it is stored, as workers render it.
    """
    tenant = current_tenant()
    with services().database.begin() as session:
        entry = _require_log(session, log_id, tenant)
        attempts = find_attempts(session, log_id)
        connection = find_own_connection(session)
        contents = find_contents(session, log_id)
        deliveries = find_deliveries(session, log_id)
        (described,) = describe_logs(session, [entry])
    return respond_if_changed(
        LogDetail(
            log=described,
            attempts=[LogAttempt.model_validate(each) for each in attempts],
            deliveries=[LogDelivery.model_validate(each) for each in deliveries],
            contact_url=_contact_url(entry, connection),
            warnings=[IntakeWarning.model_validate(each) for each in entry.warnings or ()],
            note=_describe_note(entry, contents),
        )
    )


@blueprint.post("/<log_id>/retry")
@Operation(
    "retrySyncLog",
    "sync log",
    path=ENTRY,
    response=Requeued,
    status=202,
    failures=(NoSuchEntryError,),
)
def retry_log(log_id: str) -> Response:
    """Try one failed or skipped call again.

    A note that exists is not written a second time. If what came in later could not be written to
    it, or was held back, that is done now; any other call that is synced counts as ignored.
    """
    tenant = current_tenant()
    with services().database.begin() as session:
        _require_log(session, log_id, tenant)
    return _respond_to_replay(_replay_ids([log_id], tenant), asked=1)


@blueprint.post("/retry")
@takes_body(64 * KIB)  # a thousand ids
@Operation(
    "retrySyncLogs",
    "sync log",
    body=RetryOrder,
    asked={
        "selected": {"ids": [LOG_ID]},
        "all that failed": {"status": "error"},
        "what notes could not be completed with": {"update": "failed"},
        "an outage": {
            "error_code": "hubspot_unavailable",
            "from": "2026-11-22T08:00:00Z",
            "to": 1795341600000,
        },
    },
    response=Requeued,
    status=202,
)
def retry_logs() -> Response:
    """Try failed or skipped calls again, and updates of notes that failed or were held back.

    Either up to 1,000 ids, or the newest 10,000 of a filter: ask again until `requeued` is 0. One
    at a time, and 20 or 20,000 entries a minute.
    """
    tenant, order = current_tenant(), read_model(RetryOrder)
    turn = take_turn("retry", tenant)
    try:
        ration(RETRYING_MANY, tenant)
        if order.ids is not None:
            ids = list(dict.fromkeys(order.ids))
            return _respond_to_replay(_replay_ids(ids, tenant), asked=len(ids))
        requeued, met = _replay_matching(order, tenant)
    finally:
        turn.give_back()
    return _respond_to_replay(requeued, asked=met)


def _replay_matching(order: RetryOrder, tenant: Tenant) -> tuple[int, int]:
    """Retry the newest calls of a filter; how many, and of how many that were looked at."""
    met = requeued = 0
    for wanted in order.filters(tenant):
        position: Position | None = None
        while met < MOST_REPLAYED:
            began = time.monotonic()
            # A transaction for each batch: ten thousand rows would be locked for seconds.
            with services().database.begin() as session:
                batch = requeue_batch(session, wanted, size=BATCH, after=position)
                _audit_retry(session, batch.requeued)
            met, requeued = met + batch.met, requeued + batch.requeued
            position = batch.next_position
            services().buckets.owe(RETRYING_MANY, tenant, batch.met / BATCH)
            if position is None:
                break
            take_break(time.monotonic() - began)
    return requeued, met


def select_logs(session: Session, query: LogSelection) -> LogFilter:
    """The asking tenant's entries that are meant; a phone number is read in their region."""
    region = region_of(find_own_connection(session), services().settings) if query.phone else ""
    return query.filter(current_tenant(), region=region)


def _replay_ids(ids: list[str], tenant: Tenant) -> int:
    with services().database.begin() as session:
        requeued = requeue_calls(
            session, ids, user_id=tenant.user_id, workspace_id=tenant.workspace_id
        )
        _audit_retry(session, requeued)
    return requeued


def _audit_retry(session: Session, requeued: int) -> None:
    if requeued:
        audit(session, Action.RETRIED, **asdict(current_tenant()), calls=requeued)


def _respond_to_replay(requeued: int, *, asked: int) -> Response:
    with services().database.begin() as session:
        connection = find_own_connection(session)
    if requeued and connection is not None and connection.state == CONNECTED:
        services().waker.wake(connection.id)
    log.info(
        "calls_requeued",
        requeued=requeued,
        ignored=asked - requeued,
        **asdict(current_tenant()),
    )
    return respond(Requeued(requeued=requeued, ignored=asked - requeued), 202)


def _require_log(session: Session, log_id: str, tenant: Tenant) -> SyncLog:
    found = None
    if "\x00" not in log_id:  # Postgres refuses it
        found = find_log(session, log_id, user_id=tenant.user_id, workspace_id=tenant.workspace_id)
    if found is None:
        raise NoSuchEntryError
    return found


def describe_logs(session: Session, logs: Sequence[SyncLog]) -> list[LogEntry]:
    """The entries as responses show them, with what is told of their calls' growth."""
    growth = find_growth(session, [each.id for each in logs])
    return [
        LogEntry.model_validate(each).model_copy(update=asdict(growth[each.id])) for each in logs
    ]


def _contact_url(entry: SyncLog, connection: Connection | None) -> str | None:
    if entry.hub_id is None or entry.contact_id is None:
        return None
    return services().contact_url(entry.hub_id, entry.contact_id, connection)


def _describe_note(entry: SyncLog, contents: CallContent | None) -> LogNote | None:
    if contents is None:
        return None
    return LogNote(
        html=render_note(contents, call_id=entry.call_id, log_id=entry.id),
        written=entry.status == Status.SUCCESS,
    )
