"""A workspace in a run: its person in the dashboard, its HubSpot account, and its calls."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import requests

from faults.cluster import Cluster
from faults.judging.history import SYNCED, Ending, SentCall
from local.visitor import Visitor, sign_in
from sandbox.client import SandboxControl

SIGNED_IN_FOR: Final = timedelta(hours=1)
PAGE: Final = 200
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True)
class Contact:
    """A contact of an account and its number in E.164; `survivor_id` is whom it is merged into."""

    id: str
    phone_number: str
    survivor_id: str | None = None


class Tenant:
    """One user and workspace; not connected yet.

    Attributes:
        hub_id: the account that it connects.
    """

    def __init__(
        self, cluster: Cluster, sandbox: SandboxControl, draws: random.Random, *, hub_id: int | None
    ) -> None:
        self._sandbox = sandbox
        self._draws = draws
        self.user_id = f"user_{draws.randbytes(6).hex()}"
        self.workspace_id = f"ws_{draws.randbytes(3).hex()}"
        self.hub_id = sandbox.add_account(next(cluster.hub_ids)) if hub_id is None else hub_id
        token = sign_in(
            cluster.env["JWT_SECRET"],
            user_id=self.user_id,
            workspace_id=self.workspace_id,
            lasts=SIGNED_IN_FOR,
        )
        self._api_url = cluster.api_url
        self._token = token
        self.visitor = Visitor(cluster.api_url, token)

    def connect(self, hub_id: int | None = None) -> None:
        """Connect an account through OAuth: its own, or another from now on."""
        self.hub_id = self.hub_id if hub_id is None else hub_id
        # A browser of its own: HubSpot's page and ours keep no cookies of the last time.
        with Visitor(self._api_url, self._token) as visitor:
            visitor.connect(self._sandbox, self.hub_id)

    def disconnect(self) -> None:
        """Disconnect, as the dashboard's button does; raises requests.HTTPError."""
        answer = requests.delete(
            f"{self._api_url}/api/hubspot/disconnect",
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=TIMEOUT_S,
        )
        answer.raise_for_status()

    def add_contacts(self, number: int) -> list[Contact]:
        """Make contacts with numbers that nobody else has."""
        phones = [
            f"+1202{area}" for area in self._draws.sample(range(2_000_000, 9_999_999), number)
        ]
        ids = self._sandbox.add_contacts(self.hub_id, [{"phone": phone} for phone in phones])
        return [Contact(each, phone) for each, phone in zip(ids, phones, strict=True)]

    def add_twins(self) -> tuple[Contact, str]:
        """Two contacts with one number: that which is matched, and the id of its elder."""
        (elder,) = self.add_contacts(1)
        (younger_id,) = self._sandbox.add_contacts(self.hub_id, [{"phone": elder.phone_number}])
        return Contact(younger_id, elder.phone_number, elder.id), elder.id

    def call(
        self,
        contact: Contact,
        *,
        call_id: str | None = None,
        endings: Collection[Ending] = SYNCED,
        **details: Any,
    ) -> SentCall:
        """A call of a contact that is to be sent; `details` are more fields of the webhook."""
        call_id = call_id or f"call_{self._draws.randbytes(8).hex()}"
        data = {
            "call_id": call_id,
            "user_id": self.user_id,
            "workspace_id": self.workspace_id,
            "phone_number": contact.phone_number,
            "summary": f"Said in the call {self._draws.randbytes(4).hex()}.",
            **details,
        }
        return SentCall(
            self.user_id,
            self.workspace_id,
            call_id,
            self.hub_id,
            [contact.id, *filter(None, [contact.survivor_id])],
            data,
            endings,
            contact.phone_number,
        )

    def calls(self, number: int, *, endings: Collection[Ending] = SYNCED) -> list[SentCall]:
        """Calls of as many new contacts."""
        return [self.call(contact, endings=endings) for contact in self.add_contacts(number)]

    def shown_logs(self) -> list[dict[str, Any]]:
        """Everything that the API's sync log shows, page by page."""
        logs: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            query: dict[str, str | int] = {"limit": PAGE}
            if cursor:
                query["cursor"] = cursor
            page = self.visitor.get("/api/hubspot/sync-logs", **query)
            logs += page["logs"]
            cursor = page["next_cursor"]
            if not cursor:
                return logs
