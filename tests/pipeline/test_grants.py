"""Grants that end, and grants that only seem to: the customer's doing is told from our own."""

import base64

import pytest
from sqlalchemy import update

from shared.models import Connection
from tests.pipeline.conftest import OTHER_APP, MakeWorkspace, OpenWorker
from tests.pipeline.workspaces import Workspace
from worker.maintenance.sweep import sweep
from worker.resources import Resources

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


REFUSED = {"error": "invalid_grant", "status": "BAD_REFRESH_TOKEN"}


def call(workspaces: list[Workspace], worker: Resources | None = None) -> None:
    """Let a call of each end after its token has, and be worked on."""
    for each in workspaces:
        each.add_contact()
        each.accept()
    workspaces[0].advance(LIFETIME_S)
    for each in workspaces:
        each.work(worker)


def states(workspaces: list[Workspace]) -> list[str]:
    return [each.connection().state for each in workspaces]


def refuse(workspaces: list[Workspace]) -> None:
    """HubSpot refuses to refresh these grants, though it has not revoked them."""
    for each in workspaces:
        each.sandbox.add_fault(
            "oauth.token", "status", hub_id=each.hub_id, status=400, fields=REFUSED
        )


def forget_apps(workspace: Workspace) -> None:
    """As connections of earlier versions are: nobody noted whose app they were made with."""
    with workspace.worker.database.begin() as session:
        session.execute(update(Connection).values(client_id=None))


def assert_kept_until_mended(workspaces: list[Workspace]) -> None:
    assert states(workspaces) == ["connected"] * len(workspaces)
    sweep(workspaces[0].worker)
    assert {each.outcomes()[0][0] for each in workspaces} == {"pending"}
    workspaces[0].sandbox.clear_faults()
    workspaces[0].advance(400)
    for each in workspaces:
        each.work()
        assert each.outcomes() == [("success", None)]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_credentials_of_another_app_are_our_own_mistake(
    make_workspace: MakeWorkspace, open_worker: OpenWorker, count: int
) -> None:
    workspaces = connected(make_workspace, count)
    other = open_worker(
        HUBSPOT_CLIENT_ID=OTHER_APP.client_id, HUBSPOT_CLIENT_SECRET=OTHER_APP.client_secret
    )
    call(workspaces, other)
    for each in workspaces:
        assert each.outcomes() == [("pending", "configuration_error")]
    assert_kept_until_mended(workspaces)


def test_refreshes_before_the_mistake_do_not_make_it_the_customers(
    make_workspace: MakeWorkspace, open_worker: OpenWorker
) -> None:
    healthy, *workspaces = connected(make_workspace, 3)
    healthy.advance(LIFETIME_S)
    healthy.accept()
    healthy.work()
    other = open_worker(
        HUBSPOT_CLIENT_ID=OTHER_APP.client_id, HUBSPOT_CLIENT_SECRET=OTHER_APP.client_secret
    )
    for each in workspaces:
        each.accept()
        each.work(other)
    assert states(workspaces) == ["connected"] * 2


@pytest.mark.parametrize("count", [1, 3])
def test_wrong_secret_is_found_out_whatever_the_refusal_says(
    make_workspace: MakeWorkspace, open_worker: OpenWorker, count: int
) -> None:
    workspaces = connected(make_workspace, count)
    refuse(workspaces)
    call(workspaces, open_worker(HUBSPOT_CLIENT_SECRET="wrong"))
    assert_kept_until_mended(workspaces)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_grants_that_hubspot_calls_active_are_not_given_up(
    make_workspace: MakeWorkspace, count: int
) -> None:
    workspaces = connected(make_workspace, count)
    refuse(workspaces)
    call(workspaces)
    assert_kept_until_mended(workspaces)


@pytest.mark.parametrize("count", [2, 4])
def test_refusal_of_most_connections_is_our_own_mistake_when_nothing_else_tells(
    make_workspace: MakeWorkspace, open_worker: OpenWorker, count: int
) -> None:
    workspaces = connected(make_workspace, count)
    forget_apps(workspaces[0])
    other = open_worker(
        HUBSPOT_CLIENT_ID=OTHER_APP.client_id, HUBSPOT_CLIENT_SECRET=OTHER_APP.client_secret
    )
    call(workspaces, other)
    assert_kept_until_mended(workspaces)


def test_few_refusals_among_many_connections_are_taken_at_their_word(
    make_workspace: MakeWorkspace,
) -> None:
    workspaces = connected(make_workspace, 11)
    forget_apps(workspaces[0])
    revoked, others = workspaces[:5], workspaces[5:]
    for each in revoked:
        each.sandbox.revoke_grants(each.hub_id)
    call(revoked)
    assert states(revoked) == ["reconnect_required"] * 5
    assert states(others) == ["connected"] * 6


@pytest.mark.parametrize("count", [1, 2])
def test_all_customers_may_have_revoked_their_grants(
    make_workspace: MakeWorkspace, count: int
) -> None:
    workspaces = connected(make_workspace, count)
    for each in workspaces:
        each.sandbox.revoke_grants(each.hub_id)
    call(workspaces)
    assert states(workspaces) == ["reconnect_required"] * count


def test_refused_grant_is_kept_while_the_refusal_cannot_be_examined(workspace: Workspace) -> None:
    workspace.sandbox.revoke_grants(workspace.hub_id)
    workspace.sandbox.add_fault("oauth.introspect", "status", status=503)
    call([workspace])
    assert workspace.connection().state == "connected"
    assert workspace.outcomes() == [("pending", "hubspot_unavailable")]

    workspace.sandbox.clear_faults()
    workspace.finish()
    assert workspace.connection().state == "reconnect_required"


def test_refused_grants_are_taken_at_their_word_while_others_are_refreshed(
    make_workspace: MakeWorkspace,
) -> None:
    *workspaces, healthy = connected(make_workspace, 6)
    healthy.accept()
    healthy.advance(LIFETIME_S)
    healthy.work()
    refuse(workspaces)
    for each in workspaces:
        each.accept()
        each.work()
    assert states(workspaces) == ["reconnect_required"] * 5
    assert not any(each.requests("oauth.introspect") for each in workspaces)


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
    workspace.sandbox.revoke_grants(workspace.hub_id)
    workspace.sandbox.add_fault("notes.batch_create", "status", status=401, times=1)

    workspace.work()

    assert workspace.log(log_id).error_code == "reconnect_required"
    assert workspace.log(log_id).last_write_at is None

    workspace.sandbox.clear_faults()
    workspace.connect()
    workspace.work()
    assert len(workspace.notes(contact_id)) == 1
