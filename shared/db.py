"""The door to Postgres: one engine per process, made after any fork, and short transactions."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, ParamSpec, TypeVar

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import URL, Engine, create_engine, event, text
from sqlalchemy.engine import Dialect, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InternalError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

P = ParamSpec("P")
T = TypeVar("T")

# A statement that outlives its turn helps nobody; the longest honest one is a sweep over a backlog.
STATEMENT_TIMEOUT_MS: Final = 15_000
CONNECT_TIMEOUT_S: Final = 3
# Postgres ends every statement before that, whatever it waits for: who says nothing is not there.
SILENCE_S: Final = STATEMENT_TIMEOUT_MS / 1000 + 2
# Postgres in turn gives up who says nothing with a transaction open, and lets its rows go: longer
# than the one transaction takes that is open while HubSpot is asked.
IDLE_TRANSACTION_TIMEOUT_MS: Final = 20_000
# What HubSpot said is worth waiting for Postgres, but not beyond the lease.
STORE_FOR_S: Final = 15
_USED_AT: Final = "used_at"


class Database:
    """Sessions on one Postgres.

    Args:
        url: An SQLAlchemy URL with the psycopg driver.
        pool_size: Connections kept.
        overflow: How many more may open under pressure, each for one use; as many if left out.
        silence_s: Seconds without an answer after which a connection is given up.
        ping_after_s: Seconds after which an idle connection is asked whether it lives: that costs a
            round trip, and then a restart of Postgres costs no errors.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        pool_size: int = 5,
        overflow: int | None = None,
        silence_s: float = SILENCE_S,
        ping_after_s: float = 0,
    ) -> None:
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size if overflow is None else overflow,
            pool_timeout=5,
            pool_use_lifo=True,  # opens no more than are needed at once, and keeps those warm
            hide_parameters=True,  # otherwise payloads leak into error messages
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "hubspot-call-sync",
                "options": (
                    f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"
                    f" -c idle_in_transaction_session_timeout={IDLE_TRANSACTION_TIMEOUT_MS}"
                ),
                # Half-open connections die in seconds instead of hours.
                "keepalives_idle": 10,
                "keepalives_interval": 3,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            },
        )
        # Each statement is a transaction of its own, in one round trip instead of three.
        self.autocommit: Engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._silence_s = silence_s
        self._ping_after_s = ping_after_s
        event.listen(self.engine, "do_connect", self._connect)
        event.listen(self.engine, "checkin", _note_use)
        event.listen(self.engine, "checkout", self._ping_if_idle)
        event.listen(self.engine, "handle_error", _leave_out_values)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(self.autocommit, expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open a transaction: commits when the block ends, rolls back when it raises."""
        with self._sessions.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Read outside of a transaction, each statement for itself: a third of the round trips."""
        with self._readers() as session:
            yield session

    def _connect(
        self, _dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]
    ) -> "_BoundedConnection":
        connection = _BoundedConnection.connect(*arguments, **options)
        connection.silence_s = self._silence_s
        return connection

    def _ping_if_idle(
        self, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object
    ) -> None:
        used_at = record.info.get(_USED_AT)
        if used_at is None or time.monotonic() - used_at < self._ping_after_s:
            return
        try:
            self.engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            # The pool opens a new one, and does so in place of each that is as old.
            raise InvalidatePoolError from error

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def allow_idling(session: Session, *, seconds: float) -> None:
    """Let this one transaction be idle for longer, because HubSpot is asked inside it."""
    session.execute(
        text("SELECT set_config('idle_in_transaction_session_timeout', :limit, true)"),
        {"limit": f"{seconds:.0f}s"},
    )


def patiently(store: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that stores something, again while Postgres is away, busy or read-only."""
    patience = Retrying(
        retry=retry_if_exception_type((OperationalError, InternalError, PoolTimeoutError)),
        stop=stop_after_delay(STORE_FOR_S),
        wait=wait_exponential_jitter(multiplier=0.2, max=2),
        reraise=True,
    )
    return patience(store, *args, **kwargs)


def _note_use(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_USED_AT] = time.monotonic()


class _BoundedConnection(psycopg.Connection[Any]):
    """A connection on which no wait is endless.

    libpq has no limit of its own, and TCP notices nothing while the other end's kernel, or a frozen
    pooler's, still acknowledges what is sent.
    """

    silence_s = SILENCE_S

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait as psycopg does; what stays unanswered closes the connection."""
        try:
            return super().wait(gen, interval, self.silence_s if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # not Postgres's own words: the answer may come too late
                self.close()
            raise


def _leave_out_values(context: ExceptionContext) -> None:
    """Cut an error down to what Postgres says of the schema.

    Its DETAIL and CONTEXT quote rows ("Failing row contains …"), and so do the messages of class
    22, data exceptions: `hide_parameters` knows only what we sent.
    """
    error = context.original_exception
    if not isinstance(error, psycopg.Error) or not (said := error.diag.message_primary):
        return
    told = "a value was refused" if (error.sqlstate or "").startswith("22") else said
    error.args = (told,)
    if context.sqlalchemy_exception is not None:
        kind = type(error)
        context.sqlalchemy_exception.args = (f"({kind.__module__}.{kind.__name__}) {told}",)
