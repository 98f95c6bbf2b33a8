"""A real worker, started by its standard command, and cut off from Redis."""

import pytest
from sqlalchemy import text

from local.engines import Engine
from local.processes import Process
from tests.local.waiting import wait_for
from tests.pipeline.conftest import StartWorker
from tests.pipeline.workspaces import Workspace, note_ids
from worker.maintenance.recurring import DUTIES_LOCK
from worker.maintenance.sweep import NAME


@pytest.fixture(scope="module")
def running(start_worker: StartWorker) -> Process:
    """A worker process that no test of this module ends."""
    return start_worker()


def synced(workspace: Workspace, calls: int) -> bool:
    return workspace.outcomes() == [("success", None)] * calls


@pytest.mark.usefixtures("running")
def test_wake_up_alone_makes_a_note_of_a_call(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    with workspace.worker.database.begin() as session:
        session.execute(
            text("SELECT pg_advisory_xact_lock(:key, hashtext(:name))"),
            {"key": DUTIES_LOCK, "name": NAME},
        )
        log_id = workspace.accept()  # nobody sweeps meanwhile
        workspace.worker.wake_ups.wake(workspace.connection_id)
        wait_for(lambda: synced(workspace, 1))

    assert note_ids(workspace.notes(contact_id)) == [workspace.log(log_id).engagement_id]


def test_flushed_redis_delays_calls_and_loses_none(workspace: Workspace, running: Process) -> None:
    workspace.add_contact()
    running.suspend()
    workspace.accept()
    workspace.worker.wake_ups.wake(workspace.connection_id)

    workspace.worker.redis.flushdb()
    running.resume()

    wait_for(lambda: synced(workspace, 1))
    workspace.accept()
    workspace.worker.wake_ups.wake(workspace.connection_id)
    wait_for(lambda: synced(workspace, 2))
    assert len(workspace.notes()) == 2


def test_restarted_redis_delays_calls_and_loses_none(
    workspace: Workspace, running: Process, valkey: Engine
) -> None:
    workspace.add_contact()
    valkey.kill()
    workspace.accept()
    valkey.restart()

    wait_for(lambda: synced(workspace, 1))

    assert running.is_running
    assert len(workspace.notes()) == 1
