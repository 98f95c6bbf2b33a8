"""Call sources: set up, watched, rotated, paused and removed, by whoever may change something."""

import secrets
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_appearance import NARROW, check_accessibility
from tests.browser.test_viewing import WHY
from tests.browser.watching import Watch
from tests.browser.workspaces import Workspace, open_dashboard

SECRET = "a-secret-of-more-than-16-letters"
OTHER = "another-secret-of-16-letters"
FIELDS = {"call_id": "id", "phone_number": "caller", "direction": "way", "summary": "said"}


@dataclass(frozen=True)
class Platform:
    """A platform of the customer's that posts its calls as JSON, with a secret in a header."""

    workspace: Workspace
    url: str

    def post(self, body: dict[str, Any], secret: str = SECRET) -> int:
        headers = {"X-Webhook-Secret": secret}
        return requests.post(self.url, json=body, headers=headers, timeout=60).status_code

    def end_call(self, secret: str = SECRET) -> int:
        call = {"id": secrets.token_hex(6), "caller": "+12025550123", "way": "inbound"}
        return self.post(call, secret)


def add(workspace: Workspace, **given: Any) -> tuple[Platform, str]:
    """Add a source by the API; returns its platform and its id."""
    source = workspace.add_source(**{"vendor": "generic", "name": "Our phones", **given})
    return Platform(workspace, source["url"]), source["id"]


def card_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Call sources")


def open_source(page: Page, name: str = "Our phones") -> Locator:
    card_of(page).get_by_role("button", name=name).click()
    return page.get_by_role("dialog", name=name)


def test_source_is_set_up_from_the_choice_to_the_first_call(
    page: Page, workspace: Workspace
) -> None:
    open_dashboard(page, workspace)
    checklist = page.get_by_role("region", name="Set up in three steps")
    expect(checklist.get_by_role("heading", name="Calls arrive", exact=True)).to_be_visible()

    card_of(page).get_by_role("button", name="Add a call source").click()
    page.get_by_role("button", name="Another platform").click()
    dialog = page.get_by_role("dialog", name="Another platform")
    expect(dialog.get_by_role("status").first).to_contain_text("Secret missing")
    url = dialog.locator(".how-to code").first.inner_text()
    assert url.startswith(f"{workspace.deployments.own_url}/api/webhooks/generic/src_")

    dialog.get_by_role("button", name="Save the secret").click()
    expect(dialog.get_by_text("Paste the secret first")).to_be_visible()
    dialog.get_by_label("The secret", exact=True).fill(SECRET)
    dialog.get_by_role("button", name="Save the secret").click()
    expect(dialog.get_by_role("status").first).to_contain_text("Waiting for your first call")

    platform = Platform(workspace, url)
    assert platform.end_call("some-other-secret") == 401
    expect(dialog.get_by_role("status").first).to_contain_text("Calls refused")
    expect(dialog.get_by_text("What to check:")).to_be_visible()

    assert platform.end_call() == 200
    expect(dialog.get_by_text("Choose first which of its fields is which.")).to_be_visible()
    dialog.get_by_label("Call's id").select_option("id")
    dialog.get_by_label("Phone number").select_option("caller")
    dialog.get_by_label("Direction").select_option("way")
    dialog.get_by_role("button", name="Save options").click()
    expect(page.get_by_text("Options saved")).to_be_visible()

    assert platform.end_call() == 200
    expect(dialog.get_by_role("status").first).to_contain_text("Receiving")
    dialog.get_by_role("button", name="Open the call generic:").click()
    expect(page.get_by_role("dialog", name="+1 202 555 0123")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(card_of(page)).to_contain_text("Receiving")
    expect(checklist.get_by_role("heading", name="Done: Calls arrive")).to_be_visible()


def test_secret_is_replaced_without_a_gap(page: Page, workspace: Workspace, watch: Watch) -> None:
    watch.expected.append("400")
    platform, _ = add(workspace, secret=SECRET, options={"fields": FIELDS})
    open_dashboard(page, workspace)
    dialog = open_source(page)
    dialog.get_by_text("Change the secret").click()
    dialog.get_by_label("The secret", exact=True).fill("short")
    dialog.get_by_role("button", name="Add the new secret").click()
    expect(dialog.get_by_label("The secret", exact=True)).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("The secret", exact=True).fill(OTHER)
    dialog.get_by_role("button", name="Add the new secret").click()
    expect(dialog.locator(".secrets > li")).to_have_count(2)
    assert platform.end_call(SECRET) == platform.end_call(OTHER) == 200
    expect(dialog.locator(".secrets")).not_to_contain_text("not used yet")

    dialog.locator(".secrets > li").first.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove the secret").click()

    expect(dialog.locator(".secrets > li")).to_have_count(1)
    assert platform.end_call(SECRET) == 401
    assert platform.end_call(OTHER) == 200


def test_paused_source_holds_its_calls_until_somebody_decides(
    page: Page, workspace: Workspace
) -> None:
    platform, _ = add(workspace, secret=SECRET, options={"fields": FIELDS})
    open_dashboard(page, workspace)
    dialog = open_source(page)
    dialog.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("dialog", name="Pause Our phones?").get_by_role("button", name="Pause").click()
    expect(dialog.get_by_role("status").first).to_contain_text("Paused")
    assert platform.end_call() == 200
    page.keyboard.press("Escape")
    dialog = open_source(page)
    expect(dialog.get_by_role("status").first).to_contain_text("1 call held back")

    dialog.get_by_role("button", name="Go on").click()
    page.get_by_role("dialog", name="Go on").get_by_role("button", name="Write to HubSpot").click()

    expect(dialog.get_by_role("status").first).to_contain_text("Receiving")
    workspace.wait_until(
        lambda: workspace.get("sync-logs")["logs"][0]["error_code"] == "not_connected"
    )


def test_source_is_renamed_and_removed(page: Page, workspace: Workspace) -> None:
    platform, _ = add(workspace, secret=SECRET)
    open_dashboard(page, workspace)
    dialog = open_source(page)
    dialog.get_by_role("button", name="Rename").click()
    page.get_by_label("Name", exact=True).fill("Front desk")
    page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog", name="Front desk")
    dialog.get_by_role("button", name="Remove", exact=True).last.click()
    question = page.get_by_role("dialog", name="Remove Front desk?")
    question.get_by_role("button", name="Remove").click()
    expect(card_of(page)).not_to_contain_text("Front desk")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert platform.end_call() == 404


def test_viewer_sees_sources_and_can_change_nothing(page: Page, workspace: Workspace) -> None:
    add(workspace, secret=SECRET, options={"fields": FIELDS})
    page.goto(workspace.viewers_url)
    expect(card_of(page)).to_contain_text("Our phones")
    expect(page.get_by_role("button", name="Add a call source")).to_have_count(0)
    dialog = open_source(page)
    expect(dialog.get_by_role("note")).to_contain_text(WHY)
    expect(dialog.get_by_role("heading", name="Last messages")).to_be_visible()
    for name in ("Remove", "Rename", "Pause", "Save options", "Save the secret"):
        expect(dialog.get_by_role("button", name=name)).to_have_count(0)
    dialog.get_by_text("Fields and options").click()
    expect(dialog.get_by_label("Call's id")).to_be_disabled()
    check_accessibility(page)


def test_platform_that_keeps_sources_to_itself_shows_no_card(
    page: Page, workspace: Workspace
) -> None:
    def close(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"vendors": [], "self_service": False})

    page.route("**/api/call-sources", close)
    with page.expect_response("**/api/call-sources"):
        open_dashboard(page, workspace)
    expect(page.get_by_text("No calls yet")).to_be_visible()
    expect(card_of(page)).to_have_count(0)
    expect(page.get_by_role("region", name="Set up in three steps")).not_to_contain_text(
        "Call sources"
    )


