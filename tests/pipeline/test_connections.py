"""Connections come and go while calls wait: no note goes where it must not, and none is lost."""

import pytest
from sqlalchemy import update

from shared.models import Revocation
from shared.queue.claims import LEASE_S
from tests.pipeline.conftest import Interrupted, MakeWorkspace
from tests.pipeline.interruptions import SEARCH
from tests.pipeline.workspaces import Workspace
from worker.maintenance.sweep import sweep
from worker.rounds.reports import RoundEnd


def test_call_of_a_workspace_that_was_never_connected_is_skipped(
    make_workspace: MakeWorkspace,
) -> None:
    workspace = make_workspace()
    log_id = workspace.accept()

    sweep(workspace.worker)

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("skipped", "not_connected")
    assert "Calls of the last 7 days" in (log.error_message or "")


def test_calls_of_the_last_week_are_synced_when_the_workspace_connects(
    make_workspace: MakeWorkspace,
) -> None:
    workspace = make_workspace()
    contact_id = workspace.add_contact()
    old_id = workspace.accept()
    sweep(workspace.worker)
    workspace.advance(8 * 24 * 3600)
    log_id = workspace.accept()
    sweep(workspace.worker)

    workspace.connect()
    workspace.work()

    assert workspace.log(log_id).status == "success"
    assert workspace.log(old_id).error_code == "not_connected"
    assert len(workspace.notes(contact_id)) == 1


