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

from shared.broker.deployment import DeploymentRedis
from shared.telemetry.metrics import BUDGET_REFUSALS, BUDGET_WAIT_SECONDS

# A round's place is renewed while it runs; a dead worker's is free after this.
PLACE_S: Final = 15

# HubSpot allows 5 a second (CRM search guide); network jitter would bunch a faster rhythm.
SEARCH_PER_S: Final = 4.2
# 110 in 10 s for public apps (usage guidelines): a burst of 10 and 8 a second make 90 in any 10 s.
REQUESTS_PER_S: Final = 8.0
REQUESTS_BURST: Final = 10
LEAST_REQUESTS_ALLOWED: Final = 20
USUALLY_ALLOWED: Final = 100  # at least; 90 in 10 s is 90 % of it
TOKENS_PER_S: Final = 5.0
TOKENS_BURST: Final = 5

# Under load, calls that arrive within this time of a batch share the next one.
GATHER_S: Final = 0.8
CLAIM_WITHIN_S: Final = 2.0  # after gathering; then others need not wait for it

SEARCH_BACK_OFF: Final = 0.7
SEARCH_RECOVERY_PER_MIN: Final = 1.05
SEARCH_PAUSE_S: Final = 1.0

# Times that no reservation of ours reaches: a line that ends later is not one.
MOST_AHEAD_S: Final = 15
KEPT_S: Final = 3600

# What a script reads may be anything, as anybody who can write to Redis likes: a key of another
# type and a number out of its range count as absent.
_TRUST: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function clear_unless(kind)
  local found = redis.call('TYPE', KEYS[1]).ok
  if found ~= kind and found ~= 'none' then redis.call('DEL', KEYS[1]) end
end
local function number(text, least, most)
  local read = tonumber(text)
  if read and read >= least and read <= most then return read end
end
"""

# KEYS[1]: a hash of `tat` (when the line of slots ends, in seconds), `rate` (slots a second,
# lowered by `lower`) and `rate_at` (when it was set).
# ARGV[1]: full rate. ARGV[2]: recovery factor a minute.
_LINE: Final = (
    _TRUST
    + f"""
clear_unless('hash')
local full = tonumber(ARGV[1])
local kept = redis.call('HMGET', KEYS[1], 'tat', 'rate', 'rate_at')
local lowered, rate_at = number(kept[2], full / 21, full), number(kept[3], now - {KEPT_S}, now + 1)
local rate = full
if lowered and rate_at then
  rate = math.min(full, lowered * tonumber(ARGV[2]) ^ ((now - rate_at) / 60))
end
"""
)

# ARGV[3]: burst. ARGV[4]: longest wait. ARGV[5]: how far ahead a line may end.
# Returns the wait in milliseconds, or -1 when it would be longer than the longest wait.
_RESERVE: Final = (
    _LINE
    + """
local burst, longest = tonumber(ARGV[3]), tonumber(ARGV[4])
if rate >= full then redis.call('HDEL', KEYS[1], 'rate', 'rate_at') end
local step = 1 / rate
local tat = number(kept[1], now, now + tonumber(ARGV[5]) + burst * step) or now
local wait = tat - (burst - 1) * step - now
if wait > longest then return -1 end
redis.call('HSET', KEYS[1], 'tat', string.format('%.6f', tat + step))
redis.call('EXPIRE', KEYS[1], 3600)
return math.ceil(math.max(wait, 0) * 1000)
"""
)

# ARGV[3]: factor. ARGV[4]: pause in seconds. ARGV[5]: how far ahead a line may end.
_LOWER: Final = (
    _LINE
    + """
local tat = number(kept[1], now, now + tonumber(ARGV[5]) + 1 / rate) or now
redis.call('HSET', KEYS[1],
  'tat', string.format('%.6f', math.max(tat, now + tonumber(ARGV[4]))),
  'rate', string.format('%.6f', math.max(rate * tonumber(ARGV[3]), full / 20)),
  'rate_at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], 3600)
"""
)

# KEYS[1]: a sorted set of round ids by the time at which each is given up.
# ARGV: round id, width, seconds. Returns 1 when the round may run.
_ENTER: Final = (
    _TRUST
    + """
clear_unless('zset')
local lasts = tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + lasts + 1, '+inf')
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + lasts, ARGV[1])
redis.call('EXPIRE', KEYS[1], math.ceil(lasts) * 2)
return 1
"""
)

# KEYS[1] as above. ARGV: round id, seconds. On Redis's clock, because workers' clocks differ.
_KEEP: Final = (
    _TRUST
    + """
