"""Child processes that end with us, whose output is kept, and that tests can freeze and kill."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

GUARD = Path(__file__).with_name("guard.py")
TAIL_LINES = 25
# A guard: a process that ended is noticed at once, a slow machine is no failure.
START_TIMEOUT_SECONDS = 300.0
POLL_SECONDS = 0.01


class StartError(Exception):
    """A process could not be started; the message is for a person and ends with its log."""


@dataclass(frozen=True)
class Account:
    """An unprivileged user that a process runs as when we are root."""

    user: int
    group: int


@dataclass(frozen=True)
class Command:
    """What to run, and how to end it."""

    name: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    directory: Path
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    remove_when_orphaned: Path | None = None


class Process:
    """A running command under the guard, which ends it if we die without stopping it."""

    def __init__(self, command: Command, answers: Callable[[], bool] = lambda: True) -> None:
        self.command = command
        self._answers = answers
        self._popen = self._start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def wait_until_ready(self) -> None:
        """Wait for its first answer; raises StartError when it ends or takes too long."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._answers():
            if not self.is_running:
                raise StartError(f"{self.command.name} ended while starting:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.command.name} did not answer:\n{self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self, grace_seconds: float = 10.0) -> None:
        """Ask it to end, insist after the grace; returns when it is gone."""
        if self.is_running:
            self._popen.send_signal(self.command.stop_signal)
            self._popen.send_signal(signal.SIGCONT)  # a frozen process hears nothing else
            try:
                self._popen.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                self._signal_family(signal.SIGKILL)
        self._let_go()

    def kill(self) -> None:
        """SIGKILL it with everything it started, as a lost machine would; returns when gone."""
        self._signal_family(signal.SIGKILL)
        self._let_go()

    def terminate(self) -> None:
        """Ask it to end, as a deployment does, without waiting."""
        self._popen.send_signal(self.command.stop_signal)

    def wait(self, timeout_seconds: float) -> int:
        """Its exit status; raises subprocess.TimeoutExpired."""
        return self._popen.wait(timeout_seconds)

    def suspend(self) -> None:
        """Freeze it with everything it started: it holds its connections and answers nothing."""
        self._signal_family(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_family(signal.SIGCONT)

    def restart(self) -> None:
        """Start the same command again, ending the old process if it still runs.

        Returns when it is ready; raises StartError.
        """
        self.stop()
        self._popen = self._start()
        self.wait_until_ready()

    def log_tail(self) -> str:
        """The end of its output, indented."""
        return tail(self.command.log.read_text(errors="replace"))

    def _start(self) -> subprocess.Popen[bytes]:
        command = self.command
        options = ["--signal", str(command.stop_signal.value)]
        if command.account:
            options += ["--account", f"{command.account.user}:{command.account.group}"]
        if command.remove_when_orphaned:
            options += ["--remove", str(command.remove_when_orphaned)]
        with command.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), *options, "--", *command.arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(command.environment),
                cwd=command.directory,
                process_group=0,  # Ctrl-C in the terminal is for us, not for them
            )

    def _signal_family(self, signal_number: signal.Signals) -> None:
        # Not the process group: every Postgres backend leads a group of its own.
        if not self.is_running:
            return
        parent = psutil.Process(self.pid)
        family = [parent, *parent.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal_number)
        if signal_number == signal.SIGKILL:
            self._popen.wait()
            wait_until_gone(family[1:])

    def _let_go(self) -> None:
        pipe = self._popen.stdin
        if pipe is None or pipe.closed:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # whatever it left behind
        with suppress(BrokenPipeError):
            pipe.write(b".")
            pipe.flush()
        with suppress(BrokenPipeError):
            pipe.close()


def tail(output: str) -> str:
    """The last lines of a process's output, indented."""
    return "\n".join(f"    {line}" for line in output.splitlines()[-TAIL_LINES:])


def wait_until_gone(processes: Sequence[psutil.Process]) -> None:
    """Wait for the end of killed processes that are not our children; a zombie has ended."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on.

    Below the range that systems hand out to outgoing connections (32768 and up): a port taken
    from that range can be lost to somebody's outgoing connection while its server restarts.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
