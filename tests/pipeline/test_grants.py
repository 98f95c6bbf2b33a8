"""Grants that end, and grants that only seem to: the customer's doing is told from our own."""

import base64

import pytest

from shared.access_tokens import REFUSED_TOO_MANY
from tests.pipeline.conftest import MakeWorkspace, OpenWorker
from tests.pipeline.workspaces import Workspace
from worker.sweep import sweep

LIFETIME_S = 1800


def test_revoked_grant_asks_for_a_reconnect_which_syncs_the_calls(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    workspace.sandbox.revoke_grants(workspace.hub_id)
    workspace.advance(LIFETIME_S)
    first_id = workspace.accept()
    workspace.work()
    later_id = workspace.accept()
    sweep(workspace.worker)

    assert workspace.connection().state == "reconnect_required"
    for log_id in (first_id, later_id):
        log = workspace.log(log_id)
        assert (log.status, log.error_code) == ("error", "reconnect_required")

    workspace.connect()
    workspace.work()

    assert workspace.outcomes() == [("success", None)] * 2
    assert len(workspace.notes(contact_id)) == 2


def test_wrong_client_secret_keeps_connection_and_calls_until_it_is_mended(
    workspace: Workspace, open_worker: OpenWorker
) -> None:
    workspace.add_contact()
    workspace.advance(LIFETIME_S)
    log_id = workspace.accept()

    workspace.work(open_worker(HUBSPOT_CLIENT_SECRET="wrong"))

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("pending", "configuration_error")
    assert workspace.connection().state == "connected"

    workspace.work_after(400)
    assert workspace.outcomes() == [("success", None)]


def test_token_that_no_key_decrypts_keeps_connection_and_calls(
    workspace: Workspace, open_worker: OpenWorker
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    other_key = base64.b64encode(b"o" * 32).decode()

    workspace.work(open_worker(TOKEN_ENCRYPTION_KEYS=other_key))

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("pending", "configuration_error")
    assert workspace.connection().state == "connected"

    workspace.work_after(400)
    assert workspace.outcomes() == [("success", None)]


def refuse_in_numbers(workspaces: list[Workspace]) -> None:
    for each in workspaces:
        each.add_contact()
        each.accept()
        each.sandbox.add_fault(
            "oauth.token",
            "status",
            hub_id=each.hub_id,
            status=400,
            fields={"error": "invalid_grant", "status": "BAD_REFRESH_TOKEN"},
        )
    for each in workspaces:
        each.work()


def test_many_grants_refused_at_once_are_our_own_mistake(make_workspace: MakeWorkspace) -> None:
    workspaces = connected(make_workspace, REFUSED_TOO_MANY)
    workspaces[0].advance(LIFETIME_S)

    refuse_in_numbers(workspaces)

    assert {each.connection().state for each in workspaces} == {"connected"}
    assert {each.outcomes()[0][0] for each in workspaces} == {"pending"}

    workspaces[0].sandbox.clear_faults()
    workspaces[0].advance(400)
    for each in workspaces:
        each.work()
        assert each.outcomes() == [("success", None)]


def test_refused_grants_are_taken_at_their_word_while_others_are_refreshed(
    make_workspace: MakeWorkspace,
) -> None:
    *workspaces, healthy = connected(make_workspace, REFUSED_TOO_MANY + 1)
    healthy.accept()
    healthy.advance(LIFETIME_S)
    healthy.work()

    refuse_in_numbers(workspaces)

    assert {each.connection().state for each in workspaces} == {"reconnect_required"}


def connected(make_workspace: MakeWorkspace, count: int) -> list[Workspace]:
    workspaces = [make_workspace() for _ in range(count)]
    for each in workspaces:
        each.connect()
    return workspaces


@pytest.mark.parametrize("missing", ["crm.objects.contacts.read", "crm.objects.contacts.write"])
def test_missing_scope_is_named_and_mended_by_a_reconnect(
    workspace: Workspace, missing: str
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    granted = workspace.connection().scopes or []
    workspace.sandbox.set_scopes(workspace.hub_id, [each for each in granted if each != missing])

    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("error", "missing_scopes")
    assert "Reconnect HubSpot" in (log.error_message or "")
    assert workspace.connection().state == "connected"

    workspace.connect()
    workspace.work()

    assert workspace.outcomes() == [("success", None)]
    assert len(workspace.notes()) == 1


def test_grant_revoked_between_mark_and_write_leaves_no_doubt(workspace: Workspace) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()
    fields = {"error": "invalid_grant", "status": "BAD_REFRESH_TOKEN"}
    workspace.sandbox.add_fault("oauth.token", "status", status=400, fields=fields)
    workspace.sandbox.add_fault("notes.batch_create", "status", status=401, times=1)

    workspace.work()

    assert workspace.log(log_id).error_code == "reconnect_required"
    assert workspace.log(log_id).last_write_at is None

    workspace.sandbox.clear_faults()
    workspace.connect()
    workspace.work()
    assert len(workspace.notes(contact_id)) == 1
