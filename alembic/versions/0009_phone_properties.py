"""Further phone properties of a connection, and those of them that HubSpot refuses to search."""

import sqlalchemy as sa

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ACCOUNTS = "hubspot_accounts"
CONNECTIONS = "hubspot_oauth_tokens"


def upgrade() -> None:
    # No defaults: nothing is rewritten, and a release that does not know them goes on.
    op.add_column(CONNECTIONS, sa.Column("phone_properties", sa.ARRAY(sa.Text()), nullable=True))
    op.add_column(ACCOUNTS, sa.Column("refused_properties", sa.ARRAY(sa.Text()), nullable=True))
    op.add_column(
        ACCOUNTS,
        sa.Column("refused_properties_until", sa.DateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    op.drop_column(ACCOUNTS, "refused_properties_until")
    op.drop_column(ACCOUNTS, "refused_properties")
    op.drop_column(CONNECTIONS, "phone_properties")
