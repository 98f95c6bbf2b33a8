"""The demo as a newcomer and a build server meet it: one command, no terminal, no settings."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.databases import PROJECT
from local.demo.cast import CALLS

TIMEOUT_S = 800


@pytest.fixture
def temporary_folder() -> Iterator[Path]:
    """Where the demo's engines live; reachable for the user that they run as."""
    folder = Path(tempfile.mkdtemp(prefix="demo-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes that were told to keep their files in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.environ().values(), *process.cmdline()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(str(folder) in text for text in told):
            found.append(process)
    return found


def test_demo_ends_well_and_leaves_nothing_behind(temporary_folder: Path) -> None:
    misleading = {"MATCH_POLICY": "oldest", "DEFAULT_REGION": "DE", "OAUTH_BINDING": "confirm"}
    inherited = {
        name: value for name, value in os.environ.items() if name not in {"COLUMNS", "FORCE_COLOR"}
    }

    demo = subprocess.run(
        [sys.executable, "-m", "cli", "demo"],
        cwd=PROJECT,
        env=inherited | misleading | {"TMPDIR": str(temporary_folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stderr == ""
    assert "\x1b" not in demo.stdout
    for call in CALLS:
        assert call.call_id in demo.stdout
    closing = demo.stdout.splitlines()[-1]
    assert closing.startswith("✓ 16 webhooks, 14 calls, 10 notes, 0 lost, 0 twice, in ")
    assert processes_of(temporary_folder) == []
    assert list(temporary_folder.iterdir()) == []
