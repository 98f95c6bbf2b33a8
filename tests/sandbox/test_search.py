import json
from typing import Any

import pytest
import requests

from sandbox.client import SandboxControl
from tests.sandbox.driving import Caller, Clock, install, note, where

PHONE = "hs_searchable_calculated_phone_number"
MOBILE = "hs_searchable_calculated_mobile_number"
NOTES_SEARCH = "/crm/objects/2026-09/notes/search"


@pytest.fixture
def people(control: SandboxControl, caller: Caller, clock: Clock) -> dict[str, str]:
    """Four contacts, a minute apart, by first name; Ada and Cy share their national digits."""
    contacts = [
        {"firstname": "Ada", "phone": "+1 (202) 555-0123", "email": "ada@example.com"},
        {"firstname": "Bob", "mobilephone": "202.555.0124", "lifecyclestage": "lead"},
        {"firstname": "Cy", "phone": "+44 20 2555 0123", "lastname": "O'Neil-Jones"},
        {"firstname": "Di", "phone": "call me maybe", "company": "Acme"},
    ]
    ids = {}
    for contact in contacts:
        (ids[contact["firstname"]],) = control.add_contacts(caller.hub_id, [contact])
        clock.advance(60)
    return ids


def names(people: dict[str, str], ids: list[str]) -> list[str]:
    by_id = {contact_id: name for name, contact_id in people.items()}
    return [by_id[contact_id] for contact_id in ids]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (where(PHONE, "EQ", "2025550123"), ["Ada", "Cy"]),
        (where(PHONE, "IN", ["2025550123", "2025550124"]), ["Ada", "Cy"]),
        (where(PHONE, "EQ", "+12025550123"), []),
        (where("hs_calculated_phone_number", "EQ", "+442025550123"), ["Cy"]),
        (where("firstname", "EQ", "ADA"), ["Ada"]),
        (where("firstname", "IN", ["ada", "bob"]), ["Ada", "Bob"]),
        (where("firstname", "IN", ["Ada"]), []),
        (where("lifecyclestage", "EQ", "Lead"), []),
        (where("lifecyclestage", "EQ", "lead"), ["Bob"]),
        (where("firstname", "NEQ", "ada"), ["Bob", "Cy", "Di"]),
        (where("firstname", "NOT_IN", ["ada", "cy"]), ["Bob", "Di"]),
        (where("phone", "HAS_PROPERTY"), ["Ada", "Cy", "Di"]),
        (where(PHONE, "NOT_HAS_PROPERTY"), ["Bob", "Di"]),
        (where("lastname", "CONTAINS_TOKEN", "jones"), ["Cy"]),
        (where("lastname", "CONTAINS_TOKEN", "jon"), []),
        (where("lastname", "CONTAINS_TOKEN", "jon*"), ["Cy"]),
        (where("phone", "CONTAINS_TOKEN", "*2025550123"), []),
        (where("phone", "CONTAINS_TOKEN", "*2025550123*"), []),
        (where("phone", "CONTAINS_TOKEN", "0123"), ["Ada", "Cy"]),
        (where("phone", "CONTAINS_TOKEN", "123"), []),
        (where("phone", "CONTAINS_TOKEN", "*12*"), ["Ada", "Cy"]),
        (where("phone", "CONTAINS_TOKEN", "*55501*"), []),
        (where("mobilephone", "CONTAINS_TOKEN", "*12*"), ["Bob"]),
        (where("phone", "CONTAINS_TOKEN", "555 202"), ["Ada"]),
        (where("phone", "CONTAINS_TOKEN", "-"), []),
        (where(PHONE, "CONTAINS_TOKEN", "*5550123"), ["Ada", "Cy"]),
        (where("lastname", "NOT_CONTAINS_TOKEN", "jones"), []),
        (where("createdate", "LT", "PIVOT"), ["Ada"]),
        (where("createdate", "LTE", "PIVOT"), ["Ada", "Bob"]),
        (where("createdate", "GT", "PIVOT"), ["Cy", "Di"]),
        (where("createdate", "GTE", "PIVOT"), ["Bob", "Cy", "Di"]),
        (where("createdate", "BETWEEN", "PIVOT", highValue="PIVOT"), ["Bob"]),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_operator_finds(
    control: SandboxControl,
    caller: Caller,
    people: dict[str, str],
    condition: dict[str, Any],
    expected: list[str],
) -> None:
    """Where PIVOT stands for the moment at which Bob was created."""
    bob = next(one for one in control.contacts(caller.hub_id) if one.id == people["Bob"])
    filled = {
        name: str(bob.created_ms) if value == "PIVOT" else value
        for name, value in condition.items()
    }
    assert names(people, caller.found([filled])) == expected


def test_groups_are_alternatives_and_filters_in_a_group_all_hold(
    caller: Caller, people: dict[str, str]
) -> None:
    either = caller.found([where(PHONE, "EQ", "2025550123")], [where(MOBILE, "EQ", "2025550124")])
    both = caller.found([where(PHONE, "EQ", "2025550123"), where("firstname", "EQ", "Bob")])
    assert names(people, either) == ["Ada", "Bob", "Cy"]
    assert both == []


def test_number_without_country_code_is_read_in_the_accounts_country(
    control: SandboxControl,
) -> None:
    with requests.Session() as session:
        caller = install(control, control.add_account(default_country="GB"), session)
        control.add_contacts(caller.hub_id, [{"phone": "020 2555 0123"}])
        answer = caller.search(
            [where(PHONE, "EQ", "2025550123")], properties=["hs_calculated_phone_number"]
        )
    (contact,) = answer.json()["results"]
    assert contact["properties"]["hs_calculated_phone_number"] == "+442025550123"


