import pytest
from redis import Redis
from sqlalchemy import text

from api.gauges import Gauges
from api.probes import Probes
from shared.db import Database
from shared.models import Base
from tests.queue.tenants import Tenant


@pytest.fixture
def tenant(database: Database) -> Tenant:
    with database.begin() as session:
        session.execute(text(f"TRUNCATE {', '.join(Base.metadata.tables)}"))
    return Tenant(database)


@pytest.fixture
def probes(database: Database, valkey_url: str) -> Probes:
    redis: Redis = Redis.from_url(valkey_url)
    return Probes(database, redis)


@pytest.fixture
def gauges(database: Database, probes: Probes) -> Gauges:
    return Gauges(database, probes)
