"""A mark is worth nothing once too little of the lease is left to write in."""

import time

import pytest

from shared.activities.destination import OutOfBudgetError
from shared.queue.claims import claim_due_calls
from shared.queue.marks import Mark
from tests.pipeline.workspaces import Workspace
from worker.rounds.round import Round


@pytest.mark.parametrize(("frozen_for", "may_write"), [(0, True), (11, False)])
def test_worker_frozen_after_its_mark_withdraws_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, frozen_for: float, may_write: bool
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    connection = workspace.connection()
    with workspace.worker.database.begin() as session:
        calls = claim_due_calls(
            session,
            user_id=connection.user_id,
            workspace_id=connection.workspace_id,
            claim_id="turn_1",
            most=1,
        )
    destination = workspace.worker.open_destination(connection.id, workspace.hub_id, deadline=0)
    round_ = Round(workspace.worker, connection, destination, calls)
    assert round_.mark([Mark(calls[0], contact_id, None)]) == {log_id}

    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + frozen_for)
    if may_write:
        round_.require_lease()
    else:
        with pytest.raises(OutOfBudgetError):
            round_.require_lease()
        round_.withdraw(calls)
    monkeypatch.undo()
    round_.give_back()

    # A mark that may have been used stays; one that was not is cleared.
    assert (workspace.log(log_id).last_write_at is not None) == may_write
