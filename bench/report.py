"""The results as a table for the terminal, as JSON, and as a page with plots."""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.plots import draw
from bench.results import Result, shorten, spread

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
JSON: Final = DOCS / "benchmarks.json"
PAGE: Final = DOCS / "benchmarks.md"
COLUMNS: Final = ("what", "unit", "ours", "peer", "ratio", "goal")
TEMPLATE: Final = Path(__file__).with_name("page.md")

Kept = dict[str, list[dict[str, Any]]]


def print_table(console: Console, results: Iterable[Result]) -> None:
    """Show the results; those that miss their goal in red."""
    table = Table(*COLUMNS)
    for result in results:
        table.add_row(*cells(result), style="red" if result.is_met is False else None)
    console.print(table)


def cells(result: Result) -> tuple[str, ...]:
    """A line of the table, medians with their spread."""
    peer = f"{spread(result.peer)} ({result.peer_name})" if result.peer else "–"
    goal = "–" if result.goal is None else f"{result.goal} {'✓' if result.is_met else '✗'}"
    series = ", ".join(map(shorten, result.ours))
    ours = series if result.is_series else spread(result.ours)
    return (result.name, result.unit, ours, peer, spread(result.ratios), goal)


def keep(benchmark: str, results: Sequence[Result], *, folder: Path = DOCS) -> None:
    """Keep the results of one benchmark, with when and on what they were measured."""
    path = folder / JSON.name
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    kept[benchmark] = {
        "measured_at": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "results": [result.to_json() for result in results],
        "table": [cells(result) for result in results],
    }
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def write_page(*, folder: Path = DOCS) -> None:
    """Write the page and its plots from all that was kept."""
    kept: Mapping[str, Any] = json.loads((folder / JSON.name).read_text())
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
        *(f"| {' | '.join(row)} |" for each in kept.values() for row in each["table"]),
    ]
    page = TEMPLATE.read_text().replace("{table}", "\n".join(lines))
    (folder / PAGE.name).write_text(page)
    draw(kept, folder)
