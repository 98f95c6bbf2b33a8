"""What customers decide of their calls: own numbers, rules, what is kept, when it is written."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# With a constant as default, or none, neither table is written anew, however long it is.
COLUMNS = {
    "hubspot_oauth_tokens": "choices jsonb",
    "calls": "first_is_end boolean NOT NULL DEFAULT true",
}


def upgrade() -> None:
    for table, column in COLUMNS.items():
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def downgrade() -> None:
    for table, column in COLUMNS.items():
        op.drop_column(table, column.partition(" ")[0])
