"""The whole service on this machine: engines, HubSpot sandbox, API, workers, beat and Flower."""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from local import services
from local.databases import PROJECT, make_roles, migrate
from local.engines import Engine, start_postgres, start_valkey
from local.environment import make_environment
from local.processes import Command, Process, StartError, free_port
from local.services import Service

SANDBOX = "sandbox"
OWNER, SERVICE = "callsync_owner", "callsync_service"


class Stack:
    """A complete service; `start` raises StartError and leaves nothing behind.

    Postgres and Valkey are those of DATABASE_URL and REDIS_URL where these are set.

    Attributes:
        api_url: where the API answers, no trailing slash.
        sandbox_url: where the HubSpot sandbox answers, None without one.
        flower_url: where Flower answers, None without it.
        env: the environment that the processes were given.
        owner_url: the database as its owner, empty before the start; the processes' own
            DATABASE_URL is that of a role with rights on data only, where Postgres is embedded.
        state: the directory of the processes' logs while the stack runs.
        postgres: the embedded Postgres, None when DATABASE_URL is used.
        valkey: the embedded Valkey, None when REDIS_URL is used.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        flower: bool = False,
        sandbox: bool = True,
        beat: bool = True,
        latency_ms: int = 0,
        durable: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Describe a stack; nothing runs yet.

        Args:
            workers: worker processes.
            flower: whether Flower runs too.
            sandbox: whether HubSpot is the sandbox; else `env` says where HubSpot is.
            beat: whether beat runs.
            latency_ms: what every answer of the sandbox takes at least.
            durable: whether the embedded Postgres survives a crash of the machine.
            env: variables for the processes, above all others.
        """
        self.api_url = f"http://127.0.0.1:{free_port()}"
        self.sandbox_url = f"http://127.0.0.1:{free_port()}" if sandbox else None
        self.flower_url = f"http://127.0.0.1:{free_port()}" if flower else None
        self.env: dict[str, str] = {}
        self.owner_url = ""
        self.postgres: Engine | None = None
        self.valkey: Engine | None = None
        self.state = Path(tempfile.gettempdir()) / f"callsync-state-{secrets.token_hex(4)}"
        self._workers = workers
        self._beat = beat
        self._latency_ms = latency_ms
        self._durable = durable
        self._extra = dict(env or {})
        self._services: dict[str, Process] = {}
        self._cleanup = ExitStack()

    def start(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Start everything and return when all of it is ready; raises StartError.

        Args:
            progress: told what happens, in words for a person.
        """
        self.state.mkdir(mode=0o700)
        self._cleanup.callback(shutil.rmtree, self.state, ignore_errors=True)
        try:
            self._start_engines(progress)
            self._start_services(progress)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the services, then what they rely on, and remove the state."""
        sandbox = self._services.pop(SANDBOX, None)
        with ThreadPoolExecutor() as pool:  # at once: each may take a while to finish its work
            list(pool.map(Process.stop, self._services.values()))
        self._services.clear()
        if sandbox:
            sandbox.stop()
        self._cleanup.close()

    def process(self, name: str) -> Process:
        """A process: `api`, `sandbox`, `beat`, `flower`, or `worker-1`, `worker-2` and so on.

        An embedded engine is `postgres` or `valkey`.
        """
        return self._all_processes()[name]

    def add(self, service: Service, env: Mapping[str, str] | None = None) -> Process:
        """Start one more process, with more variables if given; returns when it is ready."""
        command = self._command(service)
        process = Process(
            replace(command, environment={**command.environment, **(env or {})}), service.answers
        )
        self._services[service.name] = process
        process.wait_until_ready()
        return process

    def remove(self, name: str) -> None:
        """End a process before the others."""
        self._services.pop(name).stop()

    def dead_processes(self) -> list[Process]:
        """Those that were started and run no more."""
        return [process for process in self._all_processes().values() if not process.is_running]

    @property
    def processes(self) -> dict[str, Process]:
        """All that run, the embedded engines included, by name."""
        return self._all_processes()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _all_processes(self) -> dict[str, Process]:
        engines = [engine.process for engine in (self.postgres, self.valkey) if engine]
        return {process.command.name: process for process in engines} | self._services

    def _start_engines(self, progress: Callable[[str], None]) -> None:
        database_url = os.environ.get("DATABASE_URL")
        redis_url = os.environ.get("REDIS_URL")
        if not database_url:
            progress("Starting Postgres")
            postgres = start_postgres(self.state, durable=self._durable)
            self.postgres = self._cleanup.enter_context(postgres)
            self.owner_url, database_url = make_roles(postgres.url, owner=OWNER, service=SERVICE)
        if not redis_url:
            progress("Starting Valkey")
            valkey = start_valkey(self.state)
            self.valkey = self._cleanup.enter_context(valkey)
            redis_url = valkey.url
        self.env = make_environment(
            os.environ,
            database_url=database_url,
            redis_url=redis_url,
            api_url=self.api_url,
            sandbox_url=self.sandbox_url,
        )
        self.env |= self._extra
        self.owner_url = self.owner_url or self.env["DATABASE_URL"]
        progress("Migrating the database")
        migrate(self.env | {"DATABASE_URL": self.owner_url})

    def _start_services(self, progress: Callable[[str], None]) -> None:
        # All are started before the first is waited for: most of the time is Python importing.
        for service in self._describe_services():
            progress(f"Starting {service.title}")
            self._services[service.name] = Process(self._command(service), service.answers)
        for process in self._services.values():
            process.wait_until_ready()
        for process in self.dead_processes():  # one that answers nobody, or died after it answered
            raise StartError(f"{process.command.name} ended while starting:\n{process.log_tail()}")

    def _describe_services(self) -> Iterator[Service]:
        if self.sandbox_url:
            yield services.sandbox(self.sandbox_url, self.env, latency_ms=self._latency_ms)
        yield services.api(self.api_url)
        for number in range(1, self._workers + 1):
            yield services.worker(number, self.env["REDIS_URL"])
        if self._beat:
            yield services.beat(self.state)
        if self.flower_url:
            yield services.flower(self.flower_url)

    def _command(self, service: Service) -> Command:
        return Command(
            name=service.name,
            arguments=[sys.executable, "-m", *service.arguments],
            log=self.state / f"{service.name}.log",
            environment=service.pick(self.env),
            directory=PROJECT,
            remove_when_orphaned=self.state,
        )
