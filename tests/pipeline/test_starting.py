"""Workers and beat start only on a schema that they can work with, and say so in words."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from local.databases import PROJECT
from local.processes import Command, Process, free_port
from shared import schema
from shared.db import Database
from shared.schema import NotReadyError, describe_age, wait_for_schema
from tests.local.waiting import wait_for

WORKER: Final = ("worker", "--without-mingle", "--without-gossip")
START_S: Final = 100.0

Begin = Callable[..., Process]


@pytest.fixture
def begin(environment: dict[str, str], tmp_path: Path) -> Iterator[Begin]:
    """Starts one of Celery's standard commands; it is ended with the test."""
    begun: list[Process] = []

    def begin_one(*arguments: str, **changes: str) -> Process:
        command = Command(
            name=arguments[0],
            arguments=[sys.executable, "-m", "celery", "-A", "worker.app", *arguments],
            log=tmp_path / f"{arguments[0]}.log",
            environment=os.environ | environment | changes,
            directory=PROJECT,
        )
        process = Process(command)
        begun.append(process)
        return process

    yield begin_one
    for process in begun:
        process.stop()


@pytest.fixture
def old_schema(database: Database) -> Iterator[None]:
    """The database of a release before this one."""

    def set_revision(revision: str) -> str:
        with database.begin() as session:
            was = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
            set_it = text("UPDATE alembic_version SET version_num = :revision")
            session.execute(set_it, {"revision": revision})
            return str(was)

    was = set_revision("0001")
    yield
    set_revision(was)


@pytest.mark.usefixtures("old_schema")
@pytest.mark.parametrize("arguments", [WORKER, ("beat",)], ids=["worker", "beat"])
def test_process_refuses_to_start_on_an_old_schema(
    begin: Begin, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    schedule = ("--schedule", str(tmp_path / "schedule")) if arguments == ("beat",) else ()

    process = begin(*arguments, *schedule)

    assert process.wait(START_S) == 1
    assert "The schema is at revision 0001, older than" in process.log_tail()
    assert "Run: alembic upgrade head" in process.log_tail()


def test_worker_waits_for_postgres_and_says_so(begin: Begin) -> None:
    process = begin(*WORKER, DATABASE_URL=f"postgresql://127.0.0.1:{free_port()}/callsync")

    wait_for_line(process, "postgres_awaited")

    assert process.is_running
    assert "Traceback" not in process.log_tail()


def wait_for_line(process: Process, line: str) -> None:
    deadline = START_S / 10
    for _ in range(int(START_S / deadline)):
        try:
            wait_for(lambda: line in process.command.log.read_text())
        except AssertionError:
            continue
        return
    pytest.fail(process.log_tail())


def test_who_has_waited_long_enough_is_told_what_to_do() -> None:
    nowhere = Database(f"postgresql+psycopg://127.0.0.1:{free_port()}/callsync")

    with pytest.raises(
        NotReadyError, match=r"(?s)Postgres does not answer: .*correct DATABASE_URL"
    ):
        wait_for_schema(nowhere, seconds=0)


def test_postgres_that_comes_back_is_worked_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Database(f"postgresql+psycopg://127.0.0.1:{free_port()}/callsync")
    asked: list[Database] = []
    find_revision = schema.find_revision

    def find(_: Database) -> str:
        asked.append(nowhere if not asked else database)
        return find_revision(asked[-1])

    monkeypatch.setattr(schema, "find_revision", find)
    monkeypatch.setattr(schema, "WAIT_AGAIN_S", 0)

    wait_for_schema(database)

    assert asked == [nowhere, database]


@pytest.mark.parametrize(
    ("revision", "is_new_enough"),
    [("", False), ("0001", False), (schema.REQUIRED_REVISION, True), ("9999", True)],
)
def test_newer_schema_is_as_good(revision: str, is_new_enough: bool) -> None:
    assert (describe_age(revision) is None) == is_new_enough
