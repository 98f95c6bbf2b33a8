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

from local.engines import start_postgres, start_valkey
from local.processes import StartError, tail

PROJECT = Path(__file__).resolve().parents[1]


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


def migrate(env: Mapping[str, str]) -> None:
    """Bring the database of DATABASE_URL to the newest schema; raises StartError."""
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    result = subprocess.run(
        command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise StartError(f"alembic upgrade head failed:\n{tail(result.stdout + result.stderr)}")
