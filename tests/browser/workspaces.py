"""A workspace of a test's own: its user, its HubSpot account, and the calls that end in it."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import psycopg
import requests
from playwright.sync_api import Page, expect

from local.visitor import Visitor, sign_in
from tests.browser.deployments import Deployments

LASTS: Final = timedelta(hours=1)
DEADLINE_S: Final = 240
POLL_S: Final = 0.05
HURRY: Final = """
    UPDATE hubspot_sync_logs SET next_attempt_at = now()
    WHERE user_id = %s AND status = 'pending' AND attempts > 0 AND next_attempt_at > now()
"""
CONNECTIONS: Final = "SELECT id FROM hubspot_oauth_tokens WHERE user_id = %s"


@dataclass(frozen=True)
class Workspace:
    deployments: Deployments
    hub_id: int
    user_id: str = field(default_factory=lambda: f"user_{secrets.token_hex(4)}")
    workspace_id: str = field(default_factory=lambda: f"ws_{secrets.token_hex(4)}")

    def token(self, *, lasts: timedelta = LASTS, role: str | None = None) -> str:
        return sign_in(
            self.deployments.jwt_secret,
            user_id=self.user_id,
            workspace_id=self.workspace_id,
            lasts=lasts,
            role=role,
        )

    @property
    def page_url(self) -> str:
        """The built-in page, signed in."""
        return f"{self.deployments.own_url}/#token={self.token()}"

    @property
    def viewers_url(self) -> str:
        """The same, for somebody who may only look."""
        return f"{self.deployments.own_url}/#token={self.token(role='viewer')}"

    def connect(self) -> None:
        """Connect by the OAuth flow, without a browser."""
        with Visitor(self.deployments.own_url, self.token()) as visitor:
            visitor.connect(self.deployments.sandbox, self.hub_id)

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """What the API answers to `/api/hubspot/<path>`."""
        with Visitor(self.deployments.own_url, self.token()) as visitor:
            return visitor.get(f"/api/hubspot/{path}", **query)

    def change_settings(self, **changes: Any) -> None:
        with Visitor(self.deployments.own_url, self.token()) as visitor:
            visitor.patch("/api/hubspot/settings", changes)

    def add_source(self, **given: Any) -> dict[str, Any]:
        """Add a call source; returns it as the API shows it."""
        answer = requests.post(
            f"{self.deployments.own_url}/api/call-sources",
            json=given,
            headers={"Authorization": f"Bearer {self.token()}"},
            timeout=DEADLINE_S,
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["source"])

    def add_contact(self, **properties: str) -> str:
        """Add a contact to HubSpot; returns its id."""
        return self.deployments.sandbox.add_contacts(self.hub_id, [properties])[0]

    def end_call(self, phone_number: str | None, **data: Any) -> str:
        """Let a call end: its webhook is posted; returns the log id."""
        call = {
            "call_id": f"call_{secrets.token_hex(6)}",
            "user_id": self.user_id,
            "workspace_id": self.workspace_id,
            "phone_number": phone_number,
            **data,
        }
        return self.deployments.producer.post_call(call).log_id

    def forget_number(self, log_id: str) -> None:
        """Remove a call's number from the log, as housekeeping does after its retention."""
        with psycopg.connect(self.deployments.database_url) as connection:
            connection.execute(
                "UPDATE hubspot_sync_logs SET phone_number = NULL WHERE id = %s", [log_id]
            )

    def retry(self, log_id: str) -> None:
        """Try a call again, as another tab would."""
        requests.post(
            f"{self.deployments.own_url}/api/hubspot/sync-logs/{log_id}/retry",
            headers={"Authorization": f"Bearer {self.token()}"},
            timeout=DEADLINE_S,
        ).raise_for_status()

    def wait_until_settled(self) -> None:
        """Wait until no call is pending; what would be tried again later is due at once."""

        def is_settled() -> bool:
            self._hurry()
            return bool(self.get("status")["counts"]["pending"] == 0)

        self.wait_until(is_settled)

    def _hurry(self) -> None:
        with psycopg.connect(self.deployments.database_url) as connection:
            hurried = connection.execute(HURRY, [self.user_id]).rowcount
            ids = connection.execute(CONNECTIONS, [self.user_id]).fetchall()
        if hurried:  # the sweep would wake a connection only every few seconds
            for [connection_id] in ids:
                self.deployments.wake_ups.heard(connection_id)
                self.deployments.wake_ups.wake(connection_id)

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait for what the worker brings about; fails when it does not."""
        deadline = time.monotonic() + DEADLINE_S
        while not is_so():
            assert time.monotonic() < deadline, self.get("status")
            time.sleep(POLL_S)


def open_dashboard(page: Page, workspace: Workspace) -> None:
    """Open the built-in page, signed in, and wait for what it shows."""
    page.goto(workspace.page_url)
    expect(page.get_by_text("Up to date")).to_be_visible()
