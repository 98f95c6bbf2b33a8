"""A call whose caller is not in HubSpot is looked up again, ever more rarely, for a day."""

import pytest

from tests.pipeline.workspaces import PHONE, Workspace
from worker.rounds.lookups import RAW_BODY_NUMBERS
from worker.rounds.transitions import RAW_SEARCH_WAIT_S, SEARCH_AGAIN_S


def look_up_completely(workspace: Workspace) -> None:
    """Both halves of a look-up: in the calculated properties, then in what people typed."""
    workspace.work()
    workspace.work_after(RAW_SEARCH_WAIT_S)


def test_unknown_caller_gets_a_second_look_before_being_skipped(workspace: Workspace) -> None:
    log_id = workspace.accept()

    look_up_completely(workspace)

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("pending", "contact_not_found")
    assert workspace.due_in(log_id) == pytest.approx(30, abs=1)

    workspace.advance(30)
    look_up_completely(workspace)

    log = workspace.log(log_id)
    assert (log.status, log.error_code, log.attempts) == ("skipped", "contact_not_found", 2)
    assert log.error_message == "No HubSpot contact has this phone number."
    assert workspace.due_in(log_id) == pytest.approx(600, abs=1)
    assert workspace.notes() == []


def test_contact_created_after_the_call_still_gets_the_note(workspace: Workspace) -> None:
    log_id = workspace.accept()
    for wait in (30, 600):
        look_up_completely(workspace)
        workspace.advance(wait)
    assert workspace.log(log_id).status == "skipped"
    contact_id = workspace.add_contact()

    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.error_code, log.error_message) == ("success", None, None)
    assert len(workspace.notes(contact_id)) == 1


def test_unknown_caller_is_given_up_after_the_last_look(workspace: Workspace) -> None:
    log_id = workspace.accept()

    for wait in SEARCH_AGAIN_S:
        look_up_completely(workspace)
        assert workspace.due_in(log_id) == pytest.approx(wait, abs=1)
        workspace.advance(wait)
    look_up_completely(workspace)

    log = workspace.log(log_id)
    assert (log.status, log.error_code, log.next_attempt_at) == (
        "skipped",
        "contact_not_found",
        None,
    )


# 555 is an area of no place, and no exchange begins with 1.
@pytest.mark.parametrize("unassigned", ["+15551234567", "+12021000123"])
def test_number_that_no_plan_assigns_is_looked_up_like_any_other(
    workspace: Workspace, unassigned: str
) -> None:
    """Plans grow faster than libraries, and somebody may well have such a number in HubSpot."""
    contact_id = workspace.add_contact(unassigned)
    log_id = workspace.accept(unassigned)
    workspace.work()
    assert workspace.log(log_id).contact_id == contact_id

    workspace.sandbox.archive_contact(workspace.hub_id, contact_id)
    log_id = workspace.accept(unassigned[:-1] + "0")
    look_up_completely(workspace)
    assert workspace.log(log_id).error_code == "contact_not_found"


def test_contact_that_hubspot_has_not_indexed_yet_is_found_at_the_second_look(
    workspace: Workspace,
) -> None:
    workspace.sandbox.set_behaviour(index_lag_seconds=20)
    contact_id = workspace.add_contact()
    log_id = workspace.accept()

    look_up_completely(workspace)
    assert workspace.log(log_id).status == "pending"
    workspace.work_after(30)

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 1


def test_number_that_hubspot_cannot_calculate_with_is_found_as_people_typed_it(
    workspace: Workspace,
) -> None:
    # The sandbox reads numbers as American ones; this one only makes sense in Germany.
    workspace.change_settings(default_region="DE")
    contact_id = workspace.add_contact("030 901820")
    log_id = workspace.accept("+4930901820")

    workspace.work()
    assert workspace.log(log_id).raw_lookup
    assert workspace.due_in(log_id) == pytest.approx(RAW_SEARCH_WAIT_S, abs=1)
    workspace.work_after(RAW_SEARCH_WAIT_S)

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 1


def test_raw_look_ups_that_fill_a_search_are_not_kept_waiting(workspace: Workspace) -> None:
    for number in range(RAW_BODY_NUMBERS):
        workspace.accept(f"+1202555{number:04}")

    workspace.work()

    assert workspace.outcomes() == [("pending", "contact_not_found")] * RAW_BODY_NUMBERS


def test_few_raw_look_ups_wait_for_others(workspace: Workspace) -> None:
    for number in range(RAW_BODY_NUMBERS - 1):
        workspace.accept(f"+1202555{number:04}")

    workspace.work()

    assert workspace.outcomes() == [("pending", None)] * (RAW_BODY_NUMBERS - 1)
    assert len(workspace.requests("contacts.search")) == 1


def test_one_turn_fills_raw_searches_and_leaves_the_rest_for_others(workspace: Workspace) -> None:
    for number in range(2 * RAW_BODY_NUMBERS + 5):
        workspace.accept(f"+1202555{number:04}")
    workspace.turn()  # in the calculated properties; those that fill no search wait
    workspace.advance(RAW_SEARCH_WAIT_S)
    before = len(workspace.requests("contacts.search"))

    workspace.turn()

    assert len(workspace.requests("contacts.search")) == before + 2
    assert workspace.outcomes().count(("pending", None)) == 5
    workspace.work()
    assert workspace.outcomes() == [("pending", "contact_not_found")] * (2 * RAW_BODY_NUMBERS + 5)
    assert len(workspace.requests("contacts.search")) == before + 3


def test_account_without_calculated_properties_is_searched_by_raw_ones_from_then_on(
    workspace: Workspace,
) -> None:
    hidden = [f"hs_searchable_calculated_{kind}_number" for kind in ("phone", "mobile")]
    workspace.connect(workspace.sandbox.add_account(hidden_properties=hidden))
    workspace.add_contact(PHONE)
    workspace.add_contact("+12025550124")
    workspace.accept(PHONE)
    workspace.work()
    assert [each.status for each in workspace.requests("contacts.search")] == [400, 200]

    workspace.accept("+12025550124")
    workspace.work()

    assert workspace.outcomes() == [("success", None)] * 2
    assert [each.status for each in workspace.requests("contacts.search")] == [400, 200, 200]