clear_unless('zset')
redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[2]), ARGV[1])
"""
)

# KEYS[1] as above. ARGV: round id.
_LEAVE: Final = (
    _TRUST
    + """
clear_unless('zset')
redis.call('ZREM', KEYS[1], ARGV[1])
"""
)


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
        self._leave = redis.register_script(_LEAVE)

    def enter_round(self, hub_id: int, round_id: str, *, width: int) -> bool:
        """Take one of the account's `width` places for a round; False when all are taken."""
        entered = self._enter(
            keys=[self._redis.key("turns", hub_id)], args=[round_id, width, PLACE_S]
        )
        return bool(entered)

    def keep_round(self, hub_id: int, round_id: str) -> None:
        """Renew the round's place."""
        self._keep(keys=[self._redis.key("turns", hub_id)], args=[round_id, PLACE_S])

    def leave_round(self, hub_id: int, round_id: str) -> None:
        """Give the place back; a worker that dies gives it back by time."""
        self._leave(keys=[self._redis.key("turns", hub_id)], args=[round_id])

    def reserve_search(self, hub_id: int, *, longest_wait: float) -> float | None:
        """Reserve a search: seconds to wait before sending it, None if over `longest_wait`."""
        return self._take(self._search(hub_id), longest_wait)

    def lower_search_rate(self, hub_id: int, *, pause: float = SEARCH_PAUSE_S) -> None:
        """After a 429 on search: other apps share the limit. Recovers by 5 % a minute."""
        line = self._search(hub_id)
        self._lower(
            keys=[line.key],
            args=[line.rate, line.recovery, SEARCH_BACK_OFF, pause, MOST_AHEAD_S],
        )

    def reserve_request(self, hub_id: int, *, longest_wait: float) -> float | None:
        """Reserve any request but a search; as `reserve_search`."""
        share = self._allowed(hub_id) * 0.9 / 90
        return self._take(self._requests(hub_id, share), longest_wait)

    def _allowed(self, hub_id: int) -> int:
        """How many requests in 10 s HubSpot has allowed lately, if fewer than usual."""
        key = self._redis.key("allowed", hub_id)
        if not self._redis.left_s(key, within_s=KEPT_S):
            return USUALLY_ALLOWED
        (found,) = self._redis.mget([key])  # unlike GET, it takes another type for nothing
        try:
            allowed = USUALLY_ALLOWED if found is None else int(found)
        except ValueError:
            return USUALLY_ALLOWED
        return allowed if LEAST_REQUESTS_ALLOWED <= allowed <= USUALLY_ALLOWED else USUALLY_ALLOWED

    def record_request_limit(self, hub_id: int, allowed: int) -> None:
        """Remember HubSpot's X-HubSpot-RateLimit-Max (requests in 10 s) where it is below 100."""
        if allowed < USUALLY_ALLOWED:
            least = max(allowed, LEAST_REQUESTS_ALLOWED)
            self._redis.set(self._redis.key("allowed", hub_id), least, ex=KEPT_S)

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
        most_ahead = max(longest_wait, MOST_AHEAD_S)
        wait_ms = self._reserve(
            keys=[line.key],
            args=[line.rate, line.recovery, line.burst, longest_wait, most_ahead],
        )
        if wait_ms is None or not 0 <= wait_ms <= longest_wait * 1000 + 1:
            BUDGET_REFUSALS.labels(line.budget).inc()
            return None
        wait = float(wait_ms) / 1000
        BUDGET_WAIT_SECONDS.labels(line.budget).observe(wait)
        return wait

    def record_busy(self, connection_id: str) -> None:
        """After a batch that was not small: one that is not full may gather for a moment."""
        with suppress(RedisError):  # a hint, given while calls are held
            self._redis.set(self._redis.key("busy", connection_id), b"", px=int(GATHER_S * 1000))

    @contextmanager
    def gathering(self, connection_id: str) -> Iterator[float | None]:
        """Gather calls, then claim them inside the block.

        Yields the seconds to wait before claiming, None if another round is gathering.
        """
        left_s = self._redis.left_s(self._redis.key("busy", connection_id), within_s=GATHER_S)
        gathering = self._redis.key("gathering", connection_id)
        longest_s = GATHER_S + CLAIM_WITHIN_S
        if not left_s:
            yield None if self._redis.left_s(gathering, within_s=longest_s) else 0.0
            return
        if not self._redis.once(gathering, within_s=longest_s):
            yield None
            return
        try:
            yield left_s
        finally:
            with suppress(RedisError):  # it ends by itself
                self._redis.delete(gathering)
