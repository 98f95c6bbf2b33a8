"""Creating, reading and archiving notes and calls: both by the same code."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.client import SandboxControl
from tests.sandbox.driving import BODY, NEW, Caller, call

OTHER_TYPE = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 201}
TO_CONTACT = {"notes": 202, "calls": 194}
FROM_CONTACT = {"notes": 201, "calls": 193}
PROBLEMS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "too long": lambda kind, contact: NEW[kind](contact, "x" * 65_537),
    "no time": lambda kind, contact: with_properties(kind, contact, {BODY[kind]: "x"}),
    "no such time": lambda kind, contact: with_properties(kind, contact, {"hs_timestamp": "noon"}),
    "unknown property": lambda kind, contact: with_properties(
        kind, contact, {"hs_timestamp": "1", "colour": "red"}
    ),
    "read-only property": lambda kind, contact: with_properties(
        kind, contact, {"hs_timestamp": "1", "hs_unique_creation_key": "mine"}
    ),
    "unknown owner": lambda kind, contact: with_properties(
        kind, contact, {"hs_timestamp": "1", "hubspot_owner_id": "77"}
    ),
    "no associations": lambda kind, contact: {"properties": NEW[kind](contact)["properties"]},
    "wrong type": lambda kind, contact: (
        NEW[kind](contact) | {"associations": [{"to": {"id": contact}, "types": [OTHER_TYPE]}]}
    ),
    "unknown contact": lambda kind, _contact: NEW[kind]("999"),
}


def with_properties(kind: str, contact_id: str, properties: dict[str, str]) -> dict[str, Any]:
    return NEW[kind](contact_id) | {"properties": properties}


def path_of(kind: str) -> str:
    return f"/crm/objects/2026-09/{kind}"


def associations_of(kind: str) -> str:
    return f"/crm/associations/2026-09/contacts/{kind}/batch/read"


def kept_bodies(control: SandboxControl, caller: Caller, kind: str) -> list[str]:
    return [kept.body for kept in control.activities(kind, caller.hub_id)]


def test_activity_is_created_on_the_timeline(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    created = caller.call("POST", path_of(kind), NEW[kind](contact_id, "x" * 65_536))
    assert created.status_code == 201
    assert created.json()["properties"]["hs_timestamp"] == "2026-09-21T14:13:20Z"
    (kept,) = control.activities(kind, caller.hub_id, contact_id=contact_id)
    assert kept.id == created.json()["id"]


def test_body_has_a_preview_without_markup(caller: Caller, contact_id: str, kind: str) -> None:
    (one,) = caller.created(NEW[kind](contact_id, "<p>Tom &amp; <b>Ann</b></p>"), kind=kind)
    names = ["hs_body_preview", "hs_body_preview_is_truncated"]
    (read,) = caller.read(kind, one, properties=names).json()["results"]
    assert read["properties"]["hs_body_preview"] == "Tom & Ann"
    assert read["properties"]["hs_body_preview_is_truncated"] == "false"


def test_unwrapped_properties_get_the_misleading_error(caller: Caller, kind: str) -> None:
    answer = caller.call("POST", path_of(kind), {"hs_timestamp": "1", BODY[kind]: "x"})
    assert answer.status_code == 400
    assert answer.json()["context"] == {"properties": ["hs_timestamp"]}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_wrong_activity_is_refused(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str, problem: str
) -> None:
    answer = caller.call("POST", path_of(kind), PROBLEMS[problem](kind, contact_id))
    assert answer.status_code == 400
    assert answer.json()["category"] in {"VALIDATION_ERROR", "OBJECT_NOT_FOUND"}
    assert kept_bodies(control, caller, kind) == []


@pytest.mark.parametrize("problem", PROBLEMS)
def test_wrong_activity_in_a_traced_batch_fails_alone(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str, problem: str
) -> None:
    bad = PROBLEMS[problem](kind, contact_id) | {"objectWriteTraceId": "bad"}
    answer = caller.batch(kind, "create", [bad, NEW[kind](contact_id, "good", "good")])
    assert answer.status_code == 207
    assert [one["objectWriteTraceId"] for one in answer.json()["results"]] == ["good"]
    assert answer.json()["numErrors"] == 1
    assert answer.json()["errors"][0]["context"] == {"objectWriteTraceId": ["bad"]}
    assert kept_bodies(control, caller, kind) == ["good"]


@pytest.mark.parametrize("trace_ids", [(None, None), ("a", None), ("a", "a")])
def test_wrong_activity_fails_the_whole_batch_unless_every_input_has_its_own_trace_id(
    control: SandboxControl,
    caller: Caller,
    contact_id: str,
    kind: str,
    trace_ids: tuple[str | None, str | None],
) -> None:
    good = NEW[kind](contact_id, "good", trace_ids[0])
    answer = caller.batch(kind, "create", [good, NEW[kind]("999", "bad", trace_ids[1])])
    assert answer.status_code == 400
    assert kept_bodies(control, caller, kind) == []


def test_good_batch_is_a_201_that_echoes_trace_ids(
    caller: Caller, contact_id: str, kind: str
) -> None:
    inputs = [NEW[kind](contact_id, trace_id=f"t{n}") for n in range(100)]
    answer = caller.batch(kind, "create", inputs)
    assert answer.status_code == 201
    assert answer.json()["status"] == "COMPLETE"
    traced = [one["objectWriteTraceId"] for one in answer.json()["results"]]
    assert traced == [f"t{n}" for n in range(100)]


def test_batch_of_101_is_refused(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    inputs = [NEW[kind](contact_id, trace_id=f"t{n}") for n in range(101)]
    assert caller.batch(kind, "create", inputs).status_code == 400
    assert kept_bodies(control, caller, kind) == []


def test_same_trace_id_in_two_requests_makes_two_activities(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    for _ in range(2):
        caller.created(NEW[kind](contact_id, trace_id="same"), kind=kind)
    assert len(kept_bodies(control, caller, kind)) == 2


def test_batch_read_reports_archived_and_unknown_ids(
    caller: Caller, contact_id: str, kind: str
) -> None:
    inputs = NEW[kind](contact_id, "kept"), NEW[kind](contact_id, "archived")
    kept, archived = caller.created(*inputs, kind=kind)
    assert caller.call("DELETE", f"{path_of(kind)}/{archived}").status_code == 204
    answer = caller.read(kind, kept, archived, "999", properties=[BODY[kind]])
    assert answer.status_code == 207
    assert [one["properties"][BODY[kind]] for one in answer.json()["results"]] == ["kept"]
    assert answer.json()["errors"][0]["context"] == {"ids": [archived, "999"]}
    assert caller.call("GET", f"{path_of(kind)}/{archived}").status_code == 404


def test_batch_read_by_a_property_that_is_not_unique_is_refused(
    caller: Caller, contact_id: str
) -> None:
    caller.created(call(contact_id, hs_call_external_id="mine"), kind="calls")
    wanted = {"properties": [], "propertiesWithHistory": [], "idProperty": "hs_call_external_id"}
    answer = caller.batch("calls", "read", [{"id": "mine"}], **wanted)
    assert answer.status_code == 400
    assert "non-unique" in answer.json()["message"]


def test_batch_archive_removes_activities_from_the_timeline(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    ids = caller.created(NEW[kind](contact_id), NEW[kind](contact_id), kind=kind)
    # Numbers are accepted as well as text.
    answer = caller.batch(kind, "archive", [{"id": int(one)} for one in ids])
    assert answer.status_code == 204
    assert kept_bodies(control, caller, kind) == []


def test_associations_are_paged_for_each_contact(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    control.set_behaviour(association_page_size=2)
    ids = [int(one) for one in caller.created(*[NEW[kind](contact_id)] * 3, kind=kind)]
    path, first_page = associations_of(kind), {"inputs": [{"id": contact_id}]}
    first = caller.call("POST", path, first_page).json()["results"][0]
    after = first["paging"]["next"]["after"]
    last = caller.call("POST", path, {"inputs": [{"id": contact_id, "after": after}]})
    assert [one["toObjectId"] for one in first["to"]] == ids[:2]
    assert [one["toObjectId"] for one in last.json()["results"][0]["to"]] == ids[2:]
    assert "paging" not in last.json()["results"][0]


def test_association_has_the_type_from_the_contact(
    caller: Caller, contact_id: str, kind: str
) -> None:
    caller.created(NEW[kind](contact_id), kind=kind)
    answer = caller.call("POST", associations_of(kind), {"inputs": [{"id": contact_id}]})
    ((association,),) = [one["associationTypes"] for one in answer.json()["results"][0]["to"]]
    assert association["typeId"] == FROM_CONTACT[kind]


def test_each_kind_has_timeline_and_associations_of_its_own(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    caller.created(NEW["calls"](contact_id, "a call"), kind="calls")
    assert kept_bodies(control, caller, "notes") == []
    answer = caller.call("POST", associations_of("notes"), {"inputs": [{"id": contact_id}]})
    assert answer.json()["results"] == []


def test_association_type_of_the_other_kind_is_refused(
    caller: Caller, contact_id: str, kind: str
) -> None:
    other = "calls" if kind == "notes" else "notes"
    given = NEW[kind](contact_id) | {"associations": NEW[other](contact_id)["associations"]}
    answer = caller.call("POST", path_of(kind), given)
    assert answer.status_code == 400
    assert f"type id {TO_CONTACT[other]} doesn't exist" in answer.json()["message"]


def test_contact_without_activities_and_unknown_contact_look_the_same_in_a_batch(
    caller: Caller, contact_id: str, kind: str
) -> None:
    inputs = [{"id": contact_id}, {"id": "999"}]
    answer = caller.call("POST", associations_of(kind), {"inputs": inputs})
    assert answer.status_code == 207
    assert answer.json()["results"] == []
    for given, error in zip(inputs, answer.json()["errors"], strict=True):
        assert error["category"] == "OBJECT_NOT_FOUND"
        assert error["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
        assert error["context"]["fromObjectId"] == [given["id"]]


def test_activities_of_one_contact_are_listed_and_an_unknown_contact_is_not_found(
    caller: Caller, contact_id: str, kind: str
) -> None:
    (created,) = caller.created(NEW[kind](contact_id), kind=kind)
    path = f"/crm/objects/2026-09/contacts/{{}}/associations/{kind}"
    listed = caller.call("GET", path.format(contact_id)).json()
    assert [one["toObjectId"] for one in listed["results"]] == [int(created)]
    assert caller.call("GET", path.format("999")).status_code == 404


def test_archived_contact_takes_no_activities(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    control.archive_contact(caller.hub_id, contact_id)
    answer = caller.batch(kind, "create", [NEW[kind](contact_id, trace_id="t")])
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"


def test_activities_of_a_merged_contact_move_to_the_survivor(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    (survivor,) = control.add_contacts(caller.hub_id, [{"firstname": "Bob"}])
    (one,) = caller.created(NEW[kind](contact_id), kind=kind)
    control.merge_contacts(caller.hub_id, primary_id=survivor, merged_id=contact_id)
    (moved,) = control.activities(kind, caller.hub_id, contact_id=survivor)
    assert moved.id == one


def test_activities_are_found_by_contact_once_they_are_indexed(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    (one,) = caller.created(NEW[kind](contact_id), kind=kind)
    control.set_behaviour(index_lag_seconds=30)
    caller.created(NEW[kind](contact_id), kind=kind)
    given = {"propertyName": "associations.contact", "operator": "EQ", "value": contact_id}
    answer = caller.call(
        "POST", f"{path_of(kind)}/search", {"filterGroups": [{"filters": [given]}]}
    )
    assert [found["id"] for found in answer.json()["results"]] == [one]
