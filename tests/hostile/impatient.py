"""The API as its server runs it, but that gives up readers who stall after a second."""

from api.http import slow_peers

slow_peers.READERS_PATIENCE_S = 1  # type: ignore[misc]

from api.wsgi import app  # noqa: E402

__all__ = ["app"]
