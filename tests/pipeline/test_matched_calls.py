"""A call whose caller is in HubSpot becomes a note on that contact's timeline."""

from datetime import UTC, datetime

import pytest

from tests.pipeline.conftest import MakeWorkspace, OpenWorker
from tests.pipeline.workspaces import PHONE, Workspace
from worker.rounds.reports import RoundEnd

OURS = "+12025550199"


@pytest.mark.parametrize(
    "spelling", ["+1 202 555 0123", "(202) 555-0123", "202.555.0123", "+12025550123"]
)
def test_caller_is_found_however_the_contact_spells_the_number(
    workspace: Workspace, spelling: str
) -> None:
    workspace.add_contact("+12025550199")
    contact_id = workspace.add_contact(spelling)
    log_id = workspace.accept()

    workspace.work()

    (note,) = workspace.notes(contact_id)
    log = workspace.log(log_id)
    assert (log.status, log.contact_id, log.engagement_id) == ("success", contact_id, note.id)
    assert (log.hub_id, log.attempts, log.next_attempt_at) == (workspace.hub_id, 1, None)
    assert len(workspace.notes()) == 1


def test_caller_is_found_by_the_mobile_number(workspace: Workspace) -> None:
    contact_id = workspace.add_contact("", mobilephone="202 555 0123")
    workspace.accept()

    workspace.work()

    assert len(workspace.notes(contact_id)) == 1


