"""Indexes that answer a filter by status and code, whatever Postgres expects of the two."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LOG = "hubspot_sync_logs"
BY_CODE = "ix_hubspot_sync_logs_status_error_code"
FAILED = "ix_hubspot_sync_logs_failed"
FAILURES = "ix_hubspot_sync_logs_failures"
MISCONFIGURED = "ix_hubspot_sync_logs_misconfigured"
MOMENT = "(created_at AT TIME ZONE 'UTC')"


def upgrade() -> None:
    make(
        BY_CODE,
        ["user_id", "workspace_id", "status", "error_code", "created_at", "id"],
        where="error_code IS NOT NULL",
    )
    make(FAILURES, [sa.text(MOMENT)], where="status = 'error'")
    make(MISCONFIGURED, [sa.text(MOMENT)], where="error_code = 'configuration_error'")
    drop(FAILED)


def downgrade() -> None:
    make(
        FAILED,
        ["created_at", "error_code"],
        where="status = 'error' OR error_code = 'configuration_error'",
    )
    drop(MISCONFIGURED)
    drop(FAILURES)
    drop(BY_CODE)


def make(name: str, columns: list[str | sa.TextClause], *, where: str) -> None:
    """Make an index while calls are stored: seconds in a log of ten million."""
    drop(name)  # what an earlier try left half made
    with beside_others():
        op.create_index(
            name, LOG, columns, postgresql_where=sa.text(where), postgresql_concurrently=True
        )


def drop(name: str) -> None:
    with beside_others():
        op.drop_index(name, LOG, if_exists=True, postgresql_concurrently=True)


@contextmanager
def beside_others() -> Iterator[None]:
    """For statements that wait as long as others' transactions, as a backup, and hold up nobody."""
    with op.get_context().autocommit_block():
        yield
