"""Runs the fault suite: `python -m faults [--seeds N] [--scenario NAME] [--list]`."""

import sys

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from faults.cluster import Cluster
from faults.report import print_table, write_page
from faults.results import Result, play
from faults.scenarios import ALL
from local.interrupts import heed_interrupts, uninterrupted

WORKERS = 3


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Runs of each scenario.")
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
            _play_all(console, cluster, results, range(first_seed, first_seed + seeds))
        finally:
            with uninterrupted():
                cluster.close()
    print_table(console, results)
    if write:
        write_page(results)
    sys.exit(any(result.problems for result in results))


def _play_all(console: Console, cluster: Cluster, results: list[Result], seeds: range) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        for result in results:
            for seed in seeds[: result.scenario.most_runs]:
                progress.update(task, description=f"{result.scenario.name}, seed {seed}")
                run = play(result.scenario, cluster, seed=seed)
                result.runs.append(run)
                for problem in run.verdict.problems:
                    console.print(
                        f"{result.scenario.name}, seed {seed}: {problem}", style="red", markup=False
                    )
            console.print(
                f"{result.scenario.name}: {len(result.runs)} runs in"
                f" {sum(run.seconds for run in result.runs):.0f} s",
                highlight=False,
            )


if __name__ == "__main__":
    main()
