"""A grant that HubSpot has given is kept or given back, whatever comes after it."""

import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import OperationalError

from api.connecting import authorizations
from sandbox.client import SandboxControl
from shared.database.engines import Database
from shared.models import Handover, PendingGrant, Revocation, SyncLog
from shared.privacy import retention
from tests.api.asking import Asker, landing
from tests.api.conftest import ClientFactory
from tests.api.rows import add_log, connection_of
from tests.api.test_confirmation import decide, grant_in

SKIPPED: dict[str, Any] = {"status": "skipped", "error_code": "not_connected", "error_message": "x"}
MANY = 5_000


@pytest.fixture
def hub_id(sandbox: SandboxControl) -> int:
    return sandbox.add_account(secrets.randbelow(10**9))  # connected by nobody else


def fail(*_: Any, **__: Any) -> Any:
    raise OperationalError("connect", {}, Exception("away"))


def kept_grants(database: Database, asker: Asker) -> list[PendingGrant]:
    with database.begin() as session:
        return list(session.scalars(select(PendingGrant).filter_by(**asker.tenant)))


def give_up(database: Database, grant: PendingGrant) -> Revocation:
    """Let its time pass; returns how it is given back to HubSpot."""
    with database.begin() as session:
        session.execute(
            text(
                "UPDATE hubspot_pending_grants SET expires_at = now() - interval '1 s'"
                " WHERE id = :id"
            ),
            {"id": grant.id},
        )
    with database.begin() as session:
        retention.give_up_pending_grants(session)
        return session.scalars(select(Revocation).filter_by(bound_to=grant.id)).one()


@pytest.mark.parametrize("step", ["connect", "_find_ui_domain", "complete_pending_grant"])
def test_grant_outlives_whatever_fails_after_it(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database, step: str
) -> None:
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(authorizations, step, fail)
    try:
        told = landing(asker.visit(sandbox.approve(asker.initiate(), hub_id)))
    finally:
        monkeypatch.undo()
    assert told["code"] == "internal_error"
    (grant,) = kept_grants(database, asker)
    assert grant.expires_at > datetime.now(UTC)
    assert give_up(database, grant).hub_id == hub_id

    assert landing(asker.visit(sandbox.approve(asker.initiate(), hub_id)))["hubspot"] == "connected"


def test_connecting_leaves_no_grant_behind(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database
) -> None:
    asker.visit(sandbox.approve(asker.initiate(), hub_id))
    assert kept_grants(database, asker) == []
    assert connection_of(database, asker).client_id == "client-id"


def test_confirmation_that_fails_may_be_repeated(
    make_client: ClientFactory,
    sandbox: SandboxControl,
    hub_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asker = Asker(make_client(OAUTH_BINDING="confirm"))
    grant = grant_in(asker.visit(sandbox.approve(asker.initiate(), hub_id)))
    monkeypatch.setattr(authorizations, "connect", fail)
    assert landing(decide(asker, grant))["code"] == "internal_error"
    monkeypatch.undo()
    assert landing(decide(asker, grant))["hubspot"] == "connected"


def test_account_that_the_grant_does_not_name_is_asked_for(
    asker: Asker, sandbox: SandboxControl, hub_id: int
) -> None:
    sandbox.set_behaviour(names_account=False)
    assert landing(asker.visit(sandbox.approve(asker.initiate(), hub_id)))["hubspot"] == "connected"
    assert asker.status()["hubId"] == str(hub_id)


def test_grant_of_an_account_that_nobody_names_is_given_back(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database
) -> None:
    sandbox.set_behaviour(names_account=False)
    sandbox.add_fault("oauth.introspect", "status", status=503)
    told = landing(asker.visit(sandbox.approve(asker.initiate(), hub_id)))
    assert told["code"] == "hubspot_unavailable"
    (grant,) = kept_grants(database, asker)
    assert grant.expires_at <= datetime.now(UTC)
    assert give_up(database, grant).hub_id is None


def test_callback_moves_one_page_of_what_waited_after_the_grant_is_stored(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database
) -> None:
    with database.begin() as session:
        session.execute(
            text("""
                INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, status,
                                               error_code, error_message, next_attempt_at)
                SELECT 'hs_' || :user_id || n, :user_id, :workspace_id, 'call_' || n, 'skipped',
                       'not_connected', 'x', NULL
                FROM generate_series(1, :count) AS n
            """),
            {**asker.tenant, "count": MANY},
        )
    transactions: list[int] = []
    url = sandbox.approve(asker.initiate(), hub_id)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "UPDATE hubspot_sync_logs" in statement:
            transactions.append(connected())

    def connected() -> int:
        """What another session sees: whether the grant is stored already."""
        with database.read() as session:
            found = session.execute(
                text(
                    "SELECT count(*) FROM hubspot_oauth_tokens WHERE user_id = :user_id"
                    " AND state = 'connected'"
                ),
                {"user_id": asker.user_id},
            )
            return int(found.scalar_one())

    event.listen(database.engine, "after_cursor_execute", note)
    try:
        assert landing(asker.visit(url))["hubspot"] == "connected"
    finally:
        event.remove(database.engine, "after_cursor_execute", note)
    assert transactions == [1]
    with database.begin() as session:
        pending = session.query(SyncLog).filter_by(**asker.tenant, status="pending").count()
        left = (
            session.query(Handover)
            .filter_by(connection_id=connection_of(database, asker).id)
            .count()
        )
    assert 0 < pending < MANY
    assert left == 3


def test_connecting_does_not_need_the_handover_to_succeed(
    asker: Asker,
    sandbox: SandboxControl,
    hub_id: int,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_id = add_log(database, asker, **SKIPPED)
    monkeypatch.setattr(authorizations, "move_page", fail)
    assert landing(asker.visit(sandbox.approve(asker.initiate(), hub_id)))["hubspot"] == "connected"
    assert asker.get(f"sync-logs/{log_id}")["log"]["status"] == "skipped"
