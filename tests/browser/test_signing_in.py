"""A link signs in by its fragment, but never turns one tenant into another without asking."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.deployments import Deployments
from tests.browser.test_connecting import allow, confirm, expect_connected, open_consent
from tests.browser.watching import Watch
from tests.browser.workspaces import Workspace


@pytest.fixture
def other(deployments: Deployments, workspace: Workspace) -> Workspace:
    """Another tenant, whose HubSpot account is of no matter."""
    return Workspace(deployments, workspace.hub_id)


def tenant_of(workspace: Workspace) -> str:
    return f"{workspace.workspace_id} · {workspace.user_id}"


def follow_link(page: Page, workspace: Workspace) -> None:
    """As a click on a link to the page that is open already."""
    page.evaluate("url => { location.href = url; }", workspace.page_url)


def test_link_of_another_tenant_asks_and_the_safe_answer_is_the_first(
    page: Page, workspace: Workspace, other: Workspace
) -> None:
    page.goto(workspace.page_url)
    expect(page.locator("#tenant")).to_have_text(tenant_of(workspace))

    follow_link(page, other)

    question = page.get_by_role("dialog", name="Sign in as somebody else?")
    expect(question).to_contain_text(tenant_of(workspace))
    expect(question).to_contain_text(tenant_of(other))
    expect(page.get_by_role("button", name="Stay signed in")).to_be_focused()
    assert "token" not in page.url
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(page.locator("#tenant")).to_have_text(tenant_of(workspace))
    page.reload()
    expect(page.locator("#tenant")).to_have_text(tenant_of(workspace))


def test_whoever_agrees_is_signed_in_as_the_other(
    page: Page, workspace: Workspace, other: Workspace
) -> None:
    page.goto(workspace.page_url)
    follow_link(page, other)

    page.get_by_role("button", name="Change").click()

    expect(page.locator("#tenant")).to_have_text(tenant_of(other))
    page.reload()
    expect(page.locator("#tenant")).to_have_text(tenant_of(other))


def test_nothing_of_the_one_stays_when_the_other_is_signed_in(
    page: Page, workspace: Workspace, other: Workspace
) -> None:
    workspace.end_call("+12025550123", call_id="call_of_the_one")
    other.end_call("+12025550123", call_id="call_of_the_other")
    page.goto(workspace.page_url)
    expect(page.get_by_text("call_of_the_one")).to_be_visible()

    follow_link(page, other)
    page.get_by_role("button", name="Change").click()

    expect(page.get_by_text("call_of_the_other")).to_be_visible()
    expect(page.get_by_text("call_of_the_one")).to_have_count(0)


def test_new_link_of_the_same_tenant_asks_nothing(page: Page, workspace: Workspace) -> None:
    page.goto(workspace.page_url)
    expect(page.locator("#tenant")).to_have_text(tenant_of(workspace))

    follow_link(page, workspace)

    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#tenant")).to_have_text(tenant_of(workspace))


def test_names_that_read_alike_are_two_tenants(
    page: Page, deployments: Deployments, workspace: Workspace
) -> None:
    first = Workspace(deployments, workspace.hub_id, user_id="b · c", workspace_id="a")
    second = Workspace(deployments, workspace.hub_id, user_id="c", workspace_id="a · b")
    page.goto(first.page_url)

    follow_link(page, second)

    expect(page.get_by_role("dialog", name="Sign in as somebody else?")).to_be_visible()


def expect_question(popup: Page, workspace: Workspace) -> None:
    """Our page asks whether the account belongs to this workspace and user."""
    question = popup.get_by_role("main")
    expect(question).to_contain_text(f"to workspace {workspace.workspace_id}")
    expect(question).to_contain_text(f"of user {workspace.user_id}")
    expect(question).to_contain_text(str(workspace.hub_id))


def test_link_into_a_fresh_tab_connects_nothing_before_it_names_whose_workspace_it_is(
    context: BrowserContext, page: Page, workspace: Workspace, other: Workspace
) -> None:
    # The victim works in one tab, and opens the attacker's link in another.
    page.goto(workspace.page_url)
    expect(page.locator("#tenant")).to_have_text(tenant_of(workspace))
    tab = context.new_page()
    tab.goto(other.page_url)
    expect(tab.locator("#tenant")).to_have_text(tenant_of(other))

    popup = open_consent(tab)
    allow(popup, workspace)

    expect_question(popup, other)
    assert other.get("status")["connected"] is False
    popup.get_by_role("button", name="Cancel", exact=True).click()
    expect(tab.get_by_text("Connecting was cancelled", exact=True)).to_be_visible()
    assert other.get("status")["connected"] is False
    assert workspace.get("status")["connected"] is False


def test_whoever_stays_connects_to_their_own_workspace(
    page: Page, workspace: Workspace, other: Workspace
) -> None:
    page.goto(workspace.page_url)
    follow_link(page, other)
    page.get_by_role("button", name="Stay signed in").click()

    popup = open_consent(page)
    allow(popup, workspace)
    expect_question(popup, workspace)
    confirm(popup, workspace)

    expect_connected(page, workspace)
    assert other.get("status")["connected"] is False


def test_link_signs_nobody_in_where_our_own_pages_are_switched_off(
    page: Page, other: Workspace, watch: Watch
) -> None:
    watch.expected.append("Failed to load resource")
    pageless = other.deployments.pageless_url
    for address in ("/", "/embed/example", "/embed/landed"):
        page.goto(f"{pageless}{address}#token={other.token()}")
        expect(page.get_by_role("button", name="Connect HubSpot")).to_have_count(0)
    expect(page.get_by_text("You can close this window.")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
