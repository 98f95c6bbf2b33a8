"""Who is signed in for reading only sees everything, is offered nothing to change, and told why."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import new_workspace
from tests.browser.deployments import Deployments
from tests.browser.test_appearance import check_accessibility
from tests.browser.workspaces import Workspace

WHY = "You are signed in for reading only"
WHY_IN_FULL = f"{WHY}: you see everything here, and can change nothing."
CHANGING = (
    *("Connect HubSpot", "Disconnect", "Try a number", "Send test call"),
    *("Export CSV", "Retry all failed", "Hide"),
)


@pytest.fixture(scope="module")
def used(deployments: Deployments) -> Workspace:
    """A workspace that is connected, with a call that can be retried; no test changes it."""
    workspace = new_workspace(deployments)
    workspace.connect()
    workspace.end_call("+12025550123", call_id="call_seen")
    workspace.wait_until_settled()
    return workspace


def open_as_viewer(page: Page, workspace: Workspace) -> None:
    page.goto(workspace.viewers_url)
    expect(page.get_by_text("Up to date")).to_be_visible()


def expect_nothing_to_change(page: Page) -> None:
    expect(page.get_by_role("note").filter(has_text=WHY)).to_be_visible()
    for name in CHANGING:
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    expect(page.get_by_role("checkbox")).to_have_count(0)


def test_viewer_of_a_new_workspace_is_offered_no_set_up(page: Page, workspace: Workspace) -> None:
    open_as_viewer(page, workspace)
    expect(page.get_by_text("Not connected", exact=True)).to_be_visible()
    expect(page.get_by_text("Set up in three steps")).to_have_count(0)
    expect_nothing_to_change(page)


def test_viewer_sees_calls_and_their_details(page: Page, used: Workspace) -> None:
    open_as_viewer(page, used)
    expect(page.get_by_role("heading", name=f"HubSpot account {used.hub_id}")).to_be_visible()
    expect_nothing_to_change(page)
    check_accessibility(page)

    page.get_by_role("button", name="call call_seen: details").click()

    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Note, as it would be written")).to_be_visible()
    expect(dialog.get_by_role("button", name="Retry")).to_have_count(0)


def test_viewer_reads_the_settings(page: Page, used: Workspace) -> None:
    open_as_viewer(page, used)
    page.get_by_role("button", name="Settings").click()

    dialog = page.get_by_role("dialog", name="Settings")
    expect(dialog.get_by_role("note")).to_contain_text(WHY)
    country = dialog.get_by_label("Country of numbers without a country code")
    expect(country).to_be_disabled()
    expect(country).to_have_accessible_description(WHY_IN_FULL)
    for radio in dialog.get_by_role("radio").all():
        expect(radio).to_be_disabled()
    check_accessibility(page)
    expect(dialog.get_by_role("button", name="Save")).to_have_count(0)
    expect(dialog.get_by_role("button", name="Use the defaults")).to_have_count(0)
    dialog.get_by_role("button", name="Close").last.click()
    expect(dialog).to_have_count(0)


def test_whoever_may_change_something_is_offered_it(page: Page, used: Workspace) -> None:
    page.goto(used.page_url)
    expect(page.get_by_text("Up to date")).to_be_visible()
    expect(page.get_by_text(WHY)).to_be_hidden()
    for name in ("Disconnect", "Try a number", "Export CSV", "Retry all failed"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Retry call call_seen")).to_be_visible()


def test_new_token_that_may_change_something_brings_the_buttons_back(
    page: Page, used: Workspace
) -> None:
    open_as_viewer(page, used)
    page.evaluate("url => { location.href = url; }", used.page_url)
    expect(page.get_by_text(WHY)).to_be_hidden()
    expect(page.get_by_role("button", name="Disconnect", exact=True)).to_be_visible()
