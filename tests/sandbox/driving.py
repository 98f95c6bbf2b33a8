"""Drives a sandbox as an app does: by OAuth and over HTTP."""

import base64
import dataclasses
import hashlib
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import requests

from sandbox.client import SandboxControl
from sandbox.config import OAuthApp

APP = OAuthApp()
REDIRECT_URI = APP.redirect_uris[0]
BODY = {"notes": "hs_note_body", "calls": "hs_call_body"}
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


@dataclasses.dataclass
class Clock:
    """The sandbox's clock, moved by hand."""

    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclasses.dataclass(frozen=True)
class Caller:
    """An app that calls the API with an access token."""

    url: str
    session: requests.Session
    hub_id: int
    tokens: Mapping[str, Any]

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(
            method,
            self.url + path,
            json=body,
            headers={"Authorization": f"Bearer {self.tokens['access_token']}"},
            timeout=240,
        )

    def search(self, *groups: Sequence[Mapping[str, Any]], **rest: Any) -> requests.Response:
        body = {"filterGroups": [{"filters": list(group)} for group in groups], **rest}
        return self.call("POST", "/crm/objects/2026-09/contacts/search", body)

    def found(self, *groups: Sequence[Mapping[str, Any]], **rest: Any) -> list[str]:
        answer = self.search(*groups, **rest)
        assert answer.status_code == 200, answer.text
        return [contact["id"] for contact in answer.json()["results"]]

    def create_notes(self, inputs: Iterable[Mapping[str, Any]]) -> requests.Response:
        return self.batch("notes", "create", inputs)

    def batch(
        self, kind: str, verb: str, inputs: Iterable[Mapping[str, Any]], **rest: Any
    ) -> requests.Response:
        body = {"inputs": list(inputs), **rest}
        return self.call("POST", f"/crm/objects/2026-09/{kind}/batch/{verb}", body)

    def created(self, *inputs: Mapping[str, Any], kind: str = "notes") -> list[str]:
        """Create notes or calls that are right, and return their ids."""
        answer = self.batch(kind, "create", inputs)
        assert answer.status_code == 201, answer.text
        return [one["id"] for one in answer.json()["results"]]

    def read(self, kind: str, *ids: str, properties: Sequence[str] = ()) -> requests.Response:
        inputs = [{"id": one} for one in ids]
        wanted = {"properties": list(properties), "propertiesWithHistory": []}
        return self.batch(kind, "read", inputs, **wanted)

    def bodies(self, kind: str, *ids: str) -> list[str]:
        """Read the bodies of notes or calls."""
        answer = self.read(kind, *ids, properties=[BODY[kind]])
        return [one["properties"][BODY[kind]] for one in answer.json()["results"]]

    def update(self, kind: str, activity_id: str, **properties: str) -> requests.Response:
        path = f"/crm/objects/2026-09/{kind}/{activity_id}"
        return self.call("PATCH", path, {"properties": properties})


def authorize_url(url: str, **changes: str) -> str:
    asked = {
        "client_id": APP.client_id,
        "redirect_uri": REDIRECT_URI,
        "scope": " ".join(APP.scopes),
        "state": "a state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"{url}/oauth/authorize?{urllib.parse.urlencode(asked | changes)}"


def request_token(url: str, path: str = "", **fields: str) -> requests.Response:
    """Post to the token endpoint, or to one below it, as the app."""
    app = {"client_id": APP.client_id, "client_secret": APP.client_secret}
    return requests.post(f"{url}/oauth/2026-09/token{path}", data=app | fields, timeout=240)


def exchange(url: str, code: str, **changes: str) -> requests.Response:
    fields = {
        "grant_type": "authorization_code",
        "redirect_uri": REDIRECT_URI,
        "code": code,
        "code_verifier": VERIFIER,
    }
    return request_token(url, **fields | changes)


def callback_fields(callback_url: str) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(callback_url).query))


def install(control: SandboxControl, hub_id: int, session: requests.Session) -> Caller:
    """Connect the app to an account through the consent page."""
    callback = control.approve(authorize_url(control.base_url), hub_id)
    answer = exchange(control.base_url, callback_fields(callback)["code"])
    assert answer.status_code == 200, answer.text
    return Caller(control.base_url, session, hub_id, answer.json())


def note(
    contact_id: str, body: str = "<p>Hello</p>", trace_id: str | None = None
) -> dict[str, Any]:
    """Return the input that creates a note on a contact's timeline."""
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}
    given = {
        "properties": {"hs_timestamp": "1790000000000", "hs_note_body": body},
        "associations": [{"to": {"id": contact_id}, "types": [kind]}],
    }
    return given if trace_id is None else given | {"objectWriteTraceId": trace_id}


def call(
    contact_id: str, body: str = "<p>Hello</p>", trace_id: str | None = None, **properties: str
) -> dict[str, Any]:
    """Return the input that creates a call on a contact's timeline."""
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}
    given = {
        "properties": {"hs_timestamp": "1790000000000", "hs_call_body": body, **properties},
        "associations": [{"to": {"id": contact_id}, "types": [kind]}],
    }
    return given if trace_id is None else given | {"objectWriteTraceId": trace_id}


NEW = {"notes": note, "calls": call}


def change(
    activity_id: str, trace_id: str | None = None, **properties: str | None
) -> dict[str, Any]:
    """Return the input that changes a note or a call in a batch."""
    given = {"id": activity_id, "properties": properties}
    return given if trace_id is None else given | {"objectWriteTraceId": trace_id}


def where(name: str, operator: str, value: Any = None, **rest: Any) -> dict[str, Any]:
    """Return one filter of a search; a list of values goes where HubSpot expects it."""
    given = {"values": value} if isinstance(value, list) else {"value": value}
    return {"propertyName": name, "operator": operator, **given, **rest}


def eventually(holds: Callable[[], bool]) -> bool:
    """Ask again until it holds; each question is a request. False if it never does."""
    deadline = time.monotonic() + 240
    while not (held := holds()) and time.monotonic() < deadline:
        pass
    return held
