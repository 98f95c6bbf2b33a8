"""Know what was decided about a pending grant, so that a second click lands where the first did."""

import sqlalchemy as sa

from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hubspot_decided_grants",
        sa.Column("grant_hash", sa.LargeBinary(), nullable=False),
        sa.Column("return_to", sa.Text(), nullable=False),
        sa.Column("is_connected", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("grant_hash", name=op.f("pk_hubspot_decided_grants")),
    )
    op.create_index(
        op.f("ix_hubspot_decided_grants_expires_at"),
        "hubspot_decided_grants",
        ["expires_at"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_hubspot_decided_grants_expires_at"), table_name="hubspot_decided_grants")
    op.drop_table("hubspot_decided_grants")
