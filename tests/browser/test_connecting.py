"""Connecting HubSpot through the sandbox's consent page, and disconnecting."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.browser.embedding import embed
from tests.browser.watching import Watch
from tests.browser.workspaces import Workspace, open_dashboard

SUCCESS = "HubSpot connected successfully!"
NO_POPUPS = "window.open = () => null"


def open_consent(page: Page) -> Page:
    """Click Connect; returns the popup with HubSpot's consent page."""
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Connect HubSpot", exact=True).first.click()
    popup = opened.value
    expect(popup.get_by_role("button", name="Allow")).to_be_visible()
    return popup


def allow(consent: Page, workspace: Workspace) -> None:
    consent.get_by_label(f"Account {workspace.hub_id}", exact=True).check()
    consent.get_by_role("button", name="Allow").click()


def confirm(popup: Page, workspace: Workspace) -> None:
    """Say on our own page that the account belongs to the workspace."""
    expect(popup.get_by_text(workspace.workspace_id)).to_be_visible()
    popup.get_by_role("button", name="Connect", exact=True).click()


def wait_until_closed(popup: Page) -> None:
    if not popup.is_closed():
        popup.wait_for_event("close")


def expect_connected(page: Page, workspace: Workspace) -> None:
    expect(page.get_by_text(SUCCESS)).to_be_visible()
    expect(page.get_by_role("heading", name=f"HubSpot account {workspace.hub_id}")).to_be_visible()
    assert workspace.get("status")["connected"] is True


