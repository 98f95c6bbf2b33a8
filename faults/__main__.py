"""Runs the fault suite: `python -m faults [--seeds N] [--scenario NAME] [--activity KIND]`."""

import sys
from collections.abc import Sequence
from itertools import chain

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from faults.fleet import Fleet
from faults.report import print_table, write_page
from faults.results import Result
from faults.scenarios import ALL
from local.consoles import open_console
from local.interrupts import heed_interrupts, uninterrupted
from shared.activities.destination import ActivityKind

WORKERS = 3


@click.command()
@click.option("--seeds", default=20, show_default=True, help="Runs of each scenario.")
@click.option("--first-seed", default=1, show_default=True, help="Where the seeds begin.")
@click.option("--scenario", "wanted", multiple=True, help="Its name, or the beginning of it.")
@click.option("--clusters", default=5, show_default=True, help="Runs side by side.")
@click.option("--calm", default=3, show_default=True, help="The same where seconds count.")
@click.option(
    "--activity",
    type=click.Choice([str(each) for each in ActivityKind]),
    default=str(ActivityKind.NOTE),
    show_default=True,
    help="What calls become.",
)
@click.option("--list", "lists", is_flag=True, help="Name the scenarios and stop.")
@click.option("--write", is_flag=True, help="Write the results into docs/faults.md.")
@click.option("--add", "adds", is_flag=True, help="Add them to what is written there.")
def main(
    *,
    seeds: int,
    first_seed: int,
    wanted: tuple[str, ...],
    clusters: int,
    calm: int,
    activity: str,
    lists: bool,
    write: bool,
    adds: bool,
) -> None:
    """Break everything on purpose and see that no call is lost and no note is written twice."""
    console = open_console()
    chosen = [each for each in ALL if not wanted or each.name.startswith(wanted)]
    if lists or not chosen:
        for each in chosen or ALL:
            console.print(f"{each.name:45} {each.title}", highlight=False, soft_wrap=True)
        sys.exit(0 if chosen else 2)
    heed_interrupts()
    results = [Result(each) for each in chosen]
    with Fleet(clusters, calm=calm, workers=WORKERS, activity=ActivityKind(activity)) as fleet:
        try:
            _play(console, fleet, results, range(first_seed, first_seed + seeds))
        finally:
            with uninterrupted():
                if write or adds:  # also what was played until an interrupt
                    write_page((each for each in results if each.runs), adds=adds)
                fleet.close()
    print_table(console, results)
    sys.exit(any(result.problems for result in results))


def _play(console: Console, fleet: Fleet, results: Sequence[Result], seeds: range) -> None:
    by_name = {result.scenario.name: result for result in results}
    scenarios = [result.scenario for result in results]
    runs = chain(
        fleet.play([each for each in scenarios if each.needs_calm], seeds, in_calm=True),
        fleet.play([each for each in scenarios if not each.needs_calm], seeds),
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(results) * len(seeds))
        for scenario, run in runs:
            result = by_name[scenario.name]
            result.runs.append(run)
            progress.update(task, advance=1, description=f"{scenario.name}, seed {run.seed}")
            for problem in result.problems_of(run):
                console.print(
                    f"{scenario.name}, {problem}", style="red", markup=False, soft_wrap=True
                )


if __name__ == "__main__":
    main()
