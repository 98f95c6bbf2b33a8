"""Migrations: from nothing to the schema the models describe, back, and there again."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
from alembic.config import Config
from sqlalchemy.exc import OperationalError

from alembic import command
from local.databases import PROJECT, fresh_database, migrate


@pytest.fixture(scope="module")
def url(postgres_server_url: str) -> Iterator[str]:
    with fresh_database(postgres_server_url) as url:
        yield url


def things(url: str) -> set[str]:
    """Every table, index, function and trigger of ours, by name."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("""
            SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
        """).fetchall()
    return {name for (name,) in rows if not name.startswith("alembic_version")}


def test_schema_can_be_made_unmade_and_made_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    config = Config(PROJECT / "alembic.ini")

    command.upgrade(config, "head")
    made = things(url)
    assert {"hubspot_oauth_tokens", "hubspot_sync_logs", "calls", "tally_sync_logs"} <= made
    command.check(config)  # the models say the same

    command.downgrade(config, "base")
    assert things(url) == set()

    command.upgrade(config, "head")
    assert things(url) == made
    command.check(config)


def test_migrations_that_start_at_once_take_turns(postgres_server_url: str) -> None:
    with fresh_database(postgres_server_url) as url, ThreadPoolExecutor() as pool:
        environment = {**os.environ, "DATABASE_URL": url}
        assert list(pool.map(migrate, [environment, environment])) == [None, None]
        assert "hubspot_late_writes" in things(url)


def test_latencies_of_calls_that_were_there_before_are_counted(
    postgres_server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database(postgres_server_url) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        config = Config(PROJECT / "alembic.ini")
        command.upgrade(config, "0005")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("""
                INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, status,
                    engagement_id, contact_id, hub_id, phone_number, next_attempt_at,
                    created_at, updated_at)
                SELECT 'hs_' || n, 'user', 'ws', n::text, 'success', n::text, '7', 1,
                       CASE WHEN n <= 5 THEN '+12025550123' END,  -- else erased
                       NULL, '2026-11-22T10:30Z', '2026-11-22T10:30:02Z'
                FROM generate_series(1, 9) AS n
            """)
            command.upgrade(config, "head")
            rows = connection.execute("SELECT hour, bin, calls FROM hubspot_sync_latencies")
            # 2,000 ms are between 2^(43/4) and 2^(44/4).
            assert rows.fetchall() == [(datetime(2026, 11, 22, 10, tzinfo=UTC), 43, 5)]


def test_migration_that_would_make_webhooks_wait_gives_up_and_may_be_run_again(
    postgres_server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database(postgres_server_url) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        config = Config(PROJECT / "alembic.ini")
        command.upgrade(config, "0004")
        with psycopg.connect(url, options="-c idle_in_transaction_session_timeout=30s") as backup:
            backup.execute("LOCK TABLE hubspot_sync_logs IN ACCESS SHARE MODE")
            with pytest.raises(OperationalError, match="lock timeout"):
                command.upgrade(config, "head")
        command.upgrade(config, "head")
        command.check(config)
