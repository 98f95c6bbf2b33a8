"""Migrations: from nothing to the schema the models describe, back, and there again."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from alembic.config import Config
from sqlalchemy.exc import OperationalError

from alembic import command
from local.databases import PROJECT, fresh_database, migrate

LOCK_TIMEOUT_S = 3.0  # alembic/env.py


@pytest.fixture
def url(postgres_server_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database, which Alembic is told of."""
    with fresh_database(postgres_server_url) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield url


@pytest.fixture
def config() -> Config:
    return Config(PROJECT / "alembic.ini")


def things(url: str) -> set[str]:
    """Every table, index, function and trigger of ours, by name."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("""
            SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
        """).fetchall()
    return {name for (name,) in rows if not name.startswith("alembic_version")}


def test_schema_can_be_made_unmade_and_made_again(url: str, config: Config) -> None:
    command.upgrade(config, "head")
    made = things(url)
    assert {"hubspot_oauth_tokens", "hubspot_sync_logs", "calls", "tally_sync_logs"} <= made
    command.check(config)  # the models say the same

    command.downgrade(config, "base")
    assert things(url) == set()

    command.upgrade(config, "head")
    assert things(url) == made
    command.check(config)


def test_migrations_that_start_at_once_take_turns(url: str) -> None:
    with ThreadPoolExecutor() as pool:
        environment = {**os.environ, "DATABASE_URL": url}
        assert list(pool.map(migrate, [environment, environment])) == [None, None]
        assert "hubspot_strays" in things(url)


def test_latencies_of_calls_that_were_there_before_are_counted(url: str, config: Config) -> None:
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


def test_handovers_under_way_are_finished_before_their_table_goes(url: str, config: Config) -> None:
    command.upgrade(config, "0010")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("""
            INSERT INTO hubspot_oauth_tokens (id, user_id, workspace_id, state, hub_id,
                access_token, refresh_token, expires_at)
            VALUES ('hc_1', 'user', 'ws', 'connected', 202, 'a', 'r', now());
            INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, status, error_code,
                error_message, hub_id, next_attempt_at, created_at)
            VALUES ('hs_1', 'user', 'ws', '1', 'pending', NULL, NULL, NULL, now(),
                    now() - '2 h'::interval),
                   ('hs_2', 'user', 'ws', '2', 'pending', NULL, NULL, NULL, now(), now()),
                   ('hs_3', 'user', 'ws', '3', 'skipped', 'not_connected', 'x', 202, NULL, now()),
                   ('hs_4', 'user', 'ws', '4', 'skipped', 'not_connected', 'x', 303, NULL, now());
            INSERT INTO hubspot_handovers (connection_id, kind, hub_id, error_code, before)
            VALUES ('hc_1', 'part', 101, NULL, now() - '1 h'::interval),
                   ('hc_1', 'requeue', 202, 'not_connected', now() + '1 h'::interval);
            INSERT INTO hubspot_revocations (id, bound_to, hub_id, access_token, refresh_token,
                token_expires_at)
            VALUES ('hr_1', 'hg_1', NULL, 'a', 'r', now())
        """)
        command.downgrade(config, "0010-1")
        rows = connection.execute("SELECT status, hub_id FROM hubspot_sync_logs ORDER BY id")
        assert rows.fetchall() == [
            ("skipped", 101),
            ("pending", None),
            ("pending", 202),
            ("skipped", 303),
        ]
    command.upgrade(config, "head")
    command.check(config)


def test_strays_are_carried_forward_and_back(url: str, config: Config) -> None:
    command.upgrade(config, "0015")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("""
            INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id)
            SELECT 'hs_' || n, 'user', 'ws', n::text FROM generate_series(1, 3) AS n
        """)

        def remember(log_id: str, note_id: str) -> None:
            """As the workers of the release before do."""
            connection.execute(
                """
                INSERT INTO hubspot_late_writes (log_id, hub_id, contact_id, read_back_misses)
                VALUES (%s, 101, '7', 1)
                ON CONFLICT (log_id, hub_id) DO UPDATE SET read_back_misses = 0
                """,
                [log_id],
            )
            connection.execute(
                """
                INSERT INTO hubspot_surplus_notes (hub_id, note_id, log_id, attempts, created_at)
                VALUES (101, %s, 'hs_1', 2, '2026-11-01') ON CONFLICT DO NOTHING
                """,
                [note_id],
            )

        def read(query: str) -> set[tuple[object, ...]]:
            return set(connection.execute(query.encode()).fetchall())

        remember("hs_1", "9")
        command.upgrade(config, "0016")
        remember("hs_2", "10")
        remember("hs_2", "10")
        assert read(
            "SELECT log_id, contact_id, activity_id, attempts, kind FROM hubspot_strays"
        ) == {
            ("hs_1", "7", None, 1, "note"),
            ("hs_2", "7", None, 0, "note"),
            ("hs_1", None, "9", 2, "note"),
            ("hs_1", None, "10", 2, "note"),
        }
        assert read("SELECT log_id FROM hubspot_late_writes") == set()

        command.downgrade(config, "0015")
        remember("hs_3", "11")
        assert read("SELECT log_id, read_back_misses FROM hubspot_late_writes") == {
            ("hs_1", 1),
            ("hs_2", 0),
            ("hs_3", 1),
        }
        assert read("SELECT note_id, created_at::date::text FROM hubspot_surplus_notes") == {
            (note_id, "2026-11-01") for note_id in ("9", "10", "11")
        }


def test_migration_that_would_make_webhooks_wait_gives_up_and_may_be_run_again(
    url: str, config: Config
) -> None:
    command.upgrade(config, "0004")
    with psycopg.connect(url, options="-c idle_in_transaction_session_timeout=30s") as backup:
        backup.execute("LOCK TABLE hubspot_sync_logs IN ACCESS SHARE MODE")
        with pytest.raises(OperationalError, match="lock timeout"):
            command.upgrade(config, "head")
    command.upgrade(config, "head")
    command.check(config)


def test_indexes_of_the_log_wait_for_a_backup_and_hold_up_no_webhook(
    url: str, config: Config
) -> None:
    command.upgrade(config, "0006")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(url, autocommit=True) as webhook:
        with psycopg.connect(url) as backup:
            backup.execute("SELECT FROM hubspot_sync_logs")
            upgrade = pool.submit(command.upgrade, config, "head")
            while not is_waiting(webhook) and not upgrade.done():
                time.sleep(0.01)
            time.sleep(LOCK_TIMEOUT_S + 0.5)
            assert not upgrade.done()
            webhook.execute("SET lock_timeout = '1s'")
            webhook.execute("""
                INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, status)
                VALUES ('l_1', 'user_1', 'ws_1', 'call_1', 'pending')
            """)
        upgrade.result()
    command.check(config)


def test_index_that_was_left_half_made_is_made_anew(url: str, config: Config) -> None:
    command.upgrade(config, "0006")
    with psycopg.connect(url) as connection:
        connection.execute("""
            CREATE INDEX ix_hubspot_sync_logs_status_error_code ON hubspot_sync_logs (id)
        """)
    command.upgrade(config, "head")
    command.check(config)


def is_waiting(connection: psycopg.Connection) -> bool:
    """Whether anybody waits for a lock in this database."""
    waiting = connection.execute("""
        SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    """)
    return bool(waiting.rowcount)


def test_what_was_tallied_by_the_hour_is_kept_both_ways(url: str, config: Config) -> None:
    command.upgrade(config, "0007")
    hour = datetime(2026, 11, 22, 10, tzinfo=UTC)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("""
            INSERT INTO hubspot_sync_tallies VALUES ('user', 'ws', '2026-11-22T10:00Z', 'error', 7);
            INSERT INTO hubspot_sync_latencies VALUES ('user', 'ws', '2026-11-22T10:00Z', 43, 5);
            INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, created_at)
            VALUES ('hs_1', 'user', 'ws', '1', '2026-11-22T10:47Z');
        """)
        command.upgrade(config, "head")
        connection.execute("""
            UPDATE hubspot_sync_logs SET status = 'error', error_code = 'x', error_message = 'x',
                next_attempt_at = NULL
        """)
        tallies = "SELECT hour, calls FROM hubspot_sync_tallies ORDER BY hour"
        quarter = hour + timedelta(minutes=45)
        assert connection.execute(tallies).fetchall() == [(hour, 7), (quarter, 1)]
        # What has been rolled up meanwhile: three calls of that hour, two of the next one.
        connection.execute("""
            INSERT INTO hubspot_daily_tallies
            VALUES ('user', 'ws', '2026-11-22', 'error', '{42,44,42}', '{1,2,2}');
            INSERT INTO hubspot_daily_latencies
            VALUES ('user', 'ws', '2026-11-22', 43, '{41}', '{1}');
        """)
        command.downgrade(config, "0007")
        # The release before counts on by the hour.
        connection.execute("""
            UPDATE hubspot_sync_logs SET status = 'skipped' WHERE id = 'hs_1'
        """)
        counted = connection.execute("""
            SELECT hour, status, calls FROM hubspot_sync_tallies ORDER BY hour, status
        """).fetchall()
        later = hour + timedelta(hours=1)
        assert counted == [(hour, "error", 10), (hour, "skipped", 1), (later, "error", 2)]
        latencies = connection.execute("SELECT hour, calls FROM hubspot_sync_latencies")
        assert latencies.fetchall() == [(hour, 6)]
        command.upgrade(config, "head")
        command.check(config)


def test_calls_grow_from_what_is_stored_and_back(url: str, config: Config) -> None:
    command.upgrade(config, "0015")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("""
            INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, status,
                engagement_id, contact_id, hub_id, next_attempt_at)
            SELECT 'hs_' || n, 'user', 'ws', n::text, 'success', n::text, '7', 1, NULL
            FROM generate_series(1, 9) AS n;
            INSERT INTO calls (log_id, payload)
            SELECT id, '{"call_id": "1", "summary": "one"}' FROM hubspot_sync_logs
        """)
        command.upgrade(config, "head")
        command.check(config)
        grown = connection.execute("""
            SELECT DISTINCT activity, awaits_end, withdrawn, revision, is_ended, is_final, stamps
            FROM hubspot_sync_logs l JOIN calls ON log_id = l.id
        """)
        assert grown.fetchall() == [("note", False, None, 1, True, False, None)]
        connection.execute("""
            INSERT INTO call_deliveries (log_id, user_id, workspace_id, content_hash, event,
                occurred_at, rank, received_at, is_end, is_final, fields, facts)
            SELECT 'hs_1', 'user', 'ws', word::bytea, 'call.updated',
                   now() - hours * '1 h'::interval, 2, now(), true, false, '{summary}',
                   jsonb_build_object('summary', word)
            FROM (VALUES ('new', 1), ('old', 2)) AS said (word, hours)
        """)
        command.downgrade(config, "0015")
        left = connection.execute("SELECT DISTINCT log_id = 'hs_1', payload->>'summary' FROM calls")
        assert sorted(left.fetchall()) == [(False, "one"), (True, "new")]
    command.upgrade(config, "head")
    command.check(config)
