"""Calls grow: their later deliveries, what their activities were written from, and updates due."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

LOGS = "hubspot_sync_logs"
KINDS = "activity IN ('note', 'call')"
UNIQUE = "uq_hubspot_sync_logs_hub_id_activity_engagement_id"
UNIQUE_BEFORE = "uq_hubspot_sync_logs_hub_id_engagement_id"
HAS_ACTIVITY = sa.text("engagement_id IS NOT NULL")


def moment(name: str, *, nullable: bool = False, is_now: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if is_now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


# With a constant as default neither table is written anew, however long it is.
COLUMNS = {
    LOGS: {
        "awaits_end": "boolean NOT NULL DEFAULT false",
        "withdrawn": "text[]",
        "activity": "text NOT NULL DEFAULT 'note'",
    },
    "calls": {
        "first_hash": "bytea",
        "first_event": "text",
        "first_occurred_at": "timestamptz",
        "first_rank": "smallint",
        "stamps": "jsonb",
        "revision": "integer NOT NULL DEFAULT 1",
        "is_ended": "boolean NOT NULL DEFAULT true",
        "is_final": "boolean NOT NULL DEFAULT false",
    },
}
# What nobody has merged yet, as well as one statement can: the latest value of each field.
MERGE = """
    UPDATE calls c
    SET payload = c.payload || news.facts,
        payload_bytes = octet_length((c.payload || news.facts)::text)
    FROM (SELECT d.log_id,
                 jsonb_object_agg(fact.key, fact.value
                                  ORDER BY coalesce(d.occurred_at, d.received_at), d.rank,
                                           d.received_at) AS facts
          FROM call_deliveries d, jsonb_each(d.facts) AS fact
          WHERE d.facts IS NOT NULL
          GROUP BY d.log_id) AS news
    WHERE c.log_id = news.log_id
"""


def upgrade() -> None:
    # What comes before the block is committed even if that fails: it may be run again.
    for table, columns in COLUMNS.items():
        added = ", ".join(
            f"ADD COLUMN IF NOT EXISTS {name} {kind}" for name, kind in columns.items()
        )
        op.execute(f"ALTER TABLE {table} {added}")
    op.execute(
        f"ALTER TABLE {LOGS} DROP CONSTRAINT IF EXISTS ck_{LOGS}_activity,"
        f" ADD CONSTRAINT ck_{LOGS}_activity CHECK ({KINDS}) NOT VALID"
    )
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE {LOGS} VALIDATE CONSTRAINT ck_{LOGS}_activity")
        replace_index(UNIQUE, ["hub_id", "activity", "engagement_id"], instead_of=UNIQUE_BEFORE)
    op.create_table(
        "call_deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("log_id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        moment("occurred_at", nullable=True),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        moment("received_at"),
        sa.Column("is_end", sa.Boolean(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("withdrawn", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("fields", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=True),
        sa.ForeignKeyConstraint(
            ["log_id"],
            ["calls.log_id"],
            name=op.f("fk_call_deliveries_log_id_calls"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_deliveries")),
        sa.UniqueConstraint(
            "log_id", "content_hash", name=op.f("uq_call_deliveries_log_id_content_hash")
        ),
    )
    op.create_index(
        "ix_call_deliveries_news",
        "call_deliveries",
        ["user_id", "workspace_id", "log_id"],
        postgresql_where=sa.text("facts IS NOT NULL"),
    )
    op.create_table(
        "activities",
        sa.Column("log_id", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), server_default="note", nullable=False),
        sa.Column("written_revision", sa.Integer(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=True),
        sa.Column("footprint", postgresql.JSONB(), nullable=True),
        sa.Column("updates", sa.Integer(), server_default="0", nullable=False),
        moment("updated_at", is_now=True),
        sa.CheckConstraint("kind IN ('note', 'call')", name=op.f("ck_activities_kind")),
        sa.ForeignKeyConstraint(
            ["log_id"],
            [f"{LOGS}.id"],
            name=op.f(f"fk_activities_log_id_{LOGS}"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("log_id", name=op.f("pk_activities")),
    )
    op.create_table(
        "activity_updates",
        sa.Column("log_id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("hub_id", sa.BigInteger(), nullable=False),
        moment("due_at", nullable=True),
        moment("first_news_at", is_now=True),
        sa.Column("news", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.SmallInteger(), server_default="0", nullable=False),
        moment("failing_since", nullable=True),
        sa.Column("claimed_by", sa.Text(collation="C"), nullable=True),
        moment("claimed_until", nullable=True),
        sa.Column("claim_size", sa.SmallInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("suspect_size", sa.SmallInteger(), nullable=True),
        sa.Column("solo_crashes", sa.SmallInteger(), server_default="0", nullable=False),
        moment("last_write_at", nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'failed', 'deleted', 'held')",
            name=op.f("ck_activity_updates_state"),
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (due_at IS NOT NULL)",
            name=op.f("ck_activity_updates_waiting_is_due"),
        ),
        sa.CheckConstraint(
            "(claimed_by IS NULL) = (claimed_until IS NULL)"
            " AND (claimed_by IS NULL) = (claim_size IS NULL)",
            name=op.f("ck_activity_updates_claim_is_whole"),
        ),
        sa.CheckConstraint(
            "claimed_by IS NULL OR due_at IS NOT NULL",
            name=op.f("ck_activity_updates_claimed_is_due"),
        ),
        sa.ForeignKeyConstraint(
            ["log_id"],
            [f"{LOGS}.id"],
            name=op.f(f"fk_activity_updates_log_id_{LOGS}"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("log_id", name=op.f("pk_activity_updates")),
    )
    op.create_index(
        "ix_activity_updates_due",
        "activity_updates",
        ["user_id", "workspace_id", "due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL AND claimed_by IS NULL"),
    )
    op.create_index(
        "ix_activity_updates_claims",
        "activity_updates",
        ["claimed_until"],
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )


def replace_index(name: str, columns: list[str], *, instead_of: str) -> None:
    """Without a lock; what an earlier try has left half-made goes first."""
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.create_index(
        name,
        LOGS,
        columns,
        unique=True,
        postgresql_where=HAS_ACTIVITY,
        postgresql_concurrently=True,
    )
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {instead_of}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        replace_index(UNIQUE_BEFORE, ["hub_id", "engagement_id"], instead_of=UNIQUE)
    op.execute(MERGE)
    for table in ("activity_updates", "activities", "call_deliveries"):
        op.drop_table(table)
    op.drop_constraint(op.f(f"ck_{LOGS}_activity"), LOGS, type_="check")
    for table, columns in COLUMNS.items():
        for name in columns:
            op.drop_column(table, name)
