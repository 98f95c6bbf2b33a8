"""HubSpot asks for patience, or fails: calls wait as long as told, and none is lost."""

from typing import Any, NamedTuple

import pytest

from shared.pacing.limits import SEARCH_BACK_OFF, SEARCH_PER_S
from tests.pipeline.interruptions import Impatience, with_adapter
from tests.pipeline.workspaces import Workspace
from worker.rounds.reports import RoundEnd


def search_rate(workspace: Workspace) -> float:
    """Searches a second that the workers allow themselves in this account."""
    kept = workspace.worker.redis.hget(f"callsync:budget:search:{workspace.hub_id}", "rate")
    return float(kept or SEARCH_PER_S)


def test_search_limit_slows_searches_and_burns_no_attempt(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("contacts.search", "rate_limited", times=1, policyName="SECONDLY")

    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.error_code, log.attempts) == ("pending", "rate_limited", 0)
    assert workspace.due_in(log_id) == pytest.approx(2.5, abs=0.6)
    assert search_rate(workspace) == pytest.approx(SEARCH_PER_S * SEARCH_BACK_OFF, rel=0.01)
    assert workspace.account().paused_for == 0

    workspace.work_after(4)
    assert workspace.outcomes() == [("success", None)]
    assert len(workspace.attempts(log_id)) == 1


class Patience(NamedTuple):
    """HubSpot's ways to ask for it, and what is made of them."""

    kind: str
    args: dict[str, Any]
    seconds: float
    code: str


@pytest.mark.parametrize(
    "asked",
    [
        Patience("rate_limited", {"policyName": "TEN_SECONDLY_ROLLING"}, 10, "rate_limited"),
        Patience("rate_limited", {"policyName": "DAILY"}, 900, "rate_limited"),
        Patience("locked", {}, 2, "hubspot_unavailable"),
        Patience("migrating", {"retry_after": 7200}, 7200, "hubspot_unavailable"),
    ],
)
@pytest.mark.parametrize("endpoint", ["contacts.search", "notes.batch_create"])
def test_account_is_left_alone_as_long_as_hubspot_says(
    workspace: Workspace, endpoint: str, asked: Patience
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault(endpoint, asked.kind, times=1, **asked.args)

    assert workspace.work() == RoundEnd.PAUSED

    log = workspace.log(log_id)
    assert (log.status, log.error_code, log.attempts) == ("pending", asked.code, 0)
    assert log.last_write_at is None
    assert workspace.account().paused_for == pytest.approx(asked.seconds, abs=1)

    workspace.work_after(asked.seconds * 1.1 + 1)
    assert workspace.outcomes() == [("success", None)]
    assert len(workspace.notes(contact_id)) == 1


FAILURES: list[tuple[str, dict[str, Any], str]] = [
    ("status", {"status": 500}, "hubspot_unavailable"),
    ("status", {"status": 408}, "hubspot_unavailable"),
    ("html", {"status": 502}, "hubspot_unavailable"),
    ("html", {"status": 404}, "hubspot_unavailable"),
    ("garbage", {}, "hubspot_unavailable"),
    ("reset_before", {}, "network_error"),
]


@pytest.mark.parametrize(("kind", "args", "code"), FAILURES)
def test_failed_search_is_repeated_later_and_nothing_is_lost(
    workspace: Workspace, kind: str, args: dict[str, Any], code: str
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("contacts.search", kind, times=1, **args)

    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.error_code, log.attempts) == ("pending", code, 1)
    assert workspace.due_in(log_id) == pytest.approx(3.75, abs=1.5)

    workspace.work_after(5)
    assert workspace.outcomes() == [("success", None)]
    assert [each.outcome for each in workspace.attempts(log_id)] == ["pending", "success"]


def test_search_that_is_not_answered_in_time_is_repeated_later(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("contacts.search", "timeout_before", times=1)
    impatient = with_adapter(workspace.worker, Impatience())

    with impatient.http:
        workspace.work(impatient)

    assert workspace.log(log_id).error_code == "network_error"
    workspace.work_after(5)
    assert workspace.outcomes() == [("success", None)]


def test_call_that_fails_for_a_day_ends_as_an_error(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("contacts.search", "status", status=503)
    workspace.work()
    assert workspace.log(log_id).status == "pending"

    workspace.work_after(24 * 3600)

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("error", "hubspot_unavailable")
    assert "Given up after a day" in (log.error_message or "")


def test_two_failing_turns_pause_the_account_which_then_recovers_step_by_step(
    workspace: Workspace,
) -> None:
    workspace.add_contact()
    fault_id = workspace.sandbox.add_fault("contacts.search", "status", status=503)
    for failing_turns in (1, 2):
        workspace.accept()
        workspace.turn()
        account = workspace.account()
        assert account.failing_turns == failing_turns
        assert (account.paused_for > 0) == (failing_turns == 2)
    assert workspace.account().turn_width == 1
    assert workspace.turn() == RoundEnd.PAUSED
    assert workspace.sandbox.struck(fault_id) == 2

    workspace.sandbox.clear_faults()
    workspace.advance(10)
    widths = []
    for _ in range(2):
        workspace.accept()
        workspace.turn()
        widths.append(workspace.account().turn_width)

    assert widths == [2, 4]
    assert workspace.account().failing_turns == 0
    workspace.finish()
    assert {status for status, _ in workspace.outcomes()} == {"success"}


def test_narrowed_account_takes_one_turn_at_a_time(workspace: Workspace) -> None:
    workspace.accept()
    enter_round = workspace.worker.limits.enter_round
    assert enter_round(workspace.hub_id, "another worker's turn", width=4)
    workspace.sandbox.add_fault("contacts.search", "status", status=503, times=2)

    ends = []
    for _ in range(3):
        ends.append(workspace.turn())
        workspace.advance(10)

    assert ends == [RoundEnd.WORKED, RoundEnd.WORKED, RoundEnd.PUT_OFF]