def expect_refused(page: Page, workspace: Workspace, title: str) -> None:
    """A banner that says why, and offers to connect again; nothing is connected."""
    expect(page.get_by_text(title, exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Connect again")).to_be_visible()
    assert workspace.get("status")["connected"] is False


def test_popup_connects_and_closes(page: Page, workspace: Workspace) -> None:
    open_dashboard(page, workspace)
    popup = open_consent(page)
    allow(popup, workspace)
    confirm(popup, workspace)
    expect_connected(page, workspace)
    wait_until_closed(popup)


def test_platform_asks_for_confirmation_before_it_connects(
    page: Page, workspace: Workspace
) -> None:
    embed(page, workspace)
    popup = open_consent(page)
    allow(popup, workspace)
    expect(popup.get_by_text(workspace.workspace_id)).to_be_visible()
    assert workspace.get("status")["connected"] is False
    confirm(popup, workspace)
    expect_connected(page, workspace)
    wait_until_closed(popup)


@pytest.mark.parametrize("decision", ["Connect", "Cancel"])
def test_popup_tells_how_it_went_where_our_own_pages_are_switched_off(
    page: Page, workspace: Workspace, decision: str
) -> None:
    embed(page, workspace, api_url=workspace.deployments.pageless_url)
    popup = open_consent(page)
    allow(popup, workspace)
    popup.get_by_role("button", name=decision, exact=True).click()
    wait_until_closed(popup)
    if decision == "Connect":
        expect_connected(page, workspace)
    else:
        expect_refused(page, workspace, "Connecting was cancelled")


def test_confirmation_can_be_cancelled(page: Page, workspace: Workspace) -> None:
    embed(page, workspace)
    popup = open_consent(page)
    allow(popup, workspace)
    popup.get_by_role("button", name="Cancel").click()
    expect_refused(page, workspace, "Connecting was cancelled")


@pytest.mark.parametrize("is_embedded", [False, True], ids=["own", "platform"])
def test_page_notices_though_its_popup_was_cut_off(
    page: Page, workspace: Workspace, *, is_embedded: bool
) -> None:
    workspace.deployments.sandbox.set_behaviour(severs_opener=True)
    (embed if is_embedded else open_dashboard)(page, workspace)
    popup = open_consent(page)
    allow(popup, workspace)
    confirm(popup, workspace)
    expect_connected(page, workspace)


def test_denial_is_explained(page: Page, workspace: Workspace) -> None:
    open_dashboard(page, workspace)
    popup = open_consent(page)
    popup.get_by_role("button", name="Deny").click()
    expect_refused(page, workspace, "Access was not allowed")
    wait_until_closed(popup)


def test_expired_attempt_is_explained(page: Page, workspace: Workspace) -> None:
    open_dashboard(page, workspace)
    popup = open_consent(page)
    callback = f"{workspace.deployments.own_url}/api/hubspot/oauth/callback"
    popup.evaluate("url => location.assign(url)", f"{callback}?code=a-code&state=used-already")
    expect_refused(page, workspace, "This attempt has expired")


def test_installation_begun_in_hubspot_says_how_to_finish_it(
    page: Page, workspace: Workspace
) -> None:
    open_dashboard(page, workspace)
    callback = f"{workspace.deployments.own_url}/api/hubspot/oauth/callback"
    page.goto(f"{callback}?code=a-code")
    expect(page.get_by_text("One step is left", exact=True)).to_be_visible()
    with page.expect_popup() as opened:
        page.locator(".notice").get_by_role("button", name="Connect HubSpot").click()
    allow(opened.value, workspace)
    confirm(opened.value, workspace)
    expect_connected(page, workspace)


def test_hubspot_being_down_is_explained_and_connecting_again_works(
    page: Page, workspace: Workspace
) -> None:
    sandbox = workspace.deployments.sandbox
    sandbox.add_fault("oauth.token", "status", status=503)
    open_dashboard(page, workspace)
    allow(open_consent(page), workspace)
    expect_refused(page, workspace, "HubSpot is not answering")

    sandbox.clear_faults()
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Connect again").click()
    allow(opened.value, workspace)
    confirm(opened.value, workspace)
    expect_connected(page, workspace)


def test_blocked_popup_becomes_a_redirect(page: Page, workspace: Workspace) -> None:
    page.add_init_script(NO_POPUPS)
    open_dashboard(page, workspace)
    page.get_by_role("button", name="Connect HubSpot", exact=True).first.click()
    expect(page.get_by_text("Your browser blocked the HubSpot window")).to_be_visible()
    page.get_by_role("button", name="Go to HubSpot now").click()
    allow(page, workspace)
    confirm(page, workspace)
    expect_connected(page, workspace)
    assert "hubspot=" not in page.url


def test_denial_after_a_redirect_is_explained(page: Page, workspace: Workspace) -> None:
    page.add_init_script(NO_POPUPS)
    open_dashboard(page, workspace)
    page.get_by_role("button", name="Connect HubSpot", exact=True).first.click()
    page.get_by_role("button", name="Go to HubSpot now").click()
    page.get_by_role("button", name="Deny").click()
    expect_refused(page, workspace, "Access was not allowed")


def test_address_cannot_put_words_into_the_page(page: Page, workspace: Workspace) -> None:
    open_dashboard(page, workspace)
    page.goto(f"{workspace.deployments.own_url}/?hubspot=error&code=x&message=Call+0900+now")
    expect(page.get_by_text("HubSpot was not connected")).to_be_visible()
    expect(page.get_by_text("0900")).to_have_count(0)


def test_disconnecting_asks_first_and_says_what_happens(page: Page, workspace: Workspace) -> None:
    workspace.connect()
    open_dashboard(page, workspace)

    page.get_by_role("button", name="Disconnect").click()
    dialog = page.get_by_role("dialog", name=f"Disconnect HubSpot account {workspace.hub_id}?")
    expect(dialog).to_contain_text("They are logged as skipped")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert workspace.get("status")["connected"] is True

    page.get_by_role("button", name="Disconnect").click()
    dialog.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("HubSpot disconnected", exact=True)).to_be_visible()
    expect(page.get_by_text("Not connected", exact=True)).to_be_visible()
    assert workspace.get("status")["connected"] is False


def test_withdrawn_permission_asks_to_reconnect(page: Page, workspace: Workspace) -> None:
    workspace.connect()
    workspace.deployments.sandbox.revoke_grants(workspace.hub_id)
    workspace.end_call("+12025550123")
    workspace.wait_until_settled()
    open_dashboard(page, workspace)
    expect(page.get_by_text("Reconnect required", exact=True)).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Reconnect HubSpot").click()
    allow(opened.value, workspace)
    confirm(opened.value, workspace)
    expect_connected(page, workspace)


def test_pause_by_hubspot_is_shown(page: Page, workspace: Workspace) -> None:
    workspace.connect()
    workspace.add_contact(firstname="Ada", phone="+12025550123")
    workspace.deployments.sandbox.add_fault(
        "contacts.search", "rate_limited", hub_id=workspace.hub_id, policyName="DAILY"
    )
    workspace.end_call("+12025550123")
    workspace.wait_until(lambda: workspace.get("status")["pausedUntil"] is not None)
    open_dashboard(page, workspace)
    expect(page.get_by_text("Paused by HubSpot", exact=True)).to_be_visible()
    expect(page.get_by_text("Syncing goes on at")).to_be_visible()


def test_service_that_refuses_to_start_connecting_is_reported(
    page: Page, workspace: Workspace, watch: Watch
) -> None:
    watch.expected.append("Failed to load resource")
    open_dashboard(page, workspace)
    page.route("**/oauth/initiate*", lambda route: route.abort())
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Connect HubSpot", exact=True).first.click()
    expect(page.get_by_text("HubSpot cannot be connected right now")).to_be_visible()
    wait_until_closed(opened.value)


def test_call_that_ends_while_hubspots_window_is_open_is_counted_and_shown(
    page: Page, workspace: Workspace
) -> None:
    # The log is asked for when it is old, too: here it never grows old.
    page.clock.set_fixed_time(datetime.now(UTC))
    open_dashboard(page, workspace)
    open_consent(page)
    workspace.end_call("+12025550123", call_id="call_meanwhile")
    expect(page.get_by_role("row").filter(has_text="call_meanwhile")).to_be_visible()
