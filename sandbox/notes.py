"""Notes: create, read and archive, one at a time and in batches."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from sandbox.bodies import (
    Association,
    BatchArchive,
    BatchCreate,
    BatchRead,
    ObjectInput,
    asked_properties,
    check_batch_size,
    check_properties,
    parse_body,
    wrong_property,
)
from sandbox.exchange import ApiRequest, Endpoint, Reply
from sandbox.hubs import Hub
from sandbox.moments import iso_time, parse_time
from sandbox.records import Record
from sandbox.refusals import RefusedError, invalid, not_found

MOST_INPUTS = 100
MOST_BODY_CHARACTERS = 65_536
NOTE_TO_CONTACT = 202
_READ = ("crm.objects.contacts.read",)
_WRITE = ("crm.objects.contacts.write",)


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedNote:
    """A note that may be created."""

    properties: dict[str, str]
    contact_ids: tuple[str, ...]
    trace_id: str | None

    def create(self, hub: Hub) -> dict[str, Any]:
        """Create the note and return HubSpot's view of it."""
        note = hub.add_note(self.properties, self.contact_ids)
        view = note.view(hub.note_schema, self.properties)
        return view if self.trace_id is None else view | {"objectWriteTraceId": self.trace_id}


def create_note(request: ApiRequest) -> Reply:
    """Create one note."""
    checked = _check(request.hub, parse_body(ObjectInput, request.body))
    return Reply(201, checked.create(request.hub))


def create_notes(request: ApiRequest) -> Reply:
    """Create up to 100 notes.

    If every input has a trace id of its own, good inputs are created and bad ones reported in a
    207. Otherwise one bad input fails the whole batch.
    """
    inputs = parse_body(BatchCreate, request.body).inputs
    check_batch_size(inputs, MOST_INPUTS)
    trace_ids = [given.object_write_trace_id for given in inputs]
    is_multi_status = None not in trace_ids and len(set(trace_ids)) == len(trace_ids)
    checked: list[CheckedNote] = []
    errors: list[dict[str, Any]] = []
    for given in inputs:
        try:
            checked.append(_check(request.hub, given))
        except RefusedError as error:
            if not is_multi_status:
                raise
            errors.append(
                error.batch_error({"objectWriteTraceId": [given.object_write_trace_id or ""]})
            )
    results = [note.create(request.hub) for note in checked]
    return batch_reply(request, results, errors, status=201)


def read_note(request: ApiRequest) -> Reply:
    """Read one note."""
    note = request.hub.note(request.path["id"])
    if note is None:
        raise not_found("Object not found.  objectId are usually numeric.")
    return Reply(200, note.view(request.hub.note_schema, asked_properties(request.query)))


def read_notes(request: ApiRequest) -> Reply:
    """Read up to 100 notes; unknown and archived ids are reported in a 207."""
    given = parse_body(BatchRead, request.body)
    check_batch_size(given.inputs, MOST_INPUTS)
    found: list[Record] = []
    missing: list[str] = []
    for note_id in dict.fromkeys(one.id for one in given.inputs):
        note = request.hub.note(note_id)
        if note is None:
            missing.append(note_id)
        else:
            found.append(note)
    results = [note.view(request.hub.note_schema, given.properties) for note in found]
    errors = []
    if missing:
        refusal = not_found(
            "Could not get some NOTE objects, they may be deleted or not exist. "
            "Check that ids are valid."
        )
        errors.append(refusal.batch_error({"ids": missing}))
    return batch_reply(request, results, errors, status=200)


def archive_note(request: ApiRequest) -> Reply:
    """Archive a note; 204 whether or not it existed."""
    _archive(request.hub, [request.path["id"]])
    return Reply(204)


def archive_notes(request: ApiRequest) -> Reply:
    """Archive up to 100 notes; 204 whether or not they existed."""
    given = parse_body(BatchArchive, request.body)
    check_batch_size(given.inputs, MOST_INPUTS)
    _archive(request.hub, [one.id for one in given.inputs])
    return Reply(204)


def batch_reply(
    request: ApiRequest, results: Sequence[Any], errors: Sequence[Any], *, status: int
) -> Reply:
    """Return a batch's answer: `status`, or 207 when an input failed."""
    moment = iso_time(int(request.world.now() * 1000))
    body = {
        "status": "COMPLETE",
        "results": list(results),
        "startedAt": moment,
        "completedAt": moment,
    }
    if errors:
        return Reply(207, body | {"numErrors": len(errors), "errors": list(errors)})
    return Reply(status, body)


def _archive(hub: Hub, note_ids: Sequence[str]) -> None:
    for note_id in note_ids:
        note = hub.note(note_id)
        if note is not None:
            hub.archive_note(note)


def _check(hub: Hub, given: ObjectInput) -> CheckedNote:
    properties = check_properties(hub.note_schema, given.properties)
    if not properties.get("hs_timestamp"):
        raise invalid(
            "Error creating NOTE.  Some required properties were not set.",
            context={"properties": ["hs_timestamp"]},
        )
    moment = parse_time(properties["hs_timestamp"])
    if moment is None:
        raise wrong_property("hs_timestamp", "INVALID_DATE", "hs_timestamp was not a valid date")
    properties["hs_timestamp"] = iso_time(moment)
    if len(properties.get("hs_note_body", "")) > MOST_BODY_CHARACTERS:
        raise wrong_property(
            "hs_note_body",
            "INVALID_LENGTH",
            f"hs_note_body was longer than {MOST_BODY_CHARACTERS} characters",
        )
    owner_id = properties.get("hubspot_owner_id", "")
    if owner_id and not owner_id.isdigit():
        raise wrong_property("hubspot_owner_id", "INVALID_OWNER_ID", "no such owner")
    if given.associations is None:
        raise invalid("Invalid input JSON: required field associations is missing")
    contact_ids = tuple(_check_association(hub, one) for one in given.associations)
    return CheckedNote(properties, contact_ids, given.object_write_trace_id)


def _check_association(hub: Hub, association: Association) -> str:
    for kind in association.types:
        if (kind.association_category, kind.association_type_id) != (
            "HUBSPOT_DEFINED",
            NOTE_TO_CONTACT,
        ):
            raise invalid(
                f"association type id {kind.association_type_id} doesn't exist between note and "
                "contact"
            )
    contact_id = association.to.id
    if hub.contact(contact_id) is None:
        raise RefusedError(
            400,
            f"One or more associations are not valid: no contact with id {contact_id}",
            "OBJECT_NOT_FOUND",
        )
    return contact_id


def _rules(path: str) -> tuple[str, str]:
    return f"/crm/objects/{{version}}/notes{path}", f"/crm/v3/objects/notes{path}"


ENDPOINTS = (
    Endpoint("notes.create", "POST", _rules(""), create_note, _WRITE),
    Endpoint("notes.batch_create", "POST", _rules("/batch/create"), create_notes, _WRITE),
    Endpoint("notes.read", "GET", _rules("/<id>"), read_note, _READ),
    Endpoint("notes.batch_read", "POST", _rules("/batch/read"), read_notes, _READ),
    Endpoint("notes.archive", "DELETE", _rules("/<id>"), archive_note, _WRITE),
    Endpoint("notes.batch_archive", "POST", _rules("/batch/archive"), archive_notes, _WRITE),
)
