"""The sync log: what became of each call, finding it, and trying again."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Dialog, Locator, Page, expect

from tests.browser.watching import Watch
from tests.browser.workspaces import Workspace, open_dashboard

KNOWN = "+12025550123"
UNKNOWN = "+12025550199"
# Longer than the longest pause of a page between two questions.
A_WHILE_MS = 90_000


@pytest.fixture
def connected(workspace: Workspace) -> Workspace:
    """Connected, with Ada as a contact who has `KNOWN`."""
    workspace.connect()
    workspace.add_contact(firstname="Ada", lastname="Lovelace", phone="(202) 555-0123")
    return workspace


@pytest.fixture
def outcomes(connected: Workspace) -> Workspace:
    """One call synced, one of a number that is none, one withheld."""
    connected.end_call(KNOWN, call_id="call_synced")
    connected.end_call("12", call_id="call_short")
    connected.end_call("anonymous", call_id="call_withheld")
    connected.wait_until_settled()
    return connected


def row_of(page: Page, call_id: str) -> Locator:
    return page.get_by_role("row").filter(has_text=call_id)


def calls_shown(page: Page) -> Locator:
    """The rows of calls, without the head."""
    return page.get_by_role("row").filter(has=page.get_by_role("cell"))


def refuse_notes(workspace: Workspace) -> None:
    """HubSpot refuses every note of this account until the faults are cleared."""
    workspace.deployments.sandbox.add_fault(
        "notes.batch_create",
        "status",
        hub_id=workspace.hub_id,
        status=400,
        category="VALIDATION_ERROR",
        message="Property hs_required is missing",
    )


def test_each_outcome_is_told_in_words(page: Page, outcomes: Workspace) -> None:
    outcomes.end_call(UNKNOWN, call_id="call_unknown")
    outcomes.wait_until_settled()
    open_dashboard(page, outcomes)
    expect(row_of(page, "call_synced")).to_contain_text("Written to the contact's timeline at")
    expect(row_of(page, "call_short")).to_contain_text("is not a full phone number")
    expect(row_of(page, "call_withheld")).to_contain_text("withheld the number")
    unknown = row_of(page, "call_unknown")
    expect(unknown).to_contain_text("No HubSpot contact has +1 202 555 0199.")
    expect(unknown).to_contain_text("It will be looked up again at")


def test_times_are_in_the_readers_zone(page: Page, outcomes: Workspace) -> None:
    open_dashboard(page, outcomes)
    time = row_of(page, "call_synced").locator("time").first
    shown, utc = time.get_attribute("title"), time.get_attribute("datetime")
    assert shown
    assert utc
    assert utc.endswith("Z")
    assert shown.endswith(("CET", "CEST", "GMT+1", "GMT+2"))


def test_filters_find_calls(page: Page, outcomes: Workspace) -> None:
    open_dashboard(page, outcomes)
    calls = calls_shown(page)
    expect(calls).to_have_count(3)
    clear = page.get_by_role("button", name="Clear filters")

    page.get_by_label("Skipped", exact=True).check()
    expect(calls).to_have_count(2)
    page.get_by_label("Reason").select_option("Number withheld")
    expect(calls).to_have_count(1)
    expect(row_of(page, "call_withheld")).to_be_visible()
    clear.click()
    expect(calls).to_have_count(3)

    page.get_by_label("Phone number").fill("202.555.0123")
    expect(calls).to_have_count(1)
    expect(row_of(page, "call_synced")).to_be_visible()
    clear.click()

    page.get_by_label("Call ID").fill("call_short")
    expect(calls).to_have_count(1)
    expect(row_of(page, "call_short")).to_be_visible()
    clear.click()

    page.get_by_label("Period", exact=True).select_option("Last hour")
    expect(calls).to_have_count(3)
    page.get_by_label("Period", exact=True).select_option("From … to …")
    page.get_by_label("To", exact=True).fill("2020-01-01T00:00")
    expect(page.get_by_text("No call matches these filters")).to_be_visible()


def test_count_of_an_outcome_leads_to_its_calls(page: Page, outcomes: Workspace) -> None:
    open_dashboard(page, outcomes)
    page.get_by_role("button", name=re.compile(r"^Skipped\s+2")).click()
    expect(calls_shown(page)).to_have_count(2)
    expect(page.get_by_label("Skipped", exact=True)).to_be_checked()


def test_older_calls_come_page_by_page(page: Page, connected: Workspace) -> None:
    for number in range(120):
        connected.end_call("anonymous", call_id=f"call_{number:03}")
    connected.wait_until_settled()
    open_dashboard(page, connected)
    older = page.get_by_role("button", name="Load older")

    expect(calls_shown(page)).to_have_count(50)
    older.click()
    expect(calls_shown(page)).to_have_count(100)
    older.click()
    expect(calls_shown(page)).to_have_count(120)
    expect(older).to_have_count(0)
    expect(row_of(page, "call_000")).to_be_visible()


def test_failed_call_is_retried(page: Page, connected: Workspace) -> None:
    refuse_notes(connected)
    connected.end_call(KNOWN, call_id="call_refused")
    connected.wait_until_settled()
    open_dashboard(page, connected)
    row = row_of(page, "call_refused")
    expect(row).to_contain_text("HubSpot refused the note")
    expect(row).to_contain_text("hs_required")

    connected.deployments.sandbox.clear_faults()
    row.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("1 call is being tried again")).to_be_visible()
    expect(row).to_contain_text("Written to the contact's timeline")
    assert len(connected.deployments.sandbox.notes(connected.hub_id)) == 1


def test_selected_calls_are_retried(page: Page, connected: Workspace) -> None:
    refuse_notes(connected)
    for number in range(3):
        connected.end_call(KNOWN, call_id=f"call_refused_{number}")
    connected.wait_until_settled()
    connected.deployments.sandbox.clear_faults()
    open_dashboard(page, connected)

    page.get_by_label("Select call call_refused_0").check()
    page.get_by_label("Select call call_refused_2").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Retry selected").click()
    expect(page.get_by_text("2 calls are being tried again")).to_be_visible()
    connected.wait_until_settled()
    assert connected.get("status")["counts"]["error"] == 1


def test_all_failed_calls_are_retried_after_asking(page: Page, connected: Workspace) -> None:
    refuse_notes(connected)
    for number in range(3):
        connected.end_call(KNOWN, call_id=f"call_refused_{number}")
    connected.end_call("anonymous", call_id="call_withheld")
    connected.wait_until_settled()
    connected.deployments.sandbox.clear_faults()
    open_dashboard(page, connected)

    page.get_by_role("button", name="Retry all failed").click()
    dialog = page.get_by_role("dialog", name="Retry 3 failed calls?")
    dialog.get_by_role("button", name="Cancel").click()
    assert connected.get("status")["counts"]["error"] == 3
    page.get_by_role("button", name="Retry all failed").click()
    dialog.get_by_role("button", name="Retry 3").click()
    expect(page.get_by_text("3 calls are being tried again")).to_be_visible()
    connected.wait_until_settled()
    assert connected.get("status")["counts"]["success"] == 3


def test_detail_says_what_was_left_out_of_a_call(page: Page, connected: Workspace) -> None:
    connected.end_call(
        "anonymous",
        call_id="call_slips",
        duration_seconds=-1,
        recording_url="http://recordings.example.com/a.wav",
    )
    connected.end_call("anonymous", call_id="call_clean")
    connected.wait_until_settled()
    open_dashboard(page, connected)

    row_of(page, "call_slips").get_by_role("button", name="details").click()
    detail = page.get_by_role("dialog")
    expect(detail).to_contain_text("Left out or changed when the call came in")
    expect(detail).to_contain_text("The duration is negative: it was left out.")
    expect(detail).to_contain_text("The recording's link does not begin with https://")
    page.keyboard.press("Escape")
    row_of(page, "call_clean").get_by_role("button", name="details").click()
    expect(page.get_by_role("dialog")).to_contain_text("call_clean")
    expect(page.get_by_role("dialog")).not_to_contain_text("Left out or changed")


def test_detail_tells_everything_about_a_call(
    page: Page, context: BrowserContext, connected: Workspace
) -> None:
    refuse_notes(connected)
    connected.end_call(KNOWN, call_id="call_told", summary="Wants a demo on Friday")
    connected.wait_until_settled()
    connected.deployments.sandbox.clear_faults()
    open_dashboard(page, connected)

    row_of(page, "call_told").get_by_role("button", name="details").click()
    detail = page.get_by_role("dialog", name="+1 202 555 0123")
    expect(detail).to_contain_text("HubSpot refused the note")
    expect(detail).to_contain_text("HubSpot answered 400")
    expect(detail).to_contain_text("HubSpot correlation ID")
    expect(detail).to_contain_text("Note, as it would be written")
    expect(detail).to_contain_text("Wants a demo on Friday")

    detail.get_by_role("button", name="Retry").click()
    expect(detail).to_contain_text("Note, as it was written")
    expect(detail).to_contain_text("2 attempts")
    with context.expect_page() as opened:
        detail.get_by_role("link", name="Open contact in HubSpot").click()
    expect(opened.value.get_by_text("Wants a demo on Friday")).to_be_visible()

    page.keyboard.press("Escape")
    expect(detail).to_have_count(0)


def test_new_calls_appear_without_moving_what_is_read(page: Page, connected: Workspace) -> None:
    for number in range(30):
        connected.end_call("anonymous", call_id=f"call_{number:03}")
    connected.wait_until_settled()
    page.clock.install()
    open_dashboard(page, connected)
    read = row_of(page, "call_005")
    read.scroll_into_view_if_needed()
    before = read.bounding_box()

    connected.end_call("anonymous", call_id="call_new")
    connected.wait_until_settled()
    page.clock.fast_forward(A_WHILE_MS)
    newer = page.get_by_role("button", name="1 new call")
    newer.wait_for(state="attached")
    assert read.bounding_box() == before

    newer.click()
    expect(row_of(page, "call_new")).to_be_in_viewport()
    expect(calls_shown(page)).to_have_count(31)


def test_row_on_the_screen_follows_its_call(page: Page, connected: Workspace) -> None:
    refuse_notes(connected)
    log_id = connected.end_call(KNOWN, call_id="call_followed")
    connected.wait_until_settled()
    page.clock.install()
    open_dashboard(page, connected)
    row = row_of(page, "call_followed")
    expect(row).to_contain_text("Failed")

    connected.deployments.sandbox.clear_faults()
    connected.retry(log_id)
    connected.wait_until_settled()
    page.clock.fast_forward(A_WHILE_MS)
    expect(row).to_contain_text("Synced")


def test_hidden_tab_rests_and_wakes_up(page: Page, connected: Workspace) -> None:
    page.clock.install()
    open_dashboard(page, connected)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    hide = """(isHidden) => {
      Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""

    page.evaluate(hide, arg=True)
    page.clock.run_for(10 * A_WHILE_MS)
    assert asked == []

    with page.expect_response("**/api/hubspot/status"):
        page.evaluate(hide, arg=False)


def test_export_downloads_what_the_filters_find(
    page: Page, outcomes: Workspace, tmp_path: Path
) -> None:
    open_dashboard(page, outcomes)
    page.get_by_label("Skipped", exact=True).check()
    expect(calls_shown(page)).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)

    assert file.name == "sync-log.csv"
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["call_id"] for row in rows} == {"call_short", "call_withheld"}
    assert {row["status"] for row in rows} == {"skipped"}


