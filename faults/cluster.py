"""The whole service as real processes, with a proxy before each engine, HubSpot and the API."""

import itertools
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

from faults.crew import Crew
from faults.proxies.doors import Doors, open_doors
from faults.proxies.proxy import Proxy
from local import services
from local.databases import PROJECT, migrate
from local.engines import Engine, start_postgres, start_valkey
from local.environment import make_environment
from local.processes import Command, Process, free_port
from local.services import Service
from shared.activities.destination import ActivityKind
from shared.configuration.environment import list_settings
from shared.configuration.setting_values import DEFAULT_PREFIX
from shared.configuration.settings import GROUPS

FIRST_HUB_ID: Final = 700_001
# Retention is at work in every run; it concerns what a scenario makes older.
LOG_RETENTION_DAYS: Final = 30


class Cluster:
    """Postgres, Valkey, the sandbox, the API and workers, each of which can be hurt.

    Attributes:
        postgres, valkey: the engines, reached directly.
        env: what the processes are told, the addresses being those of `worker_doors`.
        api_url: where the API answers, through `api_door`.
        sandbox_url: where the sandbox answers, reached directly.
        api_door: what stands before the API.
        api_doors, worker_doors: what stands before the engines and HubSpot, for the API and for
            the workers.
        api: the API's process.
        crew: the workers.
        hub_ids: numbers for HubSpot accounts, none of them twice.
        prefix: under what it keeps everything in Redis.
        activity: what calls become.
    """

    def __init__(
        self,
        *,
        workers: int,
        beside: Self | None = None,
        activity: ActivityKind = ActivityKind.NOTE,
    ) -> None:
        """Describe a cluster: with a Valkey of its own, or `beside` another one on that one's."""
        self._workers_wanted = workers
        self.activity = activity
        self._neighbour = beside
        self.prefix = f"{DEFAULT_PREFIX}-2" if beside else DEFAULT_PREFIX
        self._cleanup = ExitStack()
        self.hub_ids = itertools.count(FIRST_HUB_ID)

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
        self.valkey: Engine = (
            self._neighbour.valkey
            if self._neighbour
            else self._cleanup.enter_context(start_valkey(self.state))
        )
        self.sandbox_url = f"http://127.0.0.1:{free_port()}"
        self.api_doors = self._open_doors()
        self.worker_doors = self._open_doors()
        self.api_door = self._cleanup.enter_context(Proxy(free_port()))
        self.api_url = f"http://127.0.0.1:{self.api_door.port}"
        self._base = make_environment(
            _neutral_environment(),
            database_url=self.postgres.url,
            redis_url=self.valkey.url,
            api_url=self.api_url,
            sandbox_url=self.sandbox_url,
        )
        self._base["LOG_RETENTION_DAYS"] = str(LOG_RETENTION_DAYS)
        self._base["ACTIVITY"] = self.activity
        if self._neighbour:
            self._base["REDIS_PREFIX"] = self.prefix
        self.env = self._base | self._addresses(self.worker_doors)
        migrate(self._base)
        sandbox = self._run(services.sandbox(self.sandbox_url, self._base, latency_ms=0))
        self._cleanup.callback(sandbox.kill)
        self.api = self._start_api()
        self._cleanup.callback(self._kill_api)
        self.crew = Crew(self._run_worker, wanted=self._workers_wanted)
        self._cleanup.callback(self.crew.close)
        self.crew.fill_up()
        sandbox.wait_until_ready()
        self.open_to_api()
        self.crew.wait_until_ready()

    def start_beat(self) -> Process:
        """Start a beat; whoever asks for it stops it."""
        return self._run(services.beat(self.state / secrets.token_hex(4)))

    def roll(self, changes: Mapping[str, str]) -> None:
        """Replace every process, each when its successor is there, with these variables changed."""
        self.env |= changes
        self._base |= changes
        self.crew.replace_all()
        old, self.api = self.api, self._start_api()
        self.open_to_api()
        old.stop()

    def replace_api(self) -> None:
        """SIGKILL the API, then start another."""
        self.api.kill()
        self.api = self._start_api()
        self.open_to_api()

    @contextmanager
    def run_api_beside(self, changes: Mapping[str, str]) -> Iterator[str]:
        """Run one more API inside the block, with other variables; yields its address."""
        url = f"http://127.0.0.1:{free_port()}"
        api = self._run(
            services.api(url), self._base | self._addresses(self.api_doors) | dict(changes)
        )
        try:
            api.wait_until_ready()
            yield url
        finally:
            api.kill()

    def open_to_api(self) -> None:
        """Wait for the API and let the world in; raises StartError."""
        self.api.wait_until_ready()
        self.api_door.upstream_port = self._api_port

    def _kill_api(self) -> None:
        self.api.kill()

    def _start_api(self) -> Process:
        self._api_port = free_port()
        return self._run(
            services.api(f"http://127.0.0.1:{self._api_port}"),
            self._base | self._addresses(self.api_doors),
        )

    def _run_worker(self, number: int, changes: Mapping[str, str]) -> Process:
        service = services.worker(number, self.valkey.url)
        log = self.state / f"{service.name}.log"
        # A ping would go through Redis, which may be what is broken.
        return self._run(
            service, self.env | dict(changes), lambda: "worker_started" in log.read_text()
        )

    def _open_doors(self) -> Doors:
        return self._cleanup.enter_context(
            open_doors(
                database_url=self.postgres.url,
                redis_url=self.valkey.url,
                sandbox_url=self.sandbox_url,
            )
        )

    def _addresses(self, doors: Doors) -> dict[str, str]:
        return doors.addresses(database_url=self.postgres.url, redis_url=self.valkey.url)

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


def _neutral_environment() -> dict[str, str]:
    """Ours without any setting of the service: what a user has set must not change an outcome."""
    names = {name.upper() for group in GROUPS for name in list_settings(group)}
    return {name: value for name, value in os.environ.items() if name not in names}
