"""Takes the pictures of the documentation: `python -m tests.browser.screenshots [FOLDER]`."""

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import requests
from playwright.sync_api import Browser, Page, expect

from local.databases import PROJECT, fresh_database, migrate, postgres_server, valkey_server
from tests.browser.chromium import MISSING, find_chromium, running_chromium
from tests.browser.deployments import Deployments, running_deployments
from tests.browser.growing import Later, add_growing_call
from tests.browser.history import add_history
from tests.browser.workspaces import Workspace, open_dashboard

WIDE: Final = {"width": 1180, "height": 1400}
NARROW: Final = {"width": 390, "height": 1500}
SUMMARY: Final = (
    "Ada asked for a demo of the analytical engine, and for a call back on Friday after 14:00."
)
TRANSCRIPT: Final = [
    {"role": "assistant", "text": "Thanks for calling. How can I help?"},
    {"role": "user", "text": "I would like to see the analytical engine at work."},
]


def take_all(folder: Path, browser: Browser, deployments: Deployments) -> None:
    """Write a PNG for each main state."""
    used = _make_used(deployments)
    for scheme, name in (("light", "dashboard.png"), ("dark", "dark.png")):
        with _opened(browser, used, scheme, WIDE) as page:
            page.screenshot(path=folder / name)
    with _opened(browser, used, "light", WIDE) as page:
        page.get_by_role("button", name="call_demo: details").click()
        expect(page.get_by_role("dialog")).to_contain_text("Note, as it was written")
        page.screenshot(path=folder / "detail.png")
    with _opened(browser, used, "light", WIDE) as page:
        page.get_by_role("button", name="call_9d04: details").click()
        expect(page.get_by_role("dialog")).to_contain_text("What came in")
        page.screenshot(path=folder / "story.png")
    with _opened(browser, used, "dark", NARROW) as page:
        page.screenshot(path=folder / "narrow.png")
    with _opened(browser, _make_sources(deployments), "light", WIDE | {"height": 1180}) as page:
        page.get_by_role("button", name="Continue: ElevenLabs").click()
        expect(page.get_by_text("Secret missing").last).to_be_visible()
        expect(page.get_by_text("None yet. Make a test call")).to_be_visible()
        page.screenshot(path=folder / "sources.png")
    new = Workspace(deployments, deployments.sandbox.add_account(ui_domain=""))
    with _opened(browser, new, "light", WIDE | {"height": 760}) as page:
        page.screenshot(path=folder / "checklist.png")


def _add_grown(used: Workspace) -> None:
    """A call that came in three pieces, the last of them after somebody had edited the note."""
    add_growing_call(
        used,
        "call_9d04",
        Later(2, ["summary", "recording_url"]),
        Later(
            9,
            ["structured_data"],
            message="Somebody edited the note; the details were added below.",
        ),
        payload={
            "agent_name": "Reception",
            "duration_seconds": 184,
            "summary": SUMMARY,
            "recording_url": "https://recordings.example.com/call_9d04.wav",
            "structured_data": {"intent": "demo", "callback": "Friday 14:00"},
        },
        minutes_ago=40,
    )


def _make_used(deployments: Deployments) -> Workspace:
    """A workspace with a day of calls, and some that have just come in."""
    used = Workspace(
        deployments,
        deployments.sandbox.add_account(ui_domain=""),
        user_id="user_1",
        workspace_id="ws_1",
    )
    used.connect()
    add_history(used)
    _add_grown(used)
    used.add_contact(firstname="Ada", lastname="Lovelace", phone="(202) 555-0123")
    used.end_call("anonymous", call_id="call_7c21", direction="inbound")
    used.end_call("+1 202 555 0199", call_id="call_3f08", direction="outbound")
    used.wait_until_settled()
    deployments.sandbox.add_fault(
        "notes.batch_create",
        "status",
        hub_id=used.hub_id,
        status=400,
        message="Property hs_region is required",
    )
    used.end_call("+1 202 555 0123", call_id="call_51b9")
    used.wait_until_settled()
    deployments.sandbox.clear_faults()
    used.end_call(
        "+1 202 555 0123",
        call_id="call_demo",
        direction="inbound",
        duration_seconds=184,
        agent_name="Reception",
        summary=SUMMARY,
        recording_url="https://recordings.example.com/call_demo.wav",
        transcript=TRANSCRIPT,
        structured_data={"intent": "demo", "callback": "Friday 14:00"},
    )
    used.wait_until_settled()
    return used


def _make_sources(deployments: Deployments) -> Workspace:
    """A workspace with a source that receives calls, and one that is being set up."""
    workspace = Workspace(
        deployments,
        deployments.sandbox.add_account(ui_domain=""),
        user_id="user_2",
        workspace_id="ws_2",
    )
    workspace.connect()
    secret = secrets.token_hex(16)
    fields = {"call_id": "id", "phone_number": "caller", "summary": "summary"}
    source = workspace.add_source(
        vendor="generic", name="Front desk", secret=secret, options={"fields": fields}
    )
    call = {"id": "call_90", "caller": "+1 202 555 0123", "summary": SUMMARY}
    requests.post(
        source["url"], json=call, headers={"X-Webhook-Secret": secret}, timeout=60
    ).raise_for_status()
    workspace.wait_until_settled()
    workspace.add_source(vendor="elevenlabs")
    return workspace


@contextmanager
def _opened(
    browser: Browser, workspace: Workspace, scheme: str, size: dict[str, int]
) -> Iterator[Page]:
    options = {"viewport": size, "color_scheme": scheme, "timezone_id": "Europe/Berlin"}
    with browser.new_context(**options, locale="en-GB", reduced_motion="reduce") as context:  # type: ignore[arg-type]
        page = context.new_page()
        open_dashboard(page, workspace)
        expect(page.locator("[aria-busy]")).to_have_count(0)
        yield page


def main() -> None:
    path = find_chromium()
    if path is None:
        sys.exit(MISSING)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs"
    with (
        tempfile.TemporaryDirectory() as state,
        postgres_server(Path(state), durable=False) as server_url,
        valkey_server(Path(state)) as valkey_url,
        fresh_database(server_url) as database_url,
    ):
        migrate({**os.environ, "DATABASE_URL": database_url})
        with (
            running_deployments(database_url, valkey_url) as deployments,
            running_chromium(path) as browser,
        ):
            take_all(folder, browser, deployments)


if __name__ == "__main__":
    main()
