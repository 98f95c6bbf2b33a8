"""What the commands share: the consoles they print to, and expected failures in one line."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from redis import RedisError
from rich.console import Console
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.broker.deployment import connect_redis
from shared.configuration.settings import DatabaseSettings, ServiceSettings, SettingsError
from shared.database.engines import Database
from shared.matching.contact_cache import CACHE_S, forget_everybody

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


def forget_matches(settings: ServiceSettings) -> None:
    """Empty the cache of matches, which holds keyed hashes of numbers and contact ids."""
    try:
        with connect_redis(settings.redis_url.get_secret_value(), settings.redis_prefix) as redis:
            forget_everybody(redis)
    except RedisError as error:
        click.echo(
            f"Redis does not answer ({type(error).__name__}): the contact that was matched last,"
            f" kept under a keyed hash of the number, is forgotten in {CACHE_S} s by itself.",
            err=True,
        )


def log_deed(event: str, **details: str | int) -> None:
    """Leave a line like the service's own in the log of whoever collects stderr."""
    timestamp = datetime.now(UTC).isoformat()
    line = {"event": event, "level": "info", "logger": "callsync", "timestamp": timestamp}
    click.echo(json.dumps(details | line, sort_keys=True), err=True)
