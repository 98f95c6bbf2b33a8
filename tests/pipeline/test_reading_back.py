"""What HubSpot shows when it is read back: merged contacts, foreign words, very long timelines."""

import pytest

from shared.activities.destination import ActivityKind
from tests.pipeline.conftest import Interrupted, MakeWorkspace
from tests.pipeline.interruptions import CREATE, READ_BACK
from tests.pipeline.workspaces import Workspace, assert_written_once, note_ids
from worker.rounds.doubts import LATE_COMMIT_S
from worker.rounds.transitions import FIRST_READ_BACK_S

pytestmark = pytest.mark.parametrize("activity", ActivityKind)


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

    workspace.work_after(FIRST_READ_BACK_S)
    assert workspace.log(log_id).contact_id == deleted_id
    workspace.finish()

    assert_written_once(workspace, log_id, contact_id)
    # Nothing is written to the contact that is gone: the match is forgotten with it.
    assert len(workspace.requests("notes.batch_create")) == 2


def test_match_is_forgotten_when_the_contact_was_merged_away(workspace: Workspace) -> None:
    merged_id = workspace.add_contact()
    (survivor_id,) = workspace.sandbox.add_contacts(workspace.hub_id, [{"firstname": "Ann"}])
    workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    workspace.work()
    workspace.sandbox.merge_contacts(workspace.hub_id, primary_id=survivor_id, merged_id=merged_id)
    workspace.work_after(FIRST_READ_BACK_S)
    workspace.work_after(LATE_COMMIT_S)
    searches = len(workspace.requests("contacts.search"))

    workspace.accept()
    workspace.work()

    assert len(workspace.requests("contacts.search")) == searches + 1


def test_match_is_forgotten_when_the_contact_is_gone_before_the_second_write(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    deleted_id = workspace.add_contact()
    workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_before", times=1)
    workspace.work()
    workspace.work_after(FIRST_READ_BACK_S)
    workspace.advance(LATE_COMMIT_S)
    workspace.work(
        interrupted(CREATE, lambda: workspace.sandbox.archive_contact(workspace.hub_id, deleted_id))
    )
    creates = len(workspace.requests("notes.batch_create"))
    contact_id = workspace.add_contact()

    log_id = workspace.accept()
    workspace.work()

    assert workspace.log(log_id).contact_id == contact_id
    assert len(workspace.requests("notes.batch_create")) == creates + 1


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


def test_second_note_that_is_found_by_reading_back_is_archived(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    workspace.work()
    workspace.write_note(log_id, contact_id)
    first_id, _ = note_ids(workspace.notes(contact_id))

    workspace.work_after(FIRST_READ_BACK_S)
    workspace.keep_house()

    assert workspace.log(log_id).engagement_id == first_id
    assert_written_once(workspace, log_id, contact_id)


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
        workspace.work_after(LATE_COMMIT_S)

    assert len(workspace.requests("notes.batch_create")) == 1
    workspace.work_after(24 * 3600)
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
    workspace.work_after(FIRST_READ_BACK_S)
    workspace.advance(LATE_COMMIT_S)

    workspace.work(interrupted(READ_BACK, workspace.disconnect, is_after=True))

    assert len(workspace.requests("notes.batch_create")) == 1
