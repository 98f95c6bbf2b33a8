"""Definite answers to a create: what HubSpot refuses is told apart from what it wrote."""

import pytest

from shared.activities.destination import ActivityKind
from tests.pipeline.conftest import Interrupted
from tests.pipeline.interruptions import CREATE
from tests.pipeline.workspaces import TRIES_ALONE, Workspace

pytestmark = pytest.mark.parametrize("activity", ActivityKind)


@pytest.mark.parametrize("kind", ["partial", "errors_in_2xx"])
def test_rejected_note_fails_alone_and_says_why(workspace: Workspace, kind: str) -> None:
    contact_id = workspace.add_contact()
    good_ids = [workspace.accept() for _ in range(2)]
    bad_id = workspace.accept(summary="a bad one")
    workspace.sandbox.add_fault(
        "notes.batch_create", kind, containing="a bad one", message="Deal stage is required"
    )

    workspace.work()

    log = workspace.log(bad_id)
    assert (log.status, log.error_code) == ("error", "rejected_by_hubspot")
    assert log.error_message == "Deal stage is required"
    (attempt,) = workspace.attempts(bad_id)
    assert attempt.http_status in {201, 207}
    assert {workspace.log(log_id).status for log_id in good_ids} == {"success"}
    assert len(workspace.notes(contact_id)) == 2


def test_rejection_keeps_hubspots_correlation_id(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "status", status=400, message="No such thing")

    workspace.work()

    (attempt,) = workspace.attempts(log_id)
    assert (attempt.outcome, attempt.http_status) == ("error", 400)
    assert attempt.correlation_id
    assert workspace.log(log_id).error_message == "No such thing"


def test_batch_refused_whole_is_halved_until_the_bad_note_is_alone(workspace: Workspace) -> None:
    workspace.add_contact()
    for _ in range(4):
        workspace.accept()
    alone = TRIES_ALONE[workspace.activity]
    # Refused are the batch, its first half, and the first call of that.
    workspace.sandbox.add_fault("notes.batch_create", "status", status=400, times=2 + alone)

    workspace.work()

    assert workspace.inputs("notes.batch_create") == [4, 2, *[1] * alone, 1, 2]
    assert workspace.outcomes() == [("error", "rejected_by_hubspot")] + [("success", None)] * 3
    assert len(workspace.notes()) == 3


def test_answer_without_trace_ids_is_matched_by_the_notes_last_lines(workspace: Workspace) -> None:
    workspace.add_contact()
    log_ids = [workspace.accept() for _ in range(3)]
    workspace.sandbox.add_fault("notes.batch_create", "drop_trace_ids")

    workspace.work()

    bodies = {note.id: note.body for note in workspace.notes()}
    assert len(bodies) == 3
    for log_id in log_ids:
        assert f"Ref: {log_id}<" in bodies[workspace.log(log_id).engagement_id or ""]
    assert workspace.requests("associations.batch_read") == []


def test_contact_deleted_after_the_search_is_matched_anew(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    older_id = workspace.add_contact()
    workspace.advance(60)
    newer_id = workspace.add_contact()
    log_id = workspace.accept()

    def delete_contact() -> None:
        workspace.sandbox.archive_contact(workspace.hub_id, newer_id)

    workspace.work(interrupted(CREATE, delete_contact))
    assert workspace.log(log_id).status == "pending"
    assert workspace.log(log_id).last_write_at is None

    workspace.work_after(5)
    assert workspace.log(log_id).contact_id == older_id
    assert len(workspace.notes(older_id)) == 1


def test_contact_merged_after_the_search_is_matched_anew(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    merged_id = workspace.add_contact()
    (survivor_id,) = workspace.sandbox.add_contacts(workspace.hub_id, [{"firstname": "Ann"}])
    log_id = workspace.accept()

    def merge_contacts() -> None:
        workspace.sandbox.merge_contacts(
            workspace.hub_id, primary_id=survivor_id, merged_id=merged_id
        )

    workspace.work(interrupted(CREATE, merge_contacts))
    workspace.work_after(5)

    assert workspace.log(log_id).contact_id == survivor_id
    assert len(workspace.notes(survivor_id)) == 1


def test_known_caller_whose_contact_was_deleted_is_searched_again(workspace: Workspace) -> None:
    deleted_id = workspace.add_contact()
    workspace.accept()
    workspace.work()
    contact_id = workspace.add_contact()
    workspace.sandbox.archive_contact(workspace.hub_id, deleted_id)

    log_id = workspace.accept()
    workspace.work()
    workspace.work_after(5)

    assert workspace.log(log_id).contact_id == contact_id
    assert len(workspace.notes(contact_id)) == 1


def test_notes_too_long_for_one_request_are_sent_in_several(workspace: Workspace) -> None:
    workspace.add_contact()
    for _ in range(20):
        workspace.accept(transcript=[{"role": "user", "text": "word " * 20_000}])

    workspace.work()

    assert workspace.outcomes() == [("success", None)] * 20
    assert len(workspace.requests("notes.batch_create")) > 1
    assert all(each.request_bytes < 1_000_000 for each in workspace.requests("notes.batch_create"))
