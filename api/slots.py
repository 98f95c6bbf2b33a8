"""Slots for slow requests, so that they leave the server's threads to the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from api.errors import TryLaterError


class Slot:
    """One that is taken."""

    def __init__(self, free: BoundedSemaphore) -> None:
        self._free = free
        self._is_held = True
        self._changes = Lock()

    def give_back(self) -> None:
        """Free the slot for another request; whoever comes second does nothing."""
        with self._changes:
            was_held, self._is_held = self._is_held, False
        if was_held:
            self._free.release()


class Slots:
    """So many requests of one kind run at once in this process; the next one is sent away."""

    def __init__(self, most: int) -> None:
        self._free = BoundedSemaphore(most)

    def take(self) -> Slot:
        """Take a slot, to be given back; raises TryLaterError when none is free."""
        if not self._free.acquire(blocking=False):
            raise TryLaterError("Too many such requests at once. Try again soon.", code="busy")
        return Slot(self._free)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold a slot inside the block; raises TryLaterError when none is free."""
        slot = self.take()
        try:
            yield
        finally:
            slot.give_back()
