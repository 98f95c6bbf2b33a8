"""A typed client of the sandbox's control plane and of its consent page."""

import dataclasses
import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import requests

from sandbox.edits import LostEdit
from sandbox.world import LoggedRequest

_TIMEOUT_SECONDS = 60


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxRecord:
    """A contact, note or call as the sandbox keeps it; `contact_ids` are an activity's contacts."""

    id: str
    properties: Mapping[str, str]
    created_ms: int
    archived: bool
    contact_ids: tuple[str, ...]

    @property
    def body(self) -> str:
        """The HTML of a note or a call."""
        return self.properties.get("hs_note_body") or self.properties.get("hs_call_body", "")


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxVersion:
    """What one change of a note or call did, and who made it: `app` or `person`."""

    number: int
    at_ms: int
    by: str
    action: str
    properties: Mapping[str, str]


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

    def set_behaviour(self, **changes: float | bool | str) -> None:
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
        """Open an account and return its hub id; it lacks the hidden properties."""
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
        return self.activities("notes", hub_id, contact_id=contact_id)

    def calls(self, hub_id: int, *, contact_id: str | None = None) -> list[SandboxRecord]:
        """Return the calls (of one contact) that are not archived, oldest first."""
        return self.activities("calls", hub_id, contact_id=contact_id)

    def activities(
        self, kind: str, hub_id: int, *, contact_id: str | None = None, archived: bool = False
    ) -> list[SandboxRecord]:
        """Return the `notes` or `calls` (of one contact) that are living or archived."""
        every = _records(self._call("GET", f"accounts/{hub_id}/{kind}")[kind])
        return [
            one
            for one in every
            if one.archived is archived and (contact_id is None or contact_id in one.contact_ids)
        ]

    def edit(self, kind: str, hub_id: int, activity_id: str, **properties: str) -> None:
        """Change properties of a note or call as a person would; the body as it is given."""
        order = {"properties": properties}
        self._call("PATCH", f"accounts/{hub_id}/{kind}/{activity_id}", order)

    def delete(self, kind: str, hub_id: int, activity_id: str) -> None:
        """Delete a note or call as a person would."""
        self._call("DELETE", f"accounts/{hub_id}/{kind}/{activity_id}")

    def restore(self, kind: str, hub_id: int, activity_id: str) -> None:
        """Restore a note or call from the recycling bin as a person would."""
        self._call("POST", f"accounts/{hub_id}/{kind}/{activity_id}/restore")

    def versions(self, kind: str, hub_id: int, activity_id: str) -> list[SandboxVersion]:
        """Return every version of a note or call, oldest first."""
        answer = self._call("GET", f"accounts/{hub_id}/{kind}/{activity_id}/versions")
        return [SandboxVersion(**version) for version in answer["versions"]]

    def read_version(self, kind: str, hub_id: int, activity_id: str) -> int:
        """Return the newest version whose body an app was shown; 0 if none was."""
        answer = self._call("GET", f"accounts/{hub_id}/{kind}/{activity_id}/versions")
        return int(answer["read_version"])

    def lost_edits(self, hub_id: int) -> list[LostEdit]:
        """Return people's edits that updates of apps undid, in the order in which they did."""
        lost = self._call("GET", f"accounts/{hub_id}/lost-edits")["lost_edits"]
        return [LostEdit(**{**one, "texts": tuple(one["texts"])}) for one in lost]

    def add_owner(self, hub_id: int, email: str) -> str:
        """Add somebody whom records can belong to and return the owner id."""
        return str(self._call("POST", f"accounts/{hub_id}/owners", {"email": email})["id"])

    def archive_owner(self, hub_id: int, owner_id: str) -> None:
        """Deactivate an owner: records can belong to them no more."""
        self._call("DELETE", f"accounts/{hub_id}/owners/{owner_id}")

    def set_dispositions(self, hub_id: int, dispositions: Iterable[Mapping[str, Any]]) -> None:
        """Replace an account's outcomes of calls; each has `id`, `label` and maybe `deleted`."""
        order = {"dispositions": [dict(one) for one in dispositions]}
        self._call("PUT", f"accounts/{hub_id}/dispositions", order)

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

    def faults(self) -> list[dict[str, Any]]:
        """Return every fault that was not removed, spent ones included."""
        return list(self._call("GET", "faults")["faults"])

    def struck(self, fault_id: int) -> int:
        """Return how many requests a fault has struck."""
        return next(int(fault["struck"]) for fault in self.faults() if fault["id"] == fault_id)

    def held(self, fault_id: int) -> int:
        """Return how many requests a fault of kind `held` holds now."""
        return next(int(fault["held"]) for fault in self.faults() if fault["id"] == fault_id)

    def release(self, fault_id: int) -> int:
        """Let the requests go on that a fault holds, oldest first; return how many."""
        return int(self._call("POST", f"faults/{fault_id}/release")["released"])

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


class ActivityControl(SandboxControl):
    """A control whose faults of notes strike `kind` (`notes` or `calls`) instead."""

    def __init__(self, base_url: str, kind: str) -> None:
        super().__init__(base_url)
        self.kind = kind

    def endpoint(self, name: str) -> str:
        """The endpoint of the kind for that of notes; any other as it is."""
        return re.sub(r"^notes\.", f"{self.kind}.", name)

    def add_fault(self, endpoint: str, kind: str, **how: Any) -> int:
        """As any control's."""
        return super().add_fault(self.endpoint(endpoint), kind, **how)


def _records(described: Iterable[Mapping[str, Any]]) -> list[SandboxRecord]:
    return [
        SandboxRecord(**{**record, "contact_ids": tuple(record["contact_ids"])})
        for record in described
    ]
