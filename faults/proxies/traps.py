"""Traps at a chosen step of a worker: a request to HubSpot, or the commit of one transaction."""

import threading
from collections.abc import Callable
from typing import Final

from faults.proxies.postgres_wire import COMMITTED, Conversations
from faults.proxies.proxy import Link

# Guards against waiting for ever, whatever else the machine does meanwhile.
HOLD_AT_MOST_S: Final = 240.0
GUARD_S: Final = 240.0


class StepTrap:
    """Springs once, on one connection, and holds what passes there.

    `sprung_by` is the connection that was caught, None before. `is_after` says that the server has
    done what it was asked and only its answer is held, until `release`. Then the connection is cut,
    or with `goes_on` what was held goes on.
    """

    def __init__(self, *, is_after: bool, goes_on: bool = False) -> None:
        self.sprung_by: Link | None = None
        self._goes_on = goes_on
        self._is_after = is_after
        self._sprung = threading.Event()
        self._released = threading.Event()
        self._lock = threading.Lock()

    def wait(self, timeout_s: float = GUARD_S) -> Link:
        """Wait until somebody is caught; raises TimeoutError."""
        self._sprung.wait(timeout_s)
        if self.sprung_by is None:
            raise TimeoutError("nobody came to this step")
        return self.sprung_by

    def release(self) -> None:
        """Hold nothing any more."""
        self._released.set()

    def _spring(self, link: Link) -> bool:
        """Catch a connection if none was; returns whether its bytes go on."""
        with self._lock:
            if self.sprung_by is not None:
                return True
            self.sprung_by = link
        self._sprung.set()
        self._released.wait(HOLD_AT_MOST_S)
        return self._goes_on


class RequestTrap(StepTrap):
    """Springs on an HTTP request that contains `text`, before or after the server has served it."""

    def __init__(self, text: str, *, is_after: bool, goes_on: bool = False) -> None:
        super().__init__(is_after=is_after, goes_on=goes_on)
        self._text = text.encode()
        self._asked: set[Link] = set()

    def sees_request(self, link: Link, data: bytes) -> bool:
        if self._text not in data:
            return True
        if self._is_after:
            self._asked.add(link)
            return True
        return self._spring(link)

    def sees_answer(self, link: Link, _data: bytes) -> bool:
        if link not in self._asked:
            return True
        self._asked.discard(link)
        return self._spring(link)


class AnswerTrap(StepTrap):
    """Springs on an answer that contains `text`: the server has given away what nobody gets."""

    def __init__(self, text: str) -> None:
        super().__init__(is_after=True)
        self._text = text.encode()

    def sees_request(self, _link: Link, _data: bytes) -> bool:
        return True

    def sees_answer(self, link: Link, data: bytes) -> bool:
        return self._text not in data or self._spring(link)


class CommitTrap(StepTrap):
    """Springs on the commit of a transaction in which a statement contained `sql`.

    Before: the server never hears of it. After: it has committed, and nobody is told.
    """

    def __init__(
        self, conversations: Conversations, sql: str, *, is_after: bool, goes_on: bool = False
    ) -> None:
        super().__init__(is_after=is_after, goes_on=goes_on)
        self._conversations = conversations
        self._sql = sql
        self._committing: set[Link] = set()

    def sees_request(self, link: Link, _data: bytes) -> bool:
        conversation = self._conversations.of(link)
        if not conversation.commits or not conversation.has_run(self._sql):
            return True
        if self._is_after:
            self._committing.add(link)
            return True
        return self._spring(link)

    def sees_answer(self, link: Link, data: bytes) -> bool:
        if link not in self._committing or COMMITTED not in data:
            return True
        self._committing.discard(link)
        return self._spring(link)


class TextAlarm:
    """Calls `act` with the connection each time a request contains `text`, before it is served."""

    def __init__(self, text: str, act: Callable[[Link], None]) -> None:
        self._text = text.encode()
        self._act = act

    def sees_request(self, link: Link, data: bytes) -> bool:
        if self._text in data:
            self._act(link)
        return True

    def sees_answer(self, _link: Link, _data: bytes) -> bool:
        return True
