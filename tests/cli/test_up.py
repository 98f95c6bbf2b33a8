"""`callsync up` runs a whole service that a person can use, until Ctrl-C ends all of it."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from local.databases import PROJECT
from tests.cli.conftest import Invoke
from tests.local.waiting import wait_until_ended

TIMEOUT_S = 240
START_TIMEOUT_S = 300


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`callsync up` with its output in a file."""
    with (
        (tmp_path / "output").open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "cli", "up"],
            cwd=PROJECT,
            env=environment | {"PATH": "/usr/bin:/bin"},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        yield process
        process.kill()


def read_addresses(process: subprocess.Popen[bytes], output: Path) -> dict[str, str]:
    """What it prints, once it has started: each address by the words before it."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while "Ctrl-C stops" not in output.read_text():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.1)
    return dict(re.findall(r"^(.*\S)\s+(http\S+)", output.read_text(), re.MULTILINE))


def test_service_can_be_used_until_ctrl_c_ends_all_of_it(
    invoke: Invoke, running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    output = tmp_path / "output"
    addresses = read_addresses(running, output)
    family = psutil.Process(running.pid).children(recursive=True)
    for name in ("Dashboard", "API docs", "Flower", "HubSpot sandbox"):
        assert requests.get(addresses[name], timeout=TIMEOUT_S).ok, name
    link = re.search(r"(\S+)#token=(\S+)", output.read_text())
    assert link
    assert link[1] == addresses["Dashboard"]
    status = requests.get(
        f"{link[1]}api/hubspot/status",
        headers={"Authorization": f"Bearer {link[2]}"},
        timeout=TIMEOUT_S,
    )
    assert status.json()["state"] == "disconnected"
    here = {
        "PUBLIC_URL": addresses["Dashboard"].rstrip("/"),
        "HUBSPOT_API_URL": addresses["HubSpot sandbox"].rstrip("/"),
    }
    assert invoke("send", **here).exit_code == 0
    assert "✓ Everything" in invoke("doctor", **here).stdout

    running.send_signal(signal.SIGINT)

    assert running.wait(TIMEOUT_S) == 0
    assert "Traceback" not in output.read_text()
    assert {urlsplit(each).hostname for each in addresses.values()} == {"127.0.0.1"}
    for process in family:
        wait_until_ended(process)
