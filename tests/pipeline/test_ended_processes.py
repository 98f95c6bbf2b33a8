"""Worker processes that are ended in the middle of a batch: another one finishes it."""

from shared.queue.claims import LEASE_S
from tests.local.waiting import GUARD_SECONDS, wait_for
from tests.pipeline.conftest import StartWorker
from tests.pipeline.workspaces import Workspace


def start_batch(workspace: Workspace, calls: int) -> None:
    """Let a worker begin a turn whose search takes a while."""
    workspace.add_contact()
    for _ in range(calls):
        workspace.accept()
    fault_id = workspace.sandbox.add_fault("contacts.search", "slow", times=1, seconds=0.5)
    workspace.worker.wake_ups.wake(workspace.connection_id)
    wait_for(lambda: workspace.sandbox.struck(fault_id) == 1)


def test_terminated_worker_gives_its_calls_back_to_another(
    workspace: Workspace, start_worker: StartWorker
) -> None:
    process = start_worker()
    start_batch(workspace, calls=5)

    process.terminate()
    process.wait(GUARD_SECONDS)

    logs = workspace.logs()
    assert {each.claimed_by for each in logs} == {None}
    assert {each.suspect_size for each in logs} == {None}
    assert workspace.notes() == []

    another = start_worker()
    wait_for(lambda: workspace.outcomes() == [("success", None)] * 5)
    another.stop()
    assert len(workspace.notes()) == 5


def test_killed_workers_calls_are_taken_up_by_another(
    workspace: Workspace, start_worker: StartWorker
) -> None:
    process = start_worker()
    start_batch(workspace, calls=1)

    process.kill()

    assert None not in {each.claimed_by for each in workspace.logs()}
    workspace.advance(LEASE_S + 1)
    another = start_worker()
    wait_for(lambda: workspace.outcomes() == [("success", None)])
    another.stop()
    assert len(workspace.notes()) == 1
