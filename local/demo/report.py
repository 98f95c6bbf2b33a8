"""The end of the demo: the sync log as a table, where each note is, and what was proven."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.demo.verdicts import Verdict

COLOURS = {"success": "green", "skipped": "yellow", "error": "red", "pending": "blue"}


def print_sync_log(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Print the sync log, one call a row, in the order in which the calls ended."""
    table = Table(title="Sync log", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("Call", "What happened", "Number", "Status", "Tries"):
        # In a narrow terminal the story is what wraps.
        table.add_column(heading, no_wrap=heading != "What happened")
    for verdict in verdicts:
        log = verdict.log
        status = log["status"] if log else "missing"
        reason = f"\n{log['error_code']}" if log and log["error_code"] else ""
        colour = COLOURS.get(status, "red")
        table.add_row(
            verdict.call.call_id,
            verdict.call.story,
            verdict.call.number,
            f"[{colour}]{status}[/]{reason}",
            str(log["attempts"]) if log else "",
        )
    console.print(table)


def print_notes(console: Console, verdicts: Sequence[Verdict], urls: Mapping[str, str]) -> None:
    """Print where each note is; `urls` are contacts' pages in HubSpot by call id."""
    console.print("Notes in HubSpot, one each:")
    for verdict in verdicts:
        for note in verdict.notes:
            url = urls.get(verdict.call.call_id, "")
            # One line however narrow the terminal: a broken address cannot be followed.
            console.print(
                f"  {verdict.call.call_id}  note {note.id}  {escape(verdict.call.contact or '?')}"
                f"  {url}",
                soft_wrap=True,
                highlight=False,
            )


def print_closing(
    console: Console,
    verdicts: Sequence[Verdict],
    surprises: Sequence[str],
    *,
    webhooks: int,
    notes: int,
    seconds: float,
) -> bool:
    """Print what was proven, or what is wrong; returns whether nothing is."""
    wrong = [
        *(f"{verdict.call.call_id} {fault}" for verdict in verdicts for fault in verdict.faults),
        *surprises,
    ]
    claimed = sum(len(verdict.notes) for verdict in verdicts)
    if claimed != notes:
        wrong.append(f"HubSpot has {notes} notes, of which {notes - claimed} belong to no call")
    lost = sum(1 for verdict in verdicts if verdict.call.contact and not verdict.notes)
    twice = sum(1 for verdict in verdicts if len(verdict.notes) > 1)
    for line in wrong:
        console.print(f"✗ {escape(line)}", style="red", highlight=False)
    console.print(
        f"{'✗' if wrong else '✓'} {webhooks} webhooks, {len(verdicts)} calls, {notes} notes,"
        f" {lost} lost, {twice} twice, in {seconds:.0f} s."
        + (f" {len(wrong)} things were not as expected." if wrong else ""),
        style="bold red" if wrong else "bold green",
        highlight=False,
    )
    return not wrong
