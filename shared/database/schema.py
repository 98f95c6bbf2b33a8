"""Which schema the database has, and which this build needs: nobody works on an older one."""

import time
from typing import Final

import structlog
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.database.engines import Database

log = structlog.get_logger(__name__)

# The oldest schema this build can work with; as numbered in alembic/versions.
REQUIRED_REVISION: Final = "0020"
MIGRATE: Final = "Run: alembic upgrade head"
LACKS_RIGHTS: Final = (
    "The role in DATABASE_URL may not read the tables. Run deploy/postgres/roles.sql, or correct"
    " DATABASE_URL."
)
# Postgres that restarts or fails over is back by then; who waits for longer is told instead.
WAIT_S: Final = 60.0
WAIT_AGAIN_S: Final = 2.0


class NotReadyError(Exception):
    """The database cannot be worked on; the message says why and what to do."""


def find_revision(database: Database) -> str:
    """The schema's revision, empty before the first migration.

    Raises:
        DBAPIError: Postgres is away, or the role may not read it.
    """
    try:
        with database.begin() as session:
            query = text("SELECT version_num FROM alembic_version")
            return str(session.execute(query).scalar_one_or_none() or "")
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise
        return ""  # the table does not exist yet


def describe_age(revision: str) -> str | None:
    """What is wrong with a schema, in words for a person; None when it is new enough."""
    if revision >= REQUIRED_REVISION:
        return None
    return f"The schema is at revision {revision or 'none'}, older than {REQUIRED_REVISION}."


def wait_for_schema(database: Database, *, seconds: float = WAIT_S) -> None:
    """Wait until Postgres answers, and see that its schema is new enough.

    Raises:
        NotReadyError: Postgres was away all the time, or the schema is too old.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            problem = describe_age(find_revision(database))
        except (DBAPIError, PoolTimeoutError) as error:
            if isinstance(getattr(error, "orig", None), InsufficientPrivilege):
                raise NotReadyError(LACKS_RIGHTS) from error
            said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
            if time.monotonic() > deadline:
                message = f"Postgres does not answer: {said}. Start it, or correct DATABASE_URL."
                raise NotReadyError(message) from error
            log.warning("postgres_awaited", error=said.partition("\n")[0])
            time.sleep(WAIT_AGAIN_S)
            continue
        if problem:
            raise NotReadyError(f"{problem} {MIGRATE}")
        return
