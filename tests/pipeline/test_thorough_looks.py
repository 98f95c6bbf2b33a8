"""A caller whom no usual spelling finds gets a thorough look, and further properties count."""

import math
from typing import Any

import pytest

from shared.connections.accounts import forget_refused_properties
from tests.pipeline.workspaces import PHONE, Workspace
from worker.rounds.lookups import THOROUGH_GATHERED, THOROUGH_NUMBERS
from worker.rounds.transitions import RAW_SEARCH_WAIT_S, SEARCH_AGAIN_S

IN_WORDS = f"{PHONE} (mobile, not before 9 pm)"


def look_up_completely(workspace: Workspace) -> None:
    workspace.work()
    workspace.work_after(RAW_SEARCH_WAIT_S)


def count_searches(workspace: Workspace) -> int:
    return len(workspace.requests("contacts.search"))


def test_number_with_a_remark_is_found_at_the_second_look(workspace: Workspace) -> None:
    contact_id = workspace.add_contact(IN_WORDS)
    log_id = workspace.accept()

    look_up_completely(workspace)
    assert workspace.log(log_id).status == "pending"
    workspace.advance(SEARCH_AGAIN_S[0])
    look_up_completely(workspace)

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 1


def test_no_look_costs_more_than_two_searches(workspace: Workspace) -> None:
    workspace.accept()
    counts = []
    for wait in (*SEARCH_AGAIN_S, 0):
        before = count_searches(workspace)
        look_up_completely(workspace)
        counts.append(count_searches(workspace) - before)
        workspace.advance(wait)
    # The calculated properties, then what people typed: in their spellings, or thoroughly.
    assert counts == [2] * (len(SEARCH_AGAIN_S) + 1)


def test_contact_made_during_the_day_with_a_remark_is_found_by_the_last_look(
    workspace: Workspace,
) -> None:
    log_id = workspace.accept()
    for wait in SEARCH_AGAIN_S[:3]:
        look_up_completely(workspace)
        workspace.advance(wait)
    contact_id = workspace.add_contact(IN_WORDS)
    for wait in SEARCH_AGAIN_S[3:]:
        look_up_completely(workspace)
        assert workspace.log(log_id).status == "skipped"
        workspace.advance(wait)

    look_up_completely(workspace)

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 1


def at_second_look(workspace: Workspace, count: int) -> None:
    for place in range(count):
        workspace.accept(f"+1202555{place:04}")
    look_up_completely(workspace)
    workspace.advance(SEARCH_AGAIN_S[0])


def test_few_thorough_looks_wait_for_others_and_share_searches(workspace: Workspace) -> None:
    at_second_look(workspace, THOROUGH_GATHERED - 1)
    before = count_searches(workspace)

    workspace.work()

    assert workspace.outcomes() == [("pending", None)] * (THOROUGH_GATHERED - 1)
    assert count_searches(workspace) == before + 1
    workspace.work_after(RAW_SEARCH_WAIT_S)
    assert workspace.outcomes() == [("skipped", "contact_not_found")] * (THOROUGH_GATHERED - 1)
    assert count_searches(workspace) == before + 1 + math.ceil((THOROUGH_GATHERED - 1) * 2 / 5)


def test_thorough_looks_that_fill_searches_are_not_kept_waiting(workspace: Workspace) -> None:
    at_second_look(workspace, THOROUGH_GATHERED)
    workspace.work()
    assert workspace.outcomes() == [("skipped", "contact_not_found")] * THOROUGH_GATHERED


def test_one_turn_takes_so_many_thorough_looks_and_the_next_the_rest(workspace: Workspace) -> None:
    at_second_look(workspace, THOROUGH_NUMBERS + 5)
    workspace.turn()  # the calculated properties of all
    workspace.advance(RAW_SEARCH_WAIT_S)  # those that fill no search have waited for others
    before = count_searches(workspace)

    workspace.turn()

    assert count_searches(workspace) == before + THOROUGH_NUMBERS * 2 // 5
    assert workspace.outcomes().count(("skipped", "contact_not_found")) == THOROUGH_NUMBERS
    workspace.work()
    assert workspace.outcomes().count(("skipped", "contact_not_found")) == THOROUGH_NUMBERS + 5


def test_account_without_calculated_properties_gets_a_thorough_look_too(
    workspace: Workspace,
) -> None:
    hidden = [f"hs_searchable_calculated_{kind}_number" for kind in ("phone", "mobile")]
    workspace.connect(workspace.sandbox.add_account(hidden_properties=hidden))
    contact_id = workspace.add_contact(IN_WORDS)
    log_id = workspace.accept()
    workspace.work()
    assert workspace.log(log_id).status == "pending"

    workspace.work_after(SEARCH_AGAIN_S[0])

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 1


def test_hubspot_that_refuses_searches_by_pieces_costs_no_call_its_reason(
    workspace: Workspace,
) -> None:
    log_id = workspace.accept()
    look_up_completely(workspace)
    workspace.advance(SEARCH_AGAIN_S[0])
    workspace.work()
    workspace.sandbox.add_fault("contacts.search", "status", status=400)

    workspace.work_after(RAW_SEARCH_WAIT_S)

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("skipped", "contact_not_found")


def test_number_in_a_further_phone_property_is_found(workspace: Workspace) -> None:
    workspace.change_settings(phone_properties=["fax"])
    contact_id = workspace.add_contact("+12025550199", fax="(202) 555-0123")
    log_id = workspace.accept()
    look_up_completely(workspace)
    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 1


def test_unknown_property_costs_no_call_and_is_not_asked_for_again(workspace: Workspace) -> None:
    workspace.change_settings(phone_properties=["direct_line", "fax"])
    workspace.add_contact("+12025550199", fax="(202) 555-0123")
    workspace.add_contact("+12025550198", fax="(202) 555-0124")
    workspace.accept()
    look_up_completely(workspace)
    assert workspace.outcomes() == [("success", None)]
    assert workspace.account().refused_properties == ("direct_line",)

    before = count_searches(workspace)
    workspace.accept("+12025550124")
    look_up_completely(workspace)
    assert workspace.outcomes() == [("success", None)] * 2
    assert [each.status for each in workspace.requests("contacts.search")[before:]] == [200, 200]

    with workspace.worker.database.begin() as session:
        forget_refused_properties(session, workspace.hub_id)
    assert workspace.account().refused_properties == ()


@pytest.mark.parametrize("changed", [{"phone_properties": ["fax"]}, {"match_policy": "oldest"}])
def test_match_that_was_remembered_is_not_used_under_other_settings(
    workspace: Workspace, changed: dict[str, Any]
) -> None:
    workspace.add_contact()
    workspace.accept()
    workspace.work()
    before = count_searches(workspace)
    workspace.accept()
    workspace.work()
    assert count_searches(workspace) == before  # remembered

    workspace.change_settings(**changed)
    workspace.accept()
    workspace.work()

    assert count_searches(workspace) == before + 1
