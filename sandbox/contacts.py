"""Contacts: create, read, change, archive and merge."""

from sandbox.bodies import Merge, ObjectInput, asked_properties, check_properties, parse_body
from sandbox.exchange import ApiRequest, Endpoint
from sandbox.hubs import Hub
from sandbox.records import Record
from sandbox.refusals import RefusedError, invalid, not_found
from sandbox.replies import Reply

_READ = ("crm.objects.contacts.read",)
_WRITE = ("crm.objects.contacts.write",)


def create_contact(request: ApiRequest) -> Reply:
    """Create a contact; a second one with the same address gets 409."""
    hub = request.hub
    given = parse_body(ObjectInput, request.body)
    properties = check_properties(hub.contact_schema, given.properties)
    _check_email_is_free(hub, properties.get("email", ""), None)
    contact = hub.add_contact(properties)
    return Reply(201, contact.view(hub.contact_schema, contact.properties) | _trace(given))


def read_contact(request: ApiRequest) -> Reply:
    """Read a contact; the id of a merged one is answered by its survivor."""
    contact = _find(request.hub, request.path["id"])
    schema = request.hub.contact_schema
    return Reply(200, contact.view(schema, asked_properties(request.query)))


def update_contact(request: ApiRequest) -> Reply:
    """Change some properties of a contact."""
    hub = request.hub
    contact = _find(hub, request.path["id"])
    given = parse_body(ObjectInput, request.body)
    properties = check_properties(hub.contact_schema, given.properties)
    _check_email_is_free(hub, properties.get("email", ""), contact)
    hub.change_contact(contact, properties)
    return Reply(200, contact.view(hub.contact_schema, properties) | _trace(given))


def archive_contact(request: ApiRequest) -> Reply:
    """Archive a contact; 204 whether or not it existed."""
    contact = request.hub.contact(request.path["id"])
    if contact is not None:
        request.hub.archive_contact(contact)
    return Reply(204)


def merge_contacts(request: ApiRequest) -> Reply:
    """Merge one contact into another."""
    hub = request.hub
    given = parse_body(Merge, request.body)
    primary = _find(hub, given.primary_object_id)
    merged = _find(hub, given.object_id_to_merge)
    if primary is merged:
        raise invalid("Cannot merge an object with itself")
    return Reply(200, hub.merge_contacts(primary, merged).view(hub.contact_schema, ()))


def _find(hub: Hub, contact_id: str) -> Record:
    contact = hub.surviving_contact(contact_id)
    if contact is None:
        raise not_found("resource not found")
    return contact


def _check_email_is_free(hub: Hub, email: str, contact: Record | None) -> None:
    owner = hub.contact_with_email(email) if email else None
    if owner is not None and owner is not contact:
        raise RefusedError(409, f"Contact already exists. Existing ID: {owner.id}", "CONFLICT")


def _trace(given: ObjectInput) -> dict[str, str]:
    trace_id = given.object_write_trace_id
    return {} if trace_id is None else {"objectWriteTraceId": trace_id}


_ONE = ("/crm/objects/{version}/contacts/<id>", "/crm/v3/objects/contacts/<id>")
_ALL = ("/crm/objects/{version}/contacts", "/crm/v3/objects/contacts")
_MERGE = ("/crm/objects/{version}/contacts/merge", "/crm/v3/objects/contacts/merge")
ENDPOINTS = (
    Endpoint("contacts.create", "POST", _ALL, create_contact, _WRITE),
    Endpoint("contacts.read", "GET", _ONE, read_contact, _READ),
    Endpoint("contacts.update", "PATCH", _ONE, update_contact, _WRITE),
    Endpoint("contacts.archive", "DELETE", _ONE, archive_contact, _WRITE),
    Endpoint("contacts.merge", "POST", _MERGE, merge_contacts, _WRITE),
)
