"""The API's own fixtures, for those who mean it harm."""

from tests.api.conftest import asker, client, make_client, sandbox, sandbox_url, waker
from tests.api.test_auth import keyed_client, provider
from tests.api.test_server import server_url

__all__ = [
    "asker",
    "client",
    "keyed_client",
    "make_client",
    "provider",
    "sandbox",
    "sandbox_url",
    "server_url",
    "waker",
]
