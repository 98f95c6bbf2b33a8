"""`callsync retry`: replays failed and skipped calls and updates by filter, of all workspaces."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import click
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from api.http.queries import Moment
from commands.terminal import open_database
from shared.database.engines import Database
from shared.log.replays import (
    RETRYABLE,
    RETRYABLE_UPDATES,
    list_retryable,
    requeue_batch,
)
from shared.log.sync_logs import LogFilter, Position
from shared.models import SyncLog
from shared.privacy.audit import Action, Actor, Deed, record_deed
from shared.reasons import Reason

ROWS_A_TRANSACTION: Final = 1000
_MOMENTS: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)


class MomentType(click.ParamType[datetime]):
    """A time as the API takes it: RFC 3339 or epoch milliseconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return _MOMENTS.validate_python(value)
        except ValidationError:
            self.fail("must be like 2026-11-22T10:00:00Z, or epoch milliseconds", param, ctx)


@click.command()
@click.option("--user", "user_id", help="Only calls of this user.")
@click.option("--workspace", "workspace_id", help="Only calls of this workspace.")
@click.option("--status", type=click.Choice(RETRYABLE), help="Only calls that ended so.")
@click.option(
    "--error-code",
    type=click.Choice([str(reason) for reason in Reason]),
    metavar="CODE",
    help="Only calls with this code, rate_limited say.",
)
@click.option(
    "--update",
    type=click.Choice(list(RETRYABLE_UPDATES)),
    help="Only synced calls that could not be completed later, or wait for a person.",
)
@click.option("--from", "since", type=MomentType(), help="Only calls received from then on.")
@click.option("--to", "until", type=MomentType(), help="Only calls received before then.")
@click.option("--dry-run", is_flag=True, help="Only say how many it would be.")
def retry(
    *,
    user_id: str | None,
    workspace_id: str | None,
    status: str | None,
    error_code: str | None,
    update: str | None,
    since: datetime | None,
    until: datetime | None,
    dry_run: bool,
) -> None:
    """Try failed and skipped calls again, and what could not be added to their notes later.

    Workers take them up within seconds. A note that exists is never written again: calls whose
    write is in doubt are looked up in HubSpot first. At least one of --status, --error-code,
    --update, --from and --to must be given.
    """
    if not (status or error_code or update or since or until):
        options = "--status, --error-code, --update, --from and --to"
        raise click.UsageError(f"Give at least one of {options}.")
    if status and update:
        raise click.UsageError("Give --status or --update: calls with an update are synced.")
    requeued = 0
    with open_database() as database:
        for tenant in _find_tenants(database, user_id, workspace_id):
            wanted = LogFilter(
                user_id=tenant[0],
                workspace_id=tenant[1],
                error_code=error_code,
                since=since,
                until=until,
            )
            for each in list_retryable(wanted, status=status, update=update):
                requeued += _requeue(database, each, is_rehearsal=dry_run)
    click.echo(f"Calls that {'would' if dry_run else 'will'} be tried again: {requeued}.")


def _find_tenants(
    database: Database, user_id: str | None, workspace_id: str | None
) -> Iterator[tuple[str, str]]:
    """Every user and workspace with calls, found by hopping along an index."""
    tenant: tuple[str, str] | None = None
    while True:
        with database.begin() as session:
            tenant = _next_tenant(session, tenant, user_id, workspace_id)
        if tenant is None:
            return
        yield tenant


def _next_tenant(
    session: Session,
    after: tuple[str, str] | None,
    user_id: str | None,
    workspace_id: str | None,
) -> tuple[str, str] | None:
    columns = (SyncLog.user_id, SyncLog.workspace_id)
    query = select(*columns).order_by(*columns).limit(1)
    if after is not None:
        query = query.where(tuple_(*columns) > tuple_(*after))
    if user_id is not None:
        query = query.where(SyncLog.user_id == user_id)
    if workspace_id is not None:
        query = query.where(SyncLog.workspace_id == workspace_id)
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def _requeue(database: Database, wanted: LogFilter, *, is_rehearsal: bool) -> int:
    requeued = 0
    position: Position | None = None
    while True:
        with database.begin() as session:
            batch = requeue_batch(session, wanted, size=ROWS_A_TRANSACTION, after=position)
            if is_rehearsal:
                session.rollback()
            elif batch.requeued:
                record_deed(
                    session,
                    Deed(
                        user_id=wanted.user_id,
                        workspace_id=wanted.workspace_id,
                        actor=Actor.OPERATOR,
                        action=Action.RETRIED,
                        details={"calls": batch.requeued},
                    ),
                )
        requeued += batch.requeued
        position = batch.next_position
        if position is None:
            return requeued
