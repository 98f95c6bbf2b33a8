"""Waiting until another session of Postgres waits for a lock."""

from sqlalchemy import text

from shared.database.engines import Database
from tests.local.waiting import wait_for

_BLOCKED = text("""
    SELECT count(*) > 0 FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


def wait_until_blocked(database: Database) -> None:
    def is_blocked() -> bool:
        with database.begin() as session:
            return bool(session.execute(_BLOCKED).scalar_one())

    wait_for(is_blocked)
