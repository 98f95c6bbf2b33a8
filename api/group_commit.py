"""Group commit: calls that are delivered at the same time are stored in one transaction.

A transaction costs several round trips and a write to the disk, however little is in it. Whoever
comes alone is stored at once; who comes while transactions are under way goes into the next one
with everybody else who does.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
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
        self._waiting: deque[_Waiting] = deque()
        self._threads = ThreadPoolExecutor(TRANSACTIONS_AT_ONCE, thread_name_prefix="group-commit")

    def store(self, call: NewCall) -> StoredCall:
        """Store a call; when this returns it is committed.

        Raises:
            TryLaterError: Its turn did not come; it is not stored.
            DBAPIError: As from a transaction of its own; whether it is stored may not be known.
        """
        result: Future[StoredCall] = Future()
        self._waiting.append((call, result))
        self._threads.submit(self._commit_waiting)
        try:
            return result.result(WAIT_S)
        except TimeoutError:
            if result.cancel():
                raise TryLaterError("The database is slow to answer. Send it again.") from None
            return result.result()  # under way, which no statement is for ever

    def _commit_waiting(self) -> None:
        """Store whatever waits; nothing if another transaction has taken it along."""
        batch: list[_Waiting] = []
        with suppress(IndexError):  # nobody waits any more
            while len(batch) < MOST_IN_ONE:
                waiting = self._waiting.popleft()
                if waiting[1].set_running_or_notify_cancel():
                    batch.append(waiting)
        if batch:
            self._commit(batch)

    def _commit(self, batch: list[_Waiting]) -> None:
        try:
            with self._database.begin() as session:
                stored = store_calls(session, [call for call, _ in batch], lane=LIVE_LANE)
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
