"""Clusters side by side: most runs wait most of the time, so that several share a machine."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from typing import Final, Self

from faults.cluster import Cluster
from faults.results import Run, play
from faults.scenario import Scenario
from shared.activities.destination import ActivityKind

# A dozen Pythons that start at once are slower than one after the other.
STARTED_AT_ONCE: Final = 2


class Fleet:
    """Clusters, each played on by one run at a time; `calm` of them where seconds are measured."""

    def __init__(self, size: int, *, calm: int, workers: int, activity: ActivityKind) -> None:
        self._size = size
        self._calm = calm
        self._workers = workers
        self._activity = activity
        self._clusters: list[Cluster] = []

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(STARTED_AT_ONCE) as pool:
            started = [pool.submit(self._start) for _ in range(max(self._size, self._calm))]
        try:
            for each in started:
                each.result()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all clusters; runs that are under way fail."""
        while self._clusters:
            self._clusters.pop().close()

    def _start(self) -> Cluster:
        cluster = Cluster(workers=self._workers, activity=self._activity).__enter__()
        self._clusters.append(cluster)
        return cluster

    def _replace(self, cluster: Cluster) -> Cluster:
        if cluster in self._clusters:
            self._clusters.remove(cluster)
            cluster.close()
        return self._start()

    def play(
        self, scenarios: Sequence[Scenario], seeds: Sequence[int], *, in_calm: bool = False
    ) -> Iterator[tuple[Scenario, Run]]:
        """Play every scenario with every seed on some of the clusters, in the order they end.

        Goes from seed to seed rather than from scenario to scenario: so runs that wait for minutes
        and runs that keep the machine busy are side by side.
        """
        at_once = self._calm if in_calm else self._size
        free: SimpleQueue[Cluster] = SimpleQueue()
        for cluster in self._clusters[:at_once]:
            free.put(cluster)

        def play_one(scenario: Scenario, seed: int) -> tuple[Scenario, Run]:
            cluster = free.get()
            run = play(scenario, cluster, seed)
            # What went wrong in one run must not go wrong in the next.
            free.put(self._replace(cluster) if run.verdict.problems else cluster)
            return scenario, run

        pool = ThreadPoolExecutor(at_once)
        try:
            runs = [pool.submit(play_one, each, seed) for seed in seeds for each in scenarios]
            for run in as_completed(runs):
                yield run.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
