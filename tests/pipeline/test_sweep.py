"""The sweep finds what lost messages and dead workers left."""

import json

import pytest

from shared.broker.celery_app import SYNC_QUEUE
from shared.broker.waking import COALESCE_S
from shared.queue.claims import LEASE_S
from tests.pipeline.conftest import Interrupted, MakeWorkspace
from tests.pipeline.interruptions import SEARCH, WorkerKilledError, die
from tests.pipeline.workspaces import Workspace
from worker.maintenance.sweep import WAKE_AGAIN_S, sweep
from worker.resources import Resources


def woken(worker: Resources) -> list[str]:
    """Take what the queue holds: the connections that workers are told of, oldest first."""
    messages = []
    while (message := worker.redis.rpop(SYNC_QUEUE)) is not None:
        assert isinstance(message, bytes)
        messages.append(json.loads(message)["headers"]["argsrepr"].strip("[]'"))
    return messages


def test_connection_whose_wake_up_was_lost_is_woken(workspace: Workspace) -> None:
    workspace.accept()

    sweep(workspace.worker)

    assert woken(workspace.worker) == [workspace.connection_id]


def test_flushed_queue_is_filled_again(workspace: Workspace) -> None:
    workspace.accept()
    workspace.worker.wake_ups.wake(workspace.connection_id)
    workspace.worker.redis.flushdb()

    sweep(workspace.worker)

    assert woken(workspace.worker) == [workspace.connection_id]


def test_connection_is_woken_again_only_after_a_while(workspace: Workspace) -> None:
    workspace.accept()
    for _ in range(3):
        sweep(workspace.worker)
        workspace.worker.wake_ups.heard(workspace.connection_id)
    assert woken(workspace.worker) == [workspace.connection_id]

    workspace.advance(max(WAKE_AGAIN_S, COALESCE_S))
    sweep(workspace.worker)

    assert woken(workspace.worker) == [workspace.connection_id]


def test_nobody_is_woken_without_due_calls(workspace: Workspace) -> None:
    workspace.add_contact()
    workspace.accept()
    workspace.work()
    workspace.accept("+12025550199")
    workspace.work()  # waits for its raw look-up

    sweep(workspace.worker)

    assert woken(workspace.worker) == []


def test_paused_account_is_woken_when_the_pause_is_over(workspace: Workspace) -> None:
    workspace.accept()
    workspace.sandbox.add_fault("contacts.search", "rate_limited", times=1, policyName="DAILY")
    workspace.work()
    workspace.accept()
    sweep(workspace.worker)
    assert woken(workspace.worker) == []

    workspace.advance(1000)
    sweep(workspace.worker)

    assert woken(workspace.worker) == [workspace.connection_id]


def test_every_connection_with_due_calls_is_woken(make_workspace: MakeWorkspace) -> None:
    workspaces = [make_workspace() for _ in range(3)]
    for each in workspaces:
        each.connect()
        each.accept()

    sweep(workspaces[0].worker)

    assert sorted(woken(workspaces[0].worker)) == sorted(each.connection_id for each in workspaces)


def test_expired_claims_are_returned_and_their_connection_is_woken(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    log_ids = [workspace.accept() for _ in range(4)]
    with pytest.raises(WorkerKilledError):
        workspace.turn(interrupted(SEARCH, die))
    sweep(workspace.worker)
    assert workspace.log(log_ids[0]).claimed_by is not None

    workspace.advance(LEASE_S + 1)
    sweep(workspace.worker)

    logs = [workspace.log(log_id) for log_id in log_ids]
    assert {each.claimed_by for each in logs} == {None}
    assert {each.suspect_size for each in logs} == {3}
    assert woken(workspace.worker) == [workspace.connection_id]


def test_skipped_call_keeps_its_reason_when_the_connection_is_gone(workspace: Workspace) -> None:
    log_id = workspace.accept()
    for wait in (5, 30, 5):
        workspace.work()
        workspace.advance(wait)
    workspace.work()
    assert workspace.log(log_id).status == "skipped"
    workspace.disconnect()

    workspace.advance(600)
    sweep(workspace.worker)

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("skipped", "contact_not_found")
    # The contact may still come, and the connection too.
    assert (workspace.due_in(log_id) or 0) > 3600


def test_suspect_that_had_to_wait_for_another_is_woken_when_that_is_done(
    make_workspace: MakeWorkspace, interrupted: Interrupted
) -> None:
    one, other = make_workspace(), make_workspace()
    for each in (one, other):
        each.connect()
        each.accept()
    for _ in range(2):
        for each in (one, other):
            with pytest.raises(WorkerKilledError):
                each.turn(interrupted(SEARCH, die))
        one.advance(LEASE_S + 1)
        sweep(one.worker)
    woken(one.worker)

    # Each is to be alone, and the other one comes while it is.
    one.turn(interrupted(SEARCH, other.turn))

    assert woken(one.worker) == [other.connection_id]


def test_wake_ups_that_a_frozen_redis_was_only_asked_for_are_sent_afterwards(
    workspace: Workspace,
) -> None:
    workspace.accept()
    sweep(workspace.worker)
    woken(workspace.worker)  # as if only the keys had been set

    sweep(workspace.worker)
    assert woken(workspace.worker) == []
    sweep(workspace.worker, is_troubled=True)
    assert woken(workspace.worker) == [workspace.connection_id]
