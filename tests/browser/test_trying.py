"""Setting up a new workspace, trying a number, and the settings."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.test_appearance import check_accessibility
from tests.browser.test_connecting import allow, confirm, open_consent
from tests.browser.watching import Watch
from tests.browser.workspaces import Workspace, open_dashboard

NUMBER = "+12025550123"


@pytest.fixture
def connected(workspace: Workspace) -> Workspace:
    """Connected, with Ada as a contact who has `NUMBER`."""
    workspace.connect()
    workspace.add_contact(firstname="Ada", lastname="Lovelace", phone=NUMBER)
    return workspace


def writes_to(workspace: Workspace) -> list[str]:
    """The requests that changed something in the workspace's HubSpot account."""
    asked = workspace.deployments.sandbox.requests(hub_id=workspace.hub_id)
    return [each.endpoint for each in asked if "create" in each.endpoint]


def test_new_workspace_is_led_to_its_first_note(
    page: Page, context: BrowserContext, workspace: Workspace
) -> None:
    workspace.add_contact(firstname="Ada", lastname="Lovelace", phone=NUMBER)
    open_dashboard(page, workspace)
    checklist = page.get_by_role("region", name="Set up in three steps")
    expect(checklist).to_be_visible()

    popup = open_consent(page)
    allow(popup, workspace)
    confirm(popup, workspace)
    expect(checklist.get_by_role("heading", name="Done: Connect HubSpot")).to_be_visible()
    checklist.get_by_label("Phone number").fill("(202) 555-0123")
    checklist.get_by_role("button", name="Send test call").click()
    expect(checklist.get_by_role("heading", name="Done: See it arrive")).to_be_visible()
    with context.expect_page() as opened:
        checklist.get_by_role("link", name="See it in HubSpot").click()
    expect(opened.value.get_by_role("heading", name="Ada Lovelace")).to_be_visible()

    checklist.get_by_role("button", name="Done").click()
    expect(page.get_by_role("region", name="Outcomes over time")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="test_")).to_contain_text("Synced")


def test_used_workspace_sees_the_picture_instead(page: Page, connected: Workspace) -> None:
    connected.end_call(NUMBER)
    connected.wait_until_settled()
    open_dashboard(page, connected)
    picture = page.get_by_role("region", name="Outcomes over time")
    expect(picture.get_by_role("img", name="Outcomes of 24 hours, by hour")).to_be_visible()
    expect(picture.get_by_role("list", name="Legend")).to_contain_text("Synced 1")

    picture.get_by_role("button", name="Show as table").click()
    expect(picture.get_by_role("row")).to_have_count(25)
    picture.get_by_label("7 days").check()
    expect(picture.get_by_role("row")).to_have_count(8)
    expect(page.get_by_role("region", name="Set up in three steps")).to_have_count(0)


def test_more_calls_than_are_counted_are_not_told_as_exact(
    page: Page, connected: Workspace
) -> None:
    def enlarge(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        told["points"][-1] |= {"pending": 10_000, "success": 190_000}
        route.fulfill(response=answer, json=told)

    connected.end_call(NUMBER)
    connected.wait_until_settled()
    page.route("**/api/hubspot/statistics?*", enlarge)
    open_dashboard(page, connected)
    picture = page.get_by_role("region", name="Outcomes over time")
    expect(picture.get_by_role("list", name="Legend")).to_contain_text("Synced 190,000")
    expect(picture.get_by_role("list", name="Legend")).to_contain_text("Waiting 10,000+")
    labels = picture.locator("svg .tick")
    expect(labels.first).to_be_visible()
    left = picture.get_by_role("img").evaluate("element => element.getBoundingClientRect().left")
    for label in labels.all():
        assert label.evaluate("element => element.getBoundingClientRect().left") >= left

    picture.get_by_role("button", name="Show as table").click()
    expect(picture.get_by_role("cell", name="10,000+", exact=True)).to_be_visible()


def test_preview_writes_nothing(page: Page, connected: Workspace) -> None:
    open_dashboard(page, connected)
    page.get_by_role("button", name="Try a number").click()
    dialog = page.get_by_role("dialog", name="Try a number")
    dialog.get_by_label("Phone number").fill("202-555-0123")
    dialog.get_by_role("button", name="Preview").click()

    expect(dialog).to_contain_text("would go to Ada Lovelace.")
    expect(dialog).to_contain_text("How the note would look")
    expect(dialog).to_contain_text("Nothing was written.")
    assert writes_to(connected) == []
    assert connected.get("sync-logs")["total"] == 0


def test_preview_of_a_stranger_says_so(page: Page, connected: Workspace) -> None:
    open_dashboard(page, connected)
    page.get_by_role("button", name="Try a number").click()
    dialog = page.get_by_role("dialog", name="Try a number")
    dialog.get_by_label("Phone number").fill("+12025550199")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_text("Skipped", exact=True)).to_be_visible()
    dialog.get_by_label("Phone number").fill("")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_text("Enter a phone number")).to_be_visible()


