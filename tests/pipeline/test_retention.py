"""Housekeeping bounds what grows: entries go only if the operator asked for it."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select, text, update

from shared.log.tallies import ROLL_UP_AFTER_DAYS
from shared.models import Attempt, PrunedCall, SyncLog
from shared.privacy import retention
from tests.pipeline.workspaces import Workspace
from worker.maintenance.housekeeping import keep_house

DAYS = 100


def age(workspace: Workspace, log_ids: list[str]) -> None:
    old = timedelta(days=DAYS + 1)
    with workspace.worker.database.begin() as session:
        session.execute(
            update(SyncLog).where(SyncLog.id.in_(log_ids)).values(created_at=func.now() - old)
        )
        session.execute(update(PrunedCall).values(remembered_at=func.now() - timedelta(minutes=2)))


def test_entries_are_kept_for_ever_unless_it_is_set(workspace: Workspace) -> None:
    log_id = workspace.accept()
    workspace.work()
    for _ in range(2):  # a call is remembered first
        age(workspace, [log_id])
        assert workspace.keep_house()["logs_pruned"] == 0
    assert workspace.log(log_id).id == log_id


def test_old_entries_go_and_another_delivery_makes_no_second_note(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept(call_id="call_1")
    workspace.work()
    waiting = workspace.accept()
    age(workspace, [log_id, waiting])
    pruning = replace(
        workspace.worker,
        settings=replace(workspace.worker.settings, log_retention_days=DAYS),
    )
    assert keep_house(pruning)["logs_pruned"] == 0
    age(workspace, [log_id, waiting])
    assert keep_house(pruning)["logs_pruned"] == 1

    assert workspace.accept(call_id="call_1") == log_id
    workspace.work()
    assert len(workspace.notes(contact_id)) == 2  # this one's, and that of the call that waited
    assert workspace.log(waiting).status == "success"


def test_old_tallies_and_needless_attempts_are_dealt_with(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.work()
    kept = retention.FIRST_ATTEMPTS_KEPT + retention.LAST_ATTEMPTS_KEPT
    with workspace.worker.database.begin() as session:
        session.execute(
            text("UPDATE hubspot_sync_tallies SET hour = hour - make_interval(days => :days)"),
            {"days": ROLL_UP_AFTER_DAYS + 1},
        )
        session.add_all(
            Attempt(log_id=log_id, started_at=func.now(), duration_ms=1, outcome="pending")
            for _ in range(kept)
        )
        session.execute(update(SyncLog).where(SyncLog.id == log_id).values(attempts=kept + 1))
    done = workspace.keep_house()
    assert (done["tallies_rolled_up"], done["attempts_pruned"]) == (1, 1)
    with workspace.worker.database.begin() as session:
        assert session.scalars(select(func.count()).select_from(Attempt)).one() == kept