def test_oldest_created_comes_first_unless_sorted(caller: Caller, people: dict[str, str]) -> None:
    caller.call(
        "PATCH", f"/crm/objects/2026-09/contacts/{people['Bob']}", {"properties": {"city": "Rome"}}
    )
    newest_first = [{"propertyName": "lastmodifieddate", "direction": "DESCENDING"}]
    assert names(people, caller.found()) == ["Ada", "Bob", "Cy", "Di"]
    assert names(people, caller.found(sorts=newest_first)) == ["Bob", "Di", "Cy", "Ada"]


def test_pages_follow_each_other_until_the_last(caller: Caller, people: dict[str, str]) -> None:
    first = caller.search(limit=3).json()
    last = caller.search(limit=3, after=first["paging"]["next"]["after"]).json()
    assert first["total"] == last["total"] == len(people)
    assert [len(page["results"]) for page in (first, last)] == [3, 1]
    assert "paging" not in last


def test_asked_properties_are_answered_with_null_for_none(
    caller: Caller, people: dict[str, str]
) -> None:
    answer = caller.search([where("hs_object_id", "EQ", people["Di"])], properties=["phone", PHONE])
    (contact,) = answer.json()["results"]
    assert contact["properties"]["phone"] == "call me maybe"
    assert contact["properties"][PHONE] is None
    assert "firstname" not in contact["properties"]


def test_free_text_looks_into_names_and_numbers(caller: Caller, people: dict[str, str]) -> None:
    assert names(people, caller.found(query="acme")) == ["Di"]


FILTER = where("firstname", "EQ", "a")


@pytest.mark.parametrize(
    ("groups", "rest"),
    [
        ([[FILTER]] * 6, {}),
        ([[FILTER] * 7], {}),
        ([[FILTER] * 5] * 4, {}),
        ([[FILTER]], {"limit": 201}),
        ([[FILTER]], {"limit": 200, "after": "9801"}),
        ([[FILTER]], {"sorts": ["createdate", "email"]}),
        ([[where("firstname", "LIKE", "a")]], {}),
        ([[where("firstname", "IN", [])]], {}),
        ([[where("phone", "CONTAINS_TOKEN", ["12"])]], {}),
        ([[where("phone", "CONTAINS_TOKEN", "12")] * 4] * 5, {}),
        ([[where("createdate", "GT", "yesterday")]], {}),
    ],
)
def test_search_beyond_hubspots_rules_is_a_validation_error(
    caller: Caller, groups: list[list[dict[str, Any]]], rest: dict[str, Any]
) -> None:
    answer = caller.search(*groups, **rest)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"


def test_largest_allowed_search_is_answered(caller: Caller) -> None:
    groups = [[FILTER] * 6, [FILTER] * 6, [FILTER] * 4, [FILTER], [FILTER]]
    assert caller.search(*groups, limit=200, after="9800").status_code == 200


def test_body_of_3000_characters_is_the_longest(caller: Caller) -> None:
    def search(length: int) -> int:
        start, end = '{"query":"', '"}'
        body = start + "a" * (length - len(start) - len(end)) + end
        return requests.post(
            f"{caller.url}/crm/objects/2026-09/contacts/search",
            data=body,
            headers={"Authorization": f"Bearer {caller.tokens['access_token']}"},
            timeout=240,
        ).status_code

    assert search(3000) == 200
    assert search(3001) == 400


def test_unknown_property_is_a_bare_400(control: SandboxControl) -> None:
    with requests.Session() as session:
        caller = install(control, control.add_account(hidden_properties=[PHONE]), session)
        answer = caller.search([where(PHONE, "EQ", "2025550123")])
        known = caller.search([where(MOBILE, "EQ", "2025550123")])
    assert answer.status_code == 400
    assert "category" not in answer.json()
    assert known.status_code == 200


def test_new_and_changed_contacts_appear_after_the_index_lag(
    control: SandboxControl, caller: Caller, clock: Clock
) -> None:
    control.set_behaviour(index_lag_seconds=10)
    (contact_id,) = control.add_contacts(caller.hub_id, [{"phone": "2025550123"}])
    path = f"/crm/objects/2026-09/contacts/{contact_id}"
    assert caller.found([where(PHONE, "EQ", "2025550123")]) == []
    assert caller.call("GET", path).status_code == 200
    clock.advance(10)
    assert caller.found([where(PHONE, "EQ", "2025550123")]) == [contact_id]
    caller.call("PATCH", path, {"properties": {"phone": "2025550199"}})
    assert caller.found([where(PHONE, "EQ", "2025550123")]) == [contact_id]
    clock.advance(10)
    assert caller.found([where(PHONE, "EQ", "2025550123")]) == []
    assert caller.found([where(PHONE, "EQ", "2025550199")]) == [contact_id]


def test_archived_contact_is_gone_at_once(
    control: SandboxControl, caller: Caller, people: dict[str, str]
) -> None:
    control.archive_contact(caller.hub_id, people["Ada"])
    assert names(people, caller.found()) == ["Bob", "Cy", "Di"]


def test_notes_are_found_by_contact_and_creation(
    caller: Caller, people: dict[str, str], clock: Clock
) -> None:
    caller.create_notes([note(people["Ada"], "early"), note(people["Bob"], "other")])
    clock.advance(60)
    caller.create_notes([note(people["Ada"], "late")])
    since = str(int(clock.now * 1000))
    filters = [
        where("associations.contact", "EQ", people["Ada"]),
        where("hs_createdate", "GTE", since),
    ]
    body = {"filterGroups": [{"filters": filters}], "properties": ["hs_note_body"]}
    answer = caller.call("POST", NOTES_SEARCH, body).json()
    assert [found["properties"]["hs_note_body"] for found in answer["results"]] == ["late"]
