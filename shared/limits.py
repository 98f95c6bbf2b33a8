"""Budgets of HubSpot requests, shared by all workers through Redis.

HubSpot counts per account, whoever asks: searches by the second, everything else by ten seconds.
Each budget is a line of evenly spaced slots (the generic cell rate algorithm): reserving one says
how long to wait for it, so that workers queue up without asking HubSpot too often.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from redis import RedisError

from shared.deployment import DeploymentRedis
from shared.metrics import BUDGET_REFUSALS, BUDGET_WAIT_SECONDS

# A turn's place is renewed while it runs; a dead worker's is free after this.
PLACE_S: Final = 15

# HubSpot allows 5 a second (CRM search guide); network jitter would bunch a faster rhythm.
SEARCH_PER_S: Final = 4.2
# 110 in 10 s for public apps (usage guidelines): a burst of 10 and 8 a second make 90 in any 10 s.
REQUESTS_PER_S: Final = 8.0
REQUESTS_BURST: Final = 10
LEAST_REQUESTS_ALLOWED: Final = 20
TOKENS_PER_S: Final = 5.0
TOKENS_BURST: Final = 5

# Under load, calls that arrive within this time of a batch share the next one.
GATHER_S: Final = 0.8
CLAIM_WITHIN_S: Final = 2.0  # after gathering; then others need not wait for it

SEARCH_BACK_OFF: Final = 0.7
SEARCH_RECOVERY_PER_MIN: Final = 1.05
SEARCH_PAUSE_S: Final = 1.0

# One script for every budget. KEYS[1]: a hash of `tat` (when the line of slots ends, in seconds),
# `rate` (slots a second, lowered by `lower`) and `rate_at` (when it was set).
# ARGV: full rate, burst, longest wait, recovery factor a minute.
# Returns the wait in milliseconds, or -1 when it would be longer than the longest wait.
_RESERVE: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local full, burst, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'tat', 'rate', 'rate_at')
local rate = full
if kept[2] then
  rate = tonumber(kept[2]) * tonumber(ARGV[4]) ^ ((now - tonumber(kept[3])) / 60)
  if rate >= full then
    rate = full
    redis.call('HDEL', KEYS[1], 'rate', 'rate_at')
  end
end
local step = 1 / rate
local tat = math.max(tonumber(kept[1] or now), now)
local wait = tat - (burst - 1) * step - now
if wait > longest then return -1 end
redis.call('HSET', KEYS[1], 'tat', string.format('%.6f', tat + step))
redis.call('EXPIRE', KEYS[1], 3600)
return math.ceil(math.max(wait, 0) * 1000)
"""

# KEYS[1] as above. ARGV: full rate, factor, pause in seconds, recovery factor a minute.
_LOWER: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local full, pause = tonumber(ARGV[1]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'tat', 'rate', 'rate_at')
local rate = full
if kept[2] then
  rate = math.min(full, tonumber(kept[2])
    * tonumber(ARGV[4]) ^ ((now - tonumber(kept[3])) / 60))
