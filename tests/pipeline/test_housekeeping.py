"""Housekeeping: what has had its time goes, whoever else is at work and whatever fails."""

import math
from collections.abc import Mapping
from typing import Final

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import update

from shared.models import Call
from shared.privacy import retention
from tests.local.waiting import wait_for
from tests.pipeline.conftest import StartWorker
from tests.pipeline.test_sweep import woken
from tests.pipeline.workspaces import Workspace
from tests.queue.tenants import ago
from worker.maintenance import housekeeping
from worker.maintenance.housekeeping import CHORES, Chore, in_batches, keep_house
from worker.maintenance.sweep import sweep
from worker.resources import Resources

A_MONTH_S: Final = 31 * 86_400
LAST: Final = "callsync_housekeeping_last_success_timestamp_seconds"


def last_success() -> float:
    return REGISTRY.get_sample_value(LAST) or 0.0


@pytest.fixture
def chores(monkeypatch: pytest.MonkeyPatch) -> dict[str, Chore]:
    """The chores of a round, which a test may change."""
    changed = dict(CHORES)
    monkeypatch.setattr(housekeeping, "CHORES", changed)
    return changed


def accept_old(workspace: Workspace, calls: int) -> None:
    for _ in range(calls):
        workspace.accept()
    with workspace.worker.database.begin() as session:
        session.execute(update(Call).values(received_at=ago(A_MONTH_S)))


def test_worker_deletes_old_contents_though_there_is_no_beat(
    workspace: Workspace, start_worker: StartWorker
) -> None:
    accept_old(workspace, 2)
    workspace.disconnect()
    process = start_worker()
    try:
        wait_for(lambda: workspace.contents() == 0)  # a second round, if need be
    finally:
        process.stop()


def test_chore_is_done_by_one_worker_at_a_time(
    workspace: Workspace, chores: dict[str, Chore]
) -> None:
    beside: list[Mapping[str, int]] = []

    def look_around(resources: Resources, _deadline: float) -> int:
        beside.append(keep_house(resources))
        return 1

    chores["revoked"] = look_around
    done = workspace.keep_house()

    assert done["revoked"] == 1
    assert beside == [{name: 0 for name in CHORES if name != "revoked"}]


def test_chore_that_fails_leaves_the_others_to_be_done(
    workspace: Workspace, chores: dict[str, Chore]
) -> None:
    def fail(_resources: Resources, _deadline: float) -> int:
        raise KeyError("a defect of ours")

    before = last_success()
    accept_old(workspace, 1)
    first, *_ = CHORES
    chores |= {first: fail, "last": CHORES[first]}
    done = workspace.keep_house()

    assert done.keys() == chores.keys() - {first}
    assert done["last"] == 1
    assert last_success() == before


def test_rows_are_changed_in_batches_until_the_time_is_over(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_AT_ONCE", 2)
    accept_old(workspace, 5)
    monkeypatch.setattr(housekeeping, "BATCHES_S", -1)
    assert workspace.keep_house()["payloads_deleted"] == 2
    monkeypatch.undo()
    monkeypatch.setattr(retention, "MOST_AT_ONCE", 2)
    assert workspace.keep_house()["payloads_deleted"] == 3
    assert workspace.contents() == 0


def test_sweep_does_not_wait_for_a_chore(workspace: Workspace, chores: dict[str, Chore]) -> None:
    seen: list[list[str]] = []

    def sweep_beside(resources: Resources, _deadline: float) -> int:
        sweep(resources)
        seen.append(woken(resources))
        return 0

    workspace.accept()
    chores["payloads_deleted"] = sweep_beside
    workspace.keep_house()
    assert seen == [[workspace.connection_id]]


def test_worker_that_stops_begins_no_further_chore(
    workspace: Workspace, chores: dict[str, Chore]
) -> None:
    def stop(resources: Resources, _deadline: float) -> int:
        resources.stopping.set()
        return 0

    first, *_ = CHORES
    chores[first] = stop
    try:
        assert workspace.keep_house().keys() == {first}
    finally:
        workspace.worker.stopping.clear()


def test_batches_end_when_the_worker_stops(workspace: Workspace) -> None:
    workspace.worker.stopping.set()
    try:
        endless = in_batches(lambda _session, _settings: retention.MOST_AT_ONCE)
        assert endless(workspace.worker, math.inf) == retention.MOST_AT_ONCE
    finally:
        workspace.worker.stopping.clear()
