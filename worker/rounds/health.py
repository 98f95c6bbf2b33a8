"""What a round's errors mean for its whole account: pauses, and how wide to work on it."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Literal

import structlog
from sqlalchemy.orm import Session

from shared.activities.destination import (
    AccountLockedError,
    DestinationError,
    NetworkError,
    RateLimitedError,
    UnavailableError,
)
from shared.connections import accounts
from shared.telemetry.metrics import ACCOUNT_PAUSES

log = structlog.get_logger(__name__)

PauseReason = Literal["rolling_limit", "daily_limit", "locked", "unavailable"]

SEARCH_LIMIT_WAIT_S: Final = 2.0
ROLLING_LIMIT_WAIT_S: Final = 10.0
DAILY_LIMIT_WAIT_S: Final = 900.0
LOCKED_WAIT_S: Final = 2.0
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 300.0
FAILED_ROUNDS_BEFORE_PAUSE: Final = 2


class AccountHealth:
    """One account, as one round finds it."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Session]], hub_id: int) -> None:
        """Watch an account; `begin` begins a transaction."""
        self._begin = begin
        self._hub_id = hub_id
        self._has_failed = False

    def pause_for(self, error: DestinationError) -> float | None:
        """Pause the account if the error says so; seconds until its calls may go on."""
        if isinstance(error, RateLimitedError):
            if error.policy not in {"TEN_SECONDLY_ROLLING", "DAILY"}:
                return (error.retry_after or SEARCH_LIMIT_WAIT_S) * (1 + retry_jitter() / 2)
            is_daily = error.policy == "DAILY"
            wait = error.retry_after or (DAILY_LIMIT_WAIT_S if is_daily else ROLLING_LIMIT_WAIT_S)
            kind: PauseReason = "daily_limit" if is_daily else "rolling_limit"
            return self._pause(wait, f"HubSpot's {error.policy} limit is used up", kind)
        if isinstance(error, AccountLockedError):
            wait = max(error.retry_after or 0, LOCKED_WAIT_S)
            return self._pause(wait, "HubSpot has locked the account", "locked")
        if isinstance(error, UnavailableError | NetworkError):
            self._has_failed = True
        return None

    def _pause(self, seconds: float, reason: str, kind: PauseReason) -> float:
        with self._begin() as session:
            accounts.pause_account(session, self._hub_id, seconds=seconds, reason=reason)
        ACCOUNT_PAUSES.labels(kind).inc()
        log.warning("hub_paused", hub_id=self._hub_id, seconds=round(seconds, 1), reason=reason)
        return seconds * (1 + retry_jitter() / 10)

    def record(self, before: accounts.AccountState, *, has_answered: bool) -> None:
        """After the round: narrow and pause an account that fails, widen one that recovered."""
        if not self._has_failed and not (has_answered and before.is_recovering):
            return
        with self._begin() as session:
            if not self._has_failed:
                accounts.record_good_round(session, self._hub_id)
                return
            failed = accounts.count_failed_round(session, self._hub_id)
        if failed >= FAILED_ROUNDS_BEFORE_PAUSE:
            doubled = FIRST_PAUSE_S * 2.0 ** min(failed - FAILED_ROUNDS_BEFORE_PAUSE, 16)
            seconds = min(doubled, LONGEST_PAUSE_S) * (0.5 + retry_jitter())
            self._pause(seconds, "HubSpot does not answer properly", "unavailable")


def retry_jitter() -> float:
    """A random number from 0 to 1 that spreads retries."""
    return random.random()  # noqa: S311 - spreads load, guards nothing
