"""Associations from contacts to notes or calls: of one contact, and of many at once."""

from typing import Any

from sandbox.activities import Activities
from sandbox.activity_endpoints import batch_reply
from sandbox.activity_kinds import ACTIVITY_KINDS, ActivityKind
from sandbox.bodies import AssociationsBatchRead, check_batch_size, parse_body
from sandbox.exchange import ApiRequest, Endpoint
from sandbox.refusals import RefusedError, invalid, not_found
from sandbox.replies import Reply

MOST_INPUTS = 1000
_READ = ("crm.objects.contacts.read",)


def list_activities(request: ApiRequest) -> Reply:
    """List a contact's notes or calls, a page at a time."""
    if request.hub.contact(request.path["id"]) is None:
        raise not_found("resource not found")
    after = next(iter(request.query.get("after", ())), None)
    page = _page(request, request.path["id"], after)
    return Reply(200, {"results": page.pop("to"), **page})


def read_activities_of_contacts(request: ApiRequest) -> Reply:
    """Read the notes or calls of up to 1,000 contacts, a page of each.

    A contact without any is not in `results` but an error in a 207, in the very words that an
    unknown contact gets: this endpoint does not tell the two apart.
    """
    inputs = parse_body(AssociationsBatchRead, request.body).inputs
    check_batch_size(inputs, MOST_INPUTS)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for given in inputs:
        if _activities(request).of_contact(given.id):
            page = _page(request, given.id, given.after)
            results.append({"from": {"id": given.id}, **page})
        else:
            errors.append(_nothing_associated(_activities(request).kind, given.id))
    return batch_reply(request, results, errors, status=200)


def _activities(request: ApiRequest) -> Activities:
    return request.hub.activities[request.path["kind"]]


def _page(request: ApiRequest, contact_id: str, after: str | None) -> dict[str, Any]:
    """Return `to` and, unless it is the last page, `paging`; `after` is the last id seen."""
    if after is not None and not after.isdigit():
        raise invalid(f"Invalid paging cursor {after}")
    most = request.world.behaviour.association_page_size
    activities = _activities(request)
    ids = sorted(int(one.id) for one in activities.of_contact(contact_id))
    left = [activity_id for activity_id in ids if activity_id > int(after or 0)]
    page: dict[str, Any] = {"to": [_association(activities.kind, one) for one in left[:most]]}
    if len(left) > most:
        page["paging"] = {"next": {"after": str(left[most - 1])}}
    return page


def _association(kind: ActivityKind, activity_id: int) -> dict[str, Any]:
    association = {"category": "HUBSPOT_DEFINED", "typeId": kind.from_contact, "label": None}
    return {"toObjectId": activity_id, "associationTypes": [association]}


def _nothing_associated(kind: ActivityKind, contact_id: str) -> dict[str, Any]:
    refusal = RefusedError(
        404, f"No {kind.singular} is associated with contact {contact_id}.", "OBJECT_NOT_FOUND"
    )
    context = {
        "fromObjectId": [contact_id],
        "fromObjectType": ["contact"],
        "toObjectType": [kind.singular],
    }
    return refusal.batch_error(context) | {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}


_KIND = f"<any({','.join(ACTIVITY_KINDS)}):kind>"
ENDPOINTS = (
    Endpoint(
        "associations.list",
        "GET",
        (
            f"/crm/objects/{{version}}/contacts/<id>/associations/{_KIND}",
            f"/crm/v4/objects/contacts/<id>/associations/{_KIND}",
        ),
        list_activities,
        _READ,
    ),
    Endpoint(
        "associations.batch_read",
        "POST",
        (
            f"/crm/associations/{{version}}/contacts/{_KIND}/batch/read",
            f"/crm/v4/associations/contacts/{_KIND}/batch/read",
        ),
        read_activities_of_contacts,
        _READ,
    ),
)
