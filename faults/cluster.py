"""The whole service as real processes, with a proxy before each engine and before HubSpot."""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psutil

from faults.postgres_wire import Conversations
from faults.proxy import Link, Proxy
from local import services
from local.databases import PROJECT, migrate
from local.engines import Engine, start_postgres, start_valkey
from local.environment import make_environment
from local.processes import Command, Process, free_port
from local.services import Service
from shared.environment import list_settings
from shared.settings import ApiSettings, WorkerSettings


@dataclass(frozen=True)
class Doors:
    """The proxies through which one kind of process reaches the others."""

    postgres: Proxy
    redis: Proxy
    hubspot: Proxy
    conversations: Conversations

    def heal(self) -> None:
        """Let everything pass again."""
        for proxy in (self.postgres, self.redis, self.hubspot):
            proxy.heal()

    def bury(self) -> None:
        """End the connections that were half-open."""
        for proxy in (self.postgres, self.redis, self.hubspot):
            proxy.bury()


class Cluster:
    """Postgres, Valkey, the sandbox, the API and workers, each of which can be hurt.

    Attributes:
        postgres, valkey: the engines, reached directly.
        env: what the processes are told, the addresses being those of `worker_doors`.
        api_url, sandbox_url: where these answer, reached directly.
        api_doors, worker_doors: what stands before the engines and HubSpot, for the API and for
            the workers.
        api: the API's process.
        workers: the workers' processes by name.
        deaths: workers that ended by themselves, in words.
    """

    def __init__(self, *, workers: int) -> None:
        self._workers_wanted = workers
        self._cleanup = ExitStack()
        self._made = 0
        self.deaths: list[str] = []
        self._ready: set[str] = set()
        self.workers: dict[str, Process] = {}

    def __enter__(self) -> Self:
        self.state = Path(tempfile.gettempdir()) / f"callsync-faults-{secrets.token_hex(4)}"
        self.state.mkdir(mode=0o700)
        self._cleanup.callback(shutil.rmtree, self.state, ignore_errors=True)
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything and remove what it left."""
        self._cleanup.close()

    def _start(self) -> None:
        self.postgres: Engine = self._cleanup.enter_context(
            start_postgres(self.state, durable=False)
        )
        self.valkey: Engine = self._cleanup.enter_context(start_valkey(self.state))
        self.api_url = f"http://127.0.0.1:{free_port()}"
        self.sandbox_url = f"http://127.0.0.1:{free_port()}"
        self.api_doors = self._open_doors()
        self.worker_doors = self._open_doors()
        self._base = make_environment(
            _neutral_environment(),
            database_url=self.postgres.url,
            redis_url=self.valkey.url,
            api_url=self.api_url,
            sandbox_url=self.sandbox_url,
        )
        self.env = self._base | self._addresses(self.worker_doors)
        migrate(self._base)
        sandbox = self._run(services.sandbox(self.sandbox_url, self._base, latency_ms=0))
        self._cleanup.callback(sandbox.stop)
        self._cleanup.callback(self._stop_processes)
        self.api = self._start_api()
        self.fill_up()
        for process in (sandbox, self.api):
            process.wait_until_ready()
        self.wait_for_workers()

    def start_worker(self, changes: Mapping[str, str] | None = None) -> str:
        """Start one more worker, with other variables if given; returns its name at once."""
        self._made += 1
        service = services.worker(self._made, self.valkey.url)
        log = self.state / f"{service.name}.log"
        # A ping would go through Redis, which may be what is broken.
        self.workers[service.name] = self._run(
            service, self.env | dict(changes or {}), lambda: "worker_started" in log.read_text()
        )
        return service.name

    def start_beat(self) -> Process:
        """Start a beat; whoever asks for it stops it."""
        return self._run(services.beat(self.state / secrets.token_hex(4)))

    def kill_worker(self, name: str) -> None:
        """SIGKILL a worker with all that it started; nobody takes its place."""
        self.workers.pop(name).kill()

    def stop_worker(self, name: str) -> None:
        """End a worker as a deployment does."""
        self.workers.pop(name).stop()

    def fill_up(self) -> None:
        """Start workers until there are as many as at the beginning; not waiting for them."""
        for name in [name for name, process in self.workers.items() if not process.is_running]:
            process = self.workers.pop(name)
            process.stop()
            self.deaths.append(f"{name} ended by itself:\n{process.log_tail()}")
        while len(self.workers) < self._workers_wanted:
            self.start_worker()

    def roll(self, changes: Mapping[str, str]) -> None:
        """Replace every process, each when its successor is there, with these variables changed.

        There is one API, so nobody answers while that is replaced.
        """
        self.env |= changes
        self._base |= changes
        old = list(self.workers)
        for _ in old:
            self.start_worker()
        self.wait_for_workers()
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.stop_worker, old))
        self.api.stop()
        self.api = self._start_api()
        self.api.wait_until_ready()

    def _start_api(self) -> Process:
        return self._run(services.api(self.api_url), self._base | self._addresses(self.api_doors))

    def wait_for_workers(self) -> None:
        """Wait until as many workers as wanted take turns; raises StartError."""
        self.fill_up()
        for name, process in self.workers.items():
            if name not in self._ready:
                process.wait_until_ready()
                self._ready.add(name)

    def owner(self, link: Link) -> str:
        """The worker whose connection this is; raises LookupError."""
        for name, process in self.workers.items():
            with suppress(psutil.NoSuchProcess):
                worker = psutil.Process(process.pid)
                for member in (worker, *worker.children(recursive=True)):
                    ports = {each.laddr.port for each in member.net_connections("tcp4")}
                    if link.client_port in ports:
                        return name
        raise LookupError("no worker has this connection")

    def _open_doors(self) -> Doors:
        conversations = Conversations()
        return Doors(
            self._cleanup.enter_context(Proxy(_port(self.postgres.url), conversations)),
            self._cleanup.enter_context(Proxy(_port(self.valkey.url))),
            self._cleanup.enter_context(Proxy(_port(self.sandbox_url))),
            conversations,
        )

    def _addresses(self, doors: Doors) -> dict[str, str]:
        # Without TLS, so that the proxies can read along.
        plain = "?sslmode=disable&gssencmode=disable"
        return {
            "DATABASE_URL": _moved(self.postgres.url, doors.postgres.port) + plain,
            "REDIS_URL": _moved(self.valkey.url, doors.redis.port),
            "HUBSPOT_API_URL": f"http://127.0.0.1:{doors.hubspot.port}",
        }

    def _run(
        self,
        service: Service,
        env: Mapping[str, str] | None = None,
        answers: Callable[[], bool] | None = None,
    ) -> Process:
        command = Command(
            name=service.name,
            arguments=[sys.executable, "-m", *service.arguments],
            log=self.state / f"{service.name}.log",
            environment=self.env if env is None else env,
            directory=PROJECT,
            remove_when_orphaned=self.state,
        )
        return Process(command, answers or service.answers)

    def _stop_processes(self) -> None:
        for process in (*self.workers.values(), self.api):
            process.kill()


def _neutral_environment() -> dict[str, str]:
    """Ours without any setting of the service: what a user has set must not change an outcome."""
    names = {
        name.upper() for group in (ApiSettings, WorkerSettings) for name in list_settings(group)
    }
    return {name: value for name, value in os.environ.items() if name not in names}


def _port(url: str) -> int:
    port = urlsplit(url).port
    if port is None:
        raise ValueError("an engine's url names its port")
    return port


def _moved(url: str, port: int) -> str:
    parts = urlsplit(url)
    netloc = f"{parts.netloc.rpartition(':')[0]}:{port}"
    return urlunsplit(parts._replace(netloc=netloc))
