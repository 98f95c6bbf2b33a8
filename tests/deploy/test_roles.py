"""The service runs with rights on rows alone; what changes tables is refused to it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click.testing
import psycopg
import pytest
import requests
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from cli import main
from local.databases import PROJECT, fresh_database, make_roles, migrate
from local.producer import Producer
from local.stack import Stack
from local.visitor import Visitor, sign_in
from sandbox.client import SandboxControl
from shared.configuration.setting_values import sqlalchemy_url
from shared.configuration.settings import WorkerSettings
from shared.database.engines import Database
from shared.database.rights import find_rights
from tests.local.waiting import wait_for
from worker.maintenance.housekeeping import CHORES, keep_house
from worker.resources import open_resources

IDENTITY: Final = {"user_id": "user_1", "workspace_id": "ws_1"}
TENANT: Final = ("--user", "user_1", "--workspace", "ws_1")
KNOWN, UNKNOWN = "+12025550101", "+12025550199"
TIMEOUT_S: Final = 240
HURRY: Final = """
    UPDATE hubspot_sync_logs SET next_attempt_at = now()
    WHERE status = 'pending' AND attempts > 0 AND next_attempt_at > now()
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The whole service; its database is owned by another role than it runs as."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATABASE_URL", "REDIS_URL"):
            patch.delenv(name, raising=False)
        settings = {"LOG_RETENTION_DAYS": "400", "LOG_NUMBER_RETENTION_DAYS": "90"}
        with Stack(beat=False, durable=False, env=settings) as stack:
            yield stack


def test_whole_service_works_with_rights_on_rows_alone(stack: Stack, tmp_path: Path) -> None:
    token = sign_in(stack.env["JWT_SECRET"], **IDENTITY, lasts=timedelta(hours=1))
    with (
        SandboxControl(stack.env["HUBSPOT_API_URL"]) as sandbox,
        Visitor(stack.api_url, token) as visitor,
    ):
        hub_id = sandbox.add_account()
        sandbox.add_contacts(hub_id, [{"phone": KNOWN}])
        visitor.connect(sandbox, hub_id)
        sync_calls(stack, visitor)
        assert len(sandbox.notes(hub_id)) == 1
        use_dashboard(stack.api_url, token)
        use_commands(stack, tmp_path)
        keep_whole_house(stack)
        visitor.connect(sandbox, hub_id)
        command(stack, "erase", *TENANT, "--yes")

    assert count(stack, "hubspot_sync_logs") == count(stack, "hubspot_oauth_tokens") == 0
    assert "permission denied" not in (stack.state / "postgres.log").read_text()
    assert "must be owner" not in (stack.state / "postgres.log").read_text()


def sync_calls(stack: Stack, visitor: Visitor) -> None:
    producer = Producer(stack.api_url, stack.env["WEBHOOK_SECRETS"])
    for phone in (KNOWN, UNKNOWN):
        call = {"call_id": phone, "phone_number": phone, "summary": "Hello", **IDENTITY}
        producer.post_call(call)
        assert producer.post_call(call).is_duplicate

    def is_settled() -> bool:
        with psycopg.connect(stack.owner_url) as owner:  # who is unknown is looked up again later
            owner.execute(HURRY)
        counts = visitor.get("/api/hubspot/status")["counts"]
        return bool(counts["success"] == counts["skipped"] == 1)

    wait_for(is_settled)


def use_dashboard(api_url: str, token: str) -> None:
    """Every route of the dashboard, reading and changing; ends without a connection."""

    def ask(method: str, path: str, **options: Any) -> requests.Response:
        answer = requests.request(
            method,
            f"{api_url}/api/hubspot/{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
            **options,
        )
        assert answer.ok, f"{path}: {answer.text}"
        return answer

    logs = ask("GET", "sync-logs").json()["logs"]
    [skipped] = [each["id"] for each in logs if each["status"] == "skipped"]
    for path in ("status", "settings", "statistics", "audit", "sync-logs/export"):
        ask("GET", path)
    ask("GET", f"sync-logs/{skipped}")
    ask("PATCH", "settings", json={"match_policy": "skip", "default_region": "GB"})
    ask("POST", "preview", json={"phone_number": KNOWN})
    ask("POST", "test-call", json={"phone_number": KNOWN})
    ask("POST", f"sync-logs/{skipped}/retry")
    ask("POST", "sync-logs/retry", json={"ids": [skipped]})
    ask("DELETE", "disconnect")


