"""What turns, sweeps and housekeeping count."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import update

from shared.models import Call
from tests.pipeline.workspaces import Workspace
from worker.maintenance.sweep import sweep
from worker.rounds.transitions import RAW_SEARCH_WAIT_S, SEARCH_AGAIN_S

TOKEN_LIFETIME_S = 1800

Growth = Callable[..., float]


def read(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"callsync_{name}", labels) or 0


@pytest.fixture
def growth() -> Growth:
    """By how much a figure has grown in this test."""
    before = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
    }

    def grown(name: str, **labels: str) -> float:
        return read(name, **labels) - before.get(
            (f"callsync_{name}", tuple(sorted(labels.items()))), 0
        )

    return grown


def test_outcomes_are_counted_by_status_and_reason(workspace: Workspace, growth: Growth) -> None:
    workspace.add_contact()
    workspace.accept()
    workspace.accept(None)
    workspace.work()
    assert growth("outcomes_total", error_code="", status="success") == 1
    assert growth("outcomes_total", error_code="no_phone_number", status="skipped") == 1
    assert growth("notes_total", action="created") == 1
    assert growth("turn_calls_sum") == 2


def test_time_to_the_note_is_counted_by_lane(workspace: Workspace, growth: Growth) -> None:
    log_id = workspace.accept()
    workspace.work()
    workspace.work_after(RAW_SEARCH_WAIT_S + 1)
    workspace.add_contact()
    workspace.work_after(SEARCH_AGAIN_S[0] + 1)
    assert workspace.log(log_id).status == "success"
    assert growth("webhook_to_note_seconds_count", lane="live") == 0
    assert growth("webhook_to_note_seconds_count", lane="second_look") == 1
    assert growth("webhook_to_note_seconds_sum", lane="second_look") >= SEARCH_AGAIN_S[0]


def test_note_that_is_found_is_adopted(workspace: Workspace, growth: Growth) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    workspace.work()
    workspace.work_after(60)
    assert workspace.log(log_id).status == "success"
    assert growth("notes_total", action="adopted") == 1
    assert growth("notes_total", action="created") == 0
    none = {"endpoint": "create_notes", "method": "POST", "status": "none"}
    assert growth("hubspot_requests_total", **none) == 1


@pytest.mark.parametrize(
    ("fault", "how", "reason"),
    [
        ("rate_limited", {"policyName": "TEN_SECONDLY_ROLLING"}, "rolling_limit"),
        ("rate_limited", {"policyName": "DAILY"}, "daily_limit"),
        ("locked", {}, "locked"),
    ],
)
def test_pauses_are_counted_by_reason(
    workspace: Workspace, growth: Growth, fault: str, how: dict[str, Any], reason: str
) -> None:
    workspace.accept()
    workspace.sandbox.add_fault("contacts.search", fault, times=1, **how)
    workspace.work()
    assert growth("account_pauses_total", reason=reason) == 1
    assert growth("turns_total", end="paused") == 1


def test_token_refreshes_are_counted_by_result(workspace: Workspace, growth: Growth) -> None:
    workspace.accept()
    workspace.advance(TOKEN_LIFETIME_S)
    workspace.work()
    assert growth("token_refreshes_total", result="refreshed") == 1
    workspace.sandbox.revoke_grants(workspace.hub_id)
    workspace.accept()
    workspace.advance(TOKEN_LIFETIME_S)
    workspace.work()
    assert growth("token_refreshes_total", result="revoked") == 1


def test_calls_without_connection_are_counted_as_the_sweep_settles_them(
    workspace: Workspace, growth: Growth
) -> None:
    workspace.disconnect()
    workspace.accept()
    sweep(workspace.worker)
    assert growth("outcomes_total", error_code="not_connected", status="skipped") == 1


def test_calls_that_a_turn_lets_go_are_counted(workspace: Workspace, growth: Growth) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    with workspace.worker.database.begin() as session:
        # Content that cannot be rendered: to the queue, a worker that died.
        session.execute(update(Call).values(payload={"summary": 7}).filter_by(log_id=log_id))
    with pytest.raises((TypeError, AttributeError)):
        workspace.turn()
    sweep(workspace.worker)
    assert growth("turns_total", end="failed") == 1
    assert growth("claims_expired_total") == 1


def test_housekeeping_says_when_it_was_done(workspace: Workspace) -> None:
    before = read("housekeeping_last_success_timestamp_seconds")
    workspace.keep_house()
    assert read("housekeeping_last_success_timestamp_seconds") > before
