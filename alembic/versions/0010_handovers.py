"""Hand calls over page by page, keep grants before anything else, note whose app they are of."""

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# What an unfinished handover has yet to do, for a version that knows none.
PART = """
    UPDATE hubspot_sync_logs l
    SET status = CASE WHEN l.last_write_at IS NOT NULL THEN 'error' ELSE 'skipped' END,
        error_code = CASE WHEN l.last_write_at IS NOT NULL THEN 'unconfirmed'
                          WHEN l.status = 'skipped' THEN l.error_code ELSE 'not_connected' END,
        error_message = CASE WHEN l.last_write_at IS NULL AND l.status = 'skipped'
                             THEN l.error_message
                             ELSE 'This call waited for another HubSpot account.' END,
        hub_id = coalesce(l.hub_id, h.hub_id), next_attempt_at = NULL,
        claimed_by = NULL, claimed_until = NULL, claim_size = NULL, updated_at = now()
    FROM hubspot_handovers h JOIN hubspot_oauth_tokens c ON c.id = h.connection_id
    WHERE h.kind = 'part' AND (l.user_id, l.workspace_id) = (c.user_id, c.workspace_id)
      AND l.next_attempt_at IS NOT NULL AND l.created_at < h.before
"""
REQUEUE = """
    UPDATE hubspot_sync_logs l
    SET status = 'pending', error_code = NULL, error_message = NULL, lane = 1,
        next_attempt_at = now(), failures = 0, failing_since = NULL,
        looks = 0, raw_lookup = false, updated_at = now()
    FROM hubspot_handovers h JOIN hubspot_oauth_tokens c ON c.id = h.connection_id
    WHERE h.kind = 'requeue' AND c.state = 'connected'
      AND (l.user_id, l.workspace_id) = (c.user_id, c.workspace_id)
      AND l.error_code = h.error_code AND (l.hub_id IS NULL OR l.hub_id = h.hub_id)
      AND (l.created_at, l.id) < (h.before, h.before_id)
      AND (h.error_code <> 'not_connected' OR l.created_at > now() - interval '7 days')
"""


def upgrade() -> None:
    op.create_table(
        "hubspot_handovers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection_id", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hub_id", sa.BigInteger(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column(
            "moved_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('part', 'requeue')", name=op.f("ck_hubspot_handovers_kind")),
        sa.CheckConstraint(
            "(kind = 'requeue') = (error_code IS NOT NULL)",
            name=op.f("ck_hubspot_handovers_requeue_has_code"),
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["hubspot_oauth_tokens.id"],
            name=op.f("fk_hubspot_handovers_connection_id_hubspot_oauth_tokens"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hubspot_handovers")),
    )
    op.create_index(
        op.f("ix_hubspot_handovers_connection_id"), "hubspot_handovers", ["connection_id"]
    )
    op.add_column(
        "hubspot_oauth_states",
        sa.Column("asks", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("hubspot_oauth_tokens", sa.Column("client_id", sa.Text(), nullable=True))
    for table in ("hubspot_pending_grants", "hubspot_revocations"):
        op.alter_column(table, "hub_id", nullable=True)


def downgrade() -> None:
    op.execute(PART)
    op.execute(REQUEUE)
    op.drop_table("hubspot_handovers")
    op.drop_column("hubspot_oauth_states", "asks")
    op.drop_column("hubspot_oauth_tokens", "client_id")
    for table in ("hubspot_pending_grants", "hubspot_revocations"):
        # An earlier version cannot tell HubSpot to forget a grant of an unknown account.
        op.execute(f"DELETE FROM {table} WHERE hub_id IS NULL")  # noqa: S608 - our own names
        op.alter_column(table, "hub_id", nullable=False)
