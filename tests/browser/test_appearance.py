"""How the dashboard looks and can be used: by keyboard, by screen readers, in the dark, narrow."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.embedding import embed
from tests.browser.workspaces import Workspace, open_dashboard

NUMBER = "+12025550123"
# Registered before the page's own scripts, so that nothing is missed.
COUNT_SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
ACCEPTABLE_SHIFT = 0.001
NARROW = {"width": 360, "height": 740}


@pytest.fixture
def used(workspace: Workspace) -> Workspace:
    """Connected, with a call synced, one skipped and one failed."""
    workspace.connect()
    workspace.add_contact(firstname="Ada", lastname="Lovelace", phone=NUMBER)
    workspace.end_call(NUMBER, call_id="call_synced", summary="Wants a demo")
    workspace.end_call("anonymous", call_id="call_withheld")
    workspace.wait_until_settled()
    workspace.deployments.sandbox.add_fault(
        "notes.batch_create", "status", hub_id=workspace.hub_id, status=400
    )
    workspace.end_call(NUMBER, call_id="call_refused")
    workspace.wait_until_settled()
    return workspace


def check_accessibility(page: Page, *rules: str) -> None:
    """Check all rules, or some."""
    options = {"runOnly": list(rules)} if rules else None
    violations: list[Any] = Axe().run(page, options=options).response["violations"]
    found = [
        (each["id"], node["target"], node["failureSummary"])
        for each in violations
        for node in each["nodes"]
    ]
    assert found == []


def show_used(page: Page) -> None:
    page.reload()
    expect(page.get_by_text("Up to date")).to_be_visible()
    expect(page.get_by_text("call_refused")).to_be_visible()
    expect(page.get_by_role("img", name="Outcomes of 24 hours, by hour")).to_be_visible()


def show_table(page: Page) -> None:
    show_used(page)
    page.get_by_role("button", name="Show as table").click()


def show_selection(page: Page) -> None:
    show_used(page)
    page.get_by_label("Select call call_refused").check()


def show_nothing_found(page: Page) -> None:
    show_used(page)
    page.get_by_label("Call ID").fill("nothing")
    expect(page.get_by_text("No call matches these filters")).to_be_visible()


def show_detail(page: Page) -> None:
    show_used(page)
    page.get_by_role("button", name="call_refused: details").click()
    expect(page.get_by_role("dialog")).to_contain_text("correlation ID")


def show_settings(page: Page) -> None:
    show_used(page)
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("None of them")).to_be_visible()


def show_activity(page: Page) -> None:
    show_used(page)
    page.get_by_role("button", name="Activity").click()
    expect(page.get_by_role("dialog")).to_contain_text("connected from")


def show_preview(page: Page) -> None:
    show_used(page)
    page.get_by_role("button", name="Try a number").click()
    page.get_by_role("dialog").get_by_label("Phone number").fill(NUMBER)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Nothing was written.")).to_be_visible()


def show_question(page: Page) -> None:
    show_used(page)
    page.get_by_role("button", name="Disconnect").click()


STATES = (
    show_used,
    show_table,
    show_selection,
    show_detail,
    show_settings,
    show_activity,
    show_preview,
    show_question,
    show_nothing_found,  # last, because the filters stay
)


def test_no_state_has_accessibility_faults(page: Page, used: Workspace) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(used.page_url)
    for show in STATES:
        show(page)
        check_accessibility(page)
        # Of the rules, the scheme matters to one.
        page.emulate_media(color_scheme="dark")
        check_accessibility(page, "color-contrast")
        page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_first_steps_have_no_accessibility_faults(
    page: Page, workspace: Workspace, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    open_dashboard(page, workspace)
    check_accessibility(page)
    page.evaluate("history.replaceState(null, '', '/?hubspot=error&code=access_denied')")
    page.reload()
    expect(page.get_by_text("Access was not allowed")).to_be_visible()
    check_accessibility(page)


def test_example_page_has_no_accessibility_faults(page: Page, used: Workspace) -> None:
    page.goto(f"{used.deployments.own_url}/embed/example#token={used.token()}")
    expect(page.get_by_text("Up to date")).to_be_visible()
    check_accessibility(page)


def test_dark_scheme_is_followed(page: Page, used: Workspace) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(used.page_url)
    show_used(page)
    card = page.get_by_role("region", name="Sync log")
    assert _lightness(card, "backgroundColor") < 80 < _lightness(card, "color")
    page.emulate_media(color_scheme="light")
    assert _lightness(card, "color") < 80 < _lightness(card, "backgroundColor")


def test_page_that_embeds_decides_about_the_scheme(page: Page, workspace: Workspace) -> None:
    embed(page, workspace, attributes='color-scheme="dark"')
    card = page.get_by_role("region", name="Sync log")
    assert _lightness(card, "backgroundColor") < 80 < _lightness(card, "color")


def test_narrow_screen_needs_no_sideways_scrolling(page: Page, used: Workspace) -> None:
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.goto(used.page_url)
    for show in STATES:
        show(page)
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, show.__name__


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_while_it_loads(page: Page, used: Workspace, width: int) -> None:
    page.add_init_script(COUNT_SHIFTS)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(used.page_url)
    show_used(page)
    assert page.evaluate("shifts") <= ACCEPTABLE_SHIFT


def test_nothing_moves_while_a_new_workspace_loads(page: Page, workspace: Workspace) -> None:
    page.add_init_script(COUNT_SHIFTS)
    open_dashboard(page, workspace)
    page.reload()
    expect(page.get_by_text("No calls yet")).to_be_visible()
    assert page.evaluate("shifts") <= ACCEPTABLE_SHIFT


def test_everything_can_be_done_by_keyboard(page: Page, used: Workspace) -> None:
    used.deployments.sandbox.clear_faults()
    open_dashboard(page, used)
    show_used(page)

    _tab_to(page, lambda name: name.startswith("Settings"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert _focused(page).startswith("Settings")

    _tab_to(page, lambda name: "call_refused: details" in name)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("correlation ID")
    page.keyboard.press("Escape")
    assert "call_refused: details" in _focused(page)

    _tab_to(page, lambda name: name == "Retry call call_refused")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 call is being tried again")).to_be_visible()


def test_focus_can_be_seen(page: Page, used: Workspace) -> None:
    open_dashboard(page, used)
    page.keyboard.press("Tab")
    outline = page.evaluate(
        """() => {
          let element = document.activeElement;
          while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
          const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
          return { outlineStyle, outlineWidth, boxShadow };
        }"""
    )
    assert outline["outlineStyle"] != "none" or outline["boxShadow"] != "none"


def _lightness(element: Any, name: str) -> float:
    """The mean of a computed colour's red, green and blue, 0 to 255."""
    mean = """(element, name) => {
      const context = new OffscreenCanvas(1, 1).getContext("2d");
      context.fillStyle = getComputedStyle(element)[name];
      context.fillRect(0, 0, 1, 1);
      const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
      return (red + green + blue) / 3;
    }"""
    return float(element.evaluate(mean, name))


def _focused(page: Page) -> str:
    """The name of the element that has the focus."""
    return str(
        page.evaluate(
            """() => {
              let element = document.activeElement;
              while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
              return element.getAttribute("aria-label") ?? element.textContent.trim();
            }"""
        )
    )


def _tab_to(page: Page, is_wanted: Callable[[str], bool]) -> None:
    """Press Tab until the focus is on what is wanted."""
    for _ in range(100):
        page.keyboard.press("Tab")
        if is_wanted(_focused(page)):
            return
    pytest.fail("The keyboard does not get there.")
