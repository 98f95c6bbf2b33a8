from typing import Any

import pytest

from sandbox.client import SandboxControl
from tests.sandbox.driving import Caller, note

NOTES = "/crm/objects/2026-09/notes"
ASSOCIATIONS = "/crm/associations/2026-09/contacts/notes/batch/read"


@pytest.fixture
def contact_id(control: SandboxControl, caller: Caller) -> str:
    return control.add_contacts(caller.hub_id, [{"firstname": "Ada"}])[0]


def wrong_notes(contact_id: str) -> dict[str, dict[str, Any]]:
    good = note(contact_id)
    other_type = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 201}
    return {
        "too long": note(contact_id, "x" * 65_537),
        "no time": good | {"properties": {"hs_note_body": "x"}},
        "no such time": good | {"properties": {"hs_timestamp": "noon"}},
        "unknown property": good | {"properties": {"hs_timestamp": "1", "colour": "red"}},
        "no associations": {"properties": good["properties"]},
        "wrong type": good | {"associations": [{"to": {"id": contact_id}, "types": [other_type]}]},
        "unknown contact": note("999"),
    }


def test_note_is_created_on_the_timeline(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    created = caller.call("POST", NOTES, note(contact_id, "x" * 65_536))
    assert created.status_code == 201
    assert created.json()["properties"]["hs_timestamp"] == "2026-09-21T14:13:20Z"
    (kept,) = control.notes(caller.hub_id, contact_id=contact_id)
    assert kept.id == created.json()["id"]


def test_unwrapped_properties_get_the_misleading_error(caller: Caller) -> None:
    answer = caller.call("POST", NOTES, {"hs_timestamp": "1", "hs_note_body": "x"})
    assert answer.status_code == 400
    assert answer.json()["context"] == {"properties": ["hs_timestamp"]}


@pytest.mark.parametrize("problem", wrong_notes(""))
def test_wrong_note_is_refused(
    control: SandboxControl, caller: Caller, contact_id: str, problem: str
) -> None:
    answer = caller.call("POST", NOTES, wrong_notes(contact_id)[problem])
    assert answer.status_code == 400
    assert answer.json()["category"] in {"VALIDATION_ERROR", "OBJECT_NOT_FOUND"}
    assert control.notes(caller.hub_id) == []


@pytest.mark.parametrize("problem", wrong_notes(""))
def test_wrong_note_in_a_traced_batch_fails_alone(
    control: SandboxControl, caller: Caller, contact_id: str, problem: str
) -> None:
    bad = wrong_notes(contact_id)[problem] | {"objectWriteTraceId": "bad"}
    answer = caller.create_notes([bad, note(contact_id, "good", "good")])
    assert answer.status_code == 207
    assert [one["objectWriteTraceId"] for one in answer.json()["results"]] == ["good"]
    assert answer.json()["numErrors"] == 1
    assert answer.json()["errors"][0]["context"] == {"objectWriteTraceId": ["bad"]}
    assert [kept.body for kept in control.notes(caller.hub_id)] == ["good"]


@pytest.mark.parametrize("trace_ids", [(None, None), ("a", None), ("a", "a")])
def test_wrong_note_fails_the_whole_batch_unless_every_input_has_its_own_trace_id(
    control: SandboxControl,
    caller: Caller,
    contact_id: str,
    trace_ids: tuple[str | None, str | None],
) -> None:
    answer = caller.create_notes(
        [note(contact_id, "good", trace_ids[0]), note("999", "bad", trace_ids[1])]
    )
    assert answer.status_code == 400
    assert control.notes(caller.hub_id) == []


def test_good_batch_is_a_201_that_echoes_trace_ids(caller: Caller, contact_id: str) -> None:
    answer = caller.create_notes([note(contact_id, trace_id=f"t{n}") for n in range(100)])
    assert answer.status_code == 201
    assert answer.json()["status"] == "COMPLETE"
    traced = [one["objectWriteTraceId"] for one in answer.json()["results"]]
    assert traced == [f"t{n}" for n in range(100)]


def test_batch_of_101_is_refused(control: SandboxControl, caller: Caller, contact_id: str) -> None:
    answer = caller.create_notes([note(contact_id, trace_id=f"t{n}") for n in range(101)])
    assert answer.status_code == 400
    assert control.notes(caller.hub_id) == []


def test_same_trace_id_in_two_requests_makes_two_notes(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    for _ in range(2):
        caller.create_notes([note(contact_id, trace_id="same")])
    assert len(control.notes(caller.hub_id)) == 2


def test_batch_read_reports_archived_and_unknown_notes(caller: Caller, contact_id: str) -> None:
    created = caller.create_notes([note(contact_id, "kept"), note(contact_id, "archived")]).json()
    kept, archived = (one["id"] for one in created["results"])
    assert caller.call("DELETE", f"{NOTES}/{archived}").status_code == 204
    body = {
        "inputs": [{"id": kept}, {"id": archived}, {"id": "999"}],
        "properties": ["hs_note_body"],
        "propertiesWithHistory": [],
    }
    answer = caller.call("POST", f"{NOTES}/batch/read", body)
    assert answer.status_code == 207
    assert [one["properties"]["hs_note_body"] for one in answer.json()["results"]] == ["kept"]
    assert answer.json()["errors"][0]["context"] == {"ids": [archived, "999"]}
    assert caller.call("GET", f"{NOTES}/{archived}").status_code == 404


def test_batch_archive_removes_notes_from_the_timeline(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    created = caller.create_notes([note(contact_id), note(contact_id)]).json()
    inputs = [{"id": one["id"]} for one in created["results"]]
    answer = caller.call("POST", f"{NOTES}/batch/archive", {"inputs": inputs})
    assert answer.status_code == 204
    assert control.notes(caller.hub_id) == []


def test_associations_are_paged_for_each_contact(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    control.set_behaviour(association_page_size=2)
    created = caller.create_notes([note(contact_id, trace_id=f"{n}") for n in range(3)]).json()
    ids = [int(one["id"]) for one in created["results"]]
    first = caller.call("POST", ASSOCIATIONS, {"inputs": [{"id": contact_id}]}).json()["results"][0]
    after = first["paging"]["next"]["after"]
    last = caller.call("POST", ASSOCIATIONS, {"inputs": [{"id": contact_id, "after": after}]})
    assert [one["toObjectId"] for one in first["to"]] == ids[:2]
    assert [one["toObjectId"] for one in last.json()["results"][0]["to"]] == ids[2:]
    assert "paging" not in last.json()["results"][0]


def test_contact_without_notes_and_unknown_contact_look_the_same_in_a_batch(
    caller: Caller, contact_id: str
) -> None:
    inputs = [{"id": contact_id}, {"id": "999"}]
    answer = caller.call("POST", ASSOCIATIONS, {"inputs": inputs})
    assert answer.status_code == 207
    assert answer.json()["results"] == []
    for given, error in zip(inputs, answer.json()["errors"], strict=True):
        assert error["category"] == "OBJECT_NOT_FOUND"
        assert error["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
        assert error["context"]["fromObjectId"] == [given["id"]]


def test_notes_of_one_contact_are_listed_and_an_unknown_contact_is_not_found(
    caller: Caller, contact_id: str
) -> None:
    created = caller.call("POST", NOTES, note(contact_id)).json()
    path = "/crm/objects/2026-09/contacts/{}/associations/notes"
    listed = caller.call("GET", path.format(contact_id)).json()
    assert [one["toObjectId"] for one in listed["results"]] == [int(created["id"])]
    assert caller.call("GET", path.format("999")).status_code == 404


def test_archived_contact_takes_no_notes(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    control.archive_contact(caller.hub_id, contact_id)
    answer = caller.create_notes([note(contact_id, trace_id="t")])
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"
