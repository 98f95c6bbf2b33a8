"""A function that stops at places of its choice until somebody lets it go on."""

import threading
from collections.abc import Callable
from typing import Final

GUARD_S: Final = 240.0


class Steps:
    """Runs a function in a thread of its own; only one of it and its driver runs at any time.

    Attributes:
        place: Where it has stopped; None when it has come to its end.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        self.place: str | None = "the beginning"
        self._run = run
        self._resumed = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._interruption: BaseException | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Run to the first place."""
        self._thread.start()
        self._wait()

    def go_on(self, interruption: BaseException | None = None) -> None:
        """Run to the next place or to the end, perhaps with an exception where it has stopped.

        Raises what the function raises, but for the interruption itself.
        """
        self._interruption = interruption
        self._resumed.release()
        self._wait()

    def stop_at(self, place: str) -> None:
        """Stop here until told to go on; called by the function."""
        self.place = place
        self._stopped.release()
        self._resumed.acquire()
        if self._interruption is not None:
            raise self._interruption

    def _wait(self) -> None:
        assert self._stopped.acquire(timeout=GUARD_S), f"it hangs after {self.place}"
        if self.place is None:
            self._thread.join(GUARD_S)
            if self._failure is not None and self._failure is not self._interruption:
                raise self._failure

    def _work(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - the driver raises it
            self._failure = error
        self.place = None
        self._stopped.release()
