"""Indexes for the operators' view and for erasing a person; none holds a row that is well."""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_hubspot_sync_logs_failed",
        "hubspot_sync_logs",
        ["created_at", "error_code"],
        unique=False,
        postgresql_where=sa.text("status = 'error' OR error_code = 'configuration_error'"),
    )
    op.create_index(
        "ix_hubspot_sync_logs_in_doubt",
        "hubspot_sync_logs",
        ["last_write_at"],
        unique=False,
        postgresql_where=sa.text(
            "last_write_at IS NOT NULL AND next_attempt_at IS NOT NULL AND claimed_by IS NULL"
        ),
    )
    op.create_index(
        "ix_hubspot_sync_logs_raw_phone",
        "hubspot_sync_logs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("phone_number NOT LIKE '+%'"),
    )


def downgrade() -> None:
    op.drop_index("ix_hubspot_sync_logs_raw_phone", table_name="hubspot_sync_logs")
    op.drop_index("ix_hubspot_sync_logs_in_doubt", table_name="hubspot_sync_logs")
    op.drop_index("ix_hubspot_sync_logs_failed", table_name="hubspot_sync_logs")
