"""A worker freezes until others have done its work, writes after all, and gets no answer."""

from collections.abc import Callable

import pytest

from shared.activities.destination import ActivityKind
from shared.queue.claims import LEASE_S
from shared.queue.strays import LOOK_EVERY_S
from tests.pipeline.conftest import Interrupted
from tests.pipeline.interruptions import CREATE
from tests.pipeline.workspaces import TRIES_ALONE, Workspace, assert_written_once
from worker.maintenance.sweep import sweep
from worker.rounds.doubts import LATE_COMMIT_S

pytestmark = pytest.mark.parametrize("activity", ActivityKind)

SETTLED = "strays_settled"


def be_overtaken(workspace: Workspace) -> None:
    """Freeze until the claim is lost, two read-backs have missed, and another one has written."""
    workspace.advance(LEASE_S + 1)
    for wait in (1, LATE_COMMIT_S, LATE_COMMIT_S):
        sweep(workspace.worker)
        workspace.work()
        workspace.advance(wait)


@pytest.fixture
def write_late(workspace: Workspace, interrupted: Interrupted) -> Callable[[str], None]:
    """Plays the frozen worker; `kind` is what becomes of its create."""

    def write(kind: str) -> None:
        def wake() -> None:
            be_overtaken(workspace)
            workspace.sandbox.add_fault("notes.batch_create", kind, times=1)

        workspace.turn(interrupted(CREATE, wake))

    return write


WriteLate = Callable[[str], None]


def test_second_note_of_which_nobody_heard_is_archived(
    workspace: Workspace, write_late: WriteLate
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    write_late("reset_after")
    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 2

    assert workspace.keep_house()["strays_archived"] == 1

    assert_written_once(workspace, log_id, contact_id)


def test_late_write_that_came_to_nothing_is_settled_by_two_looks(
    workspace: Workspace, write_late: WriteLate
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    write_late("reset_before")

    assert workspace.keep_house()[SETTLED] == 0
    workspace.advance(LOOK_EVERY_S)
    assert workspace.keep_house()[SETTLED] == 1
    workspace.advance(LOOK_EVERY_S)
    assert workspace.keep_house()[SETTLED] == 0

    assert_written_once(workspace, log_id, contact_id)


def test_late_write_is_looked_for_until_it_cannot_commit_any_more(
    workspace: Workspace, write_late: WriteLate
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    write_late("reset_before")
    assert workspace.keep_house()["strays_archived"] == 0

    workspace.write_note(log_id, contact_id)  # the create commits only now
    workspace.advance(LOOK_EVERY_S)
    assert workspace.keep_house()["strays_archived"] == 1

    assert_written_once(workspace, log_id, contact_id)


def test_late_note_of_a_call_that_was_given_up_is_adopted(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept(summary="a bad one")

    def be_refused() -> None:
        workspace.sandbox.add_fault(
            "notes.batch_create",
            "status",
            times=TRIES_ALONE[workspace.activity],
            status=400,
            category="VALIDATION_ERROR",
        )
        be_overtaken(workspace)
        assert workspace.log(log_id).error_code == "rejected_by_hubspot"
        workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)

    workspace.turn(interrupted(CREATE, be_refused))
    assert workspace.log(log_id).status == "error"
    workspace.keep_house()

    assert_written_once(workspace, log_id, contact_id)


def test_late_note_is_found_on_the_survivor_of_a_merge(
    workspace: Workspace, write_late: WriteLate
) -> None:
    merged_id = workspace.add_contact()
    (survivor_id,) = workspace.sandbox.add_contacts(workspace.hub_id, [{"firstname": "Ann"}])
    workspace.accept()
    write_late("reset_after")
    workspace.sandbox.merge_contacts(workspace.hub_id, primary_id=survivor_id, merged_id=merged_id)

    for _ in range(3):
        workspace.keep_house()
        workspace.advance(LOOK_EVERY_S)

    assert len(workspace.notes()) == 1
