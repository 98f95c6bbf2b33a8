"""What was done, in plain words, in the dashboard."""

from playwright.sync_api import Locator, Page, expect

from tests.browser.workspaces import Workspace, open_dashboard

NUMBER = "+12025550123"


def open_activity(page: Page) -> Locator:
    page.get_by_role("button", name="Activity").click()
    return page.get_by_role("dialog", name="Activity")


def test_what_was_done_is_told_newest_first_with_the_address(
    page: Page, workspace: Workspace
) -> None:
    workspace.connect()
    workspace.change_settings(default_region="GB", match_policy="skip")
    open_dashboard(page, workspace)
    items = open_activity(page).get_by_role("listitem")
    expect(items).to_have_count(2)
    expect(items.nth(0)).to_contain_text(
        "Settings changed: country of numbers, choice between contacts from 127.0.0.1"
    )
    expect(items.nth(1)).to_contain_text(
        f"HubSpot account {workspace.hub_id} connected from 127.0.0.1"
    )
    expect(items.nth(1)).to_contain_text("by you or your team")


def test_workspace_in_which_nothing_was_done_says_so(page: Page, workspace: Workspace) -> None:
    open_dashboard(page, workspace)
    dialog = open_activity(page)
    expect(dialog).to_contain_text("Nothing has been done yet.")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_older_activity_comes_page_by_page(page: Page, workspace: Workspace) -> None:
    for _ in range(51):
        workspace.change_settings(default_region="GB")
    open_dashboard(page, workspace)
    dialog = open_activity(page)
    expect(dialog.get_by_role("listitem")).to_have_count(50)
    dialog.get_by_role("button", name="Show older").click()
    expect(dialog.get_by_role("listitem")).to_have_count(51)
    expect(dialog.get_by_role("button", name="Show older")).to_be_hidden()


def test_number_whose_retention_is_over_is_said_to_be_deleted(
    page: Page, workspace: Workspace
) -> None:
    workspace.connect()
    workspace.add_contact(firstname="Ada", phone=NUMBER)
    log_id = workspace.end_call(NUMBER, call_id="call_old")
    workspace.wait_until_settled()
    workspace.forget_number(log_id)
    open_dashboard(page, workspace)
    row = page.get_by_role("row").filter(has_text="call_old")
    expect(row).to_contain_text("Number deleted")
