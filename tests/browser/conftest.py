import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from local.databases import fresh_database
from tests.browser.chromium import MISSING, find_chromium, running_chromium
from tests.browser.deployments import Deployments, running_deployments
from tests.browser.watching import Watch
from tests.browser.workspaces import Workspace
from tests.programs import stop_without

TIMEOUT_MS = 240_000


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly that these tests did not run: a skip is easily overlooked."""
    if find_chromium() is None:
        terminalreporter.write_line(MISSING, red=True, bold=True)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        stop_without(MISSING)
    expect.set_options(timeout=TIMEOUT_MS)
    with running_chromium(path) as browser:
        yield browser


@pytest.fixture(scope="package")
def deployments(
    browser: Browser,  # noqa: ARG001 - without one nothing needs to start
    postgres_server_url: str,
    template_url: str,
    valkey_url: str,
) -> Iterator[Deployments]:
    with (
        fresh_database(postgres_server_url, template_url=template_url) as database_url,
        running_deployments(database_url, valkey_url) as deployments,
    ):
        yield deployments


def new_workspace(deployments: Deployments) -> Workspace:
    hub_id = deployments.sandbox.add_account(secrets.randbelow(10**9), ui_domain="")
    return Workspace(deployments, hub_id)


@pytest.fixture
def workspace(deployments: Deployments) -> Iterator[Workspace]:
    """A workspace with an empty HubSpot account that is not connected yet."""
    yield new_workspace(deployments)
    deployments.sandbox.clear_faults()
    deployments.sandbox.set_behaviour(severs_opener=False)


@pytest.fixture
def context_options() -> dict[str, Any]:
    """What a test's browser context is made with; tests override it by a mark or a fixture."""
    return {}


@pytest.fixture
def watch(deployments: Deployments) -> Watch:
    return Watch(deployments.origins, deployments.sandbox.base_url)


@pytest.fixture
def context(
    browser: Browser, watch: Watch, context_options: dict[str, Any]
) -> Iterator[BrowserContext]:
    """A browser of its own; the test fails if a page complained or asked a foreign host."""
    options: dict[str, Any] = {
        "timezone_id": "Europe/Berlin",
        "locale": "en-GB",
        "color_scheme": "light",
    }
    with browser.new_context(**options | context_options) as context:
        context.set_default_timeout(TIMEOUT_MS)
        watch.attach(context)
        yield context
    assert watch.faults() == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
