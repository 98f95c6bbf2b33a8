"""After an unclear answer HubSpot is read back: a note is adopted, or written once it is ruled out.

Whatever happens, a call has one note in the end.
"""

from typing import Any

import pytest

from shared.activities.destination import ActivityKind
from shared.log.sync_logs import LogFilter, find_logs
from shared.privacy.erasure import erase_calls
from shared.privacy.persons import Person, find_calls
from tests.pipeline.interruptions import Impatience, with_adapter
from tests.pipeline.workspaces import PHONE, Workspace, assert_written_once
from worker.rounds.doubts import LATE_COMMIT_S
from worker.rounds.transitions import FIRST_READ_BACK_S

pytestmark = pytest.mark.parametrize("activity", ActivityKind)

COMMITTED: list[tuple[str, dict[str, Any]]] = [
    ("reset_after", {}),
    ("timeout_after", {"seconds": 0.1}),
    ("garbage", {}),
    ("missing_results", {"containing": "Call ID"}),
]


@pytest.mark.parametrize(("kind", "args"), COMMITTED)
def test_note_that_was_written_without_our_hearing_of_it_is_adopted(
    workspace: Workspace, kind: str, args: dict[str, Any]
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", kind, times=1, **args)

    workspace.work()
    log = workspace.log(log_id)
    assert log.status == "pending"
    assert log.last_write_at is not None
    assert "asked for the note before anything is written" in (log.error_message or "")
    workspace.work_after(FIRST_READ_BACK_S)

    assert_written_once(workspace, log_id, contact_id)
    assert len(workspace.requests("notes.batch_create")) == 1


def test_create_that_is_not_answered_in_time_is_adopted(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "timeout_after", times=1)
    impatient = with_adapter(workspace.worker, Impatience())

    with impatient.http:
        workspace.work(impatient)
    assert workspace.log(log_id).error_code == "network_error"
    workspace.work_after(FIRST_READ_BACK_S)

    assert_written_once(workspace, log_id, contact_id)


NOT_COMMITTED: list[tuple[str, dict[str, Any]]] = [
    ("reset_before", {}),
    ("status", {"status": 503}),
    ("status", {"status": 408}),
    ("html", {"status": 400}),
]


@pytest.mark.parametrize(("kind", "args"), NOT_COMMITTED)
def test_note_is_written_again_after_two_misses_of_which_the_last_is_late(
    workspace: Workspace, kind: str, args: dict[str, Any]
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    fault_id = workspace.sandbox.add_fault("notes.batch_create", kind, times=1, **args)

    workspace.work()
    workspace.work_after(FIRST_READ_BACK_S)
    assert workspace.sandbox.struck(fault_id) == 1
    assert workspace.log(log_id).read_back_misses == 1
    assert workspace.due_in(log_id) == pytest.approx(LATE_COMMIT_S - FIRST_READ_BACK_S, abs=5)
    assert workspace.notes() == []

    workspace.work_after(LATE_COMMIT_S)
    assert_written_once(workspace, log_id, contact_id)
    assert len(workspace.requests("notes.batch_create")) == 2


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_caller_of_a_note_that_was_written_again_is_still_known(
    workspace: Workspace, lost: int
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept("(202) 555-0123", summary="Said once, written again.")
    workspace.said[log_id]["phone"] = PHONE
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=lost)
    workspace.work()
    for _ in range(2 * lost):
        assert_is_known_as(workspace, log_id, PHONE)
        workspace.work_after(LATE_COMMIT_S)

    assert_written_once(workspace, log_id, contact_id)
    workspace.delete_payload(log_id)  # by the log alone, as when the retention has passed
    assert_is_known_as(workspace, log_id, PHONE)
    with workspace.worker.database.begin() as session:
        erase_calls(session, [log_id])
    assert workspace.log(log_id).phone_number is None


def assert_is_known_as(workspace: Workspace, log_id: str, phone: str) -> None:
    """The log's filter and the erasure of a person both find the call by its number."""
    wanted = LogFilter(
        user_id=workspace.user_id, workspace_id=workspace.workspace_id, phone_numbers=(phone,)
    )
    with workspace.worker.database.begin() as session:
        assert [each.id for each in find_logs(session, wanted, limit=2).logs] == [log_id]
        assert find_calls(session, Person(phone, phone), region="US").certain == {log_id}


def test_two_early_misses_are_not_enough_to_write_again(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)
    workspace.work()
    workspace.work_after(FIRST_READ_BACK_S)
    assert workspace.log(log_id).read_back_misses == 1

    workspace.make_due(log_id)
    workspace.work()

    assert workspace.log(log_id).read_back_misses == 2
    assert len(workspace.requests("notes.batch_create")) == 1
    workspace.work_after(LATE_COMMIT_S)
    assert_written_once(workspace, log_id, contact_id)


def test_one_late_miss_is_not_enough_to_write_again(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)

    workspace.work()
    workspace.work_after(LATE_COMMIT_S + 60)
    assert len(workspace.requests("notes.batch_create")) == 1
    assert workspace.log(log_id).read_back_misses == 1

    workspace.work_after(FIRST_READ_BACK_S)
    assert_written_once(workspace, log_id, contact_id)


def test_replay_by_hand_does_not_shorten_the_doubt(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)
    workspace.work()
    workspace.advance(24 * 3600)
    workspace.sandbox.add_fault("associations.batch_read", "status", status=503)
    workspace.work()
    workspace.sandbox.clear_faults()
    workspace.advance(600)

    workspace.replay(log_id)
    workspace.work()

    assert workspace.log(log_id).status == "pending"
    assert len(workspace.requests("notes.batch_create")) == 1
    workspace.finish()
    assert_written_once(workspace, log_id, contact_id)


def test_note_that_commits_ninety_seconds_late_is_adopted(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "status", status=504, times=1)
    workspace.work()
    workspace.work_after(FIRST_READ_BACK_S)
    assert workspace.log(log_id).read_back_misses == 1

    workspace.advance(80)
    workspace.write_note(log_id, contact_id)
    workspace.work_after(40)

    assert_written_once(workspace, log_id, contact_id)
    assert workspace.inputs("notes.batch_create") == [1, 1]  # the lost one, and its late commit


def test_rewrite_with_an_unclear_answer_is_in_doubt_from_its_own_time(
    workspace: Workspace,
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    fault_id = workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=2)
    workspace.work()
    workspace.work_after(FIRST_READ_BACK_S)
    workspace.work_after(LATE_COMMIT_S)
    assert workspace.sandbox.struck(fault_id) == 2

    workspace.work_after(60)
    assert workspace.log(log_id).read_back_misses == 1
    assert len(workspace.requests("notes.batch_create")) == 2
    workspace.work_after(LATE_COMMIT_S)

    assert_written_once(workspace, log_id, contact_id)


def test_neighbours_of_a_missing_result_succeed_at_once(workspace: Workspace) -> None:
    workspace.add_contact()
    lost_id = workspace.accept(summary="left out")
    kept_id = workspace.accept()
    workspace.sandbox.add_fault(
        "notes.batch_create", "missing_results", times=1, containing="left out"
    )

    workspace.work()
    assert workspace.log(kept_id).status == "success"
    assert workspace.log(lost_id).status == "pending"
    workspace.work_after(FIRST_READ_BACK_S)

    assert workspace.log(lost_id).status == "success"
    assert len(workspace.notes()) == 2
