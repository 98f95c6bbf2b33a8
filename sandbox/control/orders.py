"""The JSON bodies of the control plane, and finding what they name."""

from collections.abc import Iterable
from typing import Any, Self, TypeVar

import flask
import pydantic

from sandbox.activities import Activity
from sandbox.hubs import Disposition, Hub
from sandbox.injections import HELD_WHERE, KINDS, NEEDING_CONTAINING
from sandbox.records import Record
from sandbox.world import Sandbox

Json = dict[str, Any]
OrderT = TypeVar("OrderT", bound="Order")


class Order(pydantic.BaseModel):
    """A JSON body of the control plane; a misspelt field is an error."""

    model_config = pydantic.ConfigDict(extra="forbid")


class NewAccount(Order):
    hub_id: int | None = None
    default_country: str = "US"
    ui_domain: str = "app.hubspot.com"
    hidden_properties: tuple[str, ...] = ()


class NewContacts(Order):
    contacts: list[dict[str, str]]


class Edit(Order):
    """What a person changes in a note or a call."""

    properties: dict[str, str]


class NewOwner(Order):
    email: str


class Dispositions(Order):
    dispositions: tuple[Disposition, ...]


class Merge(Order):
    primary_id: str
    merged_id: str


class Scopes(Order):
    scopes: tuple[str, ...]


class NewFault(Order):
    endpoint: str
    kind: str
    times: int | None = pydantic.Field(default=None, ge=1)
    probability: float = pydantic.Field(default=1, ge=0, le=1)
    hub_id: int | None = None
    seed: int = 0
    args: dict[str, Any] = pydantic.Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        if self.kind in NEEDING_CONTAINING and "containing" not in self.args:
            raise ValueError(f"{self.kind} needs the argument containing")
        if self.kind == "held" and self.args.get("where", "before") not in HELD_WHERE:
            raise ValueError(f"where is one of {', '.join(HELD_WHERE)}")
        return self


def describe(records: Iterable[Record]) -> list[Json]:
    """Return contacts or activities as the control plane lists them."""
    return [
        {
            "id": record.id,
            "properties": dict(record.properties),
            "created_ms": record.created_ms,
            "archived": record.archived,
            "contact_ids": sorted(record.contact_ids),
        }
        for record in records
    ]


def read_order(model: type[OrderT]) -> OrderT:
    """Read the body of the current request; a wrong one raises pydantic's ValidationError."""
    return model.model_validate_json(flask.request.get_data())


def find_hub(sandbox: Sandbox, hub_id: int) -> Hub:
    """Return an account, or answer 404."""
    hub = sandbox.world.hubs.get(hub_id)
    return flask.abort(404) if hub is None else hub


def find_contact(hub: Hub, contact_id: str) -> Record:
    """Return a contact, or answer 404."""
    contact = hub.contact(contact_id)
    return flask.abort(404) if contact is None else contact


def find_activity(hub: Hub, kind: str, activity_id: str) -> Activity:
    """Return a note or call, archived or not, or answer 404."""
    activity = hub.activities[kind].all.get(activity_id)
    return flask.abort(404) if activity is None else activity
