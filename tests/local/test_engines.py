"""Embedded engines: durable, private, and gone without a trace when stopped."""

import os
import pwd
import signal
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from local.databases import fresh_database, postgres_server, valkey_server
from local.engines import ONE_TRY, Engine, serve, start_postgres, start_valkey
from local.homes import Home
from local.processes import StartError
from tests.local.waiting import has_ended

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="root steps down, others need not")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with start_postgres(tmp_path_factory.mktemp("with a space"), durable=False) as engine:
        yield engine


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with start_valkey(tmp_path_factory.mktemp("with a space"), appendonly=True) as engine:
        yield engine


def test_postgres_is_version_18_with_utf8_and_utc(postgres: Engine) -> None:
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version_num')::int / 10000, current_database(), "
            "current_setting('server_encoding'), current_setting('TimeZone')"
        ).fetchone()
    assert row == (18, "callsync", "UTF8", "UTC")


def test_postgres_keeps_what_was_committed_over_a_kill(postgres: Engine) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    url, pid = postgres.url, postgres.pid

    postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    postgres.restart()

    assert postgres.pid != pid
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (42,)


def test_valkey_keeps_what_was_appended_over_a_kill(valkey: Engine) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.set("kept", "42")

        valkey.kill()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        valkey.restart()

        assert client.get("kept") == b"42"


def test_frozen_engine_answers_again_after_it_is_resumed(valkey: Engine) -> None:
    with redis.Redis.from_url(valkey.url, socket_timeout=0.2, retry=ONE_TRY) as client:
        valkey.process.suspend()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        valkey.process.resume()

        assert client.ping()


def test_engines_ask_for_their_password(postgres: Engine, valkey: Engine) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(without_password(postgres.url))
    with (
        redis.Redis.from_url(without_password(valkey.url)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_password_is_not_among_the_arguments_that_everyone_can_read(
    postgres: Engine, valkey: Engine
) -> None:
    for engine in (postgres, valkey):
        password = engine.url.split("@")[0].rpartition(":")[2]
        assert password not in " ".join(psutil.Process(engine.pid).cmdline())


def test_engines_listen_on_this_machine_only(postgres: Engine, valkey: Engine) -> None:
    for engine in (postgres, valkey):
        listening = psutil.Process(engine.pid).net_connections()
        assert {address.laddr.ip for address in listening} == {"127.0.0.1"}


@pytest.mark.parametrize("start", [start_postgres, start_valkey])
def test_stopped_engine_leaves_only_its_log(
    start: Callable[[Path], Engine], tmp_path: Path
) -> None:
    engine = start(tmp_path)
    process = psutil.Process(engine.pid)
    family = [process, *process.children(recursive=True)]
    home = Path(process.cwd())

    engine.stop()

    assert all(has_ended(member) for member in family)
    assert not home.exists()
    assert all(path.suffix == ".log" for path in tmp_path.iterdir())


def test_engines_run_in_a_folder_with_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="with a space ") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        state = Path(folder) / "state"
        state.mkdir()

        with start_postgres(state, durable=False) as postgres, start_valkey(state) as valkey:
            for engine in (postgres, valkey):
                assert Path(folder) in Path(psutil.Process(engine.pid).cwd()).parents


def test_engine_takes_another_port_when_somebody_was_faster(tmp_path: Path, valkey: Engine) -> None:
    program = psutil.Process(valkey.pid).exe()
    taken = valkey.url.rpartition(":")[2].removesuffix("/0")
    tried: list[int] = []

    def arguments(port: int) -> list[str]:
        tried.append(port)
        return [program, "--bind", "127.0.0.1", "--port", taken if len(tried) == 1 else str(port)]

    def answers(port: int) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    home = Home("test")
    port, process = serve(
        home, arguments, answers, tmp_path / "second.log", stop_signal=signal.SIGTERM
    )
    process.stop()
    home.remove()

    assert tried == [tried[0], port]


def test_process_that_ends_while_starting_is_reported_with_its_log(tmp_path: Path) -> None:
    home = Home("test")
    with pytest.raises(StartError, match=r"(?s)broken ended while starting.*no such disk"):
        serve(
            home,
            lambda _: ["sh", "-c", "echo no such disk; exit 1"],
            lambda _: False,
            tmp_path / "broken.log",
            stop_signal=signal.SIGTERM,
        )
    home.remove()


def test_copy_of_a_database_starts_as_its_template(postgres: Engine) -> None:
    with fresh_database(postgres.url) as template:
        with psycopg.connect(template) as connection:
            connection.execute("CREATE TABLE copied ()")
        with (
            fresh_database(postgres.url, template_url=template) as copy,
            psycopg.connect(copy) as connection,
        ):
            assert connection.execute("SELECT count(*) FROM copied").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(copy)


def test_servers_of_the_environment_are_used_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql:///callsync?host=/run/postgresql")
    monkeypatch.setenv("REDIS_URL", "redis://redis.internal:6379/0")
    with postgres_server(tmp_path) as database_url, valkey_server(tmp_path) as redis_url:
        assert database_url == "postgresql:///callsync?host=/run/postgresql"
        assert redis_url == "redis://redis.internal:6379/0"
    assert list(tmp_path.iterdir()) == []


@AS_ROOT
def test_root_runs_engines_as_nobody(postgres: Engine, valkey: Engine) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    for engine in (postgres, valkey):
        process = psutil.Process(engine.pid)
        assert set(process.uids()) == {nobody}
        assert Path(process.cwd()).stat().st_uid == nobody
        assert stat.S_IMODE(Path(process.cwd()).stat().st_mode) == 0o700


@AS_ROOT
def test_temporary_folder_that_nobody_cannot_reach_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(closed))

    home = Home("test")

    assert not home.path.is_relative_to(closed)
    home.remove()


@AS_ROOT
def test_programs_in_a_closed_folder_are_copied_and_the_folder_stays_closed(tmp_path: Path) -> None:
    checkout = tmp_path / "closed"
    checkout.mkdir(mode=0o700)
    (checkout / "engine").write_text("#!/bin/sh\n")
    home = Home("test")

    copy = home.readable(checkout, "engine")

    assert copy.is_relative_to(home.path)
    assert (copy / "engine").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert stat.S_IMODE(checkout.stat().st_mode) == 0o700
    home.remove()


def without_password(url: str) -> str:
    scheme, _, address = url.partition("://")
    user, _, server = address.partition("@")
    return f"{scheme}://{user.partition(':')[0]}@{server}"
