from sandbox.client import SandboxControl
from tests.sandbox.driving import Caller, note

CONTACTS = "/crm/objects/2026-09/contacts"


def test_created_contact_has_calculated_phone_numbers(caller: Caller) -> None:
    body = {"properties": {"phone": "(202) 555-0123", "mobilephone": "+44 7700 900123"}}
    created = caller.call("POST", CONTACTS, body)
    assert created.status_code == 201
    properties = created.json()["properties"]
    assert properties["hs_calculated_phone_number"] == "+12025550123"
    assert properties["hs_searchable_calculated_phone_number"] == "2025550123"
    assert properties["hs_searchable_calculated_international_phone_number"] == "+12025550123"
    assert properties["hs_calculated_mobile_number"] == "+447700900123"
    assert properties["hs_searchable_calculated_mobile_number"] == "7700900123"


def test_number_that_is_changed_is_calculated_again(caller: Caller) -> None:
    contact = caller.call("POST", CONTACTS, {"properties": {"phone": "2025550123"}}).json()
    path = f"{CONTACTS}/{contact['id']}"
    caller.call("PATCH", path, {"properties": {"phone": "ask Bob"}})
    asked = "?properties=phone,hs_calculated_phone_number"
    properties = caller.call("GET", path + asked).json()["properties"]
    assert properties["phone"] == "ask Bob"
    assert properties["hs_calculated_phone_number"] is None


def test_second_contact_with_an_address_is_a_conflict(caller: Caller) -> None:
    first = caller.call("POST", CONTACTS, {"properties": {"email": "a@example.com"}}).json()
    second = caller.call("POST", CONTACTS, {"properties": {"email": "A@example.com"}})
    assert second.status_code == 409
    assert second.json()["message"].endswith(f"Existing ID: {first['id']}")


def test_unknown_and_read_only_properties_are_refused(caller: Caller) -> None:
    for name, code in (
        ("nickname", "PROPERTY_DOESNT_EXIST"),
        ("hs_calculated_phone_number", "READ_ONLY_VALUE"),
    ):
        answer = caller.call("POST", CONTACTS, {"properties": {name: "x"}})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == code


def test_archived_contact_is_not_found(caller: Caller) -> None:
    contact = caller.call("POST", CONTACTS, {"properties": {"firstname": "A"}}).json()
    path = f"{CONTACTS}/{contact['id']}"
    assert caller.call("DELETE", path).status_code == 204
    answer = caller.call("GET", path)
    assert answer.status_code == 404
    assert answer.json()["category"] == "OBJECT_NOT_FOUND"


def test_merged_contact_is_answered_by_its_survivor_who_has_its_notes(
    control: SandboxControl, caller: Caller
) -> None:
    kept, merged = control.add_contacts(
        caller.hub_id, [{"firstname": "Kept"}, {"firstname": "Merged", "phone": "2025550123"}]
    )
    caller.create_notes([note(merged, "from the merged one")])
    body = {"primaryObjectId": kept, "objectIdToMerge": merged}
    assert caller.call("POST", f"{CONTACTS}/merge", body).json()["id"] == kept
    survivor = caller.call("GET", f"{CONTACTS}/{merged}?properties=firstname,phone").json()
    assert survivor["id"] == kept
    assert survivor["properties"]["firstname"] == "Kept"
    assert survivor["properties"]["phone"] == "2025550123"
    (moved,) = control.notes(caller.hub_id, contact_id=kept)
    assert moved.body == "from the merged one"


def test_accounts_do_not_see_each_others_contacts(control: SandboxControl, caller: Caller) -> None:
    (elsewhere,) = control.add_contacts(control.add_account(), [{"firstname": "A"}])
    assert caller.call("GET", f"{CONTACTS}/{elsewhere}").status_code == 404
    assert caller.found() == []
