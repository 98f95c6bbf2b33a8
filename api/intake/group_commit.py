"""Group commit: calls that are delivered at the same time are stored in one transaction.

A transaction costs a round trip and a write to the disk, however little is in it. Whoever comes
alone is stored at once; who comes while a transaction is under way goes into the next one with
everybody else who does.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api.http.errors import TryLaterError
from shared.calls.intake import MAX_STATEMENT_BYTES, NewCall, StoredCall, store_calls
from shared.configuration.settings import Activity
from shared.database.engines import Database
from shared.reasons import Lane

log = structlog.get_logger(__name__)

MOST_IN_ONE: Final = 100
# The last one that is taken may be as large again.
MOST_BYTES: Final = MAX_STATEMENT_BYTES // 2
# One after the other is cheapest. What takes longer than this may hang: another goes beside it.
PATIENCE_S: Final = 0.25
# From then on, as long as a request would wait for a connection.
WAIT_S: Final = 5.0

# Postgres is away or takes no writes, which is no fault of any call.
_AWAY: Final = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)


class _Waiting:
    """A call whose sender waits for the result; a Future would cost several times as much."""

    __slots__ = ("_claimed", "_result", "_told", "call")

    def __init__(self, call: NewCall) -> None:
        self.call = call
        self._claimed = Lock()
        self._told = Lock()
        self._told.acquire()
        self._result: StoredCall | Exception

    def claim(self) -> bool:
        """Whoever does so first, to store the call or to withdraw it, has it."""
        return self._claimed.acquire(blocking=False)

    def tell(self, result: StoredCall | Exception) -> None:
        self._result = result
        self._told.release()

    def is_told_within(self, seconds: float) -> bool:
        if is_told := self._told.acquire(timeout=seconds):
            self._told.release()
        return is_told

    def result(self) -> StoredCall:
        """What was told, however long that takes."""
        with self._told:
            if isinstance(self._result, Exception):
                raise self._result
            return self._result


class GroupCommit:
    """Stores live calls; each is answered when its own transaction has been committed.

    Threads start with the first call, hence after any fork.
    """

    def __init__(self, database: Database, *, activity: Activity = "note") -> None:
        self._database = database
        self._activity = activity
        self._waiting: SimpleQueue[_Waiting] = SimpleQueue()
        self._impatience = Event()
        self._has_threads = False
        self._starting = Lock()

    def store(self, call: NewCall) -> StoredCall:
        """Store a call; when this returns it is committed.

        Raises:
            TryLaterError: Its turn did not come; it is not stored.
            DBAPIError: As from a transaction of its own; whether it is stored may not be known.
        """
        return self.store_all([call])[0]

    def store_all(self, calls: Sequence[NewCall]) -> list[StoredCall]:
        """Store what one request brings, in its order; when this returns all of it is committed.

        Raises:
            TryLaterError: The turn of one did not come; others may be stored.
            DBAPIError: As from a transaction of its own; whether it is stored may not be known.
        """
        if not self._has_threads:
            self._start_threads()
        waiting = [_Waiting(call) for call in calls]
        for each in waiting:
            self._waiting.put(each)
        return [self._await(each) for each in waiting]

    def _await(self, waiting: _Waiting) -> StoredCall:
        if not waiting.is_told_within(PATIENCE_S):
            self._wait_longer(waiting)
        return waiting.result()

    def _wait_longer(self, waiting: _Waiting) -> None:
        self._impatience.set()
        # What is under way is waited for, and no statement takes for ever.
        if not waiting.is_told_within(WAIT_S) and waiting.claim():
            raise TryLaterError("The database is slow to answer. Send it again.")

    def _start_threads(self) -> None:
        with self._starting:
            if not self._has_threads:
                for run in (self._store_whatever_comes, self._store_beside):
                    Thread(target=run, name="group-commit", daemon=True).start()
                self._has_threads = True

    def _store_whatever_comes(self) -> None:
        while True:
            self._store(self._take(self._waiting.get()))

    def _store_beside(self) -> None:
        while True:
            self._impatience.wait()
            self._impatience.clear()
            self._store(self._take())

    def _take(self, *first: _Waiting) -> list[_Waiting]:
        """A call and what waits with it, as much as fits, without those that were withdrawn."""
        taken = list(first)
        size = sum(len(each.call.document) for each in first)
        with suppress(Empty):
            while len(taken) < MOST_IN_ONE and size < MOST_BYTES:
                taken.append(self._waiting.get_nowait())
                size += len(taken[-1].call.document)
        return [each for each in taken if each.claim()]

    def _store(self, batch: list[_Waiting]) -> None:
        """Store a batch and, over the same connection, those that have come meanwhile."""
        if not batch:
            return
        try:
            # No session, which costs a fifth more: nothing here is mapped.
            with self._database.autocommit.connect() as connection:
                while batch:
                    self._commit(connection, batch)
                    batch = self._take()
        except Exception as error:  # noqa: BLE001 -- whatever it is, somebody waits for it
            if len(batch) > 1 and not isinstance(error, _AWAY):
                # One of them is at fault, and the others must not be refused with it.
                for waiting in batch:
                    self._store_alone(waiting)
                return
            for waiting in batch:
                waiting.tell(error)

    def _store_alone(self, waiting: _Waiting) -> None:
        try:
            with self._database.autocommit.connect() as connection:
                self._commit(connection, [waiting])
        except Exception as error:  # noqa: BLE001 -- as above
            waiting.tell(error)

    def _commit(self, connection: Connection, batch: list[_Waiting]) -> None:
        calls = [each.call for each in batch]
        stored = store_calls(connection, calls, lane=Lane.LIVE, activity=self._activity)
        _note(stored)
        for waiting, result in zip(batch, stored, strict=True):
            waiting.tell(result)


def _note(stored: Sequence[StoredCall]) -> None:
    # A line for each call would cost more than to check its signature.
    if len(stored) == 1:
        log.info("call_accepted", **asdict(stored[0]))
        return
    log.info(
        "calls_accepted",
        log_ids=[each.log_id for each in stored],
        duplicates=sum(each.is_duplicate for each in stored),
        updates=sum(each.is_updated for each in stored),
    )
