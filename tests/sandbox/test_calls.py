"""What is particular to calls: the values that HubSpot refuses, dispositions, the external id."""

from typing import Any

import pytest

from sandbox.client import SandboxControl
from tests.sandbox.driving import Caller, call, install

CALLS = "/crm/objects/2026-09/calls"
DISPOSITIONS = "/calling/v1/dispositions"
CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
STATUSES = [
    "BUSY",
    "CALLING_CRM_USER",
    "CANCELED",
    "COMPLETED",
    "CONNECTING",
    "FAILED",
    "IN_PROGRESS",
    "NO_ANSWER",
    "QUEUED",
    "RINGING",
]
WHOLE = {
    "hs_call_title": "Call from +1 202 555 0123",
    "hs_call_direction": "INBOUND",
    "hs_call_status": "COMPLETED",
    "hs_call_duration": "192000",
    "hs_call_disposition": CONNECTED,
    "hs_call_from_number": "+12025550123",
    "hs_call_to_number": "+12025550199",
    "hs_call_recording_url": "https://recordings.example.com/1.mp3",
    "hs_call_external_id": "log-1",
}


def test_call_keeps_everything_that_was_sent(caller: Caller, contact_id: str) -> None:
    (one,) = caller.created(call(contact_id, **WHOLE), kind="calls")
    (read,) = caller.read("calls", one, properties=list(WHOLE)).json()["results"]
    assert {name: read["properties"][name] for name in WHOLE} == WHOLE


@pytest.mark.parametrize("status", STATUSES)
def test_documented_status_is_taken(caller: Caller, contact_id: str, status: str) -> None:
    assert caller.created(call(contact_id, hs_call_status=status), kind="calls")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("hs_call_status", "completed", "INVALID_OPTION"),
        ("hs_call_status", "MISSED", "INVALID_OPTION"),
        ("hs_call_status", "ENDED", "INVALID_OPTION"),
        ("hs_call_direction", "inbound", "INVALID_OPTION"),
        ("hs_call_direction", "OUT", "INVALID_OPTION"),
        ("hs_call_disposition", "Connected", "INVALID_OPTION"),
        ("hs_call_disposition", "00000000-0000-0000-0000-000000000000", "INVALID_OPTION"),
        ("hs_activity_type", "Sales call", "INVALID_OPTION"),
        ("hs_call_callee_object_type", "DEAL", "INVALID_OPTION"),
        ("hs_call_duration", "3 min", "INVALID_INTEGER"),
        ("hs_call_duration", "nan", "INVALID_INTEGER"),
        ("hs_call_recording_url", "http://recordings.example.com/1.mp3", "INVALID_URL"),
        ("hs_call_recording_url", "a recording", "INVALID_URL"),
        ("hs_call_title", "x" * 65_537, "INVALID_LENGTH"),
        ("hs_call_body", "x" * 65_537, "INVALID_LENGTH"),
        ("hs_call_summary", "x", "READ_ONLY_VALUE"),
        ("hs_call_source", "MINE", "INVALID_OPTION"),
        ("hs_call_source", "INTEGRATIONS_PLATFORM", "REQUIRED_FIELD"),
        ("hs_note_body", "x", "PROPERTY_DOESNT_EXIST"),
        ("hs_timestamp", "yesterday", "INVALID_DATE"),
        ("hs_timestamp", "99999999999999999999", "INVALID_DATE"),
    ],
)
def test_wrong_value_is_refused_by_name_on_create_and_update(
    caller: Caller, contact_id: str, name: str, value: str, code: str
) -> None:
    given = call(contact_id)
    given["properties"] |= {name: value}
    (one,) = caller.created(call(contact_id), kind="calls")
    for answer in (
        caller.call("POST", CALLS, given),
        caller.update("calls", one, **{name: value}),
    ):
        assert answer.status_code == 400
        assert answer.json()["category"] == "VALIDATION_ERROR"
        (error,) = answer.json()["errors"]
        assert (error["code"], error["context"]) == (code, {"propertyName": [name]})


