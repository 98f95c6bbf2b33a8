"""The whole service starts by its standard commands and goes without leaving anything behind."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from local.processes import StartError
from local.stack import Stack
from tests.local.waiting import wait_until_ended, wait_until_removed

SUPERVISOR = """
import json, sys, time
from local.stack import Stack
stack = Stack(durable=False)
stack.start(progress=lambda text: print(text, file=sys.stderr))
names = ["postgres", "valkey", "sandbox", "api", "worker-1", "beat"]
print(json.dumps({
    "api_url": stack.api_url,
    "sandbox_url": stack.sandbox_url,
    "state": str(stack.process("api").command.log.parent),
    "pids": [stack.process(name).pid for name in names],
}), flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _embedded_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


@pytest.fixture
def supervisor() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603 - our own arguments
        [sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_killed_supervisor_leaves_nothing_behind(supervisor: subprocess.Popen[str]) -> None:
    assert supervisor.stdout
    stack = json.loads(supervisor.stdout.readline())
    processes = [psutil.Process(pid) for pid in stack["pids"]]
    homes = [Path(process.cwd()) for process in processes[:2]]
    families = [child for process in processes for child in process.children(recursive=True)]
    assert requests.get(f"{stack['api_url']}/readyz", timeout=240).status_code == 200
    assert requests.get(stack["sandbox_url"], timeout=240).status_code == 200

    supervisor.kill()

    for process in (*processes, *families):
        wait_until_ended(process)
    for folder in (*homes, Path(stack["state"])):
        wait_until_removed(folder)


def test_stack_whose_api_cannot_start_says_why_and_is_gone() -> None:
    children = set(psutil.Process().children(recursive=True))

    with pytest.raises(StartError, match=r"(?s)api ended while starting.*PUBLIC_URL"):
        Stack(workers=0, beat=False, durable=False, env={"PUBLIC_URL": "nonsense"}).start()

    assert set(psutil.Process().children(recursive=True)) == children
