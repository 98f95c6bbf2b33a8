"""The audit trail, and an index by which old numbers are found in the sync log."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

AUDIT = "hubspot_audit"
LOG = "hubspot_sync_logs"
NUMBERS = "ix_hubspot_sync_logs_old_numbers"


def upgrade() -> None:
    drop_numbers()  # what an earlier try left half made
    with beside_others():
        op.create_index(
            NUMBERS,
            LOG,
            [sa.text("(created_at AT TIME ZONE 'UTC')")],
            postgresql_where=sa.text("phone_number IS NOT NULL AND next_attempt_at IS NULL"),
            postgresql_concurrently=True,
        )
    op.create_table(
        AUDIT,
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("details", JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hubspot_audit")),
    )
    op.create_index(op.f("ix_hubspot_audit_at"), AUDIT, ["at"])
    op.create_index(
        op.f("ix_hubspot_audit_user_id_workspace_id_id"), AUDIT, ["user_id", "workspace_id", "id"]
    )


def downgrade() -> None:
    op.drop_table(AUDIT)
    drop_numbers()


def drop_numbers() -> None:
    with beside_others():
        op.drop_index(NUMBERS, LOG, if_exists=True, postgresql_concurrently=True)


@contextmanager
def beside_others() -> Iterator[None]:
    """For statements that wait as long as others' transactions, as a backup, and hold up nobody."""
    with op.get_context().autocommit_block():
        yield
