"""A command ends with its starter, however the starter ends."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest

from local.processes import GUARD
from tests.local.waiting import has_ended, wait_for, wait_until_ended, wait_until_removed

STARTER = """
import subprocess, sys, time
command = [sys.executable, "-I", "-S", *sys.argv[1:]]
child = subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0)
print(child.pid, flush=True)
if sys.stdin.readline() == "let go\\n":
    child.stdin.write(b".")
    child.stdin.close()
time.sleep(600)
"""
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('deaf', flush=True); time.sleep(600)"
)


class Starter:
    """A process that starts one command under the guard and then only waits."""

    def __init__(self, *arguments: str) -> None:
        self.popen = subprocess.Popen(  # noqa: S603 - our own arguments
            [sys.executable, "-c", STARTER, str(GUARD), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.output = opened(self.popen.stdout)
        self.command = psutil.Process(int(self.output.readline()))

    def let_go(self) -> None:
        opened(self.popen.stdin).write("let go\n")
        opened(self.popen.stdin).flush()

    def kill(self, with_signal: signal.Signals = signal.SIGKILL) -> None:
        self.popen.send_signal(with_signal)
        self.popen.wait()
        self.output.close()
        opened(self.popen.stdin).close()


def opened(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


@pytest.fixture
def start() -> Iterator[Callable[..., Starter]]:
    starters: list[Starter] = []

    def start(*arguments: str) -> Starter:
        starters.append(Starter(*arguments))
        return starters[-1]

    yield start
    for starter in starters:
        starter.kill()
        if not has_ended(starter.command):
            starter.command.kill()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_command_ends_when_its_starter_is_killed(
    start: Callable[..., Starter], ending: signal.Signals
) -> None:
    starter = start("--", "sleep", "600")
    assert not has_ended(starter.command)

    starter.kill(ending)

    wait_until_ended(starter.command)


def test_what_the_command_started_ends_with_it(start: Callable[..., Starter]) -> None:
    starter = start("--", "sh", "-c", "sleep 600 & echo started; wait")
    assert starter.output.readline() == "started\n"
    (sleeper,) = starter.command.children()

    starter.kill()

    wait_until_ended(sleeper)


def test_command_deaf_to_sigterm_is_killed(start: Callable[..., Starter]) -> None:
    starter = start("--", sys.executable, "-c", DEAF)
    assert starter.output.readline() == "deaf\n"

    starter.kill()

    wait_until_ended(starter.command)


def test_directory_is_removed_when_the_starter_is_killed(
    start: Callable[..., Starter], tmp_path: Path
) -> None:
    data = tmp_path / "some data"
    data.mkdir()
    starter = start("--remove", str(data), "--", "sleep", "600")

    starter.kill()

    wait_until_removed(data)


def test_command_that_was_let_go_lives_on(start: Callable[..., Starter], tmp_path: Path) -> None:
    data = tmp_path / "some data"
    data.mkdir()
    starter = start("--remove", str(data), "--", "sleep", "600")
    wait_for(lambda: watchers_of(data) != [])

    starter.let_go()
    wait_for(lambda: watchers_of(data) == [])
    starter.kill()

    assert not has_ended(starter.command)
    assert data.exists()


def test_command_leads_its_own_group_with_the_pid_that_its_starter_sees(
    start: Callable[..., Starter],
) -> None:
    starter = start("--", "sh", "-c", "echo $$; ps -o pgid= -p $$")
    assert int(starter.output.readline()) == starter.command.pid
    assert int(starter.output.readline()) == starter.command.pid


def watchers_of(directory: Path) -> list[int]:
    """The watchers that would remove a directory."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(GUARD) in (cmdline := process.info["cmdline"] or [])
        and str(directory) in cmdline
        and "-c" not in cmdline
    ]
