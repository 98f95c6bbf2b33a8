"""What a run without a Chromium says."""

import os
import subprocess
import sys

import pytest

from local.databases import PROJECT
from tests.browser.chromium import MISSING


def run_without_browser(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run one browser test where no Chromium is found."""
    options = ["-q", "-p", "no:cacheprovider", "-k", "test_wrong_fields_are_named"]
    return subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "pytest", "tests/browser/test_client.py", *options],
        cwd=PROJECT,
        env={**os.environ, "PATH": "/nowhere", "CI": "", "COLUMNS": "300", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(autouse=True)
def _running_engines(
    monkeypatch: pytest.MonkeyPatch, postgres_server_url: str, valkey_url: str
) -> None:
    """The engines of this run serve that one too."""
    monkeypatch.setenv("DATABASE_URL", postgres_server_url)
    monkeypatch.setenv("REDIS_URL", valkey_url)


def test_skip_is_said_plainly() -> None:
    run = run_without_browser()
    assert run.returncode == 0, run.stdout
    assert "1 skipped" in run.stdout
    assert MISSING in run.stdout.splitlines()


def test_missing_browser_fails_in_ci() -> None:
    run = run_without_browser(CI="true")
    assert run.returncode == 1, run.stdout
    assert "1 error" in run.stdout
    assert MISSING in run.stdout.splitlines()
