"""A CRM object as HubSpot keeps it: a contact, or the base of an activity."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from sandbox.moments import iso_time
from sandbox.properties import Schema


@dataclasses.dataclass(slots=True)
class Record:
    """An object; `contact_ids` are the contacts that an activity is associated with."""

    id: str
    properties: dict[str, str]
    created_ms: int
    updated_ms: int
    archived: bool = False
    contact_ids: set[str] = dataclasses.field(default_factory=set)

    def view(self, schema: Schema, wanted: Iterable[str]) -> dict[str, Any]:
        """Return the object as HubSpot answers it; a property without a value is null."""
        names = [*(wanted or schema.returned_by_default), *schema.always_returned]
        return {
            "id": self.id,
            "properties": {
                name: self.value(name) for name in sorted(names) if name in schema.kinds
            },
            "createdAt": iso_time(self.created_ms),
            "updatedAt": iso_time(self.updated_ms),
            "archived": self.archived,
        }

    def value(self, name: str) -> str | None:
        """Return a property's value, if it has one."""
        return self.properties.get(name)

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a property; only the pseudo-property can have several."""
        if name == "associations.contact":
            return tuple(self.contact_ids)
        value = self.value(name)
        return (value,) if value else ()

    def snapshot(self) -> "Record":
        """Return a copy that later changes do not reach."""
        return dataclasses.replace(
            self, properties=dict(self.properties), contact_ids=set(self.contact_ids)
        )
