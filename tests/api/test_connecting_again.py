"""Several connections beside and after one another."""

import pytest
from flask.testing import FlaskClient

from sandbox.client import SandboxControl
from shared.database.engines import Database
from tests.api.asking import Asker
from tests.api.rows import connection_of


@pytest.fixture
def hub_id(sandbox: SandboxControl) -> int:
    return sandbox.add_account()


def test_two_users_of_one_workspace_connect_apart(
    client: FlaskClient, sandbox: SandboxControl, hub_id: int
) -> None:
    one = Asker(client)
    other = Asker(client, workspace_id=one.workspace_id)
    one.visit(sandbox.approve(one.initiate(), hub_id))
    assert one.status()["connected"] is True
    assert other.status()["connected"] is False

    other_hub = sandbox.add_account()
    other.visit(sandbox.approve(other.initiate(), other_hub))
    assert one.status()["hubId"] == str(hub_id)
    assert other.status()["hubId"] == str(other_hub)


def test_one_account_serves_two_workspaces(
    client: FlaskClient, sandbox: SandboxControl, hub_id: int
) -> None:
    one, other = Asker(client), Asker(client)
    for asker in (one, other):
        asker.visit(sandbox.approve(asker.initiate(), hub_id))
    one.ask("DELETE", "disconnect")
    assert one.status()["connected"] is False
    assert other.status()["connected"] is True


def test_reconnecting_replaces_the_tokens(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database
) -> None:
    asker.visit(sandbox.approve(asker.initiate(), hub_id))
    before = connection_of(database, asker)
    asker.visit(sandbox.approve(asker.initiate(), hub_id))
    after = connection_of(database, asker)
    assert after.id == before.id
    assert after.generation > before.generation
    assert after.access_token != before.access_token
