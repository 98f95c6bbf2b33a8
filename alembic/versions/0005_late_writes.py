"""Remember unanswered writes of calls that were taken over; refuse doubts without a mark."""

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CONSTRAINTS = {
    "misses_are_of_a_mark": "read_back_misses = 0 OR last_write_at IS NOT NULL",
    "unconfirmed_has_mark": (
        "error_code IS DISTINCT FROM 'unconfirmed' OR last_write_at IS NOT NULL"
    ),
}


def upgrade() -> None:
    # What comes before the block is committed even if a row breaks a rule: it may be run again.
    changes = ", ".join(
        f"DROP CONSTRAINT IF EXISTS ck_hubspot_sync_logs_{name},"
        f" ADD CONSTRAINT ck_hubspot_sync_logs_{name} CHECK ({condition}) NOT VALID"
        for name, condition in CONSTRAINTS.items()
    )
    op.execute(f"ALTER TABLE hubspot_sync_logs {changes}")
    # Without the lock of the above: while a long table is read, nobody is locked out.
    with op.get_context().autocommit_block():
        for name in CONSTRAINTS:
            op.execute(
                f"ALTER TABLE hubspot_sync_logs VALIDATE CONSTRAINT ck_hubspot_sync_logs_{name}"
            )
    op.create_table(
        "hubspot_late_writes",
        sa.Column("log_id", sa.Text(collation="C"), nullable=False),
        sa.Column("hub_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("read_back_misses", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["log_id"],
            ["hubspot_sync_logs.id"],
            name=op.f("fk_hubspot_late_writes_log_id_hubspot_sync_logs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("log_id", "hub_id", name=op.f("pk_hubspot_late_writes")),
    )
    op.create_index(
        op.f("ix_hubspot_late_writes_next_attempt_at"),
        "hubspot_late_writes",
        ["next_attempt_at"],
        unique=False,
    )


def downgrade() -> None:
    for name in CONSTRAINTS:
        op.drop_constraint(op.f(f"ck_hubspot_sync_logs_{name}"), "hubspot_sync_logs", type_="check")
    op.drop_index(op.f("ix_hubspot_late_writes_next_attempt_at"), table_name="hubspot_late_writes")
    op.drop_table("hubspot_late_writes")
