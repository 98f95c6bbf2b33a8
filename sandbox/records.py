"""A CRM object as HubSpot keeps it: a contact or a note."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from sandbox.moments import iso_time
from sandbox.properties import Schema


@dataclasses.dataclass(slots=True)
class Record:
    """A contact or a note; `contact_ids` are the contacts that a note is associated with."""

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
                name: self.properties.get(name) for name in sorted(names) if name in schema.kinds
            },
            "createdAt": iso_time(self.created_ms),
            "updatedAt": iso_time(self.updated_ms),
            "archived": self.archived,
        }

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a property; only the pseudo-property can have several."""
        if name == "associations.contact":
            return tuple(self.contact_ids)
        value = self.properties.get(name, "")
        return (value,) if value else ()

    def snapshot(self) -> "Record":
        """Return a copy that later changes do not reach."""
        return dataclasses.replace(
            self, properties=dict(self.properties), contact_ids=set(self.contact_ids)
        )
