"""The web component and the API in pages of another site."""

from datetime import timedelta

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.embedding import PATH, embed
from tests.browser.test_connecting import SUCCESS, allow, open_consent
from tests.browser.watching import Watch
from tests.browser.workspaces import Workspace

# The code of a dashboard that was written for the specification's API, before this service.
EXISTING_DASHBOARD = """<!doctype html><title>Integrations</title>
<p id="status"></p><p id="banner"></p><ul id="logs"></ul>
<button id="connect">Connect</button><button id="disconnect">Disconnect</button>
<script>
  const API_URL = "{api_url}";
  const TOKEN = "{token}";
  async function request(path, options = {{}}) {{
    const response = await fetch(API_URL + path, {{
      ...options,
      headers: {{ "Content-Type": "application/json", Authorization: `Bearer ${{TOKEN}}` }},
    }});
    const data = await response.json();
    if (!response.ok) throw new Error(data.error.message);
    return data;
  }}
  const initiateHubSpotOAuth = () => request("/api/hubspot/oauth/initiate");
  const getHubSpotStatus = () => request("/api/hubspot/status");
  const disconnectHubSpot = () => request("/api/hubspot/disconnect", {{ method: "DELETE" }});
  const getHubSpotSyncLogs = ({{ status, limit = 50, offset = 0 }} = {{}}) => {{
    const params = new URLSearchParams({{ limit, offset }});
    if (status) params.append("status", status);
    return request(`/api/hubspot/sync-logs?${{params}}`);
  }};
  const find = (id) => document.getElementById(id);
  async function show() {{
    const {{ connected }} = await getHubSpotStatus();
    find("status").textContent = connected ? "Connected" : "Not connected";
    const {{ logs, total }} = await getHubSpotSyncLogs({{ limit: 10, offset: 0 }});
    const texts = logs.map((log) => `${{log.call_id}} ${{log.status}} of ${{total}}`);
    find("logs").replaceChildren(...texts.map((text) => {{
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }}));
  }}
  find("connect").onclick = async () => {{
    const popup = window.open("", "oauth", "width=600,height=700");
    popup.location = (await initiateHubSpotOAuth()).authUrl;
    const timer = setInterval(async () => {{
      const {{ connected }} = await getHubSpotStatus();
      if (!connected) return;
      clearInterval(timer);
      find("banner").textContent = "HubSpot connected successfully!";
      show();
    }}, 500);
  }};
  find("disconnect").onclick = async () => {{
    find("banner").textContent = (await disconnectHubSpot()).message;
    show();
  }};
  show();
</script>"""


def test_component_works_on_another_site(page: Page, workspace: Workspace) -> None:
    workspace.add_contact(firstname="Ada", phone="+12025550123")
    embed(page, workspace)
    popup = open_consent(page)
    allow(popup, workspace)
    popup.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text(SUCCESS)).to_be_visible()

    workspace.end_call("+12025550123", call_id="call_embedded")
    workspace.wait_until_settled()
    page.reload()
    expect(page.get_by_role("row").filter(has_text="call_embedded")).to_contain_text("Synced")
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("HubSpot disconnected", exact=True)).to_be_visible()
    page.wait_for_function("told.includes('disconnected')")


def test_redirect_returns_to_the_page_that_embeds(page: Page, workspace: Workspace) -> None:
    page.add_init_script("window.open = () => null")
    embed(page, workspace)
    page.get_by_role("button", name="Connect HubSpot", exact=True).first.click()
    page.get_by_role("button", name="Go to HubSpot now").click()
    allow(page, workspace)
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text(SUCCESS)).to_be_visible()
    assert page.url == workspace.deployments.site.url + PATH


def test_page_decides_about_colours(page: Page, workspace: Workspace) -> None:
    embed(page, workspace, attributes='style="--hcs-accent: rgb(1, 99, 2)"')
    connect = page.get_by_role("button", name="Connect HubSpot", exact=True).first
    colour = connect.evaluate("button => getComputedStyle(button).backgroundColor")
    assert colour == "rgb(1, 99, 2)"


def test_component_can_be_removed_and_put_back(page: Page, workspace: Workspace) -> None:
    embed(page, workspace)
    page.evaluate(
        """() => {
          const element = document.querySelector("hubspot-call-sync");
          element.remove();
          window.kept = element;
        }"""
    )
    expect(page.get_by_role("heading", name="Sync log")).to_have_count(0)
    page.evaluate("document.body.append(kept)")
    expect(page.get_by_role("heading", name="Sync log")).to_have_count(1)
    expect(page.get_by_text("Up to date")).to_be_visible()


