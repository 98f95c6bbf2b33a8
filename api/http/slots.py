"""What requests may take of a process: slots when slow, room when large, work when strangers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock
from typing import Final

from api.http.errors import BusyError

# Bodies up to here are read without asking: 256 threads hold 16 MiB of them.
SMALL_BYTES: Final = 64 * 1024
# Whoever is refused may never send it again.
WAIT_FOR_ROOM_S: Final = 30.0


class Slot:
    """One that is taken; `free` is called once, when it is given back."""

    def __init__(self, free: Callable[[], object]) -> None:
        self._free = free
        self._is_held = True
        self._changes = Lock()

    def give_back(self) -> None:
        """Free the slot for another request; whoever comes second does nothing."""
        with self._changes:
            was_held, self._is_held = self._is_held, False
        if was_held:
            self._free()


class Slots:
    """So many requests of one kind run at once in this process; the next one is sent away."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._changes = Lock()

    def require_free(self) -> None:
        """Raise BusyError when no slot is free; nothing is taken."""
        if self._free <= 0:
            raise BusyError

    def take(self) -> Slot:
        """Take a slot, to be given back; raises BusyError when none is free."""
        with self._changes:
            self.require_free()
            self._free -= 1
        return Slot(self.free_one)

    def free_one(self) -> None:
        """Free a slot: for `Slot`, which does it once."""
        with self._changes:
            self._free += 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold a slot inside the block; raises BusyError when none is free."""
        slot = self.take()
        try:
            yield
        finally:
            slot.give_back()


class Room:
    """The bytes that requests with large bodies may take together; the others wait.

    A body takes its bytes until the response is sent, and ten times as much while it is parsed: so
    one is parsed at a time, and no two threads would be any faster.
    """

    def __init__(self, size: int) -> None:
        """Make room for so many bytes."""
        self._free = size
        self._changed = Condition()
        self._parsing = Lock()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Take room for a body inside the block; raises BusyError when none comes free."""
        if size <= SMALL_BYTES:
            yield
            return
        with self._changed:
            if not self._changed.wait_for(lambda: self._free >= size, WAIT_FOR_ROOM_S):
                raise BusyError("Too much is sent at once. Try again soon.")
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()

    @contextmanager
    def parsing(self, size: int) -> Iterator[None]:
        """Parse a body of so many bytes inside the block, and keep nothing large of it."""
        if size <= SMALL_BYTES:
            yield
            return
        with self._parsing:
            yield


class Allowance:
    """Work that is done for whoever asks: so much at once, and so much a second from then on."""

    def __init__(self, most: int, *, per_second: int) -> None:
        """Begin with all of it."""
        self._most = most
        self._per_second = per_second
        self._left = float(most)
        self._at = time.monotonic()
        self._changes = Lock()

    def take(self, amount: int) -> float:
        """Take as much as is asked for, if anything is left: what is too much is made up for.

        Returns:
            0 if it was taken; else the seconds until something is left.
        """
        with self._changes:
            now = time.monotonic()
            self._left = min(self._left + (now - self._at) * self._per_second, self._most)
            self._at = now
            if self._left > 0:
                self._left -= amount
                return 0.0
            return max(1.0, -self._left / self._per_second)

    def give_back(self, amount: int) -> None:
        """Whoever took it turned out to be no stranger."""
        with self._changes:
            self._left += amount
