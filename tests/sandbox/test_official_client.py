"""HubSpot's own client reads the sandbox's answers: the sandbox is not only our opinion.

The package speaks v3 and v4 paths, whose shapes are those of the dated ones; its models check
required fields and allowed values while they read.
"""

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
from hubspot.crm.objects.notes import (
    BatchInputSimplePublicObjectBatchInputForCreate,
    BatchReadInputSimplePublicObjectId,
)

from sandbox.client import SandboxControl
from tests.sandbox.driving import Caller, note, where


@pytest.fixture
def official(caller: Caller) -> HubSpot:
    client = HubSpot(access_token=caller.tokens["access_token"])
    client.config["host"] = caller.url
    return client


@pytest.fixture
def contact_id(control: SandboxControl, caller: Caller) -> str:
    return control.add_contacts(caller.hub_id, [{"firstname": "Ada", "phone": "2025550123"}])[0]


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


def test_note_create_reads(official: HubSpot, contact_id: str) -> None:
    created = official.crm.objects.notes.basic_api.create(note(contact_id, "Hello"))
    assert created.properties["hs_note_body"] == "Hello"
    read = official.crm.objects.notes.basic_api.get_by_id(created.id, properties=["hs_note_body"])
    assert read.properties["hs_note_body"] == "Hello"
    assert read.archived is False


def test_batch_create_reads_in_whole_and_in_part(official: HubSpot, contact_id: str) -> None:
    batches = official.crm.objects.notes.batch_api
    whole = batches.create(
        BatchInputSimplePublicObjectBatchInputForCreate(inputs=[note(contact_id, trace_id="a")])
    )
    assert type(whole).__name__ == "BatchResponseSimplePublicObject"
    assert whole.results[0].object_write_trace_id == "a"
    part = batches.create(
        BatchInputSimplePublicObjectBatchInputForCreate(
            inputs=[note(contact_id, trace_id="b"), note("999", trace_id="c")]
        )
    )
    assert type(part).__name__ == "BatchResponseSimplePublicObjectWithErrors"
    assert part.results[0].object_write_trace_id == "b"
    assert part.num_errors == 1
    assert part.errors[0].context == {"objectWriteTraceId": ["c"]}


def test_batch_read_reads_in_whole_and_in_part(official: HubSpot, contact_id: str) -> None:
    notes = official.crm.objects.notes
    created = notes.basic_api.create(note(contact_id, "Hello"))

    def read(*ids: str) -> Any:
        asked = BatchReadInputSimplePublicObjectId(
            inputs=[{"id": note_id} for note_id in ids],
            properties=["hs_note_body"],
            properties_with_history=[],
        )
        return notes.batch_api.read(asked)

    whole, part = read(created.id), read(created.id, "999")
    assert [one.properties["hs_note_body"] for one in whole.results] == ["Hello"]
    assert part.errors[0].category == "OBJECT_NOT_FOUND"
    assert part.errors[0].context == {"ids": ["999"]}


def test_associations_batch_read_reads_in_whole_and_in_part(
    official: HubSpot, control: SandboxControl, contact_id: str
) -> None:
    control.set_behaviour(association_page_size=1)
    first = official.crm.objects.notes.basic_api.create(note(contact_id))
    official.crm.objects.notes.basic_api.create(note(contact_id))
    associations = official.crm.associations.v4.batch_api

    def read(*ids: str) -> Any:
        asked = BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": one} for one in ids])
        return associations.get_page("contacts", "notes", asked)

    whole, part = read(contact_id), read(contact_id, "999")
    (result,) = whole.results
    assert result._from.id == contact_id
    assert result.to[0].to_object_id == first.id
    assert result.to[0].association_types[0].type_id == 201
    assert result.paging.next.after == first.id
    assert part.errors[0].sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_associations_of_one_contact_read(official: HubSpot, contact_id: str) -> None:
    created = official.crm.objects.notes.basic_api.create(note(contact_id))
    page = official.crm.associations.v4.basic_api.get_page("contacts", contact_id, "notes")
    assert [one.to_object_id for one in page.results] == [created.id]


def test_notes_search_and_archive_read(official: HubSpot, contact_id: str) -> None:
    created = official.crm.objects.notes.basic_api.create(note(contact_id))
    search = PublicObjectSearchRequest(
        filter_groups=[{"filters": [where("associations.contact", "EQ", contact_id)]}]
    )
    assert official.crm.objects.notes.search_api.do_search(search).total == 1
    official.crm.objects.notes.basic_api.archive(created.id)
    assert official.crm.objects.notes.search_api.do_search(search).total == 0
