"""What the commands share: the consoles they print to, and expected failures in one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.db import Database
from shared.settings import DatabaseSettings, SettingsError

# Where nobody looks at a terminal, in a CI log say, lines may be long.
LOG_WIDTH = 100


def make_console(*, stderr: bool = False) -> Console:
    """A console that is plain where its output is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else LOG_WIDTH)


@contextmanager
def readable_settings_errors() -> Iterator[None]:
    """Say what the environment lacks instead of showing a traceback."""
    try:
        yield
    except SettingsError as error:
        raise click.ClickException(f"{error}\n`callsync doctor` checks all of them.") from error


@contextmanager
def open_database() -> Iterator[Database]:
    """The service's database; what is wrong with it is said in one line."""
    with readable_settings_errors():
        database = Database(DatabaseSettings.load().sqlalchemy_url)
    try:
        yield database
    except ProgrammingError as error:
        raise click.ClickException(
            f"The database lacks what this build needs ({first_line(error)})."
            " Run: alembic upgrade head"
        ) from error
    except (OperationalError, PoolTimeoutError) as error:
        raise click.ClickException(f"Postgres failed: {first_line(error)}") from error
    finally:
        database.dispose()


def first_line(error: DBAPIError | PoolTimeoutError) -> str:
    """The first line of what Postgres or its driver said."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]
