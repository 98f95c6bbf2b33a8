"""`callsync import`: historical calls from a CSV file, as backfill behind the live calls."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from commands.call_rows import BadRow, CallRow, CallRows, HeaderError
from commands.rehearsal import MatchReport, Rehearsal
from commands.row_notices import RowNotices
from commands.terminal import make_console, open_database, readable_settings_errors
from shared.calls.intake import NewCall, store_calls
from shared.configuration.settings import Activity, IntakeSettings, ServiceSettings
from shared.database.engines import Database
from shared.reasons import Lane

ROWS_A_TRANSACTION: Final = 1000
# Rows may be large, and Postgres takes no statement of a gigabyte.
BYTES_A_TRANSACTION: Final = 16 * 1024 * 1024

TakeCalls = Callable[[Sequence[NewCall]], tuple[int, int]]
"""Does what is to be done with a batch; returns how many of its rows said nothing new of calls that
were known before, and how many did."""


@dataclass(slots=True)
class Tally:
    """What became of the rows so far; only what is committed counts."""

    accepted: int = 0
    known: int = 0
    rejected: int = 0
    updated: int = 0

    def __str__(self) -> str:
        counts = [f"{self.accepted} accepted", f"{self.known} already known"]
        if self.updated:
            counts.append(f"{self.updated} completed")
        return ", ".join([*counts, f"{self.rejected} rejected"])


@click.command("import")
@click.argument("path", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False))
@click.option("--user", "user_id", help="The user id of rows that name none.")
@click.option("--workspace", "workspace_id", help="The workspace id of rows that name none.")
@click.option("--dry-run", is_flag=True, help="Only say what would be imported and would match.")
def import_calls(
    *, path: str, user_id: str | None, workspace_id: str | None, dry_run: bool
) -> None:
    """Import historical calls; they are synced behind the live ones.

    The first row names the columns as the webhook names its fields: call_id, phone_number,
    started_at, summary and so on; transcript and structured_data hold JSON. Rows without an id
    are named and left out. A field that cannot be read is left out of its call, and its line is
    named. What was imported before is not imported again, but what is new of it completes its
    call, so an import that broke off, or a mended file, is imported by the same command. Rows with
    the same ids complete each other.

    With --dry-run nothing is stored, and HubSpot is asked how many of the phone numbers it knows.
    That uses only the searches that live calls leave over: at best some 350 numbers a second, and
    20 of those that HubSpot does not know.
    """
    given = {"user_id": user_id, "workspace_id": workspace_id}
    defaults = {name: value for name, value in given.items() if value}
    console, tally = make_console(stderr=True), Tally()
    with open_database() as database:
        if dry_run:
            is_well = _rehearse(database, Path(path), defaults, tally, console)
        else:
            with readable_settings_errors():
                activity = IntakeSettings.load().activity
            store = partial(_store, database, activity)
            _take_file(Path(path), defaults, store, tally, console)
            is_well = True
    sys.exit(1 if tally.rejected or not is_well else 0)


def _rehearse(
    database: Database, path: Path, defaults: Mapping[str, str], tally: Tally, console: Console
) -> bool:
    with readable_settings_errors():
        settings = ServiceSettings.load()
    rehearsal = Rehearsal(database)
    click.echo("Dry run: nothing is stored.")
    _take_file(path, defaults, rehearsal.take, tally, console)
    report = MatchReport(database, settings, console)
    told = [report.tell(tenant, calls) for tenant, calls in rehearsal.calls.items()]
    return all(told)


def _take_file(
    path: Path, defaults: Mapping[str, str], take: TakeCalls, tally: Tally, console: Console
) -> None:
    with _progress(console) as progress, progress.open(path, "rb", description="Reading") as file:
        try:
            rows = CallRows(file, defaults=defaults)
        except HeaderError as error:
            raise click.ClickException(str(error)) from error
        if rows.unknown_columns:
            names = ", ".join(map(_printable, rows.unknown_columns))
            _say(console, f"Left out, no fields of a call: {names}")
        notices = RowNotices()
        try:
            _take_rows(file, rows, take, tally, notices=notices, console=console)
        finally:  # what is committed stays, also when Postgres goes away in the middle
            progress.stop()
            for line in (f"{tally}.", *notices.sum_up()):
                click.echo(line)


def _take_rows(
    file: BinaryIO,
    rows: CallRows,
    take: TakeCalls,
    tally: Tally,
    *,
    notices: RowNotices,
    console: Console,
) -> None:
    batch: list[NewCall] = []
    began_at = 0
    for row in rows:
        if isinstance(row, CallRow):
            batch.append(row.call)
            for line in notices.tell(row):
                _say(console, line)
        else:
            _report(console, row)
            tally.rejected += 1
        if len(batch) == ROWS_A_TRANSACTION or file.tell() - began_at > BYTES_A_TRANSACTION:
            _take_batch(batch, take, tally)
            began_at = file.tell()
    _take_batch(batch, take, tally)


def _take_batch(batch: list[NewCall], take: TakeCalls, tally: Tally) -> None:
    known, updated = take(batch)
    tally.known += known
    tally.updated += updated
    tally.accepted += len(batch) - known - updated
    batch.clear()


def _store(database: Database, activity: Activity, batch: Sequence[NewCall]) -> tuple[int, int]:
    with database.begin() as session:
        stored = store_calls(session, batch, lane=Lane.BACKFILL, activity=activity)
    return sum(each.is_duplicate for each in stored), sum(each.is_updated for each in stored)


def _report(console: Console, problems: Sequence[BadRow]) -> None:
    for each in problems:
        _say(console, f"line {each.line}: {each.field} {each.message}")


def _printable(name: str) -> str:
    # Bytes that are not UTF-8 are half characters, which no terminal takes.
    return name.encode(errors="replace").decode()


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
