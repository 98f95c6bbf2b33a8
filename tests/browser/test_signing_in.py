"""A link signs in by its fragment, but never turns one tenant into another without asking."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.deployments import Deployments
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
