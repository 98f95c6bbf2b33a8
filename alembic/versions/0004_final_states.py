"""Refuse final states that something is still to happen to, and claims of what is not due."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CONSTRAINTS = {
    "terminal_error": "status <> 'error' OR next_attempt_at IS NULL",
    "success_is_settled": (
        "status <> 'success' OR (claimed_by IS NULL AND last_write_at IS NULL"
        " AND suspect_size IS NULL)"
    ),
    "claimed_is_due": "claimed_by IS NULL OR next_attempt_at IS NOT NULL",
}


def upgrade() -> None:
    # One statement, so that the table is read once.
    added = ", ".join(
        f"ADD CONSTRAINT ck_hubspot_sync_logs_{name} CHECK ({condition})"
        for name, condition in CONSTRAINTS.items()
    )
    op.execute(f"ALTER TABLE hubspot_sync_logs {added}")


def downgrade() -> None:
    for name in CONSTRAINTS:
        op.drop_constraint(op.f(f"ck_hubspot_sync_logs_{name}"), "hubspot_sync_logs", type_="check")
