"""A typed client of the sandbox's control plane and of its consent page."""

import dataclasses
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import requests

from sandbox.world import LoggedRequest

_TIMEOUT_SECONDS = 60


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxRecord:
    """A contact or a note as the sandbox keeps it; `contact_ids` are a note's contacts."""

    id: str
    properties: Mapping[str, str]
    created_ms: int
    archived: bool
    contact_ids: tuple[str, ...]

    @property
    def body(self) -> str:
        """The HTML of a note."""
        return self.properties.get("hs_note_body", "")


class SandboxControl:
    """Switches and reads a sandbox at `base_url`.

    Raises:
        requests.RequestException: the sandbox is away, or refuses what was asked of it.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def reset(self) -> None:
        """Begin again: no accounts, no faults, the behaviour of the start."""
        self._call("POST", "reset")

    def state(self) -> dict[str, Any]:
        """Return the behaviour and, per account, counts of objects, requests and violations."""
        state: dict[str, Any] = self._call("GET", "state")
        return state

    def set_behaviour(self, **changes: float | bool) -> None:
        """Change fields of `config.Behaviour`."""
        self._call("PATCH", "behaviour", changes)

    def requests(self, *, hub_id: int | None = None, after: int = 0) -> list[LoggedRequest]:
        """Return the API requests logged after a number, oldest first."""
        asked = {"after": after} if hub_id is None else {"after": after, "hub_id": hub_id}
        logged = self._call("GET", f"requests?{urllib.parse.urlencode(asked)}")["requests"]
        return [LoggedRequest(**entry) for entry in logged]

    def add_account(
        self,
        hub_id: int | None = None,
        *,
        default_country: str = "US",
        ui_domain: str = "app.hubspot.com",
        hidden_properties: Sequence[str] = (),
    ) -> int:
        """Open an account and return its hub id; it lacks the hidden properties of contacts."""
        account = {
            "hub_id": hub_id,
            "default_country": default_country,
            "ui_domain": ui_domain,
            "hidden_properties": list(hidden_properties),
        }
        return int(self._call("POST", "accounts", account)["hub_id"])

    def close_account(self, hub_id: int) -> None:
        """Delete an account: refreshes are then answered with BAD_HUB."""
        self._call("DELETE", f"accounts/{hub_id}")

    def add_contacts(self, hub_id: int, contacts: Iterable[Mapping[str, str]]) -> list[str]:
        """Create contacts with these properties and return their ids in order."""
        order = {"contacts": [dict(properties) for properties in contacts]}
        return list(self._call("POST", f"accounts/{hub_id}/contacts", order)["ids"])

    def contacts(self, hub_id: int) -> list[SandboxRecord]:
        """Return every contact, archived ones included, oldest first."""
        return _records(self._call("GET", f"accounts/{hub_id}/contacts")["contacts"])

    def notes(self, hub_id: int, *, contact_id: str | None = None) -> list[SandboxRecord]:
        """Return the notes (of one contact) that are not archived, oldest first."""
        notes = _records(self._call("GET", f"accounts/{hub_id}/notes")["notes"])
        return [
            note
            for note in notes
            if not note.archived and (contact_id is None or contact_id in note.contact_ids)
        ]

    def merge_contacts(self, hub_id: int, *, primary_id: str, merged_id: str) -> None:
        """Merge the second contact into the first."""
        order = {"primary_id": primary_id, "merged_id": merged_id}
        self._call("POST", f"accounts/{hub_id}/contacts/merge", order)

    def archive_contact(self, hub_id: int, contact_id: str) -> None:
        """Delete a contact as a person would."""
        self._call("DELETE", f"accounts/{hub_id}/contacts/{contact_id}")

    def expire_tokens(self, hub_id: int | None = None) -> int:
        """Expire the access tokens (of one account) now; return how many lived."""
        where = "" if hub_id is None else f"?hub_id={hub_id}"
        return int(self._call("POST", f"tokens/expire{where}")["expired"])

    def revoke_grants(self, hub_id: int) -> None:
        """End all grants of an account, access tokens included, as an uninstall by hand does."""
        self._call("POST", f"accounts/{hub_id}/grants/revoke")

    def set_scopes(self, hub_id: int, scopes: Sequence[str]) -> None:
        """Change what the grants of an account allow."""
        self._call("PUT", f"accounts/{hub_id}/grants/scopes", {"scopes": list(scopes)})

    def add_fault(
        self,
        endpoint: str,
        kind: str,
        *,
        times: int | None = None,
        probability: float = 1,
        hub_id: int | None = None,
        seed: int = 0,
        **args: Any,
    ) -> int:
        """Switch a fault on and return its id; `injections` lists the kinds and their arguments."""
        fault = {
            "endpoint": endpoint,
            "kind": kind,
            "times": times,
            "probability": probability,
            "hub_id": hub_id,
            "seed": seed,
            "args": args,
        }
        return int(self._call("POST", "faults", fault)["id"])

    def struck(self, fault_id: int) -> int:
        """Return how many requests a fault has struck."""
        faults = self._call("GET", "faults")["faults"]
        return next(int(fault["struck"]) for fault in faults if fault["id"] == fault_id)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._call("DELETE", "faults")

    def approve(self, auth_url: str, hub_id: int) -> str:
        """Allow an app on the consent page; return the callback URL the browser is sent to."""
        return self._decide(auth_url, decision="allow", hub_id=str(hub_id))

    def deny(self, auth_url: str) -> str:
        """Deny an app on the consent page; return the callback URL the browser is sent to."""
        return self._decide(auth_url, decision="deny")

    def _decide(self, auth_url: str, **decision: str) -> str:
        page = self._session.get(auth_url, timeout=_TIMEOUT_SECONDS)
        page.raise_for_status()
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(auth_url).query))
        answer = self._session.post(
            f"{self.base_url}/oauth/authorize/decision",
            data=asked | decision,
            allow_redirects=False,
            timeout=_TIMEOUT_SECONDS,
        )
        answer.raise_for_status()
        return answer.headers["Location"]

    def _call(self, method: str, path: str, order: Mapping[str, Any] | None = None) -> Any:
        answer = self._session.request(
            method, f"{self.base_url}/sandbox/{path}", json=order, timeout=_TIMEOUT_SECONDS
        )
        answer.raise_for_status()
        return answer.json()


def _records(described: Iterable[Mapping[str, Any]]) -> list[SandboxRecord]:
    return [
        SandboxRecord(**{**record, "contact_ids": tuple(record["contact_ids"])})
        for record in described
    ]
