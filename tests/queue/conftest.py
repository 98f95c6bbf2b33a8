from collections.abc import Callable

import pytest

from shared.broker.deployment import DeploymentRedis, connect_redis
from shared.database.engines import Database
from tests.emptying import empty
from tests.queue.tenants import Tenant


@pytest.fixture
def empty_database(database: Database) -> Database:
    empty(database)
    return database


MakeTenant = Callable[[str], Tenant]


@pytest.fixture
def make_tenant(empty_database: Database) -> MakeTenant:
    return lambda user_id: Tenant(empty_database, user_id)


@pytest.fixture
def tenant(empty_database: Database) -> Tenant:
    return Tenant(empty_database)


@pytest.fixture
def redis(valkey_url: str) -> DeploymentRedis:
    client = connect_redis(valkey_url)
    client.flushdb()
    return client
