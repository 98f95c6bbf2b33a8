"""Liveness, readiness, metrics and the OpenAPI document."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from local.engines import Engine, start_postgres, start_valkey
from shared.database.engines import Database
from shared.database.schema import REQUIRED_REVISION
from tests.api.asking import NO_POSTGRES, read
from tests.api.conftest import ClientFactory

PROJECT = Path(__file__).parents[2]
MIGRATIONS = PROJECT / "alembic" / "versions"


def test_process_lives_whatever_its_servers_do(make_client: ClientFactory) -> None:
    answer = make_client(database=NO_POSTGRES).get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"success": True})


def test_ready_with_both_servers(make_client: ClientFactory, valkey_url: str) -> None:
    answer = make_client(REDIS_URL=valkey_url).get("/readyz")
    assert answer.status_code == 200
    assert read(answer)["redis"] == "ok"
    assert read(answer)["schema_revision"] >= REQUIRED_REVISION


def test_redis_that_is_away_degrades_only(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, read(answer)["redis"]) == (200, "degraded")


@pytest.fixture
def frozen_valkey(tmp_path: Path) -> Iterator[Engine]:
    with start_valkey(tmp_path) as engine:
        engine.process.suspend()
        yield engine


def test_redis_that_is_frozen_degrades_only(
    make_client: ClientFactory, frozen_valkey: Engine
) -> None:
    answer = make_client(REDIS_URL=frozen_valkey.url).get("/readyz")
    assert (answer.status_code, read(answer)["redis"]) == (200, "degraded")


def test_not_ready_while_postgres_is_frozen(tmp_path: Path, make_client: ClientFactory) -> None:
    with start_postgres(tmp_path, durable=False) as engine:
        database = Database(engine.url.replace("postgresql:", "postgresql+psycopg:"))
        with database.begin() as session:
            session.execute(text("CREATE TABLE alembic_version (version_num text)"))
        client = make_client(database=database)
        engine.process.suspend()
        answer = client.get("/readyz")
        engine.process.resume()
        later = client.get("/readyz")
        database.dispose()
    assert (answer.status_code, read(answer)["error"]["code"]) == (503, "postgres_away")
    assert read(later)["error"]["code"] == "schema_too_old"


@pytest.mark.parametrize(
    "statement", ["UPDATE alembic_version SET version_num = '0001'", "DROP TABLE alembic_version"]
)
def test_not_ready_before_the_schema_is_migrated(
    database: Database, client: FlaskClient, statement: str
) -> None:
    with database.begin() as session:
        session.execute(text("CREATE TABLE kept AS SELECT * FROM alembic_version"))
        session.execute(text(statement))
    try:
        answer = client.get("/readyz")
    finally:
        with database.begin() as session:
            session.execute(text("DROP TABLE IF EXISTS alembic_version"))
            session.execute(text("ALTER TABLE kept RENAME TO alembic_version"))
    assert (answer.status_code, read(answer)["error"]["code"]) == (503, "schema_too_old")
    assert "alembic upgrade head" in read(answer)["error"]["message"]


def test_required_revision_exists() -> None:
    revisions = {path.name.partition("_")[0] for path in MIGRATIONS.glob("[0-9]*.py")}
    assert REQUIRED_REVISION in revisions


def test_docs_need_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "docs.js"):
        assert f"docs/{asset}" in page.text
        with client.get(f"/docs/{asset}") as file:
            assert file.status_code == 200
