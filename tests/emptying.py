"""An empty database for each test: rows are deleted, which is faster than truncating files."""

from sqlalchemy import delete

from shared.db import Database
from shared.models import Base, Tally


def empty(database: Database) -> None:
    """Delete the rows of every table."""
    # Whoever refers to another table goes first; what triggers count goes last.
    tables = [each for each in reversed(Base.metadata.sorted_tables) if each is not Tally.__table__]
    with database.begin() as session:
        for table in (*tables, Tally.__table__):
            session.execute(delete(table))