def test_expired_token_is_renewed_by_the_page(
    page: Page, workspace: Workspace, watch: Watch
) -> None:
    watch.expected.append("Failed to load resource")
    embed(page, workspace)
    expired = workspace.token(lasts=timedelta(hours=-1))
    page.evaluate(
        """([expired, fresh]) => {
          window.renewals = 0;
          window.provideToken = ({ refused }) => {
            if (!refused) return expired;
            window.renewals += 1;
            return fresh;
          };
          document.querySelector("hubspot-call-sync").refresh();
        }""",
        [expired, workspace.token()],
    )
    page.wait_for_function("renewals > 0")
    expect(page.get_by_text("Up to date")).to_be_visible()
    expect(page.get_by_text("Your session has ended")).to_be_hidden()


def test_ended_session_says_so_and_goes_on_after_signing_in(
    page: Page, workspace: Workspace, watch: Watch
) -> None:
    watch.expected.append("Failed to load resource")
    expired = workspace.token(lasts=timedelta(hours=-1))
    page.goto(f"{workspace.deployments.own_url}/#token={expired}")
    expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()
    page.goto("about:blank")
    page.goto(workspace.page_url)
    expect(page.get_by_text("Up to date")).to_be_visible()


def test_token_leaves_the_address_bar(page: Page, workspace: Workspace) -> None:
    page.goto(workspace.page_url)
    expect(page.get_by_text("Up to date")).to_be_visible()
    assert "token" not in page.url
    page.reload()
    expect(page.get_by_text("Up to date")).to_be_visible()


def test_origin_that_is_not_allowed_cannot_load_the_component(
    page: Page, workspace: Workspace, watch: Watch
) -> None:
    watch.expected += ["blocked by CORS policy", "Failed to load resource"]
    deployments = workspace.deployments
    deployments.site.pages["/foreign"] = (
        f'<script type="module" src="{deployments.own_url}/embed/hubspot-call-sync.js"></script>'
        "<hubspot-call-sync>nothing</hubspot-call-sync>"
    )
    with page.expect_event("requestfailed"):
        page.goto(f"{deployments.site.url}/foreign")
    assert page.evaluate("customElements.get('hubspot-call-sync')") is None


def test_origin_that_is_not_allowed_cannot_frame_the_page(
    page: Page, workspace: Workspace, watch: Watch
) -> None:
    watch.expected += ["frame-ancestors", "Failed to load resource"]
    deployments = workspace.deployments
    frames = {"own": deployments.own_url, "platform": deployments.platform_url}
    deployments.site.pages["/frames"] = "".join(
        f'<iframe name="{name}" src="{url}/"></iframe>' for name, url in frames.items()
    )
    page.goto(f"{deployments.site.url}/frames")
    expect(page.frame_locator("[name=platform]").get_by_role("heading").first).to_be_attached()
    expect(page.frame_locator("[name=own]").get_by_role("heading")).to_have_count(0)


def test_existing_dashboard_keeps_working(
    page: Page, context: BrowserContext, workspace: Workspace
) -> None:
    deployments = workspace.deployments
    workspace.add_contact(firstname="Ada", phone="+12025550123")
    deployments.site.pages[PATH] = EXISTING_DASHBOARD.format(
        api_url=deployments.platform_url, token=workspace.token()
    )
    page.goto(deployments.site.url + PATH)
    expect(page.locator("#status")).to_have_text("Not connected")
    with context.expect_page() as opened:
        page.get_by_role("button", name="Connect", exact=True).click()
    allow(opened.value, workspace)
    opened.value.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#banner")).to_have_text(SUCCESS)
    expect(page.locator("#status")).to_have_text("Connected")

    workspace.end_call("+12025550123", call_id="call_old")
    workspace.wait_until_settled()
    page.reload()
    expect(page.locator("#logs")).to_have_text("call_old success of 1")
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("#banner")).to_have_text("HubSpot disconnected successfully")
    expect(page.locator("#status")).to_have_text("Not connected")


def test_example_page_shows_the_component(page: Page, workspace: Workspace) -> None:
    page.goto(f"{workspace.deployments.own_url}/embed/example#token={workspace.token()}")
    expect(page.get_by_text("Up to date")).to_be_visible()
    expect(page.get_by_role("heading", name="Sync log")).to_be_visible()
