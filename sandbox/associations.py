"""Associations from contacts to notes: of one contact, and of many at once."""

from typing import Any

from sandbox.bodies import AssociationsBatchRead, check_batch_size, parse_body
from sandbox.exchange import ApiRequest, Endpoint, Reply
from sandbox.notes import batch_reply
from sandbox.refusals import RefusedError, invalid, not_found

MOST_INPUTS = 1000
CONTACT_TO_NOTE = 201
_READ = ("crm.objects.contacts.read",)


def list_notes(request: ApiRequest) -> Reply:
    """List a contact's notes, a page at a time."""
    if request.hub.contact(request.path["id"]) is None:
        raise not_found("resource not found")
    after = next(iter(request.query.get("after", ())), None)
    page = _page(request, request.path["id"], after)
    return Reply(200, {"results": page.pop("to"), **page})


def read_notes_of_contacts(request: ApiRequest) -> Reply:
    """Read the notes of up to 1,000 contacts, a page of each.

    A contact without notes is not in `results` but an error in a 207, in the very words that an
    unknown contact gets: this endpoint does not tell the two apart.
    """
    inputs = parse_body(AssociationsBatchRead, request.body).inputs
    check_batch_size(inputs, MOST_INPUTS)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for given in inputs:
        if request.hub.notes_of(given.id):
            page = _page(request, given.id, given.after)
            results.append({"from": {"id": given.id}, **page})
        else:
            errors.append(_no_notes(given.id))
    return batch_reply(request, results, errors, status=200)


def _page(request: ApiRequest, contact_id: str, after: str | None) -> dict[str, Any]:
    """Return `to` and, unless it is the last page, `paging`; `after` is the last id seen."""
    if after is not None and not after.isdigit():
        raise invalid(f"Invalid paging cursor {after}")
    most = request.world.behaviour.association_page_size
    ids = sorted(int(note.id) for note in request.hub.notes_of(contact_id))
    left = [note_id for note_id in ids if note_id > int(after or 0)]
    page: dict[str, Any] = {"to": [_association(note_id) for note_id in left[:most]]}
    if len(left) > most:
        page["paging"] = {"next": {"after": str(left[most - 1])}}
    return page


def _association(note_id: int) -> dict[str, Any]:
    kind = {"category": "HUBSPOT_DEFINED", "typeId": CONTACT_TO_NOTE, "label": None}
    return {"toObjectId": note_id, "associationTypes": [kind]}


def _no_notes(contact_id: str) -> dict[str, Any]:
    refusal = RefusedError(
        404, f"No note is associated with contact {contact_id}.", "OBJECT_NOT_FOUND"
    )
    context = {
        "fromObjectId": [contact_id],
        "fromObjectType": ["contact"],
        "toObjectType": ["note"],
    }
    return refusal.batch_error(context) | {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}


ENDPOINTS = (
    Endpoint(
        "associations.list",
        "GET",
        (
            "/crm/objects/{version}/contacts/<id>/associations/notes",
            "/crm/v4/objects/contacts/<id>/associations/notes",
        ),
        list_notes,
        _READ,
    ),
    Endpoint(
        "associations.batch_read",
        "POST",
        (
            "/crm/associations/{version}/contacts/notes/batch/read",
            "/crm/v4/associations/contacts/notes/batch/read",
        ),
        read_notes_of_contacts,
        _READ,
    ),
)
