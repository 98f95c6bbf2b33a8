"""Keep with each entry what intake could not take over from the call's fields."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a default: no row is written, and the table is locked for a moment only.
    op.add_column("hubspot_sync_logs", sa.Column("warnings", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("hubspot_sync_logs", "warnings")
