"""The sync log as a file: read page by page while it is sent."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final, Self

import structlog
from flask import Blueprint, Response, request
from sqlalchemy.exc import SQLAlchemyError

from api.context.quotas import EXPORTING
from api.context.rationing import ration, take_break, take_turn
from api.context.services import Services, services
from api.context.tenants import current_tenant, guard
from api.description.operations import CROWDED, Operation
from api.http.errors import BusyError
from api.http.queries import read_query
from api.http.slots import Slot
from api.http.slow_peers import give_up_stalled_readers
from api.identity.auth import Tenant
from api.log.auditing import audit
from api.log.entries import LogEntry
from api.log.filters import LogSelection
from api.log.spreadsheets import write_header, write_rows
from api.log.sync_logs import describe_logs, select_logs
from shared.log.sync_logs import LogFilter, Position, count_logs, find_logs
from shared.privacy.audit import Action

log = structlog.get_logger(__name__)

blueprint = Blueprint("exports", __name__, url_prefix="/api/hubspot/sync-logs")
guard(blueprint)

MOST_ROWS: Final = 100_000
# A thread that makes a page keeps the interpreter from the others for as long.
PAGE: Final = 250
# An export uses the quota once, and as often again as it has so many.
ROWS_A_USE: Final = 10_000
# About as long as one of so many rows takes.
RETRY_AFTER_S: Final = 30
BROKEN_OFF: Final = "The export broke off here: the database did not answer. Ask again.\r\n"
FILE_NAME: Final = "sync-log.csv"


class _Place:
    """What an export holds: its tenant's only one, and one of the process's few."""

    def __init__(self, mine: Slot, slot: Slot) -> None:
        self._mine = mine
        self._slot = slot

    @classmethod
    def take(cls, work: Services, tenant: Tenant) -> Self:
        """Take a place; raises TooOftenError or BusyError when there is none."""
        mine = take_turn("export", tenant)
        try:
            return cls(mine, work.export_slots.take())
        except BusyError as error:
            mine.give_back()
            raise BusyError(retry_after_s=RETRY_AFTER_S) from error
        except BaseException:
            mine.give_back()
            raise

    def give_back(self) -> None:
        """Free the place; whoever comes second does nothing."""
        self._slot.give_back()
        self._mine.give_back()


@blueprint.get("/export")
@Operation(
    "exportSyncLogs",
    "sync log",
    query=LogSelection,
    media_type="text/csv",
    examples={"two rows": write_header() + write_rows(LogEntry.examples().values())},
    headers={
        "Content-Disposition": "Names the file.",
        "X-Truncated": "`true` when more entries match than the file has, else `false`.",
    },
    failures=(CROWDED,),
)
def export_logs() -> Response:
    """The sync log as CSV, newest first.

    Times are RFC 3339 in UTC. A cell that a spreadsheet might run as a formula (it begins with =
    + - @, a tab or a line end; phone numbers do) or that begins with an apostrophe gets one
    apostrophe more in front: programs take one away. At most 100,000 rows; X-Truncated says whether
    there are more, then ask with `to` for older ones. One at a time, and 12 or 120,000 rows a
    minute; whoever reads nothing of it for a minute is given up. Should the database fail
    meanwhile, the last line says that the export broke off.
    """
    work, query, tenant = services(), read_query(LogSelection, request.args), current_tenant()
    place = _Place.take(work, tenant)
    try:
        ration(EXPORTING, tenant)
        with work.database.begin() as session:
            wanted = select_logs(session, query)
            rows = count_logs(session, wanted, most=MOST_ROWS)
            # Committed before the first line is sent: an export that breaks off has shown its
            # lines.
            audit(session, Action.EXPORTED, **asdict(tenant), filter=_describe_filter(query))
        work.buckets.owe(EXPORTING, tenant, rows / ROWS_A_USE)
        give_up_stalled_readers()
    except BaseException:
        place.give_back()
        raise
    response = Response(_write(work, wanted, place), mimetype="text/csv")
    # For readers that are gone before the first line.
    response.call_on_close(place.give_back)
    response.headers["Content-Disposition"] = f'attachment; filename="{FILE_NAME}"'
    is_truncated = rows > MOST_ROWS
    response.headers["X-Truncated"] = "true" if is_truncated else "false"
    log.info("logs_exported", is_truncated=is_truncated, **asdict(tenant))
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


def _write(work: Services, wanted: LogFilter, place: _Place) -> Iterator[str]:
    try:
        yield write_header()
        yield from _write_pages(work, wanted)
    except SQLAlchemyError as error:
        log.warning("export_broke_off", error=type(error).__name__)
        # Servers may end the response as if it were whole: whoever reads the file must see it.
        yield BROKEN_OFF
        raise
    finally:
        place.give_back()


def _write_pages(work: Services, wanted: LogFilter) -> Iterator[str]:
    """The newest entries, up to `MOST_ROWS`; no transaction is open while a page is sent."""
    position: Position | None = None
    for _ in range(MOST_ROWS // PAGE):
        began = time.monotonic()
        with work.database.begin() as session:
            found = find_logs(session, wanted, limit=PAGE, after=position)
            page = write_rows(describe_logs(session, found.logs))
        position = found.next_position
        del found  # a reader may take a minute for the page
        took = time.monotonic() - began
        yield page
        if position is None:
            return
        take_break(took)
