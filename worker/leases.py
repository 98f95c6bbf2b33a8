"""Keeps running rounds alive, their claims and places: one thread per process renews them all."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import structlog
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from shared.database.engines import Database
from shared.pacing.client import OutOfBudgetError
from shared.pacing.limits import Limits
from shared.queue.claims import renew_claims
from shared.queue.marks import WRITE_WITHIN_S
from shared.queue.updates import renew_updates

log = structlog.get_logger(__name__)

RENEW_EVERY_S: Final = 5.0
ROUND_S: Final = 60.0  # a round past its deadline loses its claims


class _Held(NamedTuple):
    hub_id: int
    until: float


class Leases:
    """Renews what the rounds of this process hold, none longer than a round may last."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin renewing."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more."""
        self._stopping.set()

    @contextmanager
    def hold(self, round_id: str, hub_id: int) -> Iterator[None]:
        """Keep a round's place and its claim alive until the block ends."""
        with self._lock:
            self._held[round_id] = _Held(hub_id, time.monotonic() + ROUND_S)
        try:
            yield
        finally:
            with self._lock:
                del self._held[round_id]

    def _run(self) -> None:
        while not self._stopping.wait(RENEW_EVERY_S):
            now = time.monotonic()
            with self._lock:
                held = {id_: each.hub_id for id_, each in self._held.items() if each.until > now}
            if held:
                self._renew(held)

    def _renew(self, held: dict[str, int]) -> None:
        try:
            with self._database.begin() as session:
                renew_claims(session, held)
                renew_updates(session, held)
            for round_id, hub_id in held.items():
                self._limits.keep_round(hub_id, round_id)
        except (SQLAlchemyError, RedisError) as error:
            # The marks check the lease; a claim that ran out is somebody else's.
            log.warning("leases_not_renewed", error=type(error).__name__)


def require_lease(marked_at: float) -> None:
    """Call right before sending what was marked then (`time.monotonic`).

    Raises:
        OutOfBudgetError: The commit was slow, or this worker was frozen: too little of the lease
            is left.
    """
    if time.monotonic() - marked_at > WRITE_WITHIN_S:
        raise OutOfBudgetError
