"""The search endpoints of contacts, notes and calls, which share one limit."""

import functools

from sandbox.activities import Activity
from sandbox.activity_kinds import ACTIVITY_KINDS, ActivityKind
from sandbox.bodies import parse_body
from sandbox.exchange import ApiRequest, Endpoint
from sandbox.properties import Schema
from sandbox.refusals import invalid
from sandbox.replies import Reply
from sandbox.search_index import SearchIndex
from sandbox.search_match import match, sort_records
from sandbox.search_query import SearchBody, check_search

MOST_BODY_CHARACTERS = 3000
MOST_RESULTS_IN_PAGE = 200
MOST_RESULTS = 10_000
_READ = ("crm.objects.contacts.read",)


def search_contacts(request: ApiRequest) -> Reply:
    """Search contacts."""
    hub = request.hub
    return _search(request, hub.contact_schema, hub.contact_index)


def search_activities(request: ApiRequest, kind: ActivityKind) -> Reply:
    """Search notes or calls; `associations.contact` filters on the contact of an activity."""
    activities = request.hub.activities[kind.name]
    return _search(request, activities.schema, activities.index)


def _search(request: ApiRequest, schema: Schema, index: SearchIndex) -> Reply:
    if len(request.body.decode(errors="replace")) > MOST_BODY_CHARACTERS:
        raise invalid(f"The request body is longer than {MOST_BODY_CHARACTERS} characters")
    search = parse_body(SearchBody, request.body)
    check_search(schema, search)
    offset = _check_page(search)
    index.catch_up(request.world.now())
    found = match(schema, index, search)
    sort_records(schema, found, search.sorts)
    end = offset + search.limit
    for record in found[offset:end]:
        if isinstance(record, Activity):
            request.shown[record.id] = record, record.version
    body = {
        "total": len(found),
        "results": [record.view(schema, search.properties) for record in found[offset:end]],
    }
    if end < len(found):
        body["paging"] = {"next": {"after": str(end)}}
    return Reply(200, body)


def _check_page(search: SearchBody) -> int:
    """Return the offset; raise 400 beyond HubSpot's page size and its 10,000 results."""
    if not 0 < search.limit <= MOST_RESULTS_IN_PAGE:
        raise invalid(f"limit must be between 1 and {MOST_RESULTS_IN_PAGE}")
    after = search.after or "0"
    if not after.isdigit():
        raise invalid(f"Invalid paging cursor {after}")
    if int(after) + search.limit > MOST_RESULTS:
        raise invalid(f"A search returns at most {MOST_RESULTS} results")
    return int(after)


def _rules(object_type: str) -> tuple[str, str]:
    return (
        f"/crm/objects/{{version}}/{object_type}/search",
        f"/crm/v3/objects/{object_type}/search",
    )


ENDPOINTS = (
    Endpoint("contacts.search", "POST", _rules("contacts"), search_contacts, _READ, is_search=True),
    *(
        Endpoint(
            f"{kind.name}.search",
            "POST",
            _rules(kind.name),
            functools.partial(search_activities, kind=kind),
            _READ,
            is_search=True,
        )
        for kind in ACTIVITY_KINDS.values()
    ),
)
