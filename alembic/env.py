"""Runs the migrations against DATABASE_URL, one process at a time."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from alembic import context
from shared.configuration.settings import DatabaseSettings
from shared.models import Base

# Any constant: two deploys that migrate at once take turns.
MIGRATION_LOCK = 4_825_301
TRY_EVERY_S = 0.2
# Empty; for the release before 0016.
LEFTOVERS = frozenset({"hubspot_late_writes", "hubspot_surplus_notes"})
# Behind a migration that waits for a table's lock every webhook waits too. It gives up instead, and
# may be run again.
LOCK_TIMEOUT_MS = 3_000


@contextmanager
def taking_turns(engine: Engine) -> Iterator[None]:
    """Keep other migrations off, across all the transactions of this one.

    By a transaction that lasts as long: a session's lock would stay with the server connection that
    a pooler lent out for it. Asked without parameters, Postgres keeps no snapshot for the answer,
    which every index that is made meanwhile would wait for.
    """
    asking = f"SELECT pg_try_advisory_xact_lock({MIGRATION_LOCK})"
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        # Tried again and again: CREATE INDEX CONCURRENTLY would wait for whoever waits in Postgres.
        while not connection.exec_driver_sql(asking).scalar():
            time.sleep(TRY_EVERY_S)
        yield


def limit_waiting(connection: Connection) -> None:
    """Told to each transaction, for a pooler keeps nothing of a session.

    What runs outside of one (validating, concurrent indexes) may wait: it holds up nobody.
    """
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")


def migrate() -> None:
    engine = create_engine(
        DatabaseSettings.load(os.environ).sqlalchemy_url,
        poolclass=NullPool,
        connect_args={"prepare_threshold": None},  # a pooler may lend another connection next time
    )
    event.listen(engine, "begin", limit_waiting)
    with taking_turns(engine), engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_server_default=True,
            include_name=lambda name, kind, _: kind != "table" or name not in LEFTOVERS,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    context.configure(
        url="postgresql+psycopg://", target_metadata=Base.metadata, literal_binds=True
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    migrate()
