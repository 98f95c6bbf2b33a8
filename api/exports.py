"""The sync log as a file: read page by page while it is sent."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import structlog
from flask import Blueprint, Response, request
from sqlalchemy.exc import SQLAlchemyError

from api.auditing import audit
from api.log_queries import LogSelection
from api.queries import read_query
from api.services import Services, services
from api.slots import Slot
from api.spreadsheets import write_header, write_rows
from api.sync_logs import select_logs
from api.tenants import current_tenant, guard
from shared.audit import Action
from shared.sync_logs import LogFilter, Position, count_logs, find_logs

log = structlog.get_logger(__name__)

blueprint = Blueprint("exports", __name__, url_prefix="/api/hubspot/sync-logs")
guard(blueprint)

MOST_ROWS: Final = 100_000
PAGE: Final = 1000
BROKEN_OFF: Final = "The export broke off here: the database did not answer. Ask again.\r\n"
FILE_NAME: Final = "sync-log.csv"


@blueprint.get("/export")
def export_logs() -> Response:
    work, query = services(), read_query(LogSelection, request.args)
    with work.database.begin() as session:
        wanted = select_logs(session, query)
        is_truncated = count_logs(session, wanted, most=MOST_ROWS) > MOST_ROWS
    slot = work.export_slots.take()
    try:
        # Before a line of it is read: one that breaks off has told what it told.
        with work.database.begin() as session:
            tenant = asdict(current_tenant())
            audit(session, Action.EXPORTED, **tenant, filter=_describe_filter(query))
    except BaseException:
        slot.give_back()
        raise
    response = Response(_write(work, wanted, slot), mimetype="text/csv")
    # For readers that are gone before the first line.
    response.call_on_close(slot.give_back)
    response.headers["Content-Disposition"] = f'attachment; filename="{FILE_NAME}"'
    response.headers["X-Truncated"] = "true" if is_truncated else "false"
    log.info("logs_exported", is_truncated=is_truncated, **asdict(current_tenant()))
    return response


def _describe_filter(query: LogSelection) -> dict[str, str]:
    """What was asked for. Of numbers and of the producer's ids it is only said that there was one.

    A person's may be either.
    """
    asked = query.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        name: "given" if name in {"phone", "call_id"} else str(value)
        for name, value in asked.items()
    }


def _write(work: Services, wanted: LogFilter, slot: Slot) -> Iterator[str]:
    try:
        yield write_header()
        yield from _write_pages(work, wanted)
    except SQLAlchemyError as error:
        log.warning("export_broke_off", error=type(error).__name__)
        # Servers may end the answer as if it were whole: whoever reads the file must see it.
        yield BROKEN_OFF
        raise
    finally:
        slot.give_back()


def _write_pages(work: Services, wanted: LogFilter) -> Iterator[str]:
    """The newest entries, up to `MOST_ROWS`; no transaction is open while a page is sent."""
    position: Position | None = None
    for _ in range(MOST_ROWS // PAGE):
        with work.database.begin() as session:
            found = find_logs(session, wanted, limit=PAGE, after=position)
        yield write_rows(found.logs)
        position = found.next_position
        if position is None:
            return
