"""Call objects: what HubSpot shows of a call, what it refuses, and a kind that is switched."""

from typing import Any, Final

import pytest

from sandbox.client import SandboxRecord
from shared.activities.destination import ActivityKind
from shared.activities.properties import DISPOSITIONS
from shared.queue.updates import UPDATE_SETTLE_S
from tests.pipeline.workspaces import PHONE, Workspace
from worker.maintenance.sweep import sweep

RECORDING: Final = "https://cdn.example.com/rec.mp3"
DETAILS: Final = {
    "direction": "inbound",
    "outcome": "busy",
    "duration_seconds": 67,
    "recording_url": RECORDING,
    "summary": "Wants a demo.",
}


@pytest.fixture
def activity() -> ActivityKind:
    return ActivityKind.CALL


def accept(workspace: Workspace, **details: Any) -> str:
    return workspace.accept(**{**DETAILS, "from_number": PHONE, **details})


def test_call_object_shows_what_is_known_of_the_call(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = accept(workspace)

    workspace.work()

    (call,) = workspace.sandbox.calls(workspace.hub_id, contact_id=contact_id)
    log = workspace.log(log_id)
    assert (log.status, log.activity, log.engagement_id) == ("success", "call", call.id)
    assert "Wants a demo." in call.body
    assert RECORDING not in call.body
    assert (
        call.properties.items()
        >= {
            "hs_call_title": f"Inbound call from {PHONE}",
            "hs_call_direction": "INBOUND",
            "hs_call_status": "BUSY",
            "hs_call_disposition": DISPOSITIONS["Busy"],
            "hs_call_duration": "67000",
            "hs_call_from_number": PHONE,
            "hs_call_recording_url": RECORDING,
            "hs_call_external_id": log_id,
        }.items()
    )
    assert workspace.sandbox.notes(workspace.hub_id) == []


def test_disposition_that_the_account_has_deleted_costs_one_request_an_hour(
    workspace: Workspace,
) -> None:
    workspace.sandbox.set_dispositions(
        workspace.hub_id, [{"id": DISPOSITIONS["Connected"], "label": "Connected"}]
    )
    workspace.add_contact()
    busy = [accept(workspace) for _ in range(5)]
    connected = accept(workspace, outcome="completed")

    workspace.work()

    assert workspace.inputs("calls.batch_create") == [6, 5]
    calls = {each.id: each for each in workspace.notes()}
    for log_id in busy:
        call = calls[workspace.log(log_id).engagement_id or ""]
        assert "hs_call_disposition" not in call.properties
        assert "Outcome: busy" in call.body
        (notice,) = workspace.log(log_id).notices or []
        assert notice.startswith("HubSpot does not accept this call's outcome:")
    assert workspace.log(connected).notices is None
    with_outcome = calls[workspace.log(connected).engagement_id or ""]
    assert with_outcome.properties["hs_call_disposition"] == DISPOSITIONS["Connected"]

    accept(workspace)
    workspace.work()
    assert workspace.inputs("calls.batch_create") == [6, 5, 1]
    workspace.advance(3601)
    accept(workspace)
    workspace.work()
    assert workspace.inputs("calls.batch_create") == [6, 5, 1, 1, 1]
    assert len(workspace.notes()) == 8


@pytest.mark.parametrize("as_whole", [False, True], ids=["one by one", "as a whole"])
@pytest.mark.parametrize(
    "name", ["hs_call_title", "hs_call_recording_url", "hs_call_external_id", "hs_call_status"]
)
def test_property_that_the_account_lacks_is_left_out(
    workspace: Workspace, name: str, *, as_whole: bool
) -> None:
    if as_whole:
        message = f'Property "{name}" does not exist'
        workspace.sandbox.add_fault(
            "calls.batch_create", "status", status=400, times=1, message=message
        )
    else:
        workspace.hub_id = workspace.sandbox.add_account(hidden_properties=[name])
        workspace.connect()
    workspace.add_contact()
    for _ in range(3):
        accept(workspace)

    workspace.work()

    assert workspace.inputs("calls.batch_create") == [3, 3]
    assert [status for status, _ in workspace.outcomes()] == ["success"] * 3
    for call in workspace.notes():
        assert name not in call.properties
        assert (RECORDING in call.body) == (name == "hs_call_recording_url")


def test_refusal_that_names_nothing_costs_everything_that_a_call_can_do_without(
    workspace: Workspace,
) -> None:
    workspace.add_contact()
    log_id = accept(workspace)
    workspace.sandbox.add_fault(
        "calls.batch_create", "status", status=400, times=1, message="Something is not right"
    )

    workspace.work()

    (call,) = workspace.notes()
    assert workspace.log(log_id).status == "success"
    assert not [
        name for name in call.properties if name.startswith("hs_call") and name != "hs_call_body"
    ]
    assert RECORDING in call.body


def test_call_without_its_external_id_is_found_by_its_last_line(workspace: Workspace) -> None:
    workspace.hub_id = workspace.sandbox.add_account(hidden_properties=["hs_call_external_id"])
    workspace.connect()
    workspace.add_contact()
    accept(workspace)
    workspace.work()
    log_id = accept(workspace)
    workspace.sandbox.add_fault("calls.batch_create", "reset_after", times=1)

    workspace.work()
    workspace.work_after(60)

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes()) == 2
    assert workspace.requests("calls.search") == []


