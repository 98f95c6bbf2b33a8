"""The door to Postgres: one engine per process, made after any fork, and short transactions.

Time limits are in force on every connection. Postgres itself is told them once, when a connection
is opened. Behind a pooler that lends its connections out by the transaction (PgBouncer, and what
managed Postgres puts in front) nothing that a session was told lasts: there each transaction brings
its limits along, and no statement is prepared under a name.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, ParamSpec, Self, TypeVar, cast

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
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
# than the refresh of a token takes, for which HubSpot is asked inside one. See `allow_idling`.
IDLE_TRANSACTION_TIMEOUT_MS: Final = 20_000
# What HubSpot said is worth waiting for Postgres, but not beyond the lease.
STORE_FOR_S: Final = 15
_USED_AT: Final = "used_at"
# "unsupported startup parameter: options", "… doesn't support command-line options", and the like.
_OPTIONS_REFUSED: Final = re.compile(
    r"start-?up (parameter|option)|command-line option", re.IGNORECASE
)


class Database:
    """Sessions on one Postgres.

    Args:
        url: An SQLAlchemy URL with the psycopg driver.
        pool_size: Connections kept.
        overflow: How many more may open under pressure, each for one use; as many if left out.
        silence_s: Seconds without an answer after which a connection is given up.
        ping_after_s: Seconds after which an idle connection is asked whether it lives: that costs a
            round trip, and then a restart of Postgres costs no errors.

    Attributes:
        is_pooled: Whether the last connection was one of a pooler's; None before the first.
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
        self._limits = {
            "statement_timeout": _as_shown(STATEMENT_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": _as_shown(IDLE_TRANSACTION_TIMEOUT_MS),
            "TimeZone": "UTC",
        }
        self._own_options = str(make_url(url).query.get("options", ""))
        asked = (f"-c {name}={value}" for name, value in self._limits.items())
        self._options = " ".join((self._own_options, *asked)).strip()
        self.is_pooled: bool | None = None
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
        self, _dialect: Dialect, _record: object, arguments: list[Any], parameters: dict[str, Any]
    ) -> "_BoundedConnection":
        connection = self._open(arguments, parameters)
        connection.silence_s = self._silence_s
        try:
            self.is_pooled = not connection.keeps(self._limits)
        except psycopg.Error:  # a pooler answers while Postgres behind it is away
            connection.close()
            raise
        if self.is_pooled:
            connection.bring_along(self._limits)
        return connection

    def _open(self, arguments: list[Any], parameters: dict[str, Any]) -> "_BoundedConnection":
        """Connect; to a pooler that refuses to be told anything by a session, without that."""
        options = self._options
        try:
            return _BoundedConnection.connect(*arguments, **parameters | {"options": options})
        except psycopg.OperationalError as error:
            if options == self._own_options or not _OPTIONS_REFUSED.search(str(error)):
                raise
        self._options = self._own_options
        return self._open(arguments, parameters)

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


def find_limits(session: Session) -> dict[str, str]:
    """The time limits that Postgres holds this transaction to, as it shows them; `0` is none."""
    shown = text(
        "SELECT name, current_setting(name) AS limit"
        " FROM unnest(CAST(:names AS text[])) AS asked (name)"
    )
    names = ["statement_timeout", "idle_in_transaction_session_timeout"]
    return {row.name: row.limit for row in session.execute(shown, {"names": names})}


def patiently(store: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that stores something, again while Postgres is away, busy or read-only."""
    patience = Retrying(
        retry=retry_if_exception_type((OperationalError, InternalError, PoolTimeoutError)),
        stop=stop_after_delay(STORE_FOR_S),
        wait=wait_exponential_jitter(multiplier=0.2, max=2),
        reraise=True,
    )
    return patience(store, *args, **kwargs)


def _as_shown(milliseconds: int) -> str:
    """A duration as Postgres shows it, up to a minute."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{milliseconds}ms" if rest else f"{seconds}s"


def _note_use(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_USED_AT] = time.monotonic()


class _BoundedConnection(psycopg.Connection[Any]):
    """A connection on which no wait is endless.

    libpq has no limit of its own, and TCP notices nothing while the other end's kernel, or a frozen
    pooler's, still acknowledges what is sent.
    """

    silence_s = SILENCE_S
    setting_limits = ""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait as psycopg does; what stays unanswered closes the connection."""
        try:
            return super().wait(gen, interval, self.silence_s if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # not Postgres's own words: the answer may come too late
                self.close()
            raise

    def keeps(self, limits: Mapping[str, str]) -> bool:
        """Whether one server process serves this connection, and was told these limits.

        A pooler hands out process ids of its own making, and may drop what it is asked at start.
        """
        self.autocommit = True
        row = self.execute(
            "SELECT pg_backend_pid(), bool_and(current_setting(name) = value)"
            " FROM unnest(%s::text[], %s::text[]) AS asked (name, value)",
            [list(limits), list(limits.values())],
        ).fetchone()
        self.autocommit = False
        return row == (self.info.backend_pid, True)

    def bring_along(self, limits: Mapping[str, str]) -> None:
        """Send these limits with each transaction from now on, and prepare nothing."""
        self.prepare_threshold = None
        self.cursor_factory = _LimitedCursor
        self.setting_limits = "SELECT " + ", ".join(
            f"set_config('{name}', '{value}', true)" for name, value in limits.items()
        )


class _LimitedCursor(psycopg.Cursor[Any]):
    """Says first under which limits a transaction runs, which a statement alone is one too.

    No pipeline, although it would save the round trips: psycopg ends one with a Flush, for which a
    pooler lends a connection and waits for more, and after which Postgres forgets its idle timeout.
    """

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        with self._limited():
            return super().execute(*args, **kwargs)

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        with self._limited():
            super().executemany(*args, **kwargs)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        connection = cast("_BoundedConnection", self.connection)
        if connection.info.transaction_status != TransactionStatus.IDLE:
            yield
            return
        first = "BEGIN; " if connection.autocommit else ""  # else psycopg begins by itself
        psycopg.Cursor(connection).execute(first + connection.setting_limits)
        if not connection.autocommit:
            yield
            return
        try:
            yield
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise
        connection.commit()


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