def test_being_offline_is_said_and_overcome(
    page: Page, context: BrowserContext, outcomes: Workspace, watch: Watch
) -> None:
    watch.expected.append("ERR_INTERNET_DISCONNECTED")
    open_dashboard(page, outcomes)

    context.set_offline(True)
    expect(page.get_by_text("You are offline.")).to_be_visible()
    expect(calls_shown(page)).to_have_count(3)
    context.set_offline(False)
    expect(page.get_by_text("Up to date")).to_be_visible()


def test_log_that_could_not_be_loaded_can_be_tried_again(
    page: Page, outcomes: Workspace, watch: Watch
) -> None:
    watch.expected.append("Failed to load resource")
    log_pages = "**/api/hubspot/sync-logs?*"
    page.route(log_pages, lambda route: route.fulfill(status=503, body="{}"))
    # Without a status the poll does not fill the log: only the button can.
    page.route("**/api/hubspot/status", lambda route: route.fulfill(status=503, body="{}"))
    page.goto(outcomes.page_url)
    expect(page.get_by_text("The sync log could not be loaded")).to_be_visible()
    page.unroute(log_pages)
    page.get_by_role("button", name="Try again").click()
    expect(calls_shown(page)).to_have_count(3)


def test_texts_of_strangers_are_never_markup(page: Page, connected: Workspace) -> None:
    evil = '<img src=x onerror="window.isOwned=1"><script>window.isOwned=1</script>'
    page.on("dialog", _refuse_dialog)
    connected.add_contact(firstname=evil, lastname=evil, phone="+12025550177")
    connected.end_call(f"{evil}"[:200], call_id=f"call_{evil}"[:200])
    connected.end_call(
        "+12025550177",
        call_id="call_evil",
        **dict.fromkeys(("summary", "agent_name", "direction"), evil),
        structured_data={evil: evil},
        transcript=[{"role": evil, "text": evil}],
    )
    connected.wait_until_settled()
    open_dashboard(page, connected)

    expect(row_of(page, "call_<img src=x").first).to_be_visible()
    row_of(page, "call_evil").get_by_role("button", name="details").click()
    expect(page.get_by_role("dialog")).to_contain_text("<script>")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Try a number").click()
    dialog = page.get_by_role("dialog", name="Try a number")
    dialog.get_by_label("Phone number").fill("+12025550177")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog).to_contain_text("<img src=x")
    assert page.evaluate("window.isOwned") is None


def _refuse_dialog(dialog: Dialog) -> None:
    raise AssertionError(dialog.message)


def test_long_id_of_a_call_takes_two_lines_of_the_log(page: Page, connected: Workspace) -> None:
    long = "call_" + "x" * 250
    connected.end_call(KNOWN, call_id=long)
    connected.wait_until_settled()
    open_dashboard(page, connected)
    shown = row_of(page, long).get_by_text(long)
    height = shown.evaluate("each => each.getBoundingClientRect().height")
    line = shown.evaluate("each => parseFloat(getComputedStyle(each).lineHeight)")
    assert height <= 2.5 * line
    expect(shown).to_have_attribute("title", long)
