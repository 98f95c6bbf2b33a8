"""Calls that grow: their story in words, what came in, and notes that could not be completed."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.growing import Later, add_growing_call, set_update
from tests.browser.test_appearance import check_accessibility
from tests.browser.test_sync_log import A_WHILE_MS, calls_shown, row_of
from tests.browser.workspaces import Workspace, open_dashboard

CLOCK = r"\d\d:\d\d"
REFUSAL = "HubSpot refused it: Property hs_region is required"
LINK = "https://recordings.example.com/1.wav"


@pytest.fixture
def grown(workspace: Workspace) -> Workspace:
    """Calls that were completed, edited, deleted, and could not be completed."""
    workspace.connect()
    summary = Later(2, ["summary", "recording_url"])
    add_growing_call(workspace, "call_completed", summary, payload={"summary": "Wants a demo"})
    add_growing_call(
        workspace,
        "call_edited",
        Later(2, ["summary"], message="Somebody edited the note; the summary was added below."),
        Later(4, withdrawn=["recording_url"]),
        notices=["The owner is not active in HubSpot: the note was written without."],
    )
    late = Later(3, ["summary"], outcome=None)
    add_growing_call(workspace, "call_deleted", late, state="deleted")
    refused = Later(3, ["summary", "structured_data"], outcome="error", message=REFUSAL)
    add_growing_call(workspace, "call_behind", refused, state="failed", error=REFUSAL)
    kept_back = "The summary came after writing, and your settings say to write once."
    add_growing_call(workspace, "call_kept_back", late, state="held", error=kept_back)
    add_growing_call(workspace, "call_growing", late, state="waiting", minutes_ago=5)
    return workspace


def open_detail(page: Page, call_id: str) -> Locator:
    row_of(page, call_id).get_by_role("button", name="details").click()
    detail = page.get_by_role("dialog")
    expect(detail).to_contain_text(call_id)
    return detail


def close_detail(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_story_of_a_call_is_told_in_words(page: Page, grown: Workspace) -> None:
    open_dashboard(page, grown)
    detail = open_detail(page, "call_completed")
    story = rf"timeline at {CLOCK}, completed with summary and recording at {CLOCK}\."
    expect(detail).to_contain_text(re.compile(story))
    expect(detail).to_contain_text("Note, as it was written")
    expect(detail).to_contain_text("What came in")
    expect(detail).to_contain_text("With summary and recording")
    expect(detail).to_contain_text("With phone number and direction")
    check_accessibility(page)
    close_detail(page)

    detail = open_detail(page, "call_edited")
    story = rf"with summary at {CLOCK}, rewritten without recording at {CLOCK}\."
    expect(detail).to_contain_text(re.compile(story))
    expect(detail).to_contain_text("Somebody edited the note; the summary was added below.")
    expect(detail).to_contain_text("It asked that this is not kept: recording.")
    expect(detail).to_contain_text("The owner is not active in HubSpot")
    close_detail(page)

    detail = open_detail(page, "call_deleted")
    expect(detail).to_contain_text("The note was deleted in HubSpot")
    expect(detail.get_by_role("button", name="Retry")).to_have_count(0)
    close_detail(page)

    detail = open_detail(page, "call_growing")
    expect(detail).to_contain_text("More has come in since and is being added: summary.")
    expect(detail).to_contain_text("Note, as it would be now")
    expect(detail.get_by_role("button", name="Retry")).to_have_count(0)


def test_notes_that_could_not_be_completed_are_found_and_retried(
    page: Page, grown: Workspace
) -> None:
    open_dashboard(page, grown)
    reason = page.get_by_label("Reason")
    reason.select_option("Deleted in HubSpot")
    expect(calls_shown(page)).to_have_count(1)
    expect(page.get_by_role("button", name="Retry all")).to_have_count(0)
    reason.select_option("To be completed")
    expect(calls_shown(page)).to_have_count(2)
    kept_back = row_of(page, "call_kept_back")
    expect(kept_back).to_contain_text("your settings say to write once")
    kept_back.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("1 call is being tried again")).to_be_visible()

    reason.select_option("Could not be completed")
    expect(calls_shown(page)).to_have_count(1)
    behind = row_of(page, "call_behind")
    expect(behind).to_contain_text(f"What came in later could not be added. {REFUSAL}.")
    expect(behind).to_contain_text("Incomplete")
    expect(behind.get_by_label("Select call call_behind")).to_be_visible()
    page.reload()
    expect(reason).to_have_value("failed")
    check_accessibility(page)
    page.get_by_role("button", name="Retry all incomplete").click()
    dialog = page.get_by_role("dialog", name="Retry 1 incomplete call?")
    expect(dialog).to_contain_text("What people have written there stays.")
    dialog.get_by_role("button", name="Retry 1").click()
    expect(page.get_by_text("1 call is being tried again")).to_be_visible()
    expect(behind).not_to_contain_text("could not be added. HubSpot refused")


def test_row_of_a_synced_call_follows_its_note(page: Page, workspace: Workspace) -> None:
    workspace.connect()
    late = Later(3, ["summary"], outcome=None)
    log_id = add_growing_call(workspace, "call_growing", late, state="waiting")
    page.clock.install()
    open_dashboard(page, workspace)
    row = row_of(page, "call_growing")
    expect(row).to_contain_text("More has come in since and is being added.")
    set_update(workspace, log_id, state="failed", error=REFUSAL)
    page.clock.fast_forward(A_WHILE_MS)
    expect(row).to_contain_text(REFUSAL)
    # Nothing waits any more, and yet it is seen.
    set_update(workspace, log_id, state="deleted", error=None)
    page.clock.fast_forward(A_WHILE_MS)
    expect(row).to_contain_text("The note was deleted in HubSpot")
