"""The results as a table: for the terminal, and for the page in the documentation."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from rich.console import Console
from rich.table import Column, Table

from faults.results import Result
from faults.scenario import Scenario
from faults.scenarios import ALL

PAGE: Final = Path(__file__).parents[1] / "docs" / "faults.md"
COLUMNS: Final = ("scenario", "runs", "calls", "lost", "duplicated", "time to recover")
_FIGURES: Final = re.compile(
    r"\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+)(?: \(([\d,]+) for a while\))?"
    r" \| (?:–|(?P<slowest>[\d.]+) s at most.*) \|$"
)
_TIMES_ROW: Final = re.compile(r"\| webhooks, `(?P<name>[a-z0-9_.]+)` \|.*")
_TIMES_HEAD: Final = (
    "How long webhooks took in the run in which the fault told most, of each scenario's last runs:",
    "",
    "| | p99 in the calm | p99 during the fault | ÷ |",
    "| --- | ---: | ---: | ---: |",
)
_ROW: Final = re.compile(r"\| `(?P<name>[a-z0-9_.]+)` \|.*")


def print_table(console: Console, results: Sequence[Result]) -> None:
    """Show the results, problems in red."""
    table = Table(Column(COLUMNS[0], overflow="fold"), *COLUMNS[1:], "seconds a run")
    for result in results:
        style = "red" if result.problems else None
        seconds = f"{result.seconds_a_run:.1f}"
        table.add_row(
            result.scenario.name,
            *Figures.of(result).cells(result.scenario.recovers_in_s),
            seconds,
            style=style,
        )
    console.print(table)
    for result in results:
        if result.webhooks is not None:
            line = f"{result.scenario.name}: webhook p99 {' | '.join(result.webhooks.cells())}"
            console.print(line, highlight=False, soft_wrap=True)


def write_page(results: Iterable[Result], page: Path = PAGE, *, adds: bool = False) -> None:
    """Put the results into the page's table; rows of scenarios that did not run stay.

    With `adds`, they are further runs of the same code, and are added to those in the table.
    """
    text = page.read_text() if page.exists() else ""
    rows = {match["name"]: match[0] for match in _ROW.finditer(text)}
    times = {match["name"]: match[0] for match in _TIMES_ROW.finditer(text)}
    for result in results:
        if result.webhooks is not None:
            cells = " | ".join(result.webhooks.cells())
            times[result.scenario.name] = f"| webhooks, `{result.scenario.name}` | {cells} |"
        name, figures = result.scenario.name, Figures.of(result)
        if adds and name in rows:
            figures += Figures.read(rows[name])
        rows[name] = _line(result.scenario, figures)
    introduction = (Path(__file__).parent / "page.md").read_text()
    lines = [
        introduction,
        f"| {' | '.join((COLUMNS[0], 'what happens, and what a user sees', *COLUMNS[1:]))} |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        *(rows[each.name] for each in ALL if each.name in rows),
        "",
        *(_TIMES_HEAD if times else ()),
        *(times[each.name] for each in ALL if each.name in times),
        *([""] if times else ()),
    ]
    page.parent.mkdir(exist_ok=True)
    page.write_text("\n".join(lines))


@dataclass(frozen=True)
class Figures:
    """What the runs of one scenario came to, as in the table."""

    runs: int
    calls: int
    lost: int
    duplicated: int
    withdrawn: int
    slowest_recovery_s: float | None

    @classmethod
    def of(cls, result: Result) -> Self:
        return cls(
            len(result.runs),
            result.calls,
            result.lost,
            result.duplicated,
            result.withdrawn,
            result.slowest_recovery_s,
        )

    @classmethod
    def read(cls, row: str) -> Self:
        """The figures of a row of the table; raises ValueError."""
        found = _FIGURES.search(row)
        if found is None:
            raise ValueError(f"this is no row of the table: {row}")
        counts = (int((each or "0").replace(",", "")) for each in found.groups()[:5])
        slowest = found["slowest"]
        runs, calls, lost, duplicated, withdrawn = counts
        recovery = None if slowest is None else float(slowest)
        return cls(runs, calls, lost, duplicated, withdrawn, recovery)

    def __add__(self, other: Self) -> Self:
        measured = [self.slowest_recovery_s, other.slowest_recovery_s]
        return replace(
            self,
            runs=self.runs + other.runs,
            calls=self.calls + other.calls,
            lost=self.lost + other.lost,
            duplicated=self.duplicated + other.duplicated,
            withdrawn=self.withdrawn + other.withdrawn,
            slowest_recovery_s=max((each for each in measured if each is not None), default=None),
        )

    def cells(self, goal_s: float | None) -> list[str]:
        recovery = "–"
        if self.slowest_recovery_s is not None:
            recovery = f"{self.slowest_recovery_s:.1f} s at most"
            recovery += "" if goal_s is None else f" (goal {goal_s:.0f} s)"
        duplicated = f"{self.duplicated:,}"
        if self.withdrawn:
            duplicated += f" ({self.withdrawn:,} for a while)"
        counts = (self.runs, self.calls, self.lost)
        return [*(f"{each:,}" for each in counts), duplicated, recovery]


def _line(scenario: Scenario, figures: Figures) -> str:
    story = f"{scenario.title}. *{scenario.seen}*"
    return f"| `{scenario.name}` | {story} | {' | '.join(figures.cells(scenario.recovers_in_s))} |"
