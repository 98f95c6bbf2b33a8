"""Group commit: calls that are delivered at the same time are stored in one transaction.

A transaction costs several round trips and a write to the disk, however little is in it. Whoever
comes alone is stored at once; who comes while transactions are under way goes into the next one
with everybody else who does.
"""

from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Final

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api.errors import TryLaterError
from shared.calls import LIVE_LANE, NewCall, StoredCall, store_calls
from shared.db import Database

# Two: one prepares its statement while Postgres writes the other's to the disk.
TRANSACTIONS_AT_ONCE: Final = 2
MOST_IN_ONE: Final = 100
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
        self._threads: list[Thread] = []
        self._starting = Lock()

    def store(self, call: NewCall) -> StoredCall:
        """Store a call; when this returns it is committed.

        Raises:
            TryLaterError: Its turn did not come; it is not stored.
            DBAPIError: As from a transaction of its own; whether it is stored may not be known.
        """
        result: Future[StoredCall] = Future()
        if len(self._threads) < TRANSACTIONS_AT_ONCE:
            self._start_threads()
        self._waiting.put((call, result))
        try:
            return result.result(WAIT_S)
        except TimeoutError:
            if result.cancel():
                raise TryLaterError("The database is slow to answer. Send it again.") from None
            return result.result()  # under way, which no statement is for ever

    def _start_threads(self) -> None:
        with self._starting:
            while len(self._threads) < TRANSACTIONS_AT_ONCE:
                thread = Thread(target=self._run, name="group-commit", daemon=True)
                thread.start()
                self._threads.append(thread)

    def _run(self) -> None:
        while True:
            if batch := self._take():
                self._commit(batch)

    def _take(self) -> list[_Waiting]:
        """Wait for a call, and take along whatever waits with it."""
        taken = [self._waiting.get()]
        with suppress(Empty):
            while len(taken) < MOST_IN_ONE:
                taken.append(self._waiting.get_nowait())
        return [each for each in taken if each[1].set_running_or_notify_cancel()]

    def _commit(self, batch: list[_Waiting]) -> None:
        try:
            # Not a session: it would cost a fifth more, and nothing here is mapped.
            with self._database.engine.begin() as connection:
                stored = store_calls(connection, [call for call, _ in batch], lane=LIVE_LANE)
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
