"""Runs the migrations against DATABASE_URL, one process at a time."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.pool import NullPool

from alembic import context
from shared.models import Base
from shared.settings import DatabaseSettings

# Any constant: two deploys that migrate at once take turns.
MIGRATION_LOCK = 4_825_301
TRY_EVERY_S = 0.2
# Behind a migration that waits for a table's lock every webhook waits too. It gives up instead, and
# may be run again.
LOCK_TIMEOUT_MS = 3_000


@contextmanager
def taking_turns(engine: Engine) -> Iterator[None]:
    """Keep other migrations off, across all the transactions of this one."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Tried again and again: CREATE INDEX CONCURRENTLY would wait for whoever waits in Postgres.
        while not connection.scalar(select(func.pg_try_advisory_lock(MIGRATION_LOCK))):
            time.sleep(TRY_EVERY_S)
        yield


def migrate() -> None:
    # Without a pool, so that closing the connection gives the lock back.
    engine = create_engine(
        DatabaseSettings.load(os.environ).sqlalchemy_url,
        poolclass=NullPool,
        connect_args={"options": f"-c lock_timeout={LOCK_TIMEOUT_MS}"},
    )
    with taking_turns(engine), engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_server_default=True,
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
