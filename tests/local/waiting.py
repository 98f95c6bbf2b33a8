"""Waiting for what other processes do; nothing here sleeps for a fixed time."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

GUARD_SECONDS = 240.0


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GUARD_SECONDS
    pause = 0.01
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)
        # What is asked may be what works on it, and the service counts how often it is asked.
        pause = min(1.2 * pause, 0.1)


def wait_until_ended(process: psutil.Process) -> None:
    """A zombie has ended too: whoever inherited it may take its time to reap it."""
    wait_for(lambda: has_ended(process))


def wait_until_removed(path: Path) -> None:
    wait_for(lambda: not path.exists())


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
