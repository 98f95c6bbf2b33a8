"""Runs the migrations against DATABASE_URL, one process at a time."""

import os

from sqlalchemy import create_engine, text

from alembic import context
from shared.models import Base
from shared.settings import DatabaseSettings

# Any constant: two deploys that migrate at once take turns.
MIGRATION_LOCK = 4_825_301


def migrate() -> None:
    engine = create_engine(DatabaseSettings.load(os.environ).sqlalchemy_url)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_server_default=True,
        )
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            context.run_migrations()
    engine.dispose()


if context.is_offline_mode():
    context.configure(
        url="postgresql+psycopg://", target_metadata=Base.metadata, literal_binds=True
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    migrate()