def test_property_that_an_account_lacks_is_refused_by_name_there_alone(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    assert caller.created(call(contact_id, hs_call_external_id="1"), kind="calls")
    hub_id = control.add_account(hidden_properties=["hs_call_external_id"])
    other = install(control, hub_id, caller.session)
    (contact,) = control.add_contacts(hub_id, [{"firstname": "Bob"}])
    answer = other.call("POST", CALLS, call(contact, hs_call_external_id="1"))
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["code"] == "PROPERTY_DOESNT_EXIST"
    assert error["context"] == {"propertyName": ["hs_call_external_id"]}


def test_source_with_all_that_it_needs_is_taken(caller: Caller, contact_id: str) -> None:
    needed = {
        "hs_call_source": "INTEGRATIONS_PLATFORM",
        "hs_call_app_id": "1",
        "hs_call_external_id": "2",
        "hs_call_external_account_id": "3",
    }
    assert caller.created(call(contact_id, **needed), kind="calls")


def test_unplayable_recording_is_kept_unless_it_is_to_be_refused(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    given = call(contact_id, hs_call_recording_url="https://recordings.example.com/1?token=x")
    assert caller.call("POST", CALLS, given).status_code == 201
    control.set_behaviour(refuses_unplayable_recordings=True)
    assert caller.call("POST", CALLS, given).status_code == 400
    playable = call(contact_id, hs_call_recording_url="https://recordings.example.com/1.WAV?t=x")
    assert caller.call("POST", CALLS, playable).status_code == 201


def test_owner_must_exist_and_not_be_archived(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    owner_id = control.add_owner(caller.hub_id, "ada@example.com")
    given = call(contact_id, hubspot_owner_id=owner_id)
    assert caller.call("POST", CALLS, given).status_code == 201
    control.archive_owner(caller.hub_id, owner_id)
    answer = caller.call("POST", CALLS, given)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["context"] == {"propertyName": ["hubspot_owner_id"]}


def test_owner_of_another_account_is_unknown(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    foreign = control.add_owner(control.add_account(), "ada@example.com")
    given = call(contact_id, hubspot_owner_id=foreign)
    assert caller.call("POST", CALLS, given).status_code == 400


def test_default_dispositions_are_listed_and_taken(caller: Caller, contact_id: str) -> None:
    listed = caller.call("GET", DISPOSITIONS).json()
    assert {one["label"] for one in listed} == {
        "Busy",
        "Connected",
        "Left live message",
        "Left voicemail",
        "No answer",
        "Wrong number",
    }
    assert all(set(one) == {"id", "label", "deleted"} for one in listed)
    for one in listed:
        assert caller.created(call(contact_id, hs_call_disposition=one["id"]), kind="calls")


def test_deleted_disposition_is_listed_and_refused(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    own: list[dict[str, Any]] = [
        {"id": CONNECTED, "label": "Connected", "deleted": True},
        {"id": "11111111-2222-3333-4444-555555555555", "label": "Called back"},
    ]
    control.set_dispositions(caller.hub_id, own)
    assert caller.call("GET", DISPOSITIONS).json() == [own[0], own[1] | {"deleted": False}]
    deleted = call(contact_id, hs_call_disposition=CONNECTED)
    assert caller.call("POST", CALLS, deleted).status_code == 400
    assert caller.created(call(contact_id, hs_call_disposition=own[1]["id"]), kind="calls")


def test_external_id_is_searchable_and_not_unique(caller: Caller, contact_id: str) -> None:
    ids = caller.created(*[call(contact_id, hs_call_external_id="log-1")] * 2, kind="calls")
    other = call(contact_id, hs_call_external_id="log-2")
    caller.created(other, kind="calls")
    given = {"propertyName": "hs_call_external_id", "operator": "EQ", "value": "log-1"}
    answer = caller.call("POST", f"{CALLS}/search", {"filterGroups": [{"filters": [given]}]})
    assert [one["id"] for one in answer.json()["results"]] == ids


def test_calls_with_one_external_id_are_counted_as_created_twice(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    def created_twice() -> int:
        (hub,) = control.state()["hubs"]
        return int(hub["calls_created_twice"])

    caller.created(call(contact_id), call(contact_id), kind="calls")
    same = call(contact_id, hs_call_external_id="log-1")
    ids = caller.created(same, same, same, kind="calls")
    assert created_twice() == 2
    control.delete("calls", caller.hub_id, ids[0])
    assert created_twice() == 1


def test_searches_of_calls_count_against_the_limit_of_all_searches(caller: Caller) -> None:
    assert caller.search().status_code == 200
    answers = [caller.call("POST", f"{CALLS}/search", {}).status_code for _ in range(5)]
    assert answers == [200] * 4 + [429]


def test_search_on_a_property_that_calls_lack_is_refused(caller: Caller) -> None:
    given = {"propertyName": "hs_note_body", "operator": "HAS_PROPERTY"}
    answer = caller.call("POST", f"{CALLS}/search", {"filterGroups": [{"filters": [given]}]})
    assert answer.status_code == 400
