"""Runs the benchmarks: `python -m bench [--only NAME] [--runs N] [--write]`."""

import sys
from collections.abc import Callable, Iterator
from typing import Final

import click

from bench import big_log, costs, draining, intake, limits, memory, neighbours, peaks
from bench.report import cells, keep, print_table, write_page
from bench.results import Result
from local.consoles import open_console
from local.interrupts import heed_interrupts

BENCHMARKS: Final[dict[str, Callable[[int], Iterator[Result]]]] = {
    "limits": limits.measure,
    "accounts": neighbours.measure_many,
    "draining": draining.measure,
    "intake": intake.measure,
    "costs": costs.measure,
    "latency": intake.measure_latency,
    "neighbour": neighbours.measure,
    "storms": neighbours.measure_storms,
    "log": big_log.measure,
    "memory": memory.measure,
    "peaks": peaks.measure,
    "growth": draining.measure_growth,
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(BENCHMARKS)), help="Just this one.")
@click.option("--runs", default=3, show_default=True, help="Runs of ours and of the peer.")
@click.option("--write", is_flag=True, help="Keep the results and the plots in docs/.")
def main(*, only: tuple[str, ...], runs: int, write: bool) -> None:
    """Measure ours beside its peers, in one run, and say which goals are met."""
    heed_interrupts()
    console = open_console()
    results: list[Result] = []
    for name, measure in BENCHMARKS.items():
        if only and name not in only:
            continue
        found: list[Result] = []
        for result in measure(runs):
            found.append(result)
            console.print(" · ".join(cells(result)), highlight=False, markup=False, soft_wrap=True)
        results += found
        if write:  # each at once: a long run may be interrupted
            keep(name, found)
            write_page()
    print_table(console, results)
    sys.exit(any(result.is_met is False for result in results))


if __name__ == "__main__":
    main()
