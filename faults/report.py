"""The results as a table: for the terminal, and for the page in the documentation."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Column, Table

from faults.results import Result
from faults.scenarios import ALL

PAGE: Final = Path(__file__).parents[1] / "docs" / "faults.md"
COLUMNS: Final = ("scenario", "runs", "calls", "lost", "duplicated", "time to recover")
_ROW: Final = re.compile(r"\| `(?P<name>[a-z0-9_.]+)` \|.*")


def print_table(console: Console, results: Iterable[Result]) -> None:
    """Show the results, problems in red."""
    table = Table(Column(COLUMNS[0], overflow="fold"), *COLUMNS[1:], "seconds a run")
    for result in results:
        style = "red" if result.problems else None
        seconds = f"{result.seconds_a_run:.1f}"
        table.add_row(result.scenario.name, *_figures(result), seconds, style=style)
    console.print(table)


def write_page(results: Iterable[Result], page: Path = PAGE) -> None:
    """Put the results into the page's table; rows of scenarios that did not run stay."""
    text = page.read_text() if page.exists() else ""
    rows = {match["name"]: match[0] for match in _ROW.finditer(text)}
    for result in results:
        rows[result.scenario.name] = _line(result)
    introduction = (Path(__file__).parent / "page.md").read_text()
    lines = [
        introduction,
        f"| {' | '.join((COLUMNS[0], 'what happens, and what a user sees', *COLUMNS[1:]))} |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        *(rows[each.name] for each in ALL if each.name in rows),
        "",
    ]
    page.parent.mkdir(exist_ok=True)
    page.write_text("\n".join(lines))


def _line(result: Result) -> str:
    scenario = result.scenario
    story = f"{scenario.title}. *{scenario.seen}*"
    return f"| `{scenario.name}` | {story} | {' | '.join(_figures(result))} |"


def _figures(result: Result) -> list[str]:
    slowest = result.slowest_recovery_s
    recovery = "–" if slowest is None else f"{slowest:.1f} s at most"
    if slowest is not None and result.scenario.recovers_in_s is not None:
        recovery += f" (goal {result.scenario.recovers_in_s:.0f} s)"
    figures = (len(result.runs), result.calls, result.lost)
    duplicated = f"{result.duplicated:,}"
    if result.withdrawn:
        duplicated += f" ({result.withdrawn:,} for a while)"
    return [*(f"{figure:,}" for figure in figures), duplicated, recovery]
