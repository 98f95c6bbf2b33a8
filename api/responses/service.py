"""Answers about the service itself."""

from typing import Literal

from api.responses.base import Success


class Alive(Success):
    """The process answers."""


class Ready(Success):
    """Requests can be served."""

    postgres: Literal["ok"] = "ok"
    """Always ok, else the answer is 503."""
    schema_revision: str
    """The database's migration."""
    redis: Literal["ok", "degraded"]
    """Degraded: nothing is lost, calls are synced later."""
