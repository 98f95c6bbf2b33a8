"""One request to HubSpot and its answer, free of any web framework.

Endpoints are functions from an `ApiRequest` to a `Reply`, so that a fault can let one run late,
twice over a part of its input, or not at all.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from sandbox.activities import Activity
from sandbox.grants import Grant
from sandbox.hubs import Hub
from sandbox.replies import Reply
from sandbox.world import World


@dataclasses.dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request as an endpoint sees it.

    Attributes:
        grant: the caller's; None where no token is needed.
        place: its place among all requests and answers of the sandbox.
        at_ms: when it arrived.
        shown: the activities in the answer that an endpoint made, and the version of each.
    """

    world: World
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    form: Mapping[str, str]
    body: bytes
    grant: Grant | None = None
    place: int = 0
    at_ms: int = 0
    shown: dict[str, tuple[Activity, int]] = dataclasses.field(default_factory=dict)

    @property
    def hub(self) -> Hub:
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