def test_further_phone_properties_are_set_tried_and_named_when_hubspot_refuses_them(
    page: Page, connected: Workspace, watch: Watch
) -> None:
    watch.expected.append("Failed to load resource")  # the name that is refused
    connected.add_contact(firstname="Augusta", lastname="King", fax="(202) 555-0177 (direct)")
    open_dashboard(page, connected)
    settings = page.get_by_role("dialog", name="Settings")
    names = settings.get_by_label("Further contact properties")

    page.get_by_role("button", name="Settings").click()
    names.fill("Direct Line")
    settings.get_by_role("button", name="Save", exact=True).click()
    expect(settings.get_by_text("Must be the internal name of a contact property")).to_be_visible()
    names.fill("fax, direct_line")
    settings.get_by_role("button", name="Save", exact=True).click()
    expect(settings).to_have_count(0)

    page.get_by_role("button", name="Try a number").click()
    trial = page.get_by_role("dialog", name="Try a number")
    trial.get_by_label("Phone number").fill("+12025550177")
    trial.get_by_role("button", name="Preview").click()
    expect(trial.get_by_text("would go to Augusta King")).to_be_visible()
    expect(trial.get_by_text("refuses to search the contact property direct_line")).to_be_visible()
    trial.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="Settings").click()
    expect(names).to_have_value("fax, direct_line")
    expect(names).to_have_accessible_description(re.compile("refuses to search .* direct_line"))


def test_settings_explain_themselves_and_hold(page: Page, connected: Workspace) -> None:
    connected.add_contact(firstname="Augusta", lastname="King", phone=NUMBER)
    open_dashboard(page, connected)
    page.get_by_role("button", name="Settings").click()
    dialog = page.get_by_role("dialog", name="Settings")
    region = dialog.get_by_label("Country of numbers without a country code")
    region.select_option("Germany")
    expect(dialog).to_contain_text("the country code of Germany")
    region.select_option("United States")
    dialog.get_by_label("None of them").check()
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Settings saved")).to_be_visible()
    expect(dialog).to_have_count(0)

    connected.end_call("(202) 555-0123", call_id="call_ambiguous")
    connected.wait_until_settled()
    page.reload()
    row = page.get_by_role("row").filter(has_text="call_ambiguous")
    expect(row).to_contain_text("2 HubSpot contacts have +1 202 555 0123")


def test_settings_of_calls_say_what_they_do_before_they_are_saved(
    page: Page, connected: Workspace, watch: Watch
) -> None:
    watch.expected.append("Failed to load resource")  # a number that is none
    connected.add_contact(firstname="Augusta", phone=NUMBER)
    open_dashboard(page, connected)
    page.get_by_role("button", name="Settings").click()
    dialog = page.get_by_role("dialog", name="Settings")
    dialog.get_by_label("Shortest call, in seconds").fill("10")
    expect(dialog).to_contain_text("Calls shorter than 10 seconds are left out.")
    dialog.get_by_label("Outcomes to leave out").fill("Voicemail, no answer")
    expect(dialog).to_contain_text("Calls that ended as “Voicemail” or “no answer” are left out.")
    dialog.get_by_label("Direction").select_option("Only calls from customers")
    expect(dialog).to_contain_text("Calls that your side made are left out.")
    dialog.get_by_label("Keep transcripts").uncheck()
    expect(dialog).to_contain_text("From now on transcripts are thrown away")
    dialog.get_by_label("When the call is complete").check()
    own = dialog.get_by_label("Your own phone numbers")
    own.fill("+1 202 555 0100\nreception")
    expect(dialog).to_contain_text("2 numbers, never taken for a customer's.")
    check_accessibility(page)

    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).to_contain_text("Entry 2 must be a phone number")
    own.fill("+1 202 555 0100")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Settings saved")).to_be_visible()

    page.get_by_role("button", name="Settings").click()
    expect(own).to_have_value("+12025550100")
    expect(dialog.get_by_label("Outcomes to leave out")).to_have_value("voicemail, no_answer")
    expect(dialog.get_by_label("Keep transcripts")).not_to_be_checked()


def test_changed_rule_is_applied_to_calls_that_were_left_out(
    page: Page, connected: Workspace
) -> None:
    connected.add_contact(firstname="Augusta", phone=NUMBER)
    connected.change_settings(rules={"blocked_numbers": [NUMBER]})
    connected.end_call(NUMBER, call_id="call_blocked")
    connected.wait_until_settled()
    open_dashboard(page, connected)
    row = page.get_by_role("row").filter(has_text="call_blocked")
    expect(row).to_contain_text("blocked_numbers")
    page.get_by_role("button", name="Settings").click()
    dialog = page.get_by_role("dialog", name="Settings")
    dialog.get_by_label("Customers' numbers to leave out").fill("")
    dialog.get_by_role("button", name="Save, and apply").click()
    expect(page.get_by_text("1 call that had been left out is looked at again.")).to_be_visible()
    expect(row).to_contain_text("Synced")
