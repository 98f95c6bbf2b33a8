"""One request to HubSpot and its answer, free of any web framework.

Endpoints are functions from an `ApiRequest` to a `Reply`, so that a fault can let one run late,
twice over a part of its input, or not at all.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.grants import Grant
    from sandbox.hubs import Hub
    from sandbox.world import World


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


@dataclasses.dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request as an endpoint sees it; `grant` is the caller's, None where no token is needed."""

    world: "World"
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    form: Mapping[str, str]
    body: bytes
    grant: "Grant | None" = None

    @property
    def hub(self) -> "Hub":
        """The caller's account."""
        if self.grant is None:
            raise LookupError("this endpoint takes no token")
        return self.grant.hub


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """A HubSpot endpoint: its name in faults and logs, where it is, and who may call it.

    Attributes:
        rules: URL rules; `{version}` stands for every date version the sandbox serves.
        scopes: what the token must have been granted; None where no token is needed.
        is_search: whether it counts against the search limit instead of the general one.
    """

    name: str
    method: str
    rules: tuple[str, ...]
    answer: Callable[[ApiRequest], Reply]
    scopes: tuple[str, ...] | None
    is_search: bool = False


class ConnectionDroppedError(Exception):
    """The server must drop the connection without an answer; with a TCP reset if `is_reset`."""

    def __init__(self, *, is_reset: bool) -> None:
        super().__init__("the connection is dropped without an answer")
        self.is_reset = is_reset
