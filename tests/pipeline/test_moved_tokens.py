"""A ciphertext that somebody copies into another row opens nothing there."""

import pytest
from sqlalchemy import text

from tests.pipeline.conftest import MakeWorkspace
from tests.pipeline.workspaces import Workspace


@pytest.fixture
def victim(make_workspace: MakeWorkspace) -> Workspace:
    victim = make_workspace()
    victim.connect()
    return victim


def steal_tokens(thief: Workspace, victim: Workspace) -> None:
    with thief.worker.database.begin() as session:
        session.execute(
            text("""
                UPDATE hubspot_oauth_tokens thief
                SET access_token = victim.access_token, refresh_token = victim.refresh_token
                FROM hubspot_oauth_tokens victim
                WHERE thief.id = :thief AND victim.id = :victim
            """),
            {"thief": thief.connection_id, "victim": victim.connection_id},
        )


@pytest.mark.parametrize("age", [0, 1800], ids=["access token", "refresh token"])
def test_stolen_token_is_our_configurations_fault_and_nobody_has_to_reconnect(
    workspace: Workspace, victim: Workspace, age: float
) -> None:
    victim.add_contact()
    asked_before = len(victim.sandbox.requests(hub_id=victim.hub_id))
    steal_tokens(workspace, victim)
    workspace.advance(age)
    workspace.accept()

    workspace.work()

    assert workspace.outcomes() == [("pending", "configuration_error")]
    assert workspace.connection().state == "connected"
    assert len(victim.sandbox.requests(hub_id=victim.hub_id)) == asked_before


def test_stolen_token_on_the_revocation_list_revokes_nothing(
    workspace: Workspace, victim: Workspace
) -> None:
    steal_tokens(workspace, victim)
    workspace.disconnect()

    assert workspace.keep_house()["revoked"] == 0

    victim.add_contact()
    victim.accept()
    victim.work()
    assert victim.outcomes() == [("success", None)]
    assert workspace.waiting_revocations() == 1
