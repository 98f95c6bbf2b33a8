"""What a server said last, for requests that must not wait for it side by side."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeptAnswer(Generic[T]):
    """An answer that one request at a time asks for; whoever comes meanwhile gets the last one.

    So a server that is silent holds one thread, however many want to know. Only as long as there
    has been no answer at all do the others wait for the first.
    """

    def __init__(
        self,
        ask: Callable[[], T],
        *,
        kept_for_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask by `ask`, which raises nothing, and not again within `kept_for_s` seconds."""
        self._ask = ask
        self._kept_for_s = kept_for_s
        self._clock = clock
        self._asking = threading.Lock()
        self._last: tuple[T, float] | None = None

    def get(self) -> T:
        """The answer."""
        last = self._last
        if last is not None and self._clock() < last[1] + self._kept_for_s:
            return last[0]
        if last is not None and not self._asking.acquire(blocking=False):
            return last[0]
        if last is None:
            self._asking.acquire()
        try:
            if self._last is None or self._last is last:
                self._last = (self._ask(), self._clock())
            return self._last[0]
        finally:
            self._asking.release()