def test_sources_that_cannot_be_loaded_say_so(
    page: Page, workspace: Workspace, watch: Watch
) -> None:
    watch.expected.append("503")
    error = {"success": False, "error": {"code": "unavailable", "message": "Try again later."}}
    page.route("**/api/call-sources", lambda route: route.fulfill(status=503, json=error))
    open_dashboard(page, workspace)
    expect(card_of(page).get_by_role("alert")).to_contain_text("Try again later.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_state_of_a_source_has_accessibility_faults_or_scrolls_sideways(
    page: Page, workspace: Workspace, scheme: Any
) -> None:
    platform, _ = add(workspace, secret={"value": SECRET, "scheme": "header"})
    platform.end_call()
    platform.end_call("some-other-secret")
    add(workspace, vendor="twilio", name="Twilio")
    add(workspace, name="Held", secret=SECRET, paused=True, options={"fields": FIELDS})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    open_dashboard(page, workspace)
    expect(card_of(page).get_by_role("listitem")).to_have_count(3)
    _check(page)
    page.get_by_role("button", name="Add a call source").click()
    _check(page)
    page.keyboard.press("Escape")
    for name in ("Our phones", "Twilio", "Held"):
        dialog = open_source(page, name)
        expect(dialog.locator("[aria-busy]")).to_have_count(0)
        for fold in dialog.locator("details").all():
            fold.evaluate("element => { element.open = true; }")
        _check(page)
        page.keyboard.press("Escape")


def _check(page: Page) -> None:
    check_accessibility(page)
    overflow = """() => {
      const root = document.querySelector("hubspot-call-sync").shadowRoot;
      const body = root.querySelector("dialog .dialog-body");
      const wide = body ? body.scrollWidth - body.clientWidth : 0;
      return Math.max(wide, document.documentElement.scrollWidth - innerWidth);
    }"""
    assert page.evaluate(overflow) <= 0
