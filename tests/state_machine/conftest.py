import base64
from collections.abc import Iterator

import pytest

from shared.configuration.settings import WorkerSettings
from worker.resources import Resources, open_resources


@pytest.fixture(scope="module")
def resources(postgres_url: str, valkey_url: str) -> Iterator[Resources]:
    """A worker's, on real engines; HubSpot is asked for nothing through them."""
    settings = WorkerSettings.load(
        {
            "DATABASE_URL": postgres_url,
            "REDIS_URL": valkey_url,
            "HUBSPOT_CLIENT_ID": "an-app",
            "HUBSPOT_CLIENT_SECRET": "a-secret",
            "PUBLIC_URL": "http://localhost",
            "TOKEN_ENCRYPTION_KEYS": base64.b64encode(b"k" * 32).decode(),
        }
    )
    resources = open_resources(settings)
    yield resources
    resources.close()
