"""What connecting, erasing, pruning, deliveries and turns do to each other when they meet."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from shared.models import Handover, PrunedCall, SyncLog
from shared.privacy.erasure import erase_calls
from shared.privacy.persons import Person, find_calls
from shared.queue.handovers import move_page
from tests.pipeline.workspaces import PHONE, Workspace
from worker.maintenance.housekeeping import keep_house
from worker.maintenance.sweep import sweep

CALLER = Person(PHONE, PHONE)
MOST_SWEEPS = 100


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    """One with a contact, that is not connected."""
    workspace.add_contact()
    workspace.disconnect()
    return workspace


def store_waiting(workspace: Workspace, count: int) -> None:
    """Store calls `w_1`, `w_2`, … that wait for a connection, the newest first."""
    with workspace.worker.database.begin() as session:
        session.execute(
            text("""
                WITH stored AS (
                    INSERT INTO hubspot_sync_logs
                        (id, user_id, workspace_id, call_id, phone_number, status, error_code,
                         error_message, next_attempt_at, created_at)
                    SELECT 'hs_w' || n, :user_id, :workspace_id, 'w_' || n, :phone, 'skipped',
                           'not_connected', 'x', NULL, now() - make_interval(secs => n)
                    FROM generate_series(1, :count) AS n
                    RETURNING id, call_id)
                INSERT INTO calls (log_id, payload)
                SELECT id, jsonb_build_object(
                    'call_id', call_id, 'phone_number', CAST(:phone AS text))
                FROM stored
            """),
            {
                "user_id": workspace.user_id,
                "workspace_id": workspace.workspace_id,
                "phone": PHONE,
                "count": count,
            },
        )


def hand_over(workspace: Workspace, size: int) -> None:
    """Move one page."""
    with workspace.worker.database.begin() as session:
        move_page(session, size=size)


def is_all_done(workspace: Workspace) -> bool:
    with workspace.worker.database.begin() as session:
        waiting = select(func.count()).select_from(SyncLog).filter_by(status="pending")
        moving = select(func.count()).select_from(Handover)
        return not session.scalars(waiting).one() and not session.scalars(moving).one()


def drain(workspace: Workspace) -> None:
    """Let workers sweep and work until nothing is left to do."""
    for _ in range(MOST_SWEEPS):
        sweep(workspace.worker)
        workspace.work()
        if is_all_done(workspace):
            return
        workspace.advance(3)
    raise AssertionError("the calls do not come to an end")


def test_calls_that_come_in_while_others_are_handed_over_all_get_their_one_note(
    workspace: Workspace,
) -> None:
    store_waiting(workspace, 120)
    workspace.begin_connecting()
    for _ in range(3):
        hand_over(workspace, 20)
        workspace.accept()
        workspace.turn()
    drain(workspace)
    assert set(workspace.outcomes()) == {("success", None)}
    assert len(workspace.notes()) == 123


def test_disconnect_in_the_middle_leaves_the_rest_to_the_next_connect(
    workspace: Workspace,
) -> None:
    store_waiting(workspace, 60)
    workspace.begin_connecting()
    hand_over(workspace, 20)
    workspace.work()
    workspace.disconnect()
    sweep(workspace.worker)
    assert workspace.outcomes().count(("skipped", "not_connected")) == 40
    workspace.begin_connecting()
    drain(workspace)
    assert len(workspace.notes()) == 60


def test_who_is_erased_in_the_middle_is_written_no_more(workspace: Workspace) -> None:
    store_waiting(workspace, 60)
    workspace.begin_connecting()
    hand_over(workspace, 20)
    with workspace.worker.database.begin() as session:
        ids = find_calls(session, CALLER, region="US").certain
        assert len(ids) == 60
        erase_calls(session, ids - {"hs_w1", "hs_w60"})
    drain(workspace)
    assert len(workspace.notes()) == 2
    with workspace.worker.database.begin() as session:
        assert find_calls(session, CALLER, region="US").certain == {"hs_w1", "hs_w60"}


def test_call_that_is_delivered_again_while_it_is_pruned_stays_one(workspace: Workspace) -> None:
    store_waiting(workspace, 20)
    settings = replace(workspace.worker.settings, log_retention_days=5)
    pruning = replace(workspace.worker, settings=settings)
    with workspace.worker.database.begin() as session:
        session.execute(update(SyncLog).values(created_at=SyncLog.created_at - timedelta(days=6)))
    assert keep_house(pruning)["logs_pruned"] == 0  # remembered only
    with workspace.worker.database.begin() as session:
        session.execute(
            update(PrunedCall).values(remembered_at=PrunedCall.remembered_at - timedelta(minutes=2))
        )
    assert workspace.accept(call_id="w_3") == "hs_w3"

    workspace.begin_connecting()
    hand_over(workspace, 10)  # what is handed over is not pruned
    assert keep_house(pruning)["logs_pruned"] == 10
    for number in (3, 18):
        assert workspace.accept(call_id=f"w_{number}") == f"hs_w{number}"
    drain(workspace)
    assert keep_house(pruning)["logs_pruned"] == 10
    for number in range(1, 21):
        assert workspace.accept(call_id=f"w_{number}") == f"hs_w{number}"
    drain(workspace)
    assert len(workspace.notes()) == 10
