"""The door to Postgres: one engine per process, made after any fork, and short transactions."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.orm import Session, sessionmaker

# A statement that outlives its turn helps nobody; the longest honest one is a sweep over a backlog.
STATEMENT_TIMEOUT_MS = 15_000
CONNECT_TIMEOUT_S = 3


class Database:
    """Sessions on one Postgres.

    Args:
        url: An SQLAlchemy URL with the psycopg driver.
        pool_size: Connections kept; as many again may open under pressure.
    """

    def __init__(self, url: str | URL, *, pool_size: int = 5) -> None:
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5,
            pool_pre_ping=True,  # a Postgres restart then costs no errors
            hide_parameters=True,  # otherwise payloads leak into error messages
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "hubspot-call-sync",
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC",
                # Half-open connections die in seconds instead of hours.
                "keepalives_idle": 10,
                "keepalives_interval": 3,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            },
        )
        event.listen(self.engine, "handle_error", _leave_out_values)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open a transaction: commits when the block ends, rolls back when it raises."""
        with self._sessions.begin() as session:
            yield session

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


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
