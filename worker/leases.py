"""Keeps the claims of running turns alive: one thread per process renews them all."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.claims import renew_claims
from shared.db import Database

log = structlog.get_logger(__name__)

RENEW_EVERY_S: Final = 5.0
TURN_S: Final = 60.0  # a turn past its deadline loses its claims


class Leases:
    """Renews the claims that are held here, none longer than a turn may last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[str, float] = {}
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
    def hold(self, claim_id: str) -> Iterator[None]:
        """Keep a claim alive until the block ends."""
        with self._lock:
            self._held[claim_id] = time.monotonic() + TURN_S
        try:
            yield
        finally:
            with self._lock:
                del self._held[claim_id]

    def _run(self) -> None:
        while not self._stopping.wait(RENEW_EVERY_S):
            now = time.monotonic()
            with self._lock:
                claim_ids = [claim_id for claim_id, end in self._held.items() if end > now]
            if not claim_ids:
                continue
            try:
                with self._database.begin() as session:
                    renew_claims(session, claim_ids)
            except SQLAlchemyError as error:
                # The marks check the lease; a claim that ran out is somebody else's.
                log.warning("claims_not_renewed", error=type(error).__name__)
