"""HubSpot's own client reads the sandbox's answers: the sandbox is not only our opinion.

The package speaks v3 and v4 paths, whose shapes are those of the dated ones; its models check
required fields and allowed values while they read.
"""

import json
from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.crm.associations.v4 import BatchInputPublicFetchAssociationsBatchRequest
from hubspot.crm.contacts import (
    ApiException,
    PublicMergeInput,
    PublicObjectSearchRequest,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.objects import calls, notes

from sandbox.client import SandboxControl
from tests.sandbox.driving import BODY, NEW, Caller, call, change, where


@pytest.fixture
def official(caller: Caller) -> HubSpot:
    client = HubSpot(access_token=caller.tokens["access_token"])
    client.config["host"] = caller.url
    return client


@pytest.fixture
def contact_id(control: SandboxControl, caller: Caller) -> str:
    return control.add_contacts(caller.hub_id, [{"firstname": "Ada", "phone": "2025550123"}])[0]


def api(official: HubSpot, kind: str) -> Any:
    return getattr(official.crm.objects, kind)


def test_search_reads(official: HubSpot, contact_id: str) -> None:
    search = PublicObjectSearchRequest(
        filter_groups=[
            {"filters": [where("hs_searchable_calculated_phone_number", "IN", ["2025550123"])]}
        ],
        properties=["phone"],
        sorts=["-createdate"],
        limit=1,
    )
    page = official.crm.contacts.search_api.do_search(search)
    assert page.total == 1
    assert page.results[0].id == contact_id
    assert page.results[0].properties["phone"] == "2025550123"
    assert page.results[0].created_at.tzinfo is not None
    assert page.paging is None


def test_search_page_has_a_cursor(
    official: HubSpot, control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    control.add_contacts(caller.hub_id, [{"firstname": "Bob"}])
    page = official.crm.contacts.search_api.do_search(PublicObjectSearchRequest(limit=1))
    assert page.results[0].id == contact_id
    assert page.paging.next.after == "1"


def test_refusal_is_the_exception_it_expects(official: HubSpot) -> None:
    with pytest.raises(ApiException) as caught:
        official.crm.contacts.search_api.do_search(PublicObjectSearchRequest(limit=201))
    assert caught.value.status == 400


def test_contact_is_created_read_and_merged(official: HubSpot, contact_id: str) -> None:
    created = official.crm.contacts.basic_api.create(
        SimplePublicObjectInputForCreate(properties={"firstname": "Bob"}, associations=[])
    )
    official.crm.contacts.basic_api.merge(
        PublicMergeInput(primary_object_id=contact_id, object_id_to_merge=created.id)
    )
    assert official.crm.contacts.basic_api.get_by_id(created.id).id == contact_id


def test_created_one_reads(official: HubSpot, contact_id: str, kind: str) -> None:
    basic_api = api(official, kind).basic_api
    created = basic_api.create(NEW[kind](contact_id, "Hello"))
    assert created.properties[BODY[kind]] == "Hello"
    read = basic_api.get_by_id(created.id, properties=[BODY[kind]])
    assert read.properties[BODY[kind]] == "Hello"
    assert read.archived is False


def test_history_reads(official: HubSpot, contact_id: str, kind: str) -> None:
    basic_api = api(official, kind).basic_api
    created = basic_api.create(NEW[kind](contact_id, "Hello"))
    read = basic_api.get_by_id(created.id, properties_with_history=[BODY[kind]])
    (value,) = read.properties_with_history[BODY[kind]]
    assert (value.value, value.source_type) == ("Hello", "INTEGRATION")


def test_batch_create_reads_in_whole_and_in_part(
    official: HubSpot, contact_id: str, kind: str
) -> None:
    batches = api(official, kind).batch_api
    whole = batches.create({"inputs": [NEW[kind](contact_id, trace_id="a")]})
    assert type(whole).__name__ == "BatchResponseSimplePublicObject"
    assert whole.results[0].object_write_trace_id == "a"
    inputs = [NEW[kind](contact_id, trace_id="b"), NEW[kind]("999", trace_id="c")]
    part = batches.create({"inputs": inputs})
    assert type(part).__name__ == "BatchResponseSimplePublicObjectWithErrors"
    assert part.results[0].object_write_trace_id == "b"
    assert part.num_errors == 1
    assert part.errors[0].context == {"objectWriteTraceId": ["c"]}


def test_updated_one_reads(official: HubSpot, contact_id: str, kind: str) -> None:
    basic_api = api(official, kind).basic_api
    created = basic_api.create(NEW[kind](contact_id, "Hello"))
    updated = basic_api.update(created.id, {"properties": {BODY[kind]: "Bye"}})
    assert updated.properties[BODY[kind]] == "Bye"
    assert updated.updated_at >= updated.created_at


def test_batch_update_reads_in_whole_and_in_part(
    official: HubSpot, control: SandboxControl, contact_id: str, kind: str
) -> None:
    created = api(official, kind).basic_api.create(NEW[kind](contact_id, "Hello"))
    batches = api(official, kind).batch_api
    whole = batches.update({"inputs": [change(created.id, "a", **{BODY[kind]: "Bye"})]})
    assert type(whole).__name__ == "BatchResponseSimplePublicObject"
    assert whole.results[0].properties[BODY[kind]] == "Bye"
    assert whole.results[0].object_write_trace_id == "a"
    inputs = [
        change(created.id, "b", **{BODY[kind]: "Again"}),
        change("999", "c", **{BODY[kind]: "?"}),
    ]
    for named_by, context in (
        ("trace_id", {"objectWriteTraceId": ["c"]}),
        ("id", {"ids": ["999"]}),
    ):
        control.set_behaviour(missing_named_by=named_by)
        part = batches.update({"inputs": inputs})
        assert type(part).__name__ == "BatchResponseSimplePublicObjectWithErrors"
        assert [one.object_write_trace_id for one in part.results] == ["b"]
        assert part.errors[0].category == "OBJECT_NOT_FOUND"
        assert part.errors[0].context == context


def test_refused_update_is_the_exception_it_expects(
    official: HubSpot, contact_id: str, kind: str
) -> None:
    created = api(official, kind).basic_api.create(NEW[kind](contact_id))
    with pytest.raises((calls.ApiException, notes.ApiException)) as caught:
        api(official, kind).batch_api.update({"inputs": [change(created.id, colour="red")]})
    assert caught.value.status == 400
    assert json.loads(caught.value.body)["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"


def test_batch_read_reads_in_whole_and_in_part(
    official: HubSpot, contact_id: str, kind: str
) -> None:
    created = api(official, kind).basic_api.create(NEW[kind](contact_id, "Hello"))

    def read(*ids: str) -> Any:
        asked = {
            "inputs": [{"id": one} for one in ids],
            "properties": [BODY[kind]],
            "propertiesWithHistory": [],
        }
        return api(official, kind).batch_api.read(asked)

    whole, part = read(created.id), read(created.id, "999")
    assert [one.properties[BODY[kind]] for one in whole.results] == ["Hello"]
    assert part.errors[0].category == "OBJECT_NOT_FOUND"
    assert part.errors[0].context == {"ids": ["999"]}


def test_every_property_of_a_call_reads(official: HubSpot, contact_id: str) -> None:
    given = {
        "hs_call_title": "Call",
        "hs_call_direction": "OUTBOUND",
        "hs_call_status": "NO_ANSWER",
        "hs_call_duration": "3800",
        "hs_call_external_id": "log-1",
    }
    basic_api = api(official, "calls").basic_api
    created = basic_api.create(call(contact_id, **given))
    read = basic_api.get_by_id(created.id, properties=[*given, "hs_call_disposition"])
    assert {name: read.properties[name] for name in given} == given
    assert read.properties["hs_call_disposition"] is None


def test_associations_batch_read_reads_in_whole_and_in_part(
    official: HubSpot, control: SandboxControl, contact_id: str, kind: str
) -> None:
    control.set_behaviour(association_page_size=1)
    first = api(official, kind).basic_api.create(NEW[kind](contact_id))
    api(official, kind).basic_api.create(NEW[kind](contact_id))
    associations = official.crm.associations.v4.batch_api

    def read(*ids: str) -> Any:
        asked = BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": one} for one in ids])
        return associations.get_page("contacts", kind, asked)

    whole, part = read(contact_id), read(contact_id, "999")
    (result,) = whole.results
    assert result._from.id == contact_id
    assert result.to[0].to_object_id == first.id
    assert result.to[0].association_types[0].type_id == {"notes": 201, "calls": 193}[kind]
    assert result.paging.next.after == first.id
    assert part.errors[0].sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_associations_of_one_contact_read(official: HubSpot, contact_id: str, kind: str) -> None:
    created = api(official, kind).basic_api.create(NEW[kind](contact_id))
    page = official.crm.associations.v4.basic_api.get_page("contacts", contact_id, kind)
    assert [one.to_object_id for one in page.results] == [created.id]


def test_search_and_archive_read(official: HubSpot, contact_id: str, kind: str) -> None:
    created = api(official, kind).basic_api.create(NEW[kind](contact_id))
    search = PublicObjectSearchRequest(
        filter_groups=[{"filters": [where("associations.contact", "EQ", contact_id)]}]
    )
    assert api(official, kind).search_api.do_search(search).total == 1
    api(official, kind).basic_api.archive(created.id)
    assert api(official, kind).search_api.do_search(search).total == 0