end
redis.call('HSET', KEYS[1],
  'tat', string.format('%.6f', math.max(tonumber(kept[1] or now), now + pause)),
  'rate', string.format('%.6f', math.max(rate * tonumber(ARGV[2]), full / 20)),
  'rate_at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], 3600)
"""

# KEYS[1]: a sorted set of turn ids by the time at which each is given up.
# ARGV: turn id, width, seconds. Returns 1 when the turn may run.
_ENTER: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[3])) * 2)
return 1
"""

# KEYS[1] as above. ARGV: turn id, seconds. On Redis's clock, because workers' clocks differ.
_KEEP: Final = """
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'XX', time[1] + time[2] / 1000000 + tonumber(ARGV[2]), ARGV[1])
"""


@dataclass(frozen=True, slots=True)
class _Line:
    """A budget: slots a second, how many may be taken at once, and what raises a lowered rate."""

    budget: str
    key: str
    rate: float
    burst: int
    recovery: float = 1.0


class Limits:
    """Reservations against HubSpot's limits. Redis's errors pass through: without it, no sync."""

    def __init__(self, redis: DeploymentRedis) -> None:
        self._redis = redis
        self._reserve = redis.register_script(_RESERVE)
        self._lower = redis.register_script(_LOWER)
        self._enter = redis.register_script(_ENTER)
        self._keep = redis.register_script(_KEEP)

    def enter_turn(self, hub_id: int, turn_id: str, *, width: int) -> bool:
        """Take one of the account's `width` places for a turn; False when all are taken."""
        entered = self._enter(
            keys=[self._redis.key("turns", hub_id)], args=[turn_id, width, PLACE_S]
        )
        return bool(entered)

    def keep_turn(self, hub_id: int, turn_id: str) -> None:
        """Renew the turn's place."""
        self._keep(keys=[self._redis.key("turns", hub_id)], args=[turn_id, PLACE_S])

    def leave_turn(self, hub_id: int, turn_id: str) -> None:
        """Give the place back; a worker that dies gives it back by time."""
        self._redis.zrem(self._redis.key("turns", hub_id), turn_id)

    def reserve_search(self, hub_id: int, *, longest_wait: float) -> float | None:
        """Reserve a search: seconds to wait before sending it, None if over `longest_wait`."""
        return self._take(self._search(hub_id), longest_wait)

    def lower_search_rate(self, hub_id: int, *, pause: float = SEARCH_PAUSE_S) -> None:
        """After a 429 on search: other apps share the limit. Recovers by 5 % a minute."""
        line = self._search(hub_id)
        self._lower(keys=[line.key], args=[line.rate, SEARCH_BACK_OFF, pause, line.recovery])

    def reserve_request(self, hub_id: int, *, longest_wait: float) -> float | None:
        """Reserve any request but a search; as `reserve_search`."""
        allowed = self._redis.get(self._redis.key("allowed", hub_id))
        share = 1.0 if allowed is None else int(allowed) * 0.9 / 90
        return self._take(self._requests(hub_id, share), longest_wait)

    def note_request_limit(self, hub_id: int, allowed: int) -> None:
        """Remember HubSpot's X-HubSpot-RateLimit-Max (requests in 10 s) where it is below 100."""
        if allowed < 100:  # noqa: PLR2004 - 90 in 10 s is 90 % of it
            least = max(allowed, LEAST_REQUESTS_ALLOWED)
            self._redis.set(self._redis.key("allowed", hub_id), least, ex=3600)

    def reserve_token_request(self, *, longest_wait: float) -> float | None:
        """Reserve a request to the token endpoint, which the whole app shares."""
        return self._take(
            _Line("tokens", self._redis.key("budget:tokens"), TOKENS_PER_S, TOKENS_BURST),
            longest_wait,
        )

    def _search(self, hub_id: int) -> _Line:
        key = self._redis.key("budget:search", hub_id)
        return _Line("search", key, SEARCH_PER_S, 1, SEARCH_RECOVERY_PER_MIN)

    def _requests(self, hub_id: int, share: float) -> _Line:
        burst = max(1, round(REQUESTS_BURST * share))
        key = self._redis.key("budget:requests", hub_id)
        return _Line("requests", key, REQUESTS_PER_S * share, burst)

    def _take(self, line: _Line, longest_wait: float) -> float | None:
        wait_ms = self._reserve(
            keys=[line.key], args=[line.rate, line.burst, longest_wait, line.recovery]
        )
        if int(wait_ms) < 0:
            BUDGET_REFUSALS.labels(line.budget).inc()
            return None
        wait = int(wait_ms) / 1000
        BUDGET_WAIT_SECONDS.labels(line.budget).observe(wait)
        return wait

    def note_busy(self, connection_id: str) -> None:
        """After a batch that was not small: one that is not full may gather for a moment."""
        with suppress(RedisError):  # a hint, given while calls are held
            self._redis.set(self._redis.key("busy", connection_id), b"", px=int(GATHER_S * 1000))

    @contextmanager
    def gathering(self, connection_id: str) -> Iterator[float | None]:
        """Gather calls, then claim them inside the block.

        Yields the seconds to wait before claiming, None if another turn is gathering.
        """
        left_ms = max(self._redis.pttl(self._redis.key("busy", connection_id)), 0)
        if not left_ms:
            yield None if self._redis.exists(self._redis.key("gathering", connection_id)) else 0.0
            return
        lasts_ms = left_ms + int(CLAIM_WITHIN_S * 1000)
        if not self._redis.set(
            self._redis.key("gathering", connection_id), b"", nx=True, px=lasts_ms
        ):
            yield None
            return
        try:
            yield left_ms / 1000
        finally:
            with suppress(RedisError):  # it ends by itself
                self._redis.delete(self._redis.key("gathering", connection_id))
