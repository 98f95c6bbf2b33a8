"""A mark is worth nothing once too little of the lease is left to write in."""

import time

import pytest

from shared.queue.claims import claim_due_calls
from shared.queue.marks import Mark
from tests.pipeline.workspaces import Workspace
from worker.rounds.pacing import OutOfBudgetError, PacedHubSpot
from worker.rounds.turn import Turn


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
    hubspot = PacedHubSpot(
        workspace.worker, connection_id=connection.id, hub_id=workspace.hub_id, deadline=0
    )
    turn = Turn(workspace.worker, connection, hubspot, calls)
    assert turn.mark([Mark(calls[0], contact_id, None)]) == {log_id}

    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + frozen_for)
    if may_write:
        turn.require_lease()
    else:
        with pytest.raises(OutOfBudgetError):
            turn.require_lease()
        turn.withdraw(calls)
    monkeypatch.undo()
    turn.give_back()

    # A mark that may have been used stays; one that was not is cleared.
    assert (workspace.log(log_id).last_write_at is not None) == may_write