def test_note_tells_of_the_call_at_the_time_of_the_call(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept(
        call_id="call_42",
        direction="inbound",
        summary="Wants a demo <b>soon</b>",
        started_at=datetime(2026, 11, 20, 9, 57, tzinfo=UTC),
        duration_seconds=180,
    )

    workspace.work()

    (note,) = workspace.notes(contact_id)
    assert note.properties["hs_timestamp"] == "2026-11-20T09:57:00Z"
    assert "Inbound call" in note.body
    assert "3 min" in note.body
    assert "Wants a demo &lt;b&gt;soon&lt;/b&gt;" in note.body
    assert note.body.endswith(f"<p>Call ID: call_42 · Ref: {log_id}</p>")


def test_several_calls_of_one_contact_share_a_search_and_each_get_a_note(
    workspace: Workspace,
) -> None:
    contact_id = workspace.add_contact()
    log_ids = {workspace.accept() for _ in range(3)}

    workspace.work()

    assert {workspace.log(log_id).contact_id for log_id in log_ids} == {contact_id}
    assert len(workspace.notes(contact_id)) == 3
    assert len(workspace.requests("contacts.search")) == 1
    assert workspace.inputs("notes.batch_create") == [3]


def test_many_calls_cost_three_searches_and_three_creates(workspace: Workspace) -> None:
    phones = [f"+1202555{number:04}" for number in range(250)]
    workspace.sandbox.add_contacts(workspace.hub_id, [{"phone": phone} for phone in phones])
    for phone in phones:
        workspace.accept(phone)

    workspace.work()

    assert workspace.outcomes() == [("success", None)] * 250
    assert len({note.contact_ids for note in workspace.notes()}) == 250
    assert len(workspace.requests("contacts.search")) <= 3
    assert len(workspace.requests("notes.batch_create")) <= 3


def test_known_caller_costs_no_search(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    workspace.accept()
    workspace.work()

    workspace.accept()
    workspace.work()

    assert len(workspace.notes(contact_id)) == 2
    assert len(workspace.requests("contacts.search")) == 1


def test_call_without_a_country_code_is_read_in_the_connections_region(
    workspace: Workspace,
) -> None:
    workspace.change_settings(default_region="GB")
    contact_id = workspace.add_contact("+44 20 7946 0018")
    workspace.accept("020 7946 0018")

    workspace.work()

    assert len(workspace.notes(contact_id)) == 1


def test_same_national_digits_in_another_country_are_another_person(workspace: Workspace) -> None:
    workspace.add_contact("+44 2025550123")
    log_id = workspace.accept(PHONE)

    workspace.work()

    assert workspace.notes() == []
    assert workspace.log(log_id).status == "pending"


@pytest.mark.parametrize(("policy", "chosen"), [("most_recent", 1), ("oldest", 0)])
def test_of_several_contacts_the_workers_policy_chooses(
    workspace: Workspace, open_worker: OpenWorker, policy: str, chosen: int
) -> None:
    contact_ids = []
    for _ in range(2):
        contact_ids.append(workspace.add_contact())
        workspace.advance(60)
    workspace.accept()

    workspace.work(open_worker(MATCH_POLICY=policy))

    assert len(workspace.notes()) == 1
    assert len(workspace.notes(contact_ids[chosen])) == 1


def test_of_several_contacts_none_is_chosen_under_skip(
    workspace: Workspace, open_worker: OpenWorker
) -> None:
    contact_ids = [workspace.add_contact() for _ in range(2)]
    log_id = workspace.accept()

    workspace.work(open_worker(MATCH_POLICY="skip"))

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("skipped", "ambiguous_contact")
    assert all(contact_id in (log.error_message or "") for contact_id in contact_ids)
    assert log.next_attempt_at is None
    assert workspace.notes() == []


def test_connections_own_policy_overrides_the_environments(
    workspace: Workspace, open_worker: OpenWorker
) -> None:
    for _ in range(2):
        workspace.add_contact()
    workspace.change_settings(match_policy="most_recent")
    workspace.accept()

    workspace.work(open_worker(MATCH_POLICY="skip"))

    assert workspace.outcomes() == [("success", None)]


@pytest.mark.parametrize(
    ("phone", "code"),
    [
        (None, "no_phone_number"),
        ("anonymous", "no_phone_number"),
        ("sip:alice@example.com", "invalid_phone_number"),
        ("911", "invalid_phone_number"),
    ],
)
def test_call_without_a_number_to_look_up_is_skipped_without_asking_hubspot(
    workspace: Workspace, phone: str | None, code: str
) -> None:
    log_id = workspace.accept(phone)

    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.error_code, log.next_attempt_at) == ("skipped", code, None)
    assert workspace.requests("contacts.search", "notes.batch_create") == []


@pytest.mark.parametrize("direction", [None, "sideways"])
def test_call_of_unknown_direction_is_not_called_withheld(
    workspace: Workspace, direction: str | None
) -> None:
    workspace.add_contact()
    log_id = workspace.accept(None, direction=direction, from_number=PHONE, to_number=OURS)

    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("skipped", "unknown_direction")
    assert "inbound or outbound" in (log.error_message or "")
    assert workspace.requests("contacts.search", "notes.batch_create") == []


def test_call_stored_before_its_direction_was_understood_finds_its_contact(
    workspace: Workspace,
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept(None, direction="outbound-api", from_number=OURS, to_number=PHONE)

    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.phone_number) == ("success", PHONE)
    assert len(workspace.notes(contact_id)) == 1


def test_call_whose_content_is_deleted_ends_as_expired(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    kept_id = workspace.accept()
    workspace.delete_payload(log_id)

    workspace.work()

    assert workspace.log(log_id).error_code == "payload_expired"
    assert workspace.log(kept_id).status == "success"
    assert len(workspace.notes(contact_id)) == 1


def test_two_workspaces_on_one_account_keep_their_calls_apart(
    make_workspace: MakeWorkspace,
) -> None:
    one, other = make_workspace(), make_workspace()
    one.connect()
    other.connect(one.hub_id)
    contact_id = one.add_contact()
    one_id, other_id = one.accept(call_id="call_1"), other.accept(call_id="call_1")

    assert (one.work(), other.work()) == (RoundEnd.NOTHING_DUE, RoundEnd.NOTHING_DUE)

    bodies = {note.id: note.body for note in one.notes(contact_id)}
    assert len(bodies) == 2
    assert f"Ref: {one_id}<" in bodies[one.log(one_id).engagement_id or ""]
    assert f"Ref: {other_id}<" in bodies[other.log(other_id).engagement_id or ""]
