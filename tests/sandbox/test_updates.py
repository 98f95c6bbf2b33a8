"""Updating notes and calls, one at a time and in batches."""

import pytest

from sandbox.client import SandboxControl
from tests.sandbox.driving import BODY, NEW, Caller, Clock, change


@pytest.fixture
def two(caller: Caller, contact_id: str, kind: str) -> list[str]:
    """The ids of two notes or calls, with the bodies `one` and `two`."""
    inputs = NEW[kind](contact_id, "one"), NEW[kind](contact_id, "two")
    return caller.created(*inputs, kind=kind)


def applied(control: SandboxControl, kind: str) -> int:
    (hub,) = control.state()["hubs"]
    return int(hub["updates_applied"][kind])


def test_one_is_updated_in_place(
    control: SandboxControl, caller: Caller, two: list[str], kind: str
) -> None:
    before = caller.read(kind, two[0], properties=["hs_timestamp"]).json()["results"][0]
    answer = caller.update(kind, two[0], **{BODY[kind]: "changed"})
    assert answer.status_code == 200
    assert answer.json()["properties"][BODY[kind]] == "changed"
    after = caller.read(kind, two[0], properties=["hs_timestamp"]).json()["results"][0]
    assert after["properties"]["hs_timestamp"] == before["properties"]["hs_timestamp"]
    assert caller.bodies(kind, *two) == ["changed", "two"]
    assert applied(control, kind) == 1


def test_update_changes_only_what_it_names_and_empty_clears(
    caller: Caller, two: list[str], kind: str
) -> None:
    caller.update(kind, two[0], hs_attachment_ids="1;2")
    assert caller.bodies(kind, two[0]) == ["one"]
    caller.update(kind, two[0], hs_attachment_ids="")
    (read,) = caller.read(kind, two[0], properties=["hs_attachment_ids"]).json()["results"]
    assert read["properties"]["hs_attachment_ids"] is None


def test_update_moves_the_time_of_the_last_change(
    clock: Clock, caller: Caller, two: list[str], kind: str
) -> None:
    before = caller.read(kind, two[0]).json()["results"][0]["properties"]
    clock.advance(1)
    caller.update(kind, two[0], **{BODY[kind]: "changed"})
    after = caller.read(kind, two[0]).json()["results"][0]["properties"]
    assert after["hs_createdate"] == before["hs_createdate"]
    assert after["hs_lastmodifieddate"] > before["hs_lastmodifieddate"]


def test_update_of_an_unknown_or_archived_one_is_404(
    control: SandboxControl, caller: Caller, two: list[str], kind: str
) -> None:
    control.delete(kind, caller.hub_id, two[0])
    for activity_id in (two[0], "999"):
        answer = caller.update(kind, activity_id, **{BODY[kind]: "x"})
        assert answer.status_code == 404
        assert answer.json()["category"] == "OBJECT_NOT_FOUND"
    assert applied(control, kind) == 0


def test_batch_updates_up_to_100_and_echoes_trace_ids(
    caller: Caller, contact_id: str, kind: str
) -> None:
    ids = caller.created(*[NEW[kind](contact_id)] * 100, kind=kind)
    inputs = [change(one, f"t{one}", **{BODY[kind]: f"new {one}"}) for one in ids]
    answer = caller.batch(kind, "update", inputs)
    assert answer.status_code == 200
    assert {one["objectWriteTraceId"]: one["id"] for one in answer.json()["results"]} == {
        f"t{one}": one for one in ids
    }
    assert caller.bodies(kind, *ids) == [f"new {one}" for one in ids]


def test_batch_update_of_101_is_refused(caller: Caller, kind: str) -> None:
    inputs = [change(str(n), **{BODY[kind]: "x"}) for n in range(101)]
    assert caller.batch(kind, "update", inputs).status_code == 400


def test_one_id_twice_in_a_batch_update_is_refused_and_nothing_changes(
    caller: Caller, two: list[str], kind: str
) -> None:
    inputs = [change(one, **{BODY[kind]: "new"}) for one in (two[0], two[1], two[0])]
    answer = caller.batch(kind, "update", inputs)
    assert answer.status_code == 400
    assert two[0] in answer.json()["message"]
    assert caller.bodies(kind, *two) == ["one", "two"]


@pytest.mark.parametrize("named_by", ["trace_id", "id"])
def test_missing_ones_are_named_in_a_207_and_the_others_are_updated(
    control: SandboxControl, caller: Caller, two: list[str], kind: str, named_by: str
) -> None:
    control.set_behaviour(missing_named_by=named_by)
    control.delete(kind, caller.hub_id, two[1])
    inputs = [change(one, f"t{one}", **{BODY[kind]: "new"}) for one in (*two, "999")]
    answer = caller.batch(kind, "update", inputs)
    assert answer.status_code == 207
    assert [one["id"] for one in answer.json()["results"]] == [two[0]]
    errors = answer.json()["errors"]
    assert answer.json()["numErrors"] == len(errors)
    assert {one["category"] for one in errors} == {"OBJECT_NOT_FOUND"}
    contexts = [one["context"] for one in errors]
    if named_by == "id":
        assert contexts == [{"ids": [two[1], "999"]}]
    else:
        assert contexts == [{"objectWriteTraceId": [f"t{one}"]} for one in (two[1], "999")]
    assert caller.bodies(kind, two[0]) == ["new"]


