"""The sandbox's whole state: replaced as one by a reset."""

import collections
import dataclasses
import itertools
import random
import threading
from collections.abc import Callable, Iterable

from sandbox.config import Behaviour, SandboxConfig
from sandbox.faults import FaultList
from sandbox.grants import AuthorizationServer
from sandbox.hubs import Hub
from sandbox.sample import SAMPLE_CONTACTS

_LOG_LENGTH = 50_000
_FIRST_HUB_ID = 62_515


@dataclasses.dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request that HubSpot saw; `status` is None when the connection was dropped."""

    number: int
    at: float
    endpoint: str
    method: str
    path: str
    hub_id: int | None
    status: int | None
    fault: str | None
    duration_ms: float
    request_bytes: int
    inputs: int | None


class World:
    """Everything in one sandbox; hold `lock` while reading or changing it.

    A reset makes a new world. Requests that still hang in the old one, and late commits, keep the
    old one and so cannot reach the new.
    """

    def __init__(self, config: SandboxConfig, now: Callable[[], float]) -> None:
        self.lock = threading.RLock()
        self.behaviour: Behaviour = config.behaviour
        self.authorizations = AuthorizationServer(config.apps, now)
        self.hubs: dict[int, Hub] = {}
        self.faults = FaultList()
        self.log: collections.deque[LoggedRequest] = collections.deque(maxlen=_LOG_LENGTH)
        self.now = now
        self._ended = threading.Event()
        self._object_ids = itertools.count(config.first_object_id)
        self._hub_ids = itertools.count(_FIRST_HUB_ID)
        self._request_numbers = itertools.count(1)
        self._places = itertools.count(1)
        self._random = random.Random(0)
        if config.has_sample_account:
            # Without a host of its own the account's pages are where HubSpot is: in the sandbox.
            hub = self.add_hub(None, default_country="US", ui_domain="")
            for properties in SAMPLE_CONTACTS:
                hub.add_contact(properties)

    def add_hub(
        self,
        hub_id: int | None,
        *,
        default_country: str,
        ui_domain: str,
        hidden_properties: Iterable[str] = (),
    ) -> Hub:
        """Open an account, with the next free number if none is given."""
        if hub_id is None:
            hub_id = next(number for number in self._hub_ids if number not in self.hubs)
        hub = Hub(
            hub_id,
            default_country=default_country,
            ui_domain=ui_domain,
            hidden_properties=hidden_properties,
            new_ids=self._object_ids,
            now=self.now,
            index_lag=lambda: self.behaviour.index_lag_seconds,
        )
        self.hubs[hub_id] = hub
        return hub

    def latency_seconds(self) -> float:
        """Return how long the next answer takes."""
        jitter_ms = self._random.uniform(0, self.behaviour.latency_jitter_ms)
        return (self.behaviour.latency_ms + jitter_ms) / 1000

    def next_request_number(self) -> int:
        """Return the number under which a request is logged."""
        return next(self._request_numbers)

    def next_place(self) -> int:
        """Return the place of a request or an answer among all of them."""
        return next(self._places)

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than this world lasts."""
        if seconds > 0:
            self._ended.wait(seconds)

    def end(self) -> None:
        """Release every request that hangs in this world."""
        self._ended.set()
        with self.lock:
            self.faults.clear()


class Sandbox:
    """Holds the current world and replaces it."""

    def __init__(self, config: SandboxConfig, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        self.world = World(config, now)

    def reset(self) -> None:
        """Begin again as at the start: no tokens, no faults, no account but the sample."""
        ended, self.world = self.world, World(self._config, self._now)
        ended.end()
