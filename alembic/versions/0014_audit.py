"""The audit trail."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

AUDIT = "hubspot_audit"


def upgrade() -> None:
    op.create_table(
        AUDIT,
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("details", JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hubspot_audit")),
    )
    op.create_index(op.f("ix_hubspot_audit_at"), AUDIT, ["at"])
    op.create_index(
        op.f("ix_hubspot_audit_user_id_workspace_id_id"), AUDIT, ["user_id", "workspace_id", "id"]
    )


def downgrade() -> None:
    op.drop_table(AUDIT)
