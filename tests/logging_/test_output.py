"""What a process prints: run in a process of its own, because logging belongs to the process."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

PROGRAM = """
import logging, sys
import structlog
from shared.logging import configure_logging

foreign = logging.getLogger("granian.access")
foreign.addHandler(logging.StreamHandler(sys.stderr))
foreign.propagate = False
configure_logging("info", {log_format})
log = structlog.get_logger("worker.sync")
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
        "logger": "worker.sync",
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


def test_console_lines_are_for_people_and_hide_the_same() -> None:
    lines = run("'console'")
    assert "note_created" in lines[0]
    assert "log_id=hs_1" in lines[0]
    assert lines[-1] == "RuntimeError: no answer from ***0123"
    assert not any("2025550123" in line or "hunter2" in line for line in lines)
