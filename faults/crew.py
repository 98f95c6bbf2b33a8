"""The workers of a cluster, and what starts them again when they end by themselves."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

from faults.proxies.proxy import Link
from local.processes import Process, StartError

LOOK_EVERY_S: Final = 0.2


@dataclass(eq=False)
class Worker:
    """A worker's process, and the variables in which it differs from the others."""

    process: Process
    changes: Mapping[str, str]
    is_ready: bool = False


class Crew:
    """Workers by name, as many as `wanted` unless a scenario kills or stops some.

    A worker that ends by itself is started again at once, as any supervisor in production does, and
    is remembered in `deaths`. One that was killed or stopped is not missed until `fill_up`.

    Attributes:
        wanted: how many there are at the beginning of a run.
        deaths: workers that ended by themselves, in words.
    """

    def __init__(self, run: Callable[[int, Mapping[str, str]], Process], *, wanted: int) -> None:
        """Begin without workers; `run` starts the process of the worker of that number."""
        self.wanted = wanted
        self.deaths: list[str] = []
        self._run = run
        self._made = 0
        self._workers: dict[str, Worker] = {}
        self._lock = threading.RLock()
        self._is_over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._supervisor.start()

    @property
    def names(self) -> list[str]:
        """Who there is, the oldest first."""
        with self._lock:
            return list(self._workers)

    def process(self, name: str) -> Process:
        """A worker's process."""
        return self._workers[name].process

    def start(self, changes: Mapping[str, str] | None = None) -> str:
        """Start one more worker, with other variables if given; returns its name at once."""
        with self._lock:
            if self._is_over.is_set():
                raise StartError("the cluster is closed")
            self._made += 1
            process = self._run(self._made, changes or {})
            self._workers[process.command.name] = Worker(process, changes or {})
            return process.command.name

    def kill(self, name: str) -> None:
        """SIGKILL a worker with all that it started; nobody takes its place."""
        self._take(name).kill()

    def stop(self, name: str) -> None:
        """End a worker as a deployment does; nobody takes its place."""
        self._take(name).stop()

    def replace_all(self) -> None:
        """Replace every worker, each when its successor is there."""
        old = self.names
        for _ in old:
            self.start()
        self.wait_until_ready()
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.stop, old))

    def fill_up(self) -> None:
        """Start workers until there are as many as wanted; not waiting for them."""
        with self._lock:
            self._replace_the_fallen()
            while len(self._workers) < self.wanted:
                self.start()

    def wait_until_ready(self) -> None:
        """Wait until all take turns; raises StartError."""
        for name in self.names:
            with suppress(KeyError):  # it fell meanwhile, and its successor comes later
                worker = self._workers[name]
                if not worker.is_ready:
                    worker.process.wait_until_ready()
                    worker.is_ready = True

    def owner(self, link: Link) -> str:
        """The worker whose connection this is; raises LookupError."""
        for name in self.names:
            with suppress(psutil.NoSuchProcess, KeyError):
                worker = psutil.Process(self.process(name).pid)
                for member in (worker, *worker.children(recursive=True)):
                    ports = {each.laddr.port for each in member.net_connections("tcp4")}
                    if link.client_port in ports:
                        return name
        raise LookupError("no worker has this connection")

    def close(self) -> None:
        """Kill all and start nobody any more."""
        self._is_over.set()
        for name in self.names:
            self.kill(name)

    def _take(self, name: str) -> Process:
        # Before it ends, so that nobody takes this for a death of its own.
        with self._lock:
            return self._workers.pop(name).process

    def _supervise(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            with self._lock, suppress(StartError):
                self._replace_the_fallen()

    def _replace_the_fallen(self) -> None:
        for name, worker in list(self._workers.items()):
            if worker.process.is_running:
                continue
            self._take(name).stop()
            self.deaths.append(f"{name} ended by itself:\n{worker.process.log_tail()}")
            self.start(worker.changes)
