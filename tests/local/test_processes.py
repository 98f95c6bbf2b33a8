"""Processes are ended in bounded time with all they started, and can be frozen and replaced."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local.processes import Command, Process
from tests.local.waiting import has_ended, wait_for

DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('deaf', flush=True); time.sleep(600)"
)
FAMILY = "sleep 600 & setsid sleep 600 & echo started; wait"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def start(*arguments: str) -> Process:
        log = tmp_path / f"{len(processes)}.log"
        processes.append(
            Process(Command("test", arguments, log, {"PATH": "/usr/bin:/bin"}, tmp_path))
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


def wait_for_output(process: Process) -> None:
    wait_for(lambda: process.log_tail() != "")


def test_process_deaf_to_sigterm_is_killed_after_the_grace(start: Callable[..., Process]) -> None:
    process = start(sys.executable, "-c", DEAF)
    wait_for_output(process)

    process.stop(grace_seconds=0.1)

    assert not process.is_running


def test_frozen_process_can_be_stopped(start: Callable[..., Process]) -> None:
    process = start("sh", "-c", "echo started; exec sleep 600")
    wait_for_output(process)
    process.suspend()
    wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)

    process.stop()

    assert not process.is_running


def test_kill_reaches_children_that_left_the_process_group(start: Callable[..., Process]) -> None:
    process = start("sh", "-c", FAMILY)
    wait_for_output(process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 2

    process.kill()

    assert all(has_ended(child) for child in children)


def test_restarted_process_is_another_with_the_same_log(start: Callable[..., Process]) -> None:
    process = start("sh", "-c", "echo $$; sleep 600")
    wait_for_output(process)
    first = process.pid

    process.restart()
    wait_for(lambda: len(process.log_tail().split()) == 2)

    assert process.log_tail().split() == [str(first), str(process.pid)]


def test_stopping_twice_is_harmless(start: Callable[..., Process]) -> None:
    process = start("sleep", "600")
    process.stop()
    process.stop()
    process.kill()
    assert not process.is_running
