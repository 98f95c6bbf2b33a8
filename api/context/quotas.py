"""Quotas: how much one tenant, secret or address may have done, kept in memory by each process.

A quota is a token bucket: what is not used is kept, up to a burst. Neither Postgres nor Redis is
asked, so refusing costs less than doing, and their silence changes nothing. With N processes a
tenant has up to N times as much.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final, Self, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

MINUTE_S: Final = 60.0
DAY_S: Final = 86_400.0
# Whoever is pushed out has a full bucket again, which most have anyway.
MOST_BUCKETS: Final = 10_000


@dataclass(frozen=True)
class Quota:
    """How often something may be done.

    Attributes:
        name: What is counted, apart from everything else.
        times: How often within the period, in the long run.
        burst: How often at once, by whoever did nothing before.
        period_s: In seconds: a minute or a day.
    """

    name: str
    times: int
    burst: int
    period_s: float = MINUTE_S

    def __str__(self) -> str:
        period = "day" if self.period_s == DAY_S else "minute"
        return f"{self.times:,} times a {period}"

    @property
    def per_second(self) -> float:
        return self.times / self.period_s


# A person changes one thing after another; a script has the routes that change many at once.
CHANGING: Final = Quota("changing", times=60, burst=60)
# Most changes are an entry of the audit trail, which is kept for a year.
CHANGING_BY_DAY: Final = Quota("changing by day", times=2000, burst=1000, period_s=DAY_S)
# And as many for each 1,000 rows that are looked at.
RETRYING_MANY: Final = Quota("retrying many", times=20, burst=20)
# And as many for each 10,000 rows that are exported.
EXPORTING: Final = Quota("exporting", times=12, burst=12)
# These ask HubSpot, or write into it.
PREVIEWING: Final = Quota("previewing", times=10, burst=10)
TEST_CALLING: Final = Quota("test calling", times=10, burst=10)
# Lines of the log that say whose quota is used up, of each.
LOGGING: Final = Quota("logging", times=1, burst=1)
# For so long a tenant may keep what it does not use of its webhooks.
CALLS_KEPT_MINUTES: Final = 8
# Lines of the log that say which address sent what we never gave out.
NAMING: Final = Quota("naming", times=20, burst=20)
# By address, and an address may be that of a whole company, or of a proxy that nobody counted.
RETURNING: Final = Quota("returning from HubSpot", times=300, burst=600)


@dataclass(frozen=True)
class ChosenQuotas:
    """The quotas that the settings decide on.

    Attributes:
        looking: Of what only shows. A dashboard asks for two things every 4 to 30 seconds, and for
            five when it is opened: 1,200 a minute are forty of them, all busy. 300 at once, so that
            a script may page through 60,000 entries without a pause.
        calling: Of webhooks, in calls; a large one counts as several. 3,000 a minute are 4 million
            a day, half of what HubSpot takes of one account; 24,000 at once, so that no dialler's
            burst and no history sent by arrays is held up.
        importing: As much again of arrays, or a tenant's history would shut out its live calls.
    """

    looking: Quota
    calling: Quota
    importing: Quota

    @classmethod
    def of(cls, *, requests_per_minute: int, calls_per_minute: int) -> Self:
        return cls(
            looking=Quota("looking", requests_per_minute, max(1, requests_per_minute // 4)),
            calling=Quota("calling", calls_per_minute, CALLS_KEPT_MINUTES * calls_per_minute),
            importing=Quota("importing", calls_per_minute, CALLS_KEPT_MINUTES * calls_per_minute),
        )


class Buckets:
    """What is left of quotas, for those who asked lately.

    Attributes:
        clock: Tells seconds that never go back.
    """

    def __init__(
        self, most: int = MOST_BUCKETS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self._most = most
        self._lock = Lock()
        # The level and when it was that high; whoever asked last is last.
        self._known: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def take(self, quota: Quota, key: Hashable) -> float:
        """Use a quota once; returns the same as `take_if_any`."""
        return self.take_if_any(quota, {key: 1.0})

    def take_if_any(self, quota: Quota, costs: Mapping[KeyT, float]) -> float:
        """Use a quota of several, if any of them has it left for once: the others owe.

        Args:
            quota: What is to be done.
            costs: How many times it counts, by whose quota it is. What counts more than is left is
                done and owed: it may be larger than any burst.

        Returns:
            0 if it may be done; else the seconds until it may, and nothing was used.
        """
        with self._lock:
            now = self.clock()
            levels = {key: self._level(quota, key, now) for key in costs}
            highest = max(levels.values(), default=1.0)
            wait = max(0.0, (1 - highest) / quota.per_second)
            for key, level in levels.items():
                self._known[quota.name, key] = (level if wait else level - costs[key]), now
                self._known.move_to_end((quota.name, key))
            while len(self._known) > self._most:
                self._known.popitem(last=False)
            return wait

    def owe(self, quota: Quota, key: Hashable, cost: float) -> None:
        """Count something that was let through by `take` and turned out to cost more, or less."""
        with self._lock:
            now = self.clock()
            self._known[quota.name, key] = self._level(quota, key, now) - cost, now

    def _level(self, quota: Quota, key: Hashable, now: float) -> float:
        level, at = self._known.get((quota.name, key), (float(quota.burst), now))
        return min(quota.burst, level + (now - at) * quota.per_second)


class Ongoing:
    """Who does something at the moment of which each may do one at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: set[Hashable] = set()

    def begin(self, key: Hashable) -> bool:
        """Whether it may begin, to be followed by `end`."""
        with self._lock:
            is_free = key not in self._known
            self._known.add(key)
            return is_free

    def end(self, key: Hashable) -> None:
        with self._lock:
            self._known.discard(key)
