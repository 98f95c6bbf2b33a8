"""Liveness, readiness, metrics and the OpenAPI document."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from api.health import REQUIRED_REVISION
from local.engines import Engine, start_postgres, start_valkey
from shared.db import Database
from tests.api.asking import NO_POSTGRES, Asker, call_ended, post_webhook, read
from tests.api.conftest import ClientFactory
from tests.api.rows import add_connection, add_log

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


def metrics_of(client: FlaskClient) -> dict[tuple[str, str], float]:
    """Values by sample name and by its only label's value, empty without one."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("callsync_")
    }


def test_webhooks_are_counted_by_their_answer(client: FlaskClient) -> None:
    before = metrics_of(client)
    post_webhook(client, call_ended())
    post_webhook(client, b"[]")
    after = metrics_of(client)
    for status in ("202", "400"):
        sample = ("callsync_webhooks_total", status)
        assert after[sample] == before.get(sample, 0) + 1


def test_backlog_is_measured(database: Database, asker: Asker, client: FlaskClient) -> None:
    with database.begin() as session:
        session.execute(text("DELETE FROM hubspot_sync_logs"))
    add_connection(database, asker)
    waiting = add_log(database, asker)
    add_log(database, asker, status="error")
    with database.begin() as session:
        session.execute(
            text(
                "UPDATE hubspot_sync_logs SET next_attempt_at = now() - interval '90 s'"
                " WHERE id = :id"
            ),
            {"id": waiting},
        )
    measured = metrics_of(client)
    assert measured["callsync_postgres_up", ""] == 1
    assert measured["callsync_calls", "pending"] == 1
    assert measured["callsync_calls", "due"] == 1
    assert measured["callsync_oldest_due_seconds", ""] == pytest.approx(90, abs=30)
    assert measured["callsync_connections", "connected"] == 1


def test_metrics_outlive_postgres(make_client: ClientFactory) -> None:
    client = make_client(database=NO_POSTGRES)
    assert metrics_of(client)["callsync_postgres_up", ""] == 0


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return client.get("/openapi.json").json


def test_document_describes_every_route(client: FlaskClient, document: Any) -> None:
    routes = {
        (method.lower(), rule.rule.replace("<", "{").replace(">", "}"))
        for rule in client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.endpoint.endswith("send_asset")
    }
    described = {
        (method, path) for path, methods in document["paths"].items() for method in methods
    }
    assert described == routes


def test_document_refers_to_nothing_that_is_missing(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    schemas = document["components"]["schemas"]
    references = {
        part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]
    }
    assert references <= schemas.keys()
    assert {"CallEnded", "LogPage", "Failure", "ConnectionStatus"} <= references


def test_document_speaks_as_the_api_does(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert "tokenExpiresAt" in schemas["ConnectionStatus"]["properties"]
    assert schemas["EndedCall"]["required"] == ["call_id", "user_id", "workspace_id"]
    logs = document["paths"]["/api/hubspot/sync-logs"]["get"]
    names = {parameter["name"] for parameter in logs["parameters"]}
    assert names == {
        "status",
        "error_code",
        "limit",
        "offset",
        "cursor",
        "call_id",
        "phone",
        "from",
        "to",
    }


def test_docs_need_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "docs.js"):
        assert f"docs/{asset}" in page.text
        with client.get(f"/docs/{asset}") as file:
            assert file.status_code == 200


def test_figures_of_all_processes_are_added_up(tmp_path: Path) -> None:
    script = """
import os
from shared.metrics import WEBHOOKS, render_metrics
child = os.fork()
WEBHOOKS.labels(202).inc()
if child:
    os.waitpid(child, 0)
    print(render_metrics().decode())
"""
    shown = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'callsync_webhooks_total{status="202"} 2.0' in shown.stdout
