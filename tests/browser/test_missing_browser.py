"""What a run without a Chromium says."""

from collections.abc import Callable

import pytest

from tests.browser import conftest as browser_conftest
from tests.browser.chromium import MISSING

pytest_plugins = ["pytester"]

RunWithoutBrowser = Callable[[], pytest.RunResult]


@pytest.fixture
def run_without_browser(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> RunWithoutBrowser:
    """Runs a test that asks for this folder's browser, where no Chromium is found."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("COLUMNS", "300")
    pytester.makepyfile("def test_one(browser): raise AssertionError('there is none')")
    return lambda: pytester.runpytest_inprocess("-p", "no:xdist", plugins=[browser_conftest])


def test_skip_is_said_plainly(
    run_without_browser: RunWithoutBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    run = run_without_browser()
    assert run.ret == pytest.ExitCode.OK
    run.assert_outcomes(skipped=1)
    assert MISSING in run.outlines


def test_missing_browser_fails_in_ci(
    run_without_browser: RunWithoutBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    run = run_without_browser()
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.assert_outcomes(errors=1)
    assert MISSING in run.outlines
