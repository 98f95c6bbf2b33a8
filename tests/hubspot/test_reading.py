"""What each reading method asks for, and what it makes of the answer."""

import pytest

from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import RejectedError, TokenRejectedError, UnavailableError
from shared.hubspot.models import (
    NOTES,
    AccountDetails,
    Contact,
    ContactEngagements,
    ContactFilter,
    ContactPage,
    ContactSearch,
    Engagement,
)
from tests.hubspot.scripted import Reply, ScriptedServer

GONE = Reply(404, {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "Gone."})


def linked(contact_id: object, *note_ids: object, after: str | None = None) -> dict[str, object]:
    result: dict[str, object] = {
        "from": {"id": contact_id},
        "to": [{"toObjectId": note_id, "associationTypes": []} for note_id in note_ids],
    }
    return result if after is None else result | {"paging": {"next": {"after": after}}}


def unlinked(contact_id: str, sub_category: str) -> dict[str, object]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": sub_category,
        "context": {"fromObjectId": [contact_id]},
    }


NO_NOTES = "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_search_sends_its_body_exactly_as_measured(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    search = ContactSearch(
        filters=(ContactFilter("phone", ("555 EXT 1", "é")), ContactFilter("mobilephone", ("2",))),
        properties=("phone",),
        sort_by="lastmodifieddate",
        descending=True,
        after="200",
    )
    server.then(Reply(200, {"total": 0, "results": []}))
    client.search_contacts(search)
    [request] = server.received
    assert request.path == "/crm/objects/2026-09/contacts/search"
    assert request.headers["Content-Type"] == "application/json"
    assert request.body == search.body()
    assert request.body == (
        b'{"filterGroups":['
        b'{"filters":[{"propertyName":"phone","operator":"IN",'
        b'"values":["555 ext 1","\\u00e9"]}]},'
        b'{"filters":[{"propertyName":"mobilephone","operator":"IN","values":["2"]}]}],'
        b'"properties":["phone"],'
        b'"sorts":[{"propertyName":"lastmodifieddate","direction":"DESCENDING"}],'
        b'"limit":200,"after":"200"}'
    )


def test_search_answer_becomes_contacts(server: ScriptedServer, client: HubSpotClient) -> None:
    results = [{"id": 1, "properties": {"phone": "+1", "fax": None, "n": 7}}, {"id": "2"}]
    paging = {"next": {"after": 200}}
    server.then(Reply(200, {"total": 301, "results": results, "paging": paging}))
    page = client.search_contacts(ContactSearch((), (), "createdate", descending=False))
    contacts = (Contact("1", {"phone": "+1", "fax": None, "n": None}), Contact("2", {}))
    assert page == ContactPage(301, contacts, "200")


