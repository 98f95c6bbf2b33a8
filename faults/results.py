"""What the runs of a scenario came to."""

import random
import time
from dataclasses import dataclass, field
from typing import Final

import psycopg
import requests

from faults.checker import Verdict
from faults.cluster import Cluster
from faults.scenario import Scenario
from faults.world import World
from local.processes import StartError
from local.visitor import VisitError

# What a scenario runs into when the service does not recover from its fault.
FAILURES: Final = (
    TimeoutError,
    LookupError,
    StartError,
    VisitError,
    requests.RequestException,
    psycopg.Error,
)


@dataclass(frozen=True)
class Run:
    """One run: how it was judged, what it took, and how long recovery took if that was measured."""

    seed: int
    verdict: Verdict
    seconds: float
    recovered_in_s: float | None = None


@dataclass
class Result:
    """All runs of one scenario."""

    scenario: Scenario
    runs: list[Run] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return sum(run.verdict.calls for run in self.runs)

    @property
    def lost(self) -> int:
        return sum(run.verdict.lost for run in self.runs)

    @property
    def duplicated(self) -> int:
        return sum(run.verdict.duplicated for run in self.runs)

    @property
    def slowest_recovery_s(self) -> float | None:
        measured = [each.recovered_in_s for each in self.runs if each.recovered_in_s is not None]
        return max(measured, default=None)

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, with the seed that shows it."""
        found = [
            f"seed {run.seed}: {problem}" for run in self.runs for problem in run.verdict.problems
        ]
        limit = self.scenario.recovers_in_s
        found += [
            f"seed {run.seed}: recovered in {run.recovered_in_s:.1f} s, not in {limit:.0f} s"
            for run in self.runs
            if limit is not None and run.recovered_in_s is not None and run.recovered_in_s > limit
        ]
        return found


def play(scenario: Scenario, cluster: Cluster, seed: int) -> Run:
    """Play a scenario once. Whatever is wrong ends up in the run, never as an exception.

    A scenario that does not come to its end counts its calls as lost: nobody knows better.
    """
    started = time.monotonic()
    draws = random.Random(f"{scenario.name}:{seed}")
    with World(cluster, draws, is_apart=scenario.is_apart) as world:
        try:
            recovered_in_s = scenario.play(world)
            world.mend()
            verdict = world.judge()
        except FAILURES as error:
            world.mend()
            found = world.judge()
            verdict = Verdict(
                found.calls,
                found.lost,
                found.duplicated,
                (f"{type(error).__name__}: {error}", *found.problems),
            )
            recovered_in_s = None
    return Run(seed, verdict, time.monotonic() - started, recovered_in_s)
