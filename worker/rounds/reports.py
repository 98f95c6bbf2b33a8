"""How a round ended: for the log, Flower and the metrics."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from shared.telemetry.metrics import TURN_CALLS, TURN_SECONDS, TURNS


class RoundEnd(StrEnum):
    """How a round ended, as Flower and the log show it."""

    WORKED = "worked"
    NOTHING_DUE = "nothing_due"
    NOT_CONNECTED = "not_connected"
    PAUSED = "paused"
    PUT_OFF = "put_off"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(slots=True)
class RoundReport:
    """What a round did.

    Attributes:
        end: How it ended; `FAILED` until that is known.
        hub_id: The HubSpot account, once calls were claimed.
        calls: How many were claimed.
        outcomes: What became of them, by reason, or by status where there is none; those that are
            missing were given back.
    """

    end: RoundEnd = RoundEnd.FAILED
    hub_id: int | None = None
    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def as_result(self) -> dict[str, str | int]:
        """One short line for Flower: `{"hub_id": 101, "calls": 12, "success": 12}`, or its end."""
        if self.hub_id is None:
            return {"end": self.end}
        return {"hub_id": self.hub_id, "calls": self.calls, **self.outcomes}


@contextmanager
def reported() -> Iterator[RoundReport]:
    """Count the round inside the block by what its report says in the end."""
    report = RoundReport()
    started = time.monotonic()
    try:
        yield report
    finally:
        TURNS.labels(report.end).inc()
        if report.calls:
            TURN_CALLS.observe(report.calls)
            TURN_SECONDS.observe(time.monotonic() - started)
