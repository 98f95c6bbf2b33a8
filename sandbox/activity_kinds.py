"""The kinds of activities that the sandbox knows, and all in which they differ."""

import dataclasses

from sandbox.properties import CALLS, NOTES, Schema


@dataclasses.dataclass(frozen=True, slots=True)
class ActivityKind:
    """A kind of activity.

    Attributes:
        name: how paths and endpoints call it.
        singular: how people and messages call one.
        type_id: HubSpot's number of the object type.
        schema: its properties.
        body: the property that holds its HTML.
        to_contact: the association type from the activity to a contact.
        from_contact: the association type from a contact to the activity.
    """

    name: str
    singular: str
    type_id: str
    schema: Schema
    body: str
    to_contact: int
    from_contact: int


NOTE = ActivityKind("notes", "note", "0-46", NOTES, "hs_note_body", 202, 201)
CALL = ActivityKind("calls", "call", "0-48", CALLS, "hs_call_body", 194, 193)
ACTIVITY_KINDS = {kind.name: kind for kind in (NOTE, CALL)}
