"""Access tokens are renewed in time, once, and their end is told apart from our own mistakes."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.pipeline.conftest import MakeWorkspace, OpenWorker
from tests.pipeline.workspaces import Workspace
from worker.sweep import sweep
from worker.sync import TurnEnd
from worker.tokens import LONGEST_MARGIN_S, REFUSED_TOO_MANY

LIFETIME_S = 1800


def count_refreshes(workspace: Workspace) -> int:
    """The first token request of an account, that of the code, is logged without an account."""
    return len(workspace.requests("oauth.token"))


def test_token_is_refreshed_before_it_expires(workspace: Workspace) -> None:
    workspace.add_contact()
    workspace.accept()
    workspace.work()
    assert count_refreshes(workspace) == 0

    workspace.advance(LIFETIME_S - LONGEST_MARGIN_S + 1)
    workspace.accept()
    workspace.work()

    assert count_refreshes(workspace) == 1
    assert workspace.outcomes() == [("success", None)] * 2
    assert 401 not in [each.status for each in workspace.requests("notes.batch_create")]


def test_many_turns_of_one_connection_refresh_its_token_once(workspace: Workspace) -> None:
    workspace.add_contact()
    for _ in range(350):
        workspace.accept()
    workspace.advance(LIFETIME_S)
    workspace.sandbox.add_fault("oauth.token", "slow", seconds=0.3)

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda _: workspace.turn(), range(8)))
    workspace.advance(1)
    workspace.work()

    assert TurnEnd.WORKED in ends
    assert count_refreshes(workspace) == 1
    assert workspace.outcomes() == [("success", None)] * 350
    assert len(workspace.notes()) == 350


def test_refresh_token_that_hubspot_replaces_is_kept(workspace: Workspace) -> None:
    workspace.sandbox.set_behaviour(rotates_refresh_tokens=True)
    workspace.add_contact()

    for _ in range(2):
        workspace.advance(LIFETIME_S)
        workspace.accept()
        workspace.work()

    assert count_refreshes(workspace) == 2
    assert workspace.outcomes() == [("success", None)] * 2


def test_failing_refresh_is_harmless_while_the_old_token_lives(workspace: Workspace) -> None:
    workspace.add_contact()
    workspace.advance(LIFETIME_S - LONGEST_MARGIN_S + 1)
    workspace.sandbox.add_fault("oauth.token", "html")
    workspace.accept()

    workspace.work()

    assert workspace.outcomes() == [("success", None)]


@pytest.mark.parametrize("endpoint", ["contacts.search", "notes.batch_create"])
def test_token_that_hubspot_refuses_early_is_renewed_and_the_request_repeated(
    workspace: Workspace, endpoint: str
) -> None:
    workspace.add_contact()
    workspace.accept()
    workspace.sandbox.add_fault(
        endpoint, "status", times=1, status=401, category="EXPIRED_AUTHENTICATION"
    )

    workspace.work()

    assert count_refreshes(workspace) == 1
    assert [each.status for each in workspace.requests(endpoint)] in ([401, 200], [401, 201])
    assert workspace.outcomes() == [("success", None)]
    assert len(workspace.notes()) == 1


@pytest.mark.parametrize("endpoint", ["contacts.search", "notes.batch_create"])
def test_token_refused_although_it_is_new_is_retried_later(
    workspace: Workspace, endpoint: str
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault(endpoint, "status", status=401, category="INVALID_AUTHENTICATION")

    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("pending", "hubspot_unavailable")
    assert log.last_write_at is None
    assert len(workspace.requests(endpoint)) == 2

    workspace.sandbox.clear_faults()
    workspace.advance(10)
    workspace.work()
    assert workspace.outcomes() == [("success", None)]


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

    workspace.advance(400)
    workspace.work()
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

    workspace.advance(400)
    workspace.work()
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
    assert count_refreshes(healthy) == 1

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
