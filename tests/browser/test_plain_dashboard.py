"""The dashboard of the specification: written against the API, on another host of our site.

It asks for the address by a plain `fetch`, opens it in a popup, and looks at the status when the
popup is closed. Browsers store no cookie of such an answer.
"""

from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_connecting import (
    NO_POPUPS,
    SUCCESS,
    allow,
    confirm,
    wait_until_closed,
)
from tests.browser.workspaces import Workspace

PATH: Final = "/plain"
CREDENTIALS: Final = """
  const plain = window.fetch;
  window.fetch = (url, options) => plain(url, { ...options, credentials: "include" });
"""
PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>A dashboard of the customer's own</title></head>
<body>
<button id="connect">Connect HubSpot</button>
<p id="state"></p>
<script>
  const api = "%(api_url)s";
  const headers = { Authorization: "Bearer %(token)s" };
  const ask = async (path) => (await fetch(`${api}/api/hubspot/${path}`, { headers })).json();
  const show = async () => {
    const { connected, hubId } = await ask("status");
    state.textContent = connected ? `Connected to ${hubId}` : "Not connected";
  };
  window.heard = [];
  addEventListener("message", ({ data, origin }) => heard.push([origin, data.hubspot]));
  connect.onclick = async () => {
    state.textContent = "";
    const { authUrl } = await ask("oauth/initiate");
    const popup = window.open(authUrl, "hubspot-oauth", "width=600,height=700");
    if (popup === null) {
      location.href = authUrl;
      return;
    }
    const timer = setInterval(() => {
      if (!popup.closed) return;
      clearInterval(timer);
      show();
    }, 100);
  };
  show();
</script>
</body>
</html>"""


@pytest.fixture
def dashboard(page: Page, workspace: Workspace) -> Page:
    deployments = workspace.deployments
    deployments.site.pages[PATH] = PAGE % {
        "api_url": deployments.own_url,
        "token": workspace.token(),
    }
    page.goto(deployments.site.sibling_url + PATH)
    expect(page.get_by_text("Not connected")).to_be_visible()
    return page


def open_consent(dashboard: Page) -> Page:
    with dashboard.expect_popup() as opened:
        dashboard.get_by_role("button", name="Connect HubSpot").click()
    expect(opened.value.get_by_role("button", name="Allow")).to_be_visible()
    return opened.value


def test_popup_asks_connects_and_closes(dashboard: Page, workspace: Workspace) -> None:
    popup = open_consent(dashboard)
    allow(popup, workspace)
    expect(popup.get_by_text(workspace.user_id)).to_be_visible()
    assert workspace.get("status")["connected"] is False
    confirm(popup, workspace)
    expect(dashboard.get_by_text(f"Connected to {workspace.hub_id}")).to_be_visible()
    wait_until_closed(popup)
    assert dashboard.evaluate("heard") == [[workspace.deployments.own_url, "connected"]]


def test_popup_that_is_closed_without_confirming_connects_nothing(
    dashboard: Page, workspace: Workspace
) -> None:
    popup = open_consent(dashboard)
    allow(popup, workspace)
    expect(popup.get_by_text(workspace.user_id)).to_be_visible()
    popup.close()
    expect(dashboard.get_by_text("Not connected")).to_be_visible()
    assert workspace.get("status")["connected"] is False

    # And it can be done again at once.
    again = open_consent(dashboard)
    allow(again, workspace)
    confirm(again, workspace)
    expect(dashboard.get_by_text(f"Connected to {workspace.hub_id}")).to_be_visible()


@pytest.mark.parametrize("step", ["Deny", "Cancel"])
def test_refusal_closes_the_popup_and_connects_nothing(
    dashboard: Page, workspace: Workspace, step: str
) -> None:
    popup = open_consent(dashboard)
    if step == "Cancel":
        allow(popup, workspace)
    popup.get_by_role("button", name=step).click()
    expect(dashboard.get_by_text("Not connected")).to_be_visible()
    wait_until_closed(popup)
    assert dashboard.evaluate("heard") == [[workspace.deployments.own_url, "error"]]


def test_blocked_popup_connects_by_a_redirect(page: Page, workspace: Workspace) -> None:
    page.add_init_script(NO_POPUPS)
    workspace.deployments.site.pages[PATH] = PAGE % {
        "api_url": workspace.deployments.own_url,
        "token": workspace.token(),
    }
    page.goto(workspace.deployments.site.sibling_url + PATH)
    page.get_by_role("button", name="Connect HubSpot").click()
    allow(page, workspace)
    confirm(page, workspace)
    expect(page.get_by_text(SUCCESS)).to_be_visible()
    assert workspace.get("status")["connected"] is True


def test_dashboard_that_sends_credentials_is_not_asked(
    dashboard: Page, workspace: Workspace
) -> None:
    dashboard.evaluate(CREDENTIALS)
    popup = open_consent(dashboard)
    allow(popup, workspace)
    expect(dashboard.get_by_text(f"Connected to {workspace.hub_id}")).to_be_visible()
    wait_until_closed(popup)
