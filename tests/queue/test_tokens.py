"""A connection's tokens as workers share them, and grants that HubSpot must be told to forget."""

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from shared.connections.revocations import forget_revocation, is_hub_in_use, take_revocation
from shared.connections.tokens import lock_token, read_token, store_token
from shared.models import Connection, Revocation
from shared.queue.claims import LEASE_S
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import HUB, Tenant, ago, grant

_MINUTE = timedelta(seconds=60)


def test_token_is_read_with_its_age(tenant: Tenant) -> None:
    connection = tenant.connect(grant(expires_in=1800))
    with tenant.database.begin() as session:
        session.execute(
            update(Connection).values(
                expires_at=Connection.expires_at - _MINUTE,
                refreshed_at=Connection.refreshed_at - _MINUTE,
            )
        )
    with tenant.database.begin() as session:
        stored = read_token(session, connection.id)
    assert stored is not None
    assert stored.access_token == connection.access_token
    assert stored.lifetime == 1800
    assert stored.expires_in == pytest.approx(1740, abs=5)
    assert "access" not in repr(stored)


def test_connection_that_is_not_live_has_no_token(tenant: Tenant) -> None:
    connection = tenant.connect()
    tenant.disconnect()
    with tenant.database.begin() as session:
        assert read_token(session, connection.id) is None
        assert read_token(session, "hc_unknown") is None


def test_second_refresher_is_turned_away_and_nobody_else_waits(tenant: Tenant) -> None:
    connection = tenant.connect()
    with tenant.database.begin() as refresher:
        assert lock_token(refresher, connection.id)
        with tenant.database.begin() as session:
            session.execute(text("SET LOCAL lock_timeout = '1s'"))
            assert not lock_token(session, connection.id)
            assert read_token(session, connection.id) is not None
        assert len(tenant.store()) == 1
        tenant.disconnect()
    tenant.connect()
    with tenant.database.begin() as session:
        assert lock_token(session, connection.id)


@pytest.mark.parametrize("is_connected_anew", [False, True])
def test_token_refreshed_for_an_ended_connection_is_not_stored(
    tenant: Tenant, is_connected_anew: bool
) -> None:
    connection = tenant.connect()
    tenant.disconnect()
    if is_connected_anew:
        tenant.connect()
    with tenant.database.begin() as session:
        assert not store_token(
            session,
            connection.id,
            version=connection.token_version,
            access_token="a2",
            refresh_token="r2",
            expires_in=600,
        )


def test_stored_token_is_a_new_version(tenant: Tenant) -> None:
    connection = tenant.connect()
    with tenant.database.begin() as session:
        assert store_token(
            session,
            connection.id,
            version=connection.token_version,
            access_token="a2",
            refresh_token="r2",
            expires_in=600,
        )
    with tenant.database.begin() as session:
        stored = read_token(session, connection.id)
    assert stored is not None
    assert (stored.access_token, stored.refresh_token) == ("a2", "r2")
    assert (stored.version, stored.lifetime) == (connection.token_version + 1, 600)


def test_revocation_comes_again_ever_later_until_it_is_forgotten(tenant: Tenant) -> None:
    tenant.connect()
    tenant.disconnect()
    for attempts, wait in ((1, 60), (2, 120), (3, 240), (9, 3600)):
        with tenant.database.begin() as session:
            session.execute(
                update(Revocation).values(next_attempt_at=ago(1), attempts=attempts - 1)
            )
        with tenant.database.begin() as session:
            due = take_revocation(session)
            assert due is not None
            assert (due.attempts, due.hub_id) == (attempts, HUB)
            assert take_revocation(session) is None
            seconds = session.execute(
                text("SELECT extract(epoch FROM next_attempt_at - now()) FROM hubspot_revocations")
            ).scalar_one()
            assert seconds == wait
            forget = due.id
    with tenant.database.begin() as session:
        forget_revocation(session, forget)
        session.execute(update(Revocation).values(next_attempt_at=ago(1)))
        assert take_revocation(session) is None


def test_create_that_is_under_way_ends_before_its_grant_is_revoked(tenant: Tenant) -> None:
    tenant.connect()
    tenant.disconnect()
    with tenant.database.begin() as session:
        wait = session.execute(
            text("SELECT extract(epoch FROM next_attempt_at - created_at) FROM hubspot_revocations")
        ).scalar_one()
        assert take_revocation(session) is None
    assert wait == LEASE_S


def test_two_workers_never_take_the_same_revocation(tenant: Tenant) -> None:
    tenant.connect()
    tenant.disconnect()
    with tenant.database.begin() as session:
        session.execute(update(Revocation).values(next_attempt_at=ago(1)))
    with tenant.database.begin() as one, tenant.database.begin() as other:
        assert take_revocation(one) is not None
        assert take_revocation(other) is None


def test_hub_is_in_use_until_the_last_workspace_leaves_it(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("user_2")
    in_use = []
    for change in (lambda: None, tenant.connect, other.connect, tenant.disconnect):
        change()
        with tenant.database.begin() as session:
            in_use.append(is_hub_in_use(session, HUB))
    other.disconnect()
    with tenant.database.begin() as session:
        in_use.append(is_hub_in_use(session, HUB))
    assert in_use == [False, True, True, True, False]
