"""Workers start only on a schema that they can work with; beat and Flower start without any key."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import requests
from sqlalchemy import text

from local.databases import PROJECT
from local.processes import Command, Process, free_port
from local.services import serves
from shared.configuration.environment import list_settings
from shared.configuration.settings import WorkerSettings
from shared.database import schema
from shared.database.engines import Database
from shared.database.schema import NotReadyError, describe_age, wait_for_schema
from tests.conftest import MakeRole
from tests.local.waiting import wait_for

WORKER: Final = ("worker", "--without-mingle", "--without-gossip")
START_S: Final = 100.0
NOTHING: Final = {"PATH": os.environ["PATH"]}

Begin = Callable[..., Process]


@pytest.fixture
def begin(environment: dict[str, str], tmp_path: Path) -> Iterator[Begin]:
    """Starts one of Celery's standard commands, in an environment of our own or in one that has
    nothing but `alone`; it is ended with the test.
    """
    begun: list[Process] = []

    def begin_one(*arguments: str, alone: dict[str, str] | None = None, **changes: str) -> Process:
        command = Command(
            name=arguments[0],
            arguments=[sys.executable, "-m", "celery", "-A", "worker.app", *arguments],
            log=tmp_path / f"{arguments[0]}.log",
            environment=os.environ | environment | changes if alone is None else NOTHING | alone,
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
def test_worker_refuses_to_start_on_an_old_schema(begin: Begin) -> None:
    process = begin(*WORKER)

    assert process.wait(START_S) == 1
    assert "The schema is at revision 0001, older than" in process.log_tail()
    assert "Run: alembic upgrade head" in process.log_tail()


def test_beat_starts_with_the_address_of_the_broker_alone(
    begin: Begin, environment: dict[str, str], tmp_path: Path
) -> None:
    schedule = tmp_path / "schedule"

    process = begin(
        "beat", "--schedule", str(schedule), alone={"BROKER_URL": environment["REDIS_URL"]}
    )

    wait_for_line(process, "beat: Starting")
    wait_for(lambda: bool(list(tmp_path.glob("schedule*"))))
    assert process.is_running


def test_flower_starts_with_the_broker_and_its_password_alone(
    begin: Begin, environment: dict[str, str]
) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}/"

    process = begin(
        *("flower", "--address=127.0.0.1", f"--port={port}"),
        alone={"BROKER_URL": environment["REDIS_URL"], "FLOWER_BASIC_AUTH": "ops:heron"},
    )

    wait_for(lambda: serves(f"{url}healthcheck") or not process.is_running)
    assert process.is_running, process.log_tail()
    assert requests.get(url, timeout=240).status_code == 401
    assert requests.get(url, auth=("ops", "heron"), timeout=240).status_code == 200


def test_keys_that_are_garbage_are_not_looked_at_by_beat(
    begin: Begin, environment: dict[str, str], tmp_path: Path
) -> None:
    garbage = dict.fromkeys(
        ("DATABASE_URL", "TOKEN_ENCRYPTION_KEYS", "WEBHOOK_SECRETS", "FLOWER_BASIC_AUTH"), "?"
    )

    process = begin(
        *("beat", "--schedule", str(tmp_path / "schedule")),
        alone=garbage | {"REDIS_URL": environment["REDIS_URL"]},
    )

    wait_for_line(process, "beat: Starting")
    assert process.is_running


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("beat",), {"REDIS_URL"}),
        (("flower",), {"REDIS_URL"}),
        (
            WORKER,
            {
                name.upper()
                for name, each in list_settings(WorkerSettings).items()
                if each.is_required
            },
        ),
    ],
    ids=["beat", "flower", "worker"],
)
def test_process_that_is_told_nothing_names_all_that_it_needs(
    begin: Begin, arguments: tuple[str, ...], missing: set[str]
) -> None:
    process = begin(*arguments, alone={})

    assert process.wait(START_S) == 1
    assert set(re.findall(r"^ *([A-Z_]+): missing", process.log_tail(), re.MULTILINE)) == missing
    assert "Traceback" not in process.log_tail()


def test_worker_whose_role_may_not_read_is_told_so(
    begin: Begin, environment: dict[str, str], make_role: MakeRole
) -> None:
    process = begin(*WORKER, DATABASE_URL=make_role(environment["DATABASE_URL"]))

    assert process.wait(START_S) == 1
    assert "may not read the tables. Run deploy/postgres/roles.sql" in process.log_tail()


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
