"""HubSpot's request limits for one account, counted over sliding windows."""

import collections

from sandbox.refusals import RefusedError, rate_limited

SEARCHES_PER_SECOND = 5
REQUESTS_PER_TEN_SECONDS = 110


class SlidingWindow:
    """Lets `limit` requests through in any `seconds`; a refused request does not count."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self._seconds = seconds
        self._taken: collections.deque[float] = collections.deque()

    def take(self, now: float) -> bool:
        """Count a request at `now` (seconds) if there is room; return whether there was."""
        while self._taken and self._taken[0] <= now - self._seconds:
            self._taken.popleft()
        if len(self._taken) >= self.limit:
            return False
        self._taken.append(now)
        return True

    def remaining(self) -> int:
        """Return how many requests had room at the last `take`."""
        return self.limit - len(self._taken)


class AccountLimits:
    """The two limits of an account: searches, and everything else."""

    def __init__(self) -> None:
        self._searches = SlidingWindow(SEARCHES_PER_SECOND, 1)
        self._requests = SlidingWindow(REQUESTS_PER_TEN_SECONDS, 10)
        self.violations: collections.Counter[str] = collections.Counter()

    def take_search(self, now: float) -> RefusedError | None:
        """Count a search; return the refusal if it is one too many. Searches carry no headers."""
        return None if self._searches.take(now) else self._violated("SECONDLY", {})

    def take_request(self, now: float) -> tuple[dict[str, str], RefusedError | None]:
        """Count any other request; return the rate-limit headers and the refusal, if any."""
        has_room = self._requests.take(now)
        headers = {
            "X-HubSpot-RateLimit-Max": str(self._requests.limit),
            "X-HubSpot-RateLimit-Remaining": str(self._requests.remaining()),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        }
        return headers, None if has_room else self._violated("TEN_SECONDLY_ROLLING", headers)

    def _violated(self, policy: str, headers: dict[str, str]) -> RefusedError:
        self.violations[policy] += 1
        return rate_limited(policy, headers)
