"""The log says what was left out, attempts of what kind they are; updates are found by state."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

LOGS = "hubspot_sync_logs"
ATTEMPTS = "hubspot_sync_attempts"
KINDS = "kind IN ('create', 'update')"
INDEX = "ix_activity_updates_state"


def upgrade() -> None:
    # What comes before the block is committed even if that fails: it may be run again. With a
    # constant as default neither table is written anew, however long it is.
    op.execute(f"ALTER TABLE {LOGS} ADD COLUMN IF NOT EXISTS notices jsonb")
    op.execute(
        f"ALTER TABLE {ATTEMPTS} ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'create'"
    )
    op.execute(
        f"ALTER TABLE {ATTEMPTS} DROP CONSTRAINT IF EXISTS ck_{ATTEMPTS}_kind,"
        f" ADD CONSTRAINT ck_{ATTEMPTS}_kind CHECK ({KINDS}) NOT VALID"
    )
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE {ATTEMPTS} VALIDATE CONSTRAINT ck_{ATTEMPTS}_kind")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
        op.create_index(
            INDEX,
            "activity_updates",
            ["state", "user_id", "workspace_id"],
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index(INDEX, "activity_updates")
    # Attempts of updates would look as if the note had been written once more.
    op.execute(f"DELETE FROM {ATTEMPTS} WHERE kind <> 'create'")  # noqa: S608
    op.drop_constraint(op.f(f"ck_{ATTEMPTS}_kind"), ATTEMPTS, type_="check")
    op.drop_column(ATTEMPTS, "kind")
    op.drop_column(LOGS, "notices")
