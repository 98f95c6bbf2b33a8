"""What the runs of a scenario came to."""

import random
import time
from dataclasses import dataclass, field, replace
from typing import Final

import psycopg
import requests

from faults.cluster import Cluster
from faults.judging.checker import Verdict
from faults.judging.history import WebhookTimes
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
    webhooks: WebhookTimes | None = None


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
    def webhooks(self) -> WebhookTimes | None:
        """Of the run in which the fault told most; None if that was not measured."""
        measured = [each.webhooks for each in self.runs if each.webhooks is not None]
        return max(measured, key=lambda each: each.ratio, default=None)

    @property
    def withdrawn(self) -> int:
        return sum(run.verdict.withdrawn for run in self.runs)

    @property
    def seconds_a_run(self) -> float:
        return sum(run.seconds for run in self.runs) / max(len(self.runs), 1)

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, with the seed that shows it."""
        return [problem for run in self.runs for problem in self.problems_of(run)]

    def problems_of(self, run: Run) -> list[str]:
        """What is wrong with one of the runs."""
        found = [f"seed {run.seed}: {problem}" for problem in run.verdict.problems]
        limit, taken = self.scenario.recovers_in_s, run.recovered_in_s
        if limit is not None and taken is not None and taken > limit:
            found.append(f"seed {run.seed}: recovered in {taken:.1f} s, not in {limit:.0f} s")
        return found


def play(scenario: Scenario, cluster: Cluster, seed: int, *, is_timed: bool = True) -> Run:
    """Play a scenario once. Whatever is wrong ends up in the run, never as an exception.

    Without `is_timed` nothing is wrong for taking long, and no recovery is measured. With every
    other seed calls are delivered in pieces.
    """
    started = time.monotonic()
    draws = random.Random(f"{scenario.name}:{seed}")
    verdict, recovered_in_s, webhooks = Verdict(0, 0, 0, ()), None, None
    try:
        with World(cluster, draws, is_timed=is_timed, is_growing=seed % 2 == 0) as world:
            verdict, recovered_in_s = _play(scenario, world)
            webhooks = world.webhooks
    except FAILURES as error:  # it could not even be begun, or cleared away
        verdict = replace(verdict, problems=(*verdict.problems, _describe(error)))
    measured = recovered_in_s if is_timed else None
    return Run(seed, verdict, time.monotonic() - started, measured, webhooks)


def _play(scenario: Scenario, world: World) -> tuple[Verdict, float | None]:
    try:
        recovered_in_s = scenario.play(world)
        world.mend()
        return world.judge(), recovered_in_s
    except FAILURES as error:
        problem = _describe(error)
    try:
        world.mend()
        found = world.judge()
        return replace(found, problems=(problem, *found.problems)), None
    except FAILURES as error:  # nobody knows what became of its calls
        calls = len(world.history.acknowledged)
        return Verdict(calls, calls, 0, (problem, _describe(error))), None


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
