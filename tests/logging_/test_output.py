"""What a process prints, mostly in one of its own, because logging belongs to the process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from threading import Event

import pytest

from shared.telemetry import logging
from shared.telemetry.logging import Lines

PATIENCE_S = 240.0

PROGRAM = """
import logging, sys
import structlog
from shared.telemetry.logging import configure_logging

foreign = logging.getLogger("granian.access")
foreign.addHandler(logging.StreamHandler(sys.stderr))
foreign.propagate = False
configure_logging("info", {log_format})
log = structlog.get_logger("worker.rounds.sync")
with structlog.contextvars.bound_contextvars(log_id="hs_1", connection_id="hc_1", hub_id=7):
    log.info("note_created", note_id="17147287858", phone="+12025550123")
    logging.getLogger("urllib3").warning("retrying %s", "https://u:hunter2@h/")
log.debug("detail_seen")
foreign.info("GET / 200")
try:
    raise RuntimeError("no answer from +12025550123")
except RuntimeError:
    log.exception("turn_failed")
"""


def run(log_format: str) -> list[str]:
    done = subprocess.run(  # noqa: S603 - the program is above
        [sys.executable, "-c", PROGRAM.format(log_format=log_format)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_every_line_is_json_with_what_it_belongs_to() -> None:
    created, retried, accessed, failed = (json.loads(line) for line in run("None"))
    assert datetime.fromisoformat(created.pop("timestamp")).utcoffset() == timedelta(0)
    assert created == {
        "event": "note_created",
        "level": "info",
        "logger": "worker.rounds.sync",
        "log_id": "hs_1",
        "connection_id": "hc_1",
        "hub_id": 7,
        "note_id": "17147287858",
        "phone": "***0123",
    }
    assert (retried["event"], retried["logger"]) == ("retrying https://u:***@h/", "urllib3")
    assert retried["log_id"] == "hs_1"
    assert (accessed["event"], "log_id" in accessed) == ("GET / 200", False)
    assert "RuntimeError: no answer from ***0123" in failed["exception"]


def test_log_that_nobody_reads_does_not_end_the_work() -> None:
    program = PROGRAM.format(log_format="'json'") + "\nprint('worked on', file=sys.stderr)"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - the program is above
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "worked on" in done.stderr


class StuckStream(StringIO):
    """Takes nothing while it is stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = Event()
        self.is_free = Event()

    def write(self, text: str) -> int:
        self.is_asked.set()
        assert self.is_free.wait(PATIENCE_S)
        return super().write(text)


@pytest.fixture
def stuck() -> Iterator[StuckStream]:
    stream = StuckStream()
    yield stream
    stream.is_free.set()


def test_lines_of_many_threads_come_whole_and_once() -> None:
    stream = StringIO()
    lines = Lines(stream)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lines.write, map(str, range(5000))))
    assert sorted(map(int, stream.getvalue().splitlines())) == list(range(5000))


def test_nobody_waits_for_a_line_that_another_thread_is_writing(stuck: StuckStream) -> None:
    lines = Lines(stuck)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lines.write, "first")
        assert stuck.is_asked.wait(PATIENCE_S)
        lines.write("second")
        assert not first.done()
        stuck.is_free.set()
    assert stuck.getvalue() == "first\nsecond\n"


def test_log_that_is_stuck_keeps_the_latest_lines(
    stuck: StuckStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "MOST_WAITING_LINES", 3)
    lines = Lines(stuck)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lines.write, "first")
        assert stuck.is_asked.wait(PATIENCE_S)
        for number in range(10):
            lines.write(str(number))
        stuck.is_free.set()
    assert stuck.getvalue().split() == ["first", "7", "8", "9"]


def test_console_lines_are_for_people_and_hide_the_same() -> None:
    lines = run("'console'")
    assert "note_created" in lines[0]
    assert "log_id=hs_1" in lines[0]
    assert lines[-1] == "RuntimeError: no answer from ***0123"
    assert not any("2025550123" in line or "hunter2" in line for line in lines)
