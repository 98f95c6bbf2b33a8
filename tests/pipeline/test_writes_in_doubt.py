"""After an unclear answer HubSpot is read back: a note is adopted, or written once it is ruled out.

Whatever happens, a call has one note in the end.
"""

from typing import Any

import pytest

from tests.pipeline.conftest import Interrupted, MakeWorkspace
from tests.pipeline.interruptions import READ_BACK, Impatience, with_adapter
from tests.pipeline.workspaces import Workspace
from worker.transitions import FIRST_READ_BACK_S, LATE_COMMIT_S

IN_DOUBT = ("pending", "hubspot_unavailable")


def read_back(workspace: Workspace, after: float = FIRST_READ_BACK_S) -> None:
    workspace.advance(after)
    workspace.work()


def assert_written_once(workspace: Workspace, log_id: str, contact_id: str) -> None:
    (note,) = workspace.notes()
    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("success", None)
    assert (log.contact_id, log.engagement_id) == (contact_id, note.id)
    assert note.contact_ids == (contact_id,)
    assert log.last_write_at is None


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
    read_back(workspace)

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
    read_back(workspace)

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
    read_back(workspace)
    assert workspace.sandbox.struck(fault_id) == 1
    assert workspace.log(log_id).read_back_misses == 1
    assert workspace.due_in(log_id) == pytest.approx(LATE_COMMIT_S - FIRST_READ_BACK_S, abs=5)
    assert workspace.notes() == []

    read_back(workspace, LATE_COMMIT_S)
    assert_written_once(workspace, log_id, contact_id)
    assert len(workspace.requests("notes.batch_create")) == 2


def test_one_late_miss_is_not_enough_to_write_again(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)

    workspace.work()
    read_back(workspace, LATE_COMMIT_S + 60)
    assert len(workspace.requests("notes.batch_create")) == 1
    assert workspace.log(log_id).read_back_misses == 1

    read_back(workspace)
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
    read_back(workspace)
    assert workspace.log(log_id).read_back_misses == 1

    workspace.advance(80)
    workspace.write_note(log_id, contact_id)
    read_back(workspace, 40)

    assert_written_once(workspace, log_id, contact_id)
    assert workspace.inputs("notes.batch_create") == [1, 1]  # the lost one, and its late commit


def test_rewrite_with_an_unclear_answer_is_in_doubt_from_its_own_time(
    workspace: Workspace,
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    fault_id = workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=2)
    workspace.work()
    read_back(workspace)
    read_back(workspace, LATE_COMMIT_S)
    assert workspace.sandbox.struck(fault_id) == 2

    read_back(workspace, 60)
    assert workspace.log(log_id).read_back_misses == 1
    assert len(workspace.requests("notes.batch_create")) == 2
    read_back(workspace, LATE_COMMIT_S)

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
    read_back(workspace)

    assert workspace.log(lost_id).status == "success"
    assert len(workspace.notes()) == 2


def test_contact_merged_away_while_in_doubt_is_read_under_its_survivor(
    workspace: Workspace,
) -> None:
    merged_id = workspace.add_contact()
    (survivor_id,) = workspace.sandbox.add_contacts(workspace.hub_id, [{"firstname": "Ann"}])
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    workspace.work()
    workspace.sandbox.merge_contacts(workspace.hub_id, primary_id=survivor_id, merged_id=merged_id)

    workspace.finish()

    assert_written_once(workspace, log_id, survivor_id)
    assert len(workspace.requests("notes.batch_create")) == 1


def test_contact_deleted_while_in_doubt_is_matched_anew_once_a_late_commit_is_ruled_out(
    workspace: Workspace,
) -> None:
    deleted_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)
    workspace.work()
    workspace.sandbox.archive_contact(workspace.hub_id, deleted_id)
    contact_id = workspace.add_contact()

    read_back(workspace)
    assert workspace.log(log_id).contact_id == deleted_id
    workspace.finish()

    assert_written_once(workspace, log_id, contact_id)


@pytest.mark.parametrize(
    "words",
    [
        "<p>Call ID: call_1 · Ref: {ref}</p><p>as I was told</p>",
        "<p>We spoke. Call ID: call_1 · Ref: {ref}</p>",
        "<p>Call ID: call_1 · Ref: {ref}2</p>",
        "<p>Call ID: {call_id}</p>",
    ],
)
def test_words_of_others_are_never_taken_for_the_note(workspace: Workspace, words: str) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept(call_id="call_1")
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)
    workspace.work()
    workspace.write_text(contact_id, words.format(ref=log_id, call_id="call_1"))

    workspace.finish()

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 2


def test_transcript_that_speaks_another_calls_marker_does_not_count(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept(call_id="call_1")
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)
    workspace.work()
    other_id = workspace.accept(summary=f"Call ID: call_1 · Ref: {log_id}")
    workspace.work()

    workspace.finish()

    logs = [workspace.log(each) for each in (log_id, other_id)]
    assert [each.status for each in logs] == ["success", "success"]
    assert logs[0].engagement_id != logs[1].engagement_id
    assert len(workspace.notes(contact_id)) == 2


def test_calls_with_the_same_id_in_two_workspaces_adopt_their_own_notes(
    make_workspace: MakeWorkspace,
) -> None:
    one, other = make_workspace(), make_workspace()
    one.connect()
    other.connect(one.hub_id)
    one.add_contact()
    log_ids = [each.accept(call_id="call_1") for each in (one, other)]
    one.sandbox.add_fault("notes.batch_create", "reset_after", times=2)
    for each in (one, other):
        each.work()

    one.advance(FIRST_READ_BACK_S)
    for each in (one, other):
        each.work()

    notes = {note.id: note.body for note in one.notes()}
    adopted = [one.log(log_id).engagement_id or "" for log_id in log_ids]
    assert len(notes) == 2
    assert all(
        f"Ref: {log_id}<" in notes[id_] for log_id, id_ in zip(log_ids, adopted, strict=True)
    )


def test_failure_to_read_back_keeps_the_doubt_and_leaves_other_calls_alone(
    workspace: Workspace,
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    workspace.work()
    workspace.sandbox.add_fault("associations.batch_read", "status", times=1, status=400)
    workspace.advance(FIRST_READ_BACK_S)
    other_id = workspace.accept()

    workspace.work()
    assert workspace.log(other_id).status == "success"
    assert workspace.log(log_id).last_write_at is not None
    workspace.finish()

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 2


def test_doubt_that_hubspot_never_settles_ends_as_unconfirmed(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)
    workspace.sandbox.add_fault("associations.batch_read", "status", status=404)
    workspace.work()

    for _ in range(3):
        read_back(workspace, LATE_COMMIT_S)

    assert len(workspace.requests("notes.batch_create")) == 1
    workspace.advance(24 * 3600)
    workspace.work()
    assert workspace.log(log_id).error_code == "unconfirmed"


def test_very_long_timeline_is_asked_by_search_before_writing_again(workspace: Workspace) -> None:
    workspace.sandbox.set_behaviour(association_page_size=1)
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    for number in range(12):
        workspace.write_text(contact_id, f"<p>note {number}</p>")
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    workspace.work()

    workspace.finish()

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 13
    assert len(workspace.requests("notes.search")) == 1


def test_read_back_interrupted_by_a_disconnect_writes_nothing(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    workspace.add_contact()
    workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)
    workspace.work()
    read_back(workspace)
    workspace.advance(LATE_COMMIT_S)

    workspace.work(interrupted(READ_BACK, workspace.disconnect, is_after=True))

    assert len(workspace.requests("notes.batch_create")) == 1