def test_missing_one_without_a_trace_id_is_named_by_its_id(
    caller: Caller, two: list[str], kind: str
) -> None:
    inputs = [change(two[0], **{BODY[kind]: "new"}), change("999", **{BODY[kind]: "new"})]
    answer = caller.batch(kind, "update", inputs)
    assert answer.status_code == 207
    assert [one["context"] for one in answer.json()["errors"]] == [{"ids": ["999"]}]


BAD_PROPERTIES = {
    "colour": ("red", "PROPERTY_DOESNT_EXIST"),
    "hs_object_id": ("1", "READ_ONLY_VALUE"),
    "hs_body_preview": ("x", "READ_ONLY_VALUE"),
    "hubspot_owner_id": ("77", "INVALID_OWNER_ID"),
    "hs_timestamp": ("noon", "INVALID_DATE"),
    "hs_attachment_ids": ("1" * 65_537, "INVALID_LENGTH"),
}


@pytest.mark.parametrize("name", BAD_PROPERTIES)
def test_bad_property_fails_the_whole_batch_by_name_and_nothing_changes(
    control: SandboxControl, caller: Caller, two: list[str], kind: str, name: str
) -> None:
    value, code = BAD_PROPERTIES[name]
    inputs = [
        change(two[0], "a", **{BODY[kind]: "new"}),
        change(two[1], "b", **{BODY[kind]: "new", name: value}),
    ]
    answer = caller.batch(kind, "update", inputs)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"
    (error,) = answer.json()["errors"]
    assert (error["code"], error["context"]) == (code, {"propertyName": [name]})
    assert caller.bodies(kind, *two) == ["one", "two"]
    assert applied(control, kind) == 0


def test_bad_property_fails_alone_where_updates_are_isolated(
    control: SandboxControl, caller: Caller, two: list[str], kind: str
) -> None:
    control.set_behaviour(isolates_bad_updates=True)
    inputs = [
        change(two[0], "a", **{BODY[kind]: "new"}),
        change(two[1], "b", **{BODY[kind]: "new", "colour": "red"}),
    ]
    answer = caller.batch(kind, "update", inputs)
    assert answer.status_code == 207
    assert [one["context"] for one in answer.json()["errors"]] == [{"objectWriteTraceId": ["b"]}]
    assert caller.bodies(kind, *two) == ["new", "two"]


def test_properties_that_cannot_be_written_can_be_ignored_as_the_guides_say(
    control: SandboxControl, caller: Caller, two: list[str], kind: str
) -> None:
    control.set_behaviour(ignores_unwritable_properties=True)
    unwritable = {"colour": "red", "hs_body_preview": "x"}
    answer = caller.update(kind, two[0], **{BODY[kind]: "new"}, **unwritable)
    assert answer.status_code == 200
    assert caller.bodies(kind, two[0]) == ["new"]


def test_time_cannot_be_cleared(caller: Caller, two: list[str], kind: str) -> None:
    assert caller.update(kind, two[0], hs_timestamp="").status_code == 400


def test_ids_said_to_be_values_of_a_property_are_refused(
    caller: Caller, two: list[str], kind: str
) -> None:
    given = change(two[0], **{BODY[kind]: "new"}) | {"idProperty": "hs_object_id"}
    answer = caller.batch(kind, "update", [given])
    assert answer.status_code == 400
    assert "non-unique" in answer.json()["message"]


def test_associations_of_an_update_change_nothing(
    control: SandboxControl, caller: Caller, two: list[str], kind: str
) -> None:
    (other,) = control.add_contacts(caller.hub_id, [{"firstname": "Bob"}])
    given = change(two[0], **{BODY[kind]: "new"})
    answer = caller.batch(
        kind, "update", [given | {"associations": NEW[kind](other)["associations"]}]
    )
    assert answer.status_code == 200
    assert control.activities(kind, caller.hub_id, contact_id=other) == []


def test_update_needs_the_scope_to_write(
    control: SandboxControl, caller: Caller, two: list[str], kind: str
) -> None:
    control.set_scopes(caller.hub_id, ["oauth", "crm.objects.contacts.read"])
    assert caller.update(kind, two[0], **{BODY[kind]: "new"}).status_code == 403


def test_search_shows_an_update_once_it_is_indexed(
    control: SandboxControl, caller: Caller, two: list[str], kind: str
) -> None:
    control.set_behaviour(index_lag_seconds=30)
    caller.update(kind, two[0], **{BODY[kind]: "changed"})
    given = {"propertyName": "hs_object_id", "operator": "EQ", "value": two[0]}
    search = {"filterGroups": [{"filters": [given]}], "properties": [BODY[kind]]}
    answer = caller.call("POST", f"/crm/objects/2026-09/{kind}/search", search)
    assert [one["properties"][BODY[kind]] for one in answer.json()["results"]] == ["one"]