def test_calls_that_wait_when_the_workspace_disconnects_are_skipped_and_come_back(
    workspace: Workspace,
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.disconnect()

    assert workspace.turn() == RoundEnd.NOT_CONNECTED
    sweep(workspace.worker)
    assert workspace.log(log_id).error_code == "not_connected"
    assert workspace.notes() == []

    workspace.connect()
    workspace.work()
    assert workspace.log(log_id).status == "success"


def test_no_write_starts_after_a_disconnect(workspace: Workspace, interrupted: Interrupted) -> None:
    workspace.add_contact()
    log_id = workspace.accept()

    workspace.turn(interrupted(SEARCH, workspace.disconnect, is_after=True))
    sweep(workspace.worker)

    assert workspace.requests("notes.batch_create") == []
    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("skipped", "not_connected")
    assert (log.last_write_at, log.suspect_size) == (None, None)


def test_turn_that_began_before_a_reconnect_writes_nothing_with_the_old_tokens(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    workspace.add_contact()
    workspace.accept()

    def reconnect() -> None:
        workspace.disconnect()
        workspace.connect()

    workspace.turn(interrupted(SEARCH, reconnect, is_after=True))
    assert workspace.requests("notes.batch_create") == []

    workspace.work()
    assert workspace.outcomes() == [("success", None)]
    assert len(workspace.notes()) == 1


def test_write_in_doubt_stays_unconfirmed_when_another_account_is_connected(
    workspace: Workspace,
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    workspace.work()
    first_hub_id = workspace.hub_id

    workspace.connect(workspace.sandbox.add_account())
    workspace.add_contact()
    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("error", "unconfirmed")
    assert log.hub_id == first_hub_id
    assert workspace.notes() == []


def test_replayed_doubt_about_another_account_writes_nothing(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    workspace.work()
    first_hub_id = workspace.hub_id
    workspace.connect(workspace.sandbox.add_account())
    workspace.add_contact()

    workspace.replay(log_id)
    workspace.work()

    assert workspace.log(log_id).error_code == "unconfirmed"
    assert workspace.notes() == []

    workspace.connect(first_hub_id)
    workspace.replay(log_id)
    workspace.work()
    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes()) == 1


def test_calls_that_waited_for_one_account_do_not_go_to_another(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.connect(workspace.sandbox.add_account())
    contact_id = workspace.add_contact()

    workspace.work()
    assert workspace.log(log_id).error_code == "not_connected"
    assert workspace.notes() == []

    workspace.replay(log_id)
    workspace.work()
    assert len(workspace.notes(contact_id)) == 1


@pytest.mark.parametrize("age", [30, 100_000])
def test_disconnect_tells_hubspot_and_erases_the_tokens(workspace: Workspace, age: float) -> None:
    workspace.disconnect()
    workspace.advance(age)  # the access token lives, or a new one is needed for the farewell

    assert workspace.keep_house()["revoked"] == 1

    assert [each.status for each in workspace.requests("oauth.uninstall")] == [204]
    assert workspace.waiting_revocations() == 0
    assert workspace.keep_house()["revoked"] == 0


def test_grant_that_a_person_ended_in_hubspot_needs_no_revocation(workspace: Workspace) -> None:
    workspace.sandbox.revoke_grants(workspace.hub_id)
    workspace.disconnect()
    workspace.advance(LEASE_S)

    workspace.keep_house()

    assert workspace.waiting_revocations() == 0


def test_account_that_another_workspace_uses_is_not_uninstalled(
    workspace: Workspace, make_workspace: MakeWorkspace
) -> None:
    other = make_workspace()
    other.connect(workspace.hub_id)
    other.add_contact()

    workspace.disconnect()
    workspace.advance(LEASE_S)
    workspace.keep_house()

    assert workspace.waiting_revocations() == 0
    assert workspace.requests("oauth.uninstall", "oauth.revoke") == []
    other.accept()
    other.work()
    assert other.outcomes() == [("success", None)]


def test_account_connected_again_before_housekeeping_is_not_uninstalled(
    workspace: Workspace,
) -> None:
    workspace.add_contact()
    workspace.disconnect()
    workspace.connect()
    workspace.advance(LEASE_S)

    assert workspace.keep_house()["revoked"] == 0

    assert workspace.waiting_revocations() == 0
    assert workspace.requests("oauth.uninstall", "oauth.revoke") == []
    workspace.accept()
    workspace.work()
    assert workspace.outcomes() == [("success", None)]


def test_revocation_that_fails_is_tried_again_for_a_day(workspace: Workspace) -> None:
    workspace.disconnect()
    workspace.advance(LEASE_S)
    workspace.sandbox.add_fault("oauth.uninstall", "status", status=503, times=1)
    assert workspace.keep_house()["revoked"] == 0
    assert workspace.waiting_revocations() == 1

    workspace.advance(3600)
    assert workspace.keep_house()["revoked"] == 1
    assert workspace.waiting_revocations() == 0


def test_revocation_that_fails_for_a_day_is_given_up_and_the_tokens_erased(
    workspace: Workspace,
) -> None:
    workspace.disconnect()
    workspace.sandbox.add_fault("oauth.token", "status", status=503)
    workspace.advance(25 * 3600)

    assert workspace.keep_house()["revoked"] == 0

    assert workspace.waiting_revocations() == 0


def test_grant_of_an_account_that_nobody_named_is_revoked(workspace: Workspace) -> None:
    workspace.disconnect()
    with workspace.worker.database.begin() as session:
        session.execute(update(Revocation).values(hub_id=None))
    workspace.advance(LEASE_S)
    workspace.sandbox.add_fault("oauth.introspect", "status", status=503, times=1)
    assert workspace.keep_house()["revoked"] == 0
    assert workspace.waiting_revocations() == 1

    workspace.advance(3600)
    assert workspace.keep_house()["revoked"] == 1
    assert [each.status for each in workspace.requests("oauth.uninstall")] == [204]
    assert workspace.waiting_revocations() == 0


def test_grant_of_an_account_that_nobody_named_is_kept_while_another_workspace_uses_it(
    workspace: Workspace, make_workspace: MakeWorkspace
) -> None:
    workspace.disconnect()
    with workspace.worker.database.begin() as session:
        session.execute(update(Revocation).values(hub_id=None))
    make_workspace().connect(workspace.hub_id)
    workspace.advance(LEASE_S)
    assert workspace.keep_house()["revoked"] == 0
    assert workspace.requests("oauth.uninstall", "oauth.revoke") == []
    assert workspace.waiting_revocations() == 0


def test_calls_are_handed_over_by_the_sweep(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()
    workspace.add_contact()
    workspace.accept()
    sweep(workspace.worker)
    workspace.begin_connecting()
    assert workspace.outcomes() == [("skipped", "not_connected")]
    sweep(workspace.worker)
    workspace.work()
    assert workspace.outcomes() == [("success", None)]


def test_no_call_is_claimed_while_those_of_the_earlier_account_are_parted(
    workspace: Workspace,
) -> None:
    workspace.add_contact()
    workspace.accept()
    workspace.begin_connecting(workspace.sandbox.add_account())
    workspace.add_contact()
    new_id = workspace.accept()

    assert workspace.turn() == RoundEnd.PUT_OFF
    assert workspace.notes() == []

    sweep(workspace.worker)
    workspace.work()
    assert [each.id for each in workspace.logs() if each.status == "success"] == [new_id]
    assert len(workspace.notes()) == 1
