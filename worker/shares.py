"""How much of an account's budget updates may have while creates wait."""

from collections import Counter
from threading import Lock
from typing import Final

# Both take two requests: a search and a create, a reading and an update.
ROUNDS_AN_UPDATE: Final = 9


class UpdateShare:
    """Gives updates about one request in ten of an account while creates wait there."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rounds: Counter[int] = Counter()

    def allows(self, hub_id: int, *, creates_wait: bool) -> bool:
        """Whether updates may have their requests now, after a round of creates."""
        with self._lock:
            self._rounds[hub_id] += 1
            if creates_wait and self._rounds[hub_id] < ROUNDS_AN_UPDATE:
                return False
            del self._rounds[hub_id]
            return True