def use_commands(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(f"call_id,user_id,workspace_id,phone_number\nold,user_1,ws_1,{KNOWN}\n")

    told = command(stack, "doctor")
    assert "✓ The role callsync_service has rights on rows, and no others." in told
    command(stack, "import", str(file), "--dry-run")
    command(stack, "import", str(file))
    command(stack, "trouble", is_clean=False)
    command(stack, "retry", "--status", "skipped", "--error-code", "contact_not_found")
    command(stack, "audit")
    command(stack, "rotate-keys")
    command(stack, "token", "--revoke", "--user", "somebody")
    command(stack, "erase", "--phone", UNKNOWN, "--yes")
    command(stack, "erase", *TENANT, "--dry-run")


def command(stack: Stack, *arguments: str, is_clean: bool = True) -> str:
    """What `callsync` prints, in the environment of the processes."""
    done = click.testing.CliRunner(env=stack.env).invoke(main, arguments)
    assert not done.exit_code or not is_clean, f"{arguments}: {done.output}"
    assert done.exception is None or isinstance(done.exception, SystemExit), arguments
    return done.output


def keep_whole_house(stack: Stack) -> None:
    """Every chore finds something that is old enough, and is done by us or by the worker."""
    with psycopg.connect(stack.owner_url) as owner:
        owner.execute("UPDATE hubspot_sync_logs SET created_at = created_at - interval '500 days'")
        owner.execute("UPDATE hubspot_audit SET at = at - interval '500 days'")
    missing = set(CHORES)
    with closing(open_resources(WorkerSettings.load(stack.env))) as resources:

        def do_the_rest() -> bool:
            missing.difference_update(keep_house(resources))
            return not missing

        wait_for(do_the_rest)


def count(stack: Stack, table: str) -> int:
    with psycopg.connect(stack.owner_url) as owner:
        row = owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        [number] = row.fetchone() or [0]
    return int(number)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE another (id int)",
        "CREATE TEMPORARY TABLE another (id int)",
        "CREATE TABLE another AS SELECT * FROM hubspot_sync_logs",
        "CREATE VIEW another AS SELECT 1",
        "CREATE INDEX ON hubspot_sync_logs (call_id)",
        "CREATE SCHEMA another",
        "CREATE DATABASE another",
        "CREATE FUNCTION another() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER FUNCTION hubspot_tally_sync_logs() SECURITY DEFINER",
        "ALTER TABLE hubspot_sync_logs ADD COLUMN another int",
        "ALTER TABLE hubspot_sync_logs DISABLE TRIGGER ALL",
        "DROP TRIGGER tally_sync_logs ON hubspot_sync_logs",
        "DROP TABLE hubspot_sync_logs CASCADE",
        "DROP SCHEMA public CASCADE",
        "DROP DATABASE postgres",
        "TRUNCATE hubspot_sync_attempts",
        "COMMENT ON TABLE hubspot_sync_logs IS 'mine'",
        "CREATE ROLE another",
        "ALTER ROLE callsync_service SUPERUSER",
        "ALTER ROLE callsync_owner PASSWORD 'known'",
        "GRANT callsync_owner TO callsync_service",
        "SET ROLE callsync_owner",
        "SET session_replication_role = replica",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY hubspot_sync_logs TO '/tmp/another'",
        "SELECT pg_read_file('/etc/passwd')",
        "UPDATE alembic_version SET version_num = '9999'",
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('9999')",
    ],
)
def test_service_is_refused_what_it_does_not_need(stack: Stack, statement: str) -> None:
    with (
        psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as service,
        pytest.raises(InsufficientPrivilege),
    ):
        service.execute(statement.encode())


def test_service_owns_nothing_and_belongs_to_nobody(stack: Stack) -> None:
    with psycopg.connect(stack.owner_url) as owner:
        attributes = owner.execute(
            "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication"
            " OR rolbypassrls FROM pg_roles WHERE rolname LIKE 'callsync\\_%'"
        ).fetchall()
        belongs = owner.execute(
            "SELECT count(*) FROM pg_auth_members WHERE member = 'callsync_service'::regrole"
        ).fetchone()
        owns = owner.execute(
            "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'callsync_service'::regrole"
            " AND deptype = 'o'"
        ).fetchone()

    assert sorted(attributes) == [("callsync_owner", False), ("callsync_service", False)]
    assert (belongs, owns) == ((0,), (0,))


