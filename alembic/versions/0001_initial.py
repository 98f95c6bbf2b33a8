"""The tables of the first release."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hubspot_accounts",
        sa.Column("hub_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("failing_turns", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("turn_width", sa.SmallInteger(), server_default="4", nullable=False),
        sa.Column("raw_search_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "turn_width BETWEEN 1 AND 4", name=op.f("ck_hubspot_accounts_turn_width")
        ),
        sa.PrimaryKeyConstraint("hub_id", name=op.f("pk_hubspot_accounts")),
    )
    op.create_table(
        "hubspot_oauth_states",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("code_verifier", sa.Text(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=True),
        sa.Column("return_to", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_hubspot_oauth_states")),
    )
    op.create_index(
        op.f("ix_hubspot_oauth_states_expires_at"),
        "hubspot_oauth_states",
        ["expires_at"],
        unique=False,
    )
    op.create_table(
        "hubspot_oauth_tokens",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=True),
        sa.Column("refresh_token", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column(
            "state_changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("hub_id", sa.BigInteger(), nullable=True),
        sa.Column("ui_domain", sa.Text(), nullable=True),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("default_region", sa.Text(), nullable=True),
        sa.Column("match_policy", sa.Text(), nullable=True),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "match_policy IS NULL OR match_policy IN ('most_recent', 'oldest', 'skip')",
            name=op.f("ck_hubspot_oauth_tokens_match_policy"),
        ),
        sa.CheckConstraint(
            "state <> 'connected' OR (access_token IS NOT NULL"
            " AND refresh_token IS NOT NULL AND expires_at IS NOT NULL AND hub_id IS NOT NULL)",
            name=op.f("ck_hubspot_oauth_tokens_connected_has_tokens"),
        ),
        sa.CheckConstraint(
            "state <> 'disconnected' OR (access_token IS NULL AND refresh_token IS NULL)",
            name=op.f("ck_hubspot_oauth_tokens_disconnected_has_no_tokens"),
        ),
        sa.CheckConstraint(
            "state IN ('connected', 'disconnected', 'reconnect_required')",
            name=op.f("ck_hubspot_oauth_tokens_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hubspot_oauth_tokens")),
        sa.UniqueConstraint(
            "user_id", "workspace_id", name=op.f("uq_hubspot_oauth_tokens_user_id_workspace_id")
        ),
    )
    op.create_index(
        op.f("ix_hubspot_oauth_tokens_hub_id"),
        "hubspot_oauth_tokens",
        ["hub_id"],
        unique=False,
        postgresql_where=sa.text("state <> 'disconnected'"),
    )
    op.create_table(
        "hubspot_pending_grants",
        sa.Column("grant_hash", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text(), nullable=False),
        sa.Column("expires_in", sa.Integer(), nullable=False),
        sa.Column("hub_id", sa.BigInteger(), nullable=False),
        sa.Column("ui_domain", sa.Text(), nullable=True),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("return_to", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("grant_hash", name=op.f("pk_hubspot_pending_grants")),
        sa.UniqueConstraint("id", name=op.f("uq_hubspot_pending_grants_id")),
    )
    op.create_index(
        op.f("ix_hubspot_pending_grants_expires_at"),
        "hubspot_pending_grants",
        ["expires_at"],
        unique=False,
    )
    op.create_table(
        "hubspot_revocations",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("bound_to", sa.Text(collation="C"), nullable=False),
        sa.Column("hub_id", sa.BigInteger(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text(), nullable=False),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hubspot_revocations")),
    )
    op.create_index(
        op.f("ix_hubspot_revocations_next_attempt_at"),
        "hubspot_revocations",
        ["next_attempt_at"],
        unique=False,
    )
    op.create_table(
        "hubspot_surplus_notes",
        sa.Column("hub_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note_id", sa.Text(), nullable=False),
        sa.Column("log_id", sa.Text(collation="C"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("hub_id", "note_id", name=op.f("pk_hubspot_surplus_notes")),
    )
    op.create_index(
        op.f("ix_hubspot_surplus_notes_next_attempt_at"),
        "hubspot_surplus_notes",
        ["next_attempt_at"],
        unique=False,
    )
    op.create_table(
        "hubspot_sync_logs",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("hub_id", sa.BigInteger(), nullable=True),
        sa.Column("contact_id", sa.Text(), nullable=True),
        sa.Column("engagement_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("phone_number", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
        ),
        sa.Column("lane", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("looks", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("raw_lookup", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("failures", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.Text(collation="C"), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claim_size", sa.SmallInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("suspect_size", sa.SmallInteger(), nullable=True),
        sa.Column("solo_crashes", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("last_write_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_back_misses", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'success') = (engagement_id IS NOT NULL)",
            name=op.f("ck_hubspot_sync_logs_success_has_note"),
        ),
        sa.CheckConstraint(
            "status <> 'pending' OR next_attempt_at IS NOT NULL",
            name=op.f("ck_hubspot_sync_logs_pending_is_due"),
        ),
        sa.CheckConstraint(
            "status <> 'success' OR (next_attempt_at IS NULL AND contact_id IS NOT NULL"
            " AND hub_id IS NOT NULL AND error_code IS NULL)",
            name=op.f("ck_hubspot_sync_logs_success_is_final"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'success', 'error', 'skipped')",
            name=op.f("ck_hubspot_sync_logs_status"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('error', 'skipped') OR (error_code IS NOT NULL"
            " AND error_message IS NOT NULL)",
            name=op.f("ck_hubspot_sync_logs_has_reason"),
        ),
        sa.CheckConstraint(
            "(claimed_by IS NULL) = (claimed_until IS NULL)"
            " AND (claimed_by IS NULL) = (claim_size IS NULL)",
            name=op.f("ck_hubspot_sync_logs_claim_is_whole"),
        ),
        sa.CheckConstraint("lane BETWEEN 0 AND 3", name=op.f("ck_hubspot_sync_logs_lane")),
        sa.CheckConstraint(
            "last_write_at IS NULL OR (hub_id IS NOT NULL AND contact_id IS NOT NULL)",
            name=op.f("ck_hubspot_sync_logs_mark_names_contact"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hubspot_sync_logs")),
        sa.UniqueConstraint(
            "user_id",
            "workspace_id",
            "call_id",
            name=op.f("uq_hubspot_sync_logs_user_id_workspace_id_call_id"),
        ),
    )
    op.create_index(
        "ix_hubspot_sync_logs_claims",
        "hubspot_sync_logs",
        ["claimed_until"],
        unique=False,
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )
    op.create_index(
        "ix_hubspot_sync_logs_due",
        "hubspot_sync_logs",
        ["user_id", "workspace_id", "lane", "next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("next_attempt_at IS NOT NULL AND claimed_by IS NULL"),
    )
    op.create_index(
        "ix_hubspot_sync_logs_error_code",
        "hubspot_sync_logs",
        ["user_id", "workspace_id", "error_code", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("error_code IS NOT NULL"),
    )
    op.create_index(
        "ix_hubspot_sync_logs_page",
        "hubspot_sync_logs",
        ["user_id", "workspace_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_hubspot_sync_logs_phone",
        "hubspot_sync_logs",
        ["user_id", "workspace_id", "phone_number", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("phone_number IS NOT NULL"),
    )
    op.create_index(
        "ix_hubspot_sync_logs_status",
        "hubspot_sync_logs",
        ["user_id", "workspace_id", "status", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_hubspot_sync_logs_suspects",
        "hubspot_sync_logs",
        ["user_id", "workspace_id"],
        unique=False,
        postgresql_where=sa.text("suspect_size IS NOT NULL"),
    )
    op.create_index(
        "uq_hubspot_sync_logs_hub_id_engagement_id",
        "hubspot_sync_logs",
        ["hub_id", "engagement_id"],
        unique=True,
        postgresql_where=sa.text("engagement_id IS NOT NULL"),
    )
    op.create_table(
        "hubspot_sync_tallies",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "user_id", "workspace_id", "hour", "status", name=op.f("pk_hubspot_sync_tallies")
        ),
    )
    op.create_table(
        "calls",
        sa.Column("log_id", sa.Text(collation="C"), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["log_id"],
            ["hubspot_sync_logs.id"],
            name=op.f("fk_calls_log_id_hubspot_sync_logs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("log_id", name=op.f("pk_calls")),
    )
    op.create_index(op.f("ix_calls_received_at"), "calls", ["received_at"], unique=False)
    op.create_table(
        "hubspot_sync_attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("log_id", sa.Text(collation="C"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("http_status", sa.SmallInteger(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["log_id"],
            ["hubspot_sync_logs.id"],
            name=op.f("fk_hubspot_sync_attempts_log_id_hubspot_sync_logs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hubspot_sync_attempts")),
    )
    op.create_index(
        op.f("ix_hubspot_sync_attempts_log_id"), "hubspot_sync_attempts", ["log_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_hubspot_sync_attempts_log_id"), table_name="hubspot_sync_attempts")
    op.drop_table("hubspot_sync_attempts")
    op.drop_index(op.f("ix_calls_received_at"), table_name="calls")
    op.drop_table("calls")
    op.drop_table("hubspot_sync_tallies")
    op.drop_index(
        "uq_hubspot_sync_logs_hub_id_engagement_id",
        table_name="hubspot_sync_logs",
        postgresql_where=sa.text("engagement_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_hubspot_sync_logs_suspects",
        table_name="hubspot_sync_logs",
        postgresql_where=sa.text("suspect_size IS NOT NULL"),
    )
    op.drop_index("ix_hubspot_sync_logs_status", table_name="hubspot_sync_logs")
    op.drop_index(
        "ix_hubspot_sync_logs_phone",
        table_name="hubspot_sync_logs",
        postgresql_where=sa.text("phone_number IS NOT NULL"),
    )
    op.drop_index("ix_hubspot_sync_logs_page", table_name="hubspot_sync_logs")
    op.drop_index(
        "ix_hubspot_sync_logs_error_code",
        table_name="hubspot_sync_logs",
        postgresql_where=sa.text("error_code IS NOT NULL"),
    )
    op.drop_index(
        "ix_hubspot_sync_logs_due",
        table_name="hubspot_sync_logs",
        postgresql_where=sa.text("next_attempt_at IS NOT NULL AND claimed_by IS NULL"),
    )
    op.drop_index(
        "ix_hubspot_sync_logs_claims",
        table_name="hubspot_sync_logs",
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )
    op.drop_table("hubspot_sync_logs")
    op.drop_index(
        op.f("ix_hubspot_surplus_notes_next_attempt_at"), table_name="hubspot_surplus_notes"
    )
    op.drop_table("hubspot_surplus_notes")
    op.drop_index(op.f("ix_hubspot_revocations_next_attempt_at"), table_name="hubspot_revocations")
    op.drop_table("hubspot_revocations")
    op.drop_index(op.f("ix_hubspot_pending_grants_expires_at"), table_name="hubspot_pending_grants")
    op.drop_table("hubspot_pending_grants")
    op.drop_index(
        op.f("ix_hubspot_oauth_tokens_hub_id"),
        table_name="hubspot_oauth_tokens",
        postgresql_where=sa.text("state <> 'disconnected'"),
    )
    op.drop_table("hubspot_oauth_tokens")
    op.drop_index(op.f("ix_hubspot_oauth_states_expires_at"), table_name="hubspot_oauth_states")
    op.drop_table("hubspot_oauth_states")
    op.drop_table("hubspot_accounts")
