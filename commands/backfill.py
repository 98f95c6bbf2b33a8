"""`callsync import`: historical calls from a CSV file, as backfill behind the live calls."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from api.call_ended import EndedCall
from commands.call_rows import BadRow, CallRows, HeaderError
from commands.terminal import make_console, open_database
from shared.calls import BACKFILL_LANE, store_call
from shared.db import Database

ROWS_A_TRANSACTION: Final = 500


@dataclass(slots=True)
class Tally:
    """What became of the rows so far; only what is committed counts."""

    accepted: int = 0
    known: int = 0
    rejected: int = 0

    def __str__(self) -> str:
        return f"{self.accepted} accepted, {self.known} already known, {self.rejected} rejected"


@click.command("import")
@click.argument("path", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False))
@click.option("--user", "user_id", help="The user id of rows that name none.")
@click.option("--workspace", "workspace_id", help="The workspace id of rows that name none.")
def import_calls(*, path: str, user_id: str | None, workspace_id: str | None) -> None:
    """Import historical calls; they are synced behind the live ones.

    The first row names the columns as the webhook names its fields: call_id, phone_number,
    started_at, summary and so on; transcript and structured_data hold JSON. Bad rows are named
    and left out. What was imported before is not imported again, so a broken run, or a mended
    file, is imported by the same command.
    """
    given = {"user_id": user_id, "workspace_id": workspace_id}
    defaults = {name: value for name, value in given.items() if value}
    console, tally = make_console(stderr=True), Tally()
    with (
        open_database() as database,
        _progress(console) as progress,
        progress.open(Path(path), "rb", description="Importing") as file,
    ):
        try:
            rows = CallRows(file, defaults=defaults)
        except HeaderError as error:
            raise click.ClickException(str(error)) from error
        if rows.unknown_columns:
            _say(console, f"Left out, no fields of a call: {', '.join(rows.unknown_columns)}")
        try:
            _import_rows(database, rows, tally, console)
        finally:  # what is committed stays, also when Postgres goes away in the middle
            progress.stop()
            click.echo(f"{tally}.")
    sys.exit(1 if tally.rejected else 0)


def _import_rows(database: Database, rows: CallRows, tally: Tally, console: Console) -> None:
    batch: list[EndedCall] = []
    for row in rows:
        if isinstance(row, EndedCall):
            batch.append(row)
        else:
            _report(console, row)
            tally.rejected += 1
        if len(batch) == ROWS_A_TRANSACTION:
            _store(database, batch, tally)
            batch.clear()
    _store(database, batch, tally)


def _store(database: Database, batch: Sequence[EndedCall], tally: Tally) -> None:
    with database.begin() as session:
        stored = [
            store_call(
                session,
                user_id=call.user_id,
                workspace_id=call.workspace_id,
                call_id=call.call_id,
                phone_number=call.customer_number,
                payload=call.details().to_payload(),
                lane=BACKFILL_LANE,
            )
            for call in batch
        ]
    known = sum(each.is_duplicate for each in stored)
    tally.known += known
    tally.accepted += len(stored) - known


def _report(console: Console, problems: Sequence[BadRow]) -> None:
    for each in problems:
        _say(console, f"line {each.line}: {each.field} {each.message}")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
