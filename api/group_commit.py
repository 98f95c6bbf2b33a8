"""Group commit: calls that are delivered at the same time are stored in one transaction.

A transaction costs a round trip and a write to the disk, however little is in it. Whoever comes
alone is stored at once; who comes while a transaction is under way goes into the next one with
everybody else who does.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Final

import structlog
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api.errors import TryLaterError
from shared.calls import LIVE_LANE, NewCall, StoredCall, store_calls
from shared.db import Database

log = structlog.get_logger(__name__)

MOST_IN_ONE: Final = 100
# One after the other is cheapest. What takes longer than this may hang: another goes beside it.
PATIENCE_S: Final = 0.25
THREADS: Final = 2
# As long as a request would wait for a connection.
WAIT_S: Final = 5.0

# Postgres is away or takes no writes, which is no fault of any call.
_AWAY: Final = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)

_Waiting = tuple[NewCall, Future[StoredCall]]


class GroupCommit:
    """Stores live calls; each is answered when its own transaction has been committed.

    Threads start with the first call, hence after any fork.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: SimpleQueue[_Waiting] = SimpleQueue()
        self._turn = Lock()
        self._threads: list[Thread] = []
        self._starting = Lock()

    def store(self, call: NewCall) -> StoredCall:
        """Store a call; when this returns it is committed.

        Raises:
            TryLaterError: Its turn did not come; it is not stored.
            DBAPIError: As from a transaction of its own; whether it is stored may not be known.
        """
        if len(self._threads) < THREADS:
            self._start_threads()
        result: Future[StoredCall] = Future()
        self._waiting.put((call, result))
        try:
            return result.result(WAIT_S)
        except TimeoutError:
            if result.cancel():
                raise TryLaterError("The database is slow to answer. Send it again.") from None
            return result.result()  # under way, which no statement is for ever

    def _start_threads(self) -> None:
        with self._starting:
            while len(self._threads) < THREADS:
                thread = Thread(target=self._run, name="group-commit", daemon=True)
                thread.start()
                self._threads.append(thread)

    def _run(self) -> None:
        while True:
            first = self._waiting.get()
            is_alone = self._turn.acquire(timeout=PATIENCE_S)
            try:
                if batch := self._take(first):
                    self._commit(batch)
            finally:
                if is_alone:
                    self._turn.release()

    def _take(self, first: _Waiting) -> list[_Waiting]:
        """A call and whatever waits with it, without those that have been withdrawn."""
        taken = [first]
        with suppress(Empty):
            while len(taken) < MOST_IN_ONE:
                taken.append(self._waiting.get_nowait())
        return [each for each in taken if each[1].set_running_or_notify_cancel()]

    def _commit(self, batch: list[_Waiting]) -> None:
        try:
            # No session, which costs a fifth more: nothing here is mapped.
            with self._database.autocommit.connect() as connection:
                stored = store_calls(connection, [call for call, _ in batch], lane=LIVE_LANE)
            _tell(stored)
        except Exception as error:  # noqa: BLE001 -- whatever it is, somebody waits for it
            if len(batch) > 1 and not isinstance(error, _AWAY):
                # One of them is at fault, and the others must not be refused with it.
                for waiting in batch:
                    self._commit([waiting])
                return
            for _, result in batch:
                result.set_exception(error)
        else:
            for (_, result), each in zip(batch, stored, strict=True):
                result.set_result(each)


def _tell(stored: Sequence[StoredCall]) -> None:
    # A line for each call would cost more than to check its signature.
    if len(stored) == 1:
        log.info("call_accepted", **asdict(stored[0]))
        return
    log.info(
        "calls_accepted",
        log_ids=[each.log_id for each in stored],
        duplicates=sum(each.is_duplicate for each in stored),
    )