def test_notes_of_contacts_are_followed_over_pages(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    first = [linked("1", 11, "12", after="next"), linked(2, 21)]
    server.then(
        Reply(200, {"results": first}),
        Reply(200, {"results": [linked("1", 13)]}),
    )
    found = client.engagements_of_contacts(NOTES, ["1", "2"])
    assert found == ContactEngagements(
        {"1": ("11", "12", "13"), "2": ("21",)}, unknown=frozenset(), truncated=frozenset()
    )
    assert [request.json for request in server.received] == [
        {"inputs": [{"id": "1"}, {"id": "2"}]},
        {"inputs": [{"id": "1", "after": "next"}]},
    ]
    assert server.received[0].path == "/crm/associations/2026-09/contacts/notes/batch/read"


def test_contact_without_notes_is_known_to_have_none(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(Reply(207, {"results": [], "errors": [unlinked("1", NO_NOTES)]}))
    assert client.engagements_of_contacts(NOTES, ["1"]).ids == {"1": ()}


def test_contact_that_is_not_answered_for_is_unknown(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    errors = [unlinked("2", "crm.other")]
    results = [linked("1", 11), {"from": {"id": "4"}, "to": None}, linked("9", 91)]
    server.then(Reply(207, {"results": results, "errors": errors}))
    found = client.engagements_of_contacts(NOTES, ["1", "2", "3", "4"])
    assert found.ids == {"1": ("11",)}
    assert found.unknown == {"2", "3", "4"}


def test_contact_that_fails_on_a_later_page_is_unknown(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(Reply(200, {"results": [linked("1", 11, after="next")]}), GONE)
    found = client.engagements_of_contacts(NOTES, ["1"])
    assert found == ContactEngagements({}, unknown=frozenset({"1"}), truncated=frozenset())


def test_endless_timeline_is_truncated(server: ScriptedServer, client: HubSpotClient) -> None:
    server.then(*(Reply(200, {"results": [linked("1", n, after="more")]}) for n in range(11)))
    found = client.engagements_of_contacts(NOTES, ["1"])
    assert len(found.ids["1"]) == len(server.received) == 10
    assert found.truncated == {"1"}


def test_notes_are_read_in_hundreds(server: ScriptedServer, client: HubSpotClient) -> None:
    server.then(
        Reply(200, {"results": [{"id": 0, "properties": {"hs_note_body": "<p>0</p>"}}]}),
        Reply(207, {"results": [], "errors": [{"category": "OBJECT_NOT_FOUND"}]}),
    )
    assert client.read_engagements(NOTES, [str(n) for n in range(101)]) == {
        "0": Engagement("0", {"hs_note_body": "<p>0</p>"})
    }
    assert server.received[0].path == "/crm/objects/2026-09/notes/batch/read"
    assert server.received[1].json == {
        "inputs": [{"id": "100"}],
        "properties": ["hs_note_body"],
        "propertiesWithHistory": [],
    }


def test_notes_that_could_not_be_read_are_not_taken_for_absent(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(Reply(207, {"results": [], "errors": [{"category": "INTERNAL_ERROR"}]}))
    with pytest.raises(UnavailableError):
        client.read_engagements(NOTES, ["1"])


def test_notes_are_searched_oldest_first_over_pages(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(
        Reply(200, {"results": [{"id": 1}], "paging": {"next": {"after": "1"}}}),
        Reply(200, {"results": [{"id": 2, "properties": {"hs_note_body": "b"}}]}),
    )
    assert client.search_engagements(NOTES, "101", created_from_ms=5) == (
        Engagement("1"),
        Engagement("2", {"hs_note_body": "b"}),
    )
    first, second = (request.json for request in server.received)
    assert isinstance(first, dict)
    assert server.received[0].path == "/crm/objects/2026-09/notes/search"
    assert first["filterGroups"] == [
        {
            "filters": [
                {"propertyName": "associations.contact", "operator": "EQ", "value": "101"},
                {"propertyName": "hs_createdate", "operator": "GTE", "value": "5"},
            ]
        }
    ]
    assert first["sorts"] == [{"propertyName": "hs_createdate", "direction": "ASCENDING"}]
    assert second == first | {"after": "1"}


def test_merged_contact_is_answered_by_its_survivor(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(Reply(200, {"id": "2", "properties": {"phone": "+1"}}))
    assert client.read_contact("1/../2") == Contact("2", {"phone": "+1"})
    assert server.received[0].path == "/crm/objects/2026-09/contacts/1%2F..%2F2"


def test_contact_that_is_gone_is_none(server: ScriptedServer, client: HubSpotClient) -> None:
    server.then(GONE)
    assert client.read_contact("1") is None


@pytest.mark.parametrize("reply", [Reply(204), GONE])
def test_note_is_archived_also_when_it_is_gone(
    reply: Reply, server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(reply)
    client.archive_engagement(NOTES, "7")
    [request] = server.received
    assert (request.method, request.path) == ("DELETE", "/crm/objects/2026-09/notes/7")


def test_note_that_may_not_be_archived_fails(server: ScriptedServer, client: HubSpotClient) -> None:
    server.then(Reply(403, {"status": "error", "category": "FORBIDDEN"}))
    with pytest.raises(RejectedError):
        client.archive_engagement(NOTES, "7")


@pytest.mark.parametrize("hub_id", [42, "42"])
def test_account_is_named_with_its_pages_host(
    hub_id: object, server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(Reply(200, {"portalId": hub_id, "uiDomain": "app-eu1.hubspot.com"}))
    assert client.account_details() == AccountDetails(42, "app-eu1.hubspot.com")
    assert server.received[0].path == "/account-info/2026-09/details"


def test_uninstall_reports_a_token_that_is_no_longer_good(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    refused = {"status": "error", "category": "INVALID_AUTHENTICATION"}
    server.then(Reply(204), Reply(401, refused))
    client.uninstall()
    with pytest.raises(TokenRejectedError):
        client.uninstall()
    assert [(each.method, each.path) for each in server.received] == [
        ("DELETE", "/appinstalls/2026-09/external-install")
    ] * 2
