import pytest
from redis import Redis

from api.operating.gauges import Gauges
from api.operating.probes import Probes
from shared.database.engines import Database
from tests.emptying import empty
from tests.queue.tenants import Tenant


@pytest.fixture
def tenant(database: Database) -> Tenant:
    empty(database)
    return Tenant(database)


@pytest.fixture
def probes(database: Database, valkey_url: str) -> Probes:
    redis: Redis = Redis.from_url(valkey_url)
    return Probes(database, redis)


@pytest.fixture
def gauges(database: Database, probes: Probes) -> Gauges:
    return Gauges(database, probes)