@dataclass(frozen=True)
class Server:
    """A database of its own, as who may make roles, and the names for two of them."""

    url: str
    owner: str
    service: str


@pytest.fixture
def server(postgres_server_url: str, request: pytest.FixtureRequest) -> Iterator[Server]:
    suffix = re.sub(r"\W", "_", request.node.name)[-30:]
    names = (f"owner_{suffix}", f"service_{suffix}")
    with fresh_database(postgres_server_url) as url:
        yield Server(url, *names)
    with psycopg.connect(postgres_server_url, autocommit=True) as admin:
        for name in names:
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


NO_NEED: Final[tuple[str, ...]] = ()


def look_at_rights(url: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a role may do beyond its need, and what it lacks."""
    database = Database(sqlalchemy_url(url))
    try:
        with database.begin() as session:
            rights = find_rights(session)
    finally:
        database.dispose()
    return rights.needless, rights.missing


def run_alembic(url: str, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "alembic", *arguments],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_owner_that_is_no_superuser_migrates_up_and_down(server: Server) -> None:
    owner_url, service_url = make_roles(server.url, owner=server.owner, service=server.service)

    run_alembic(owner_url, "upgrade", "head")
    run_alembic(owner_url, "downgrade", "base")
    run_alembic(owner_url, "upgrade", "head")

    assert look_at_rights(service_url) == (NO_NEED, ())
    assert look_at_rights(owner_url) == (("owns tables", "may create tables"), ())


def test_table_of_a_later_migration_is_the_services_too(server: Server) -> None:
    owner_url, service_url = make_roles(server.url, owner=server.owner, service=server.service)
    with psycopg.connect(owner_url) as owner:
        owner.execute("CREATE TABLE later (id int)")

    with psycopg.connect(service_url) as service:
        service.execute("INSERT INTO later VALUES (1)")
        service.execute("UPDATE later SET id = 2")
        service.execute("DELETE FROM later")
        with pytest.raises(InsufficientPrivilege):
            service.execute("DROP TABLE later")


def test_deployment_with_one_role_is_given_a_second(server: Server) -> None:
    """Its tables are there, owned by the role that the service ran as."""
    url, _ = make_roles(server.url, owner=server.owner, service=f"{server.service}_0")
    migrate({**os.environ, "DATABASE_URL": url})
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(f"DROP OWNED BY {server.service}_0; DROP ROLE {server.service}_0")

    _, service_url = make_roles(server.url, owner=server.owner, service=server.service)
    _, again_url = make_roles(server.url, owner=server.owner, service=server.service)

    assert service_url != again_url  # the last password counts
    assert look_at_rights(again_url) == (NO_NEED, ())


def test_roles_are_made_by_an_administrator_who_is_no_superuser(server: Server) -> None:
    """As the providers of managed Postgres give it: may make roles, and owns the database."""
    admin = f"admin_{server.owner}"[:60]
    parts = urlsplit(server.url)
    database = parts.path.removeprefix("/")
    with psycopg.connect(server.url, autocommit=True) as superuser:
        superuser.execute(f"CREATE ROLE {admin} LOGIN CREATEROLE CREATEDB PASSWORD 'p'")
        superuser.execute(f"ALTER DATABASE {database} OWNER TO {admin}")
        try:
            admin_url = parts._replace(netloc=f"{admin}:p@{parts.netloc.rpartition('@')[2]}")
            owner_url, service_url = make_roles(
                admin_url.geturl(), owner=server.owner, service=server.service
            )
            migrate({**os.environ, "DATABASE_URL": owner_url})

            assert look_at_rights(service_url) == (NO_NEED, ())
        finally:
            superuser.execute(f"ALTER DATABASE {database} OWNER TO callsync")
            for role in (server.owner, server.service, admin):
                superuser.execute(f"DROP OWNED BY {role} CASCADE")
            superuser.execute(f"DROP ROLE {server.owner}, {server.service}, {admin}")


def test_names_that_need_quotes_are_quoted(server: Server) -> None:
    owner, service = f'{server.owner}"; x', f"{server.service}'s"
    make_roles(server.url, owner=owner, service=service)

    with psycopg.connect(server.url, autocommit=True) as admin:
        [made] = admin.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", [[owner, service]]
        ).fetchone() or [0]
        for name in (owner, service):
            quoted = sql.Identifier(name)
            admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(quoted))
            admin.execute(sql.SQL("DROP ROLE {}").format(quoted))
    assert made == 2
