"""The API's own fixtures, for those who mean it harm."""

from tests.api.conftest import asker, client, make_client, sandbox, sandbox_url, waker

__all__ = ["asker", "client", "make_client", "sandbox", "sandbox_url", "waker"]