def test_external_id_of_another_integration_is_not_mistaken_for_ours(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = accept(workspace)
    workspace.sandbox.add_fault("calls.batch_create", "reset_after", times=1)
    workspace.work()
    (call,) = workspace.notes()
    workspace.sandbox.edit("calls", workspace.hub_id, call.id, hs_call_external_id="DIAL-77")

    workspace.work_after(60)

    assert (workspace.log(log_id).status, workspace.log(log_id).engagement_id) == (
        "success",
        call.id,
    )


def test_kind_that_is_switched_while_a_write_is_in_doubt_stays_that_of_the_call(
    workspace: Workspace,
) -> None:
    contact_id = workspace.add_contact()
    in_doubt = accept(workspace)
    workspace.sandbox.add_fault("calls.batch_create", "reset_after", times=1)
    workspace.work()

    workspace.activity = ActivityKind.NOTE
    later = accept(workspace)
    workspace.work()
    workspace.work_after(60)

    (call,) = workspace.sandbox.calls(workspace.hub_id, contact_id=contact_id)
    (note,) = workspace.sandbox.notes(workspace.hub_id, contact_id=contact_id)
    assert workspace.log(in_doubt).engagement_id == call.id
    assert workspace.log(later).engagement_id == note.id


def test_notes_and_calls_of_one_round_go_in_a_request_each(workspace: Workspace) -> None:
    workspace.add_contact()
    for kind in (ActivityKind.CALL, ActivityKind.NOTE) * 3:
        workspace.activity = kind
        accept(workspace)

    workspace.work()

    assert [each.endpoint for each in workspace.sandbox.requests(hub_id=workspace.hub_id)].count(
        "calls.batch_create"
    ) == 1
    assert workspace.inputs("notes.batch_create") == [3]
    assert len(workspace.sandbox.calls(workspace.hub_id)) == 3
    assert {status for status, _ in workspace.outcomes()} == {"success"}


def update(workspace: Workspace, log_id: str, **facts: Any) -> SandboxRecord:
    """More of a call is told; returns its Call object once it has followed."""
    said = workspace.said[log_id]
    workspace.accept(call_id=said["call_id"], **{**DETAILS, "from_number": PHONE, **facts})
    workspace.work()
    workspace.advance(UPDATE_SETTLE_S + 1)
    sweep(workspace.worker)
    workspace.work()
    (call,) = workspace.notes()
    return call


def test_late_recording_and_outcome_reach_the_properties(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = accept(workspace, recording_url=None, outcome=None)
    workspace.work()

    call = update(workspace, log_id, outcome="voicemail", summary="Later.")

    assert len(workspace.requests("calls.batch_update")) == 1
    assert "Later." in call.body
    assert call.properties["hs_call_recording_url"] == RECORDING
    assert call.properties["hs_call_disposition"] == DISPOSITIONS["Left voicemail"]


def test_property_that_a_person_changed_stays(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = accept(workspace)
    workspace.work()
    (call,) = workspace.notes()
    workspace.sandbox.edit("calls", workspace.hub_id, call.id, hs_call_status="CANCELED")

    call = update(workspace, log_id, outcome="completed", duration_seconds=90)

    assert call.properties["hs_call_status"] == "CANCELED"
    assert call.properties["hs_call_duration"] == "90000"
    assert call.properties["hs_call_disposition"] == DISPOSITIONS["Connected"]
    assert workspace.sandbox.lost_edits(workspace.hub_id) == []


def test_update_goes_on_without_what_hubspot_refuses(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = accept(workspace, outcome=None)
    workspace.work()
    workspace.sandbox.set_dispositions(workspace.hub_id, [])

    call = update(workspace, log_id, outcome="completed", summary="Later.")

    assert "hs_call_disposition" not in call.properties
    assert "Later." in call.body
    assert "Outcome: completed" in call.body
    assert len(workspace.requests("calls.batch_update")) == 2
