"""Real PgBouncers: the one that is installed, and a current one beside it where that is old."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from signal import SIGINT
from typing import Final
from urllib.parse import urlsplit

import psycopg

from local.engines import serve
from local.homes import Home

MISSING: Final = (
    "The tests behind a pooler did not run: no PgBouncer was found. Install one, on Debian and"
    " Ubuntu: apt install pgbouncer"
)
NO_CURRENT: Final = (
    "The tests behind a current PgBouncer did not run: the one that is installed is older than"
    " 1.21. Put a newer one into PATH as pgbouncer-current"
)
# From then on it follows prepared statements of the protocol from one server connection to another.
FIRST_CURRENT: Final = (1, 21)
# Fewer than its clients, so that they share.
POOL_SIZE: Final = 4


@dataclass(frozen=True)
class Bouncer:
    """A way to run PgBouncer: an old or a current one, and settings beside `SETTINGS`."""

    name: str
    is_current: bool = False
    settings: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


IGNORING: Final = {"ignore_startup_parameters": "options"}
OLD_REFUSING: Final = Bouncer("old, refuses options")
OLD_IGNORING: Final = Bouncer("old, ignores options", settings=IGNORING)
CURRENT_REFUSING: Final = Bouncer("current, refuses options", is_current=True)
CURRENT_IGNORING: Final = Bouncer("current, ignores options", is_current=True, settings=IGNORING)
CURRENT_UNPREPARED: Final = Bouncer(
    "current, knows no prepared statements",
    is_current=True,
    settings=IGNORING | {"max_prepared_statements": "0"},
)
IN_TRANSACTION_MODE: Final = (
    *(OLD_REFUSING, OLD_IGNORING),
    *(CURRENT_REFUSING, CURRENT_IGNORING, CURRENT_UNPREPARED),
)


def find_program(*, is_current: bool) -> str | None:
    """The path of a PgBouncer, None if there is none that will do."""
    installed = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if not is_current:
        return installed
    current = shutil.which("pgbouncer-current")
    if current is None and installed and find_version(installed) >= FIRST_CURRENT:
        return installed
    return current


@cache
def find_version(program: str) -> tuple[int, ...]:
    command = [program, "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    found = re.search(r"PgBouncer (\d+)\.(\d+)", told.stdout)
    assert found, told.stdout
    return tuple(map(int, found.groups()))


@contextmanager
def running_bouncer(
    bouncer: Bouncer, program: str, database_url: str, state: Path
) -> Iterator[str]:
    """The url of a database, through a pooler in transaction mode unless it is told otherwise."""
    database = urlsplit(database_url)
    home = Home("pgbouncer")

    def arguments(port: int) -> list[str]:
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(port),
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": str(home.path / "users"),
            "pool_mode": "transaction",
            "default_pool_size": str(POOL_SIZE),
            **bouncer.settings,
        }
        lines = [
            "[databases]",
            f"* = host={database.hostname} port={database.port}",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in settings.items()),
        ]
        return [program, str(home.write("pgbouncer.ini", "\n".join(lines)))]

    def url(port: int) -> str:
        return database._replace(
            netloc=f"{database.username}:{database.password}@127.0.0.1:{port}"
        ).geturl()

    def answers(port: int) -> bool:
        try:
            psycopg.connect(url(port), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        home.write("users", f'"{database.username}" "{database.password}"\n')
        port, process = serve(home, arguments, answers, state / "pgbouncer.log", stop_signal=SIGINT)
        try:
            yield url(port)
        finally:
            process.stop()
    finally:
        home.remove()
