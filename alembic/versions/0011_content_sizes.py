"""How large a call's content is as text, so that batches are cut before it is loaded."""

import sqlalchemy as sa

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Contents that are stored already stay without: to measure them would read every one.
    op.add_column("calls", sa.Column("payload_bytes", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("calls", "payload_bytes")
