"""An answer of HubSpot, and the lack of one: what every other module of the sandbox may need."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a JSON value, or text that is sent as it is (`None` for no body)."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body's bytes."""
        if self.body is None:
            return b""
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, separators=(",", ":")).encode()

    def content_type(self) -> str:
        """Return the body's media type, unless a header names another."""
        return self.headers.get("Content-Type", "application/json;charset=utf-8")


class ConnectionDroppedError(Exception):
    """The server must drop the connection without an answer; with a TCP reset if `is_reset`."""

    def __init__(self, *, is_reset: bool) -> None:
        super().__init__("the connection is dropped without an answer")
        self.is_reset = is_reset
