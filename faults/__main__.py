"""Runs the fault suite: `python -m faults [--seeds N] [--scenario NAME] [--list]`."""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from faults.cluster import Cluster
from faults.report import print_table, write_page
from faults.results import Result, play
from faults.scenarios import ALL
from local.interrupts import heed_interrupts, uninterrupted

WORKERS = 3
SIDE_BY_SIDE = 5


@click.command()
@click.option("--seeds", default=20, show_default=True, help="Runs of each scenario.")
@click.option("--first-seed", default=1, show_default=True, help="Where the seeds begin.")
@click.option("--scenario", "wanted", multiple=True, help="Its name, or the beginning of it.")
@click.option("--list", "lists", is_flag=True, help="Name the scenarios and stop.")
@click.option("--write", is_flag=True, help="Write the results into docs/faults.md.")
def main(*, seeds: int, first_seed: int, wanted: tuple[str, ...], lists: bool, write: bool) -> None:
    """Break everything on purpose and see that no call is lost and no note is written twice."""
    console = Console()
    chosen = [each for each in ALL if not wanted or each.name.startswith(wanted)]
    if lists or not chosen:
        for each in chosen or ALL:
            console.print(f"{each.name:45} {each.title}", highlight=False, soft_wrap=True)
        sys.exit(0 if chosen else 2)
    heed_interrupts()
    results = [Result(each) for each in chosen]
    with Cluster(workers=WORKERS) as cluster:
        try:
            for result in results:
                _play(console, cluster, result, range(first_seed, first_seed + seeds))
                if write:  # each at once: a long run may be interrupted
                    write_page([result])
        finally:
            with uninterrupted():
                cluster.close()
    print_table(console, results)
    sys.exit(any(result.problems for result in results))


def _play(console: Console, cluster: Cluster, result: Result, seeds: range) -> None:
    scenario = result.scenario
    name = scenario.name
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, transient=True) as progress,
        ThreadPoolExecutor(SIDE_BY_SIDE if scenario.is_apart else 1) as pool,
    ):
        task = progress.add_task(name, total=None)
        runs = pool.map(partial(play, scenario, cluster), seeds[: scenario.most_runs])
        for run in runs:
            progress.update(task, description=f"{name}, seed {run.seed} played")
            result.runs.append(run)
    for problem in result.problems:
        console.print(f"{name}, {problem}", style="red", markup=False, soft_wrap=True)
    seconds = sum(run.seconds for run in result.runs)
    console.print(f"{name}: {len(result.runs)} runs in {seconds:.0f} s", highlight=False)


if __name__ == "__main__":
    main()
