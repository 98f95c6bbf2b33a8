"""Faults that are switched on over HTTP: which request each strikes."""

import dataclasses
import fnmatch
import itertools
import random
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(slots=True)
class Fault:
    """A fault waiting to strike.

    Attributes:
        endpoint: an endpoint's name or a pattern of names (`notes.*`).
        kind: one of `injections.KINDS`.
        times: how many requests are still to be struck; None for every one.
        probability: the chance that a matching request is struck, drawn from `seed`.
        hub_id: only requests of this account; None for all.
        args: what the kind takes.
        is_off: whether it was removed.
        held: what lets each request go on that the fault holds.
    """

    id: int
    endpoint: str
    kind: str
    times: int | None
    probability: float
    hub_id: int | None
    args: Mapping[str, Any]
    draws: random.Random
    struck: int = 0
    is_off: bool = False
    held: list[Callable[[], None]] = dataclasses.field(default_factory=list)

    def matches(self, endpoint: str, hub_id: int | None) -> bool:
        """Say whether the fault may strike a request, chance aside."""
        return (
            self.times != 0
            and fnmatch.fnmatchcase(endpoint, self.endpoint)
            and self.hub_id in (None, hub_id)
        )

    def hold(self, let_go: Callable[[], None]) -> None:
        """Keep a request until it is let go; at once if the fault was switched off meanwhile."""
        if self.is_off:
            let_go()
        else:
            self.held.append(let_go)

    def release(self) -> int:
        """Let every request go on that the fault holds now, in order; return how many."""
        held = self.held[:]
        del self.held[: len(held)]
        for let_go in held:
            let_go()
        return len(held)

    def is_drawn(self) -> bool:
        """Draw whether this matching request is struck."""
        return self.probability >= 1 or self.draws.random() < self.probability


class FaultList:
    """The faults in the order in which they were added: the first that matches strikes."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._ids = itertools.count(1)

    def add(
        self,
        endpoint: str,
        kind: str,
        *,
        times: int | None = None,
        probability: float = 1,
        hub_id: int | None = None,
        seed: int = 0,
        args: Mapping[str, Any] | None = None,
    ) -> Fault:
        """Switch a fault on."""
        fault = Fault(
            next(self._ids),
            endpoint,
            kind,
            times,
            probability,
            hub_id,
            dict(args or {}),
            random.Random(seed),
        )
        self._faults[fault.id] = fault
        return fault

    def take(self, endpoint: str, hub_id: int | None) -> Fault | None:
        """Return the fault that strikes this request, counted as struck."""
        for fault in self._faults.values():
            if fault.matches(endpoint, hub_id) and fault.is_drawn():
                fault.struck += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def all(self) -> list[Fault]:
        """Return every fault, spent ones included."""
        return list(self._faults.values())

    def get(self, fault_id: int) -> Fault | None:
        """Return a fault that was not removed."""
        return self._faults.get(fault_id)

    def remove(self, fault_id: int) -> bool:
        """Switch a fault off and let go what it holds; return whether it was there."""
        fault = self._faults.pop(fault_id, None)
        if fault is not None:
            fault.is_off = True
            fault.release()
        return fault is not None

    def clear(self) -> None:
        """Switch all faults off and let go what they hold."""
        for fault_id in list(self._faults):
            self.remove(fault_id)
