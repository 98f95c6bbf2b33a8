"""Call sources: addresses for vendors' deliveries, their secrets, and what has come of them."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

LOGS = "hubspot_sync_logs"
INDEX = f"ix_{LOGS}_source"
TABLES = (
    "call_source_unassigned",
    "call_source_counts",
    "call_source_deliveries",
    "call_source_secrets",
    "call_sources",
)


def moment(name: str, *, nullable: bool = True, is_now: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if is_now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def key(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def of_source(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["source_id"],
        ["call_sources.id"],
        name=op.f(f"fk_{table}_source_id_call_sources"),
        ondelete="CASCADE",
    )


def upgrade() -> None:
    # What comes before the block is committed even if that fails: it may be run again.
    op.execute(f'ALTER TABLE {LOGS} ADD COLUMN IF NOT EXISTS source_id text COLLATE "C"')
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
        op.create_index(
            INDEX,
            LOGS,
            ["source_id", "call_id"],
            postgresql_where=sa.text("source_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
    op.create_table(
        "call_sources",
        key("id"),
        text("user_id", nullable=True),
        text("workspace_id", nullable=True),
        text("vendor"),
        text("name"),
        sa.Column("options", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("paused", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        moment("created_at", nullable=False, is_now=True),
        moment("last_received_at"),
        moment("last_genuine_at"),
        moment("last_refused_at"),
        text("last_refusal_code", nullable=True),
        text("last_refusal_message", nullable=True),
        sa.CheckConstraint(
            "(user_id IS NULL) = (workspace_id IS NULL)",
            name=op.f("ck_call_sources_tenant_is_whole"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_sources")),
    )
    op.create_index(
        op.f("ix_call_sources_user_id_workspace_id"), "call_sources", ["user_id", "workspace_id"]
    )
    op.create_table(
        "call_source_secrets",
        key("id"),
        key("source_id"),
        text("scheme"),
        text("value"),
        moment("added_at", nullable=False, is_now=True),
        moment("last_used_at"),
        of_source("call_source_secrets"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_source_secrets")),
    )
    op.create_index(op.f("ix_call_source_secrets_source_id"), "call_source_secrets", ["source_id"])
    op.create_table(
        "call_source_deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        key("source_id"),
        moment("at", nullable=False),
        text("event", nullable=True),
        text("result"),
        text("call_id", nullable=True),
        key("log_id", nullable=True),
        text("user_id", nullable=True),
        text("workspace_id", nullable=True),
        sa.Column("fields", sa.ARRAY(sa.Text()), nullable=False),
        text("message", nullable=True),
        of_source("call_source_deliveries"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_source_deliveries")),
    )
    op.create_index(
        op.f("ix_call_source_deliveries_source_id_id"),
        "call_source_deliveries",
        ["source_id", "id"],
    )
    op.create_index(
        op.f("ix_call_source_deliveries_user_id_workspace_id"),
        "call_source_deliveries",
        ["user_id", "workspace_id"],
    )
    op.create_table(
        "call_source_counts",
        key("source_id"),
        moment("hour", nullable=False),
        text("kind"),
        text("event"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        moment("last_at", nullable=False),
        text("message", nullable=True),
        sa.CheckConstraint(
            "kind IN ('received', 'ignored', 'unreadable', 'refused')",
            name=op.f("ck_call_source_counts_kind"),
        ),
        of_source("call_source_counts"),
        sa.PrimaryKeyConstraint(
            "source_id", "hour", "kind", "event", name=op.f("pk_call_source_counts")
        ),
    )
    op.create_index(op.f("ix_call_source_counts_hour"), "call_source_counts", ["hour"])
    op.create_table(
        "call_source_unassigned",
        key("id"),
        key("source_id"),
        text("call_id"),
        sa.Column("keys", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        text("value"),
        moment("received_at", nullable=False, is_now=True),
        of_source("call_source_unassigned"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_source_unassigned")),
        sa.UniqueConstraint(
            "source_id",
            "call_id",
            "content_hash",
            name=op.f("uq_call_source_unassigned_source_id_call_id_content_hash"),
        ),
    )
    op.create_index(
        op.f("ix_call_source_unassigned_received_at"), "call_source_unassigned", ["received_at"]
    )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
    for table in TABLES:
        op.drop_table(table)
    op.execute(f"ALTER TABLE {LOGS} DROP COLUMN IF EXISTS source_id")
