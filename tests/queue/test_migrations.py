"""Migrations: from nothing to the schema the models describe, back, and there again."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic.config import Config

from alembic import command
from local.databases import PROJECT, fresh_database


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
