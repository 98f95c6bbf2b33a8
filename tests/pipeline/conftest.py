import base64
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local import services
from local.databases import PROJECT
from local.engines import Engine, start_valkey
from local.processes import Command, Process
from sandbox.app import create_app
from sandbox.client import ActivityControl, SandboxControl
from sandbox.config import OAuthApp, SandboxConfig
from sandbox.server import run_in_thread
from shared.activities.destination import ActivityKind
from shared.activities.hubspot import TYPES
from shared.configuration.settings import WorkerSettings
from tests.emptying import empty
from tests.pipeline.clock import Clock
from tests.pipeline.interruptions import Interruption, with_adapter
from tests.pipeline.workspaces import Workspace
from worker.resources import Resources, open_resources

APP = OAuthApp()
OTHER_APP = OAuthApp("another-client-id", "another-client-secret")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A Valkey of our own, because it is flushed and killed here."""
    with start_valkey(tmp_path_factory.mktemp("pipeline-valkey")) as engine:
        yield engine


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def sandbox_url(clock: Clock) -> Iterator[str]:
    with run_in_thread(create_app(SandboxConfig(apps=(APP, OTHER_APP)), now=clock)) as server:
        yield server.url


@pytest.fixture(scope="module")
def environment(postgres_url: str, valkey: Engine, sandbox_url: str) -> dict[str, str]:
    """What a worker process is told."""
    return {
        "DATABASE_URL": postgres_url,
        "REDIS_URL": valkey.url,
        "HUBSPOT_CLIENT_ID": APP.client_id,
        "HUBSPOT_CLIENT_SECRET": APP.client_secret,
        "HUBSPOT_API_URL": sandbox_url,
        "HUBSPOT_APP_URL": sandbox_url,
        "PUBLIC_URL": "http://localhost",
        "TOKEN_ENCRYPTION_KEYS": base64.b64encode(b"k" * 32).decode(),
        "LOG_FORMAT": "json",
    }


OpenWorker = Callable[..., Resources]


@pytest.fixture(scope="module")
def open_worker(environment: dict[str, str]) -> Iterator[OpenWorker]:
    """Makes workers whose environment differs from the usual one."""
    with ExitStack() as stack:

        def open_one(**changes: str) -> Resources:
            resources = open_resources(WorkerSettings.load(environment | changes))
            stack.callback(resources.close)
            return resources

        yield open_one


@pytest.fixture(scope="module")
def module_worker(open_worker: OpenWorker) -> Resources:
    return open_worker()


@pytest.fixture
def worker(module_worker: Resources) -> Resources:
    """A worker that finds the world empty."""
    empty(module_worker.database)
    module_worker.redis.flushdb()
    return module_worker


@pytest.fixture
def activity() -> ActivityKind:
    """What calls become: modules that are about writing say both, the others what is asked for."""
    return ActivityKind(os.environ.get("TEST_ACTIVITY", ActivityKind.NOTE))


@pytest.fixture
def sandbox(sandbox_url: str, activity: ActivityKind) -> Iterator[SandboxControl]:
    with ActivityControl(sandbox_url, TYPES[activity].name) as control:
        control.reset()
        yield control
        control.reset()


Advance = Callable[[float], None]


@pytest.fixture
def advance(clock: Clock, worker: Resources) -> Advance:
    """Makes seconds pass."""
    return lambda seconds: clock.advance(seconds, worker.database, worker.redis)


MakeWorkspace = Callable[[], Workspace]


@pytest.fixture
def make_workspace(
    worker: Resources, sandbox: SandboxControl, advance: Advance, activity: ActivityKind
) -> MakeWorkspace:
    return lambda: Workspace(worker, sandbox, advance, activity)


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    """A workspace that is connected to an account without contacts."""
    workspace = make_workspace()
    workspace.connect()
    return workspace


Interrupted = Callable[..., Resources]


@pytest.fixture
def interrupted(worker: Resources, activity: ActivityKind) -> Iterator[Interrupted]:
    """Makes workers to which something happens before or after a request; it must have happened."""
    interruptions: list[Interruption] = []
    with ExitStack() as stack:

        def make(path: str, action: Callable[[], object], *, is_after: bool = False) -> Resources:
            path = path.replace("/notes/", f"/{TYPES[activity].name}/")
            interruption = Interruption(path, action, is_after=is_after)
            interruptions.append(interruption)
            struck = with_adapter(worker, interruption)
            stack.callback(struck.http.close)
            return struck

        yield make
    assert all(each.happened for each in interruptions)


StartWorker = Callable[[], Process]


@pytest.fixture(scope="module")
def start_worker(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartWorker]:
    logs = tmp_path_factory.mktemp("workers")
    with ExitStack() as stack:

        def start() -> Process:
            number = len(list(logs.iterdir())) + 1
            process = start_process(number, environment, logs)
            stack.callback(process.stop)
            process.wait_until_ready()
            return process

        yield start


def start_process(number: int, environment: dict[str, str], logs: Path) -> Process:
    service = services.worker(number, environment["REDIS_URL"])
    command = Command(
        name=service.name,
        arguments=[sys.executable, "-m", *service.arguments],
        log=logs / f"{service.name}.log",
        environment=os.environ | environment,
        directory=PROJECT,
    )
    return Process(command, lambda: "worker_started" in command.log.read_text())
