"""Keep how long calls took, by hour, and when what is rationed was used."""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COUNT_LATENCIES = """
            INSERT INTO hubspot_sync_latencies AS t (user_id, workspace_id, hour, bin, calls)
            SELECT n.user_id, n.workspace_id, date_trunc('hour', n.created_at, 'UTC'),
                   hubspot_latency_bin(n.created_at, n.updated_at), count(*)
            FROM new_rows n JOIN old_rows o USING (id)
            WHERE n.status = 'success' AND o.status <> 'success'
            GROUP BY 1, 2, 3, 4
            ORDER BY 1, 2, 3, 4
            ON CONFLICT (user_id, workspace_id, hour, bin)
            DO UPDATE SET calls = t.calls + excluded.calls;
"""

FUNCTION = """
        CREATE OR REPLACE FUNCTION hubspot_tally_sync_logs() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO hubspot_sync_tallies AS t (user_id, workspace_id, hour, status, calls)
            SELECT changed.user_id, changed.workspace_id,
                   date_trunc('hour', changed.created_at, 'UTC'), changed.status,
                   sum(changed.step)
            FROM (
                SELECT n.user_id, n.workspace_id, n.created_at, n.status, 1 AS step
                FROM new_rows n JOIN old_rows o USING (id)
                WHERE n.status <> o.status AND n.status <> 'pending'
                UNION ALL
                SELECT o.user_id, o.workspace_id, o.created_at, o.status, -1
                FROM new_rows n JOIN old_rows o USING (id)
                WHERE n.status <> o.status AND o.status <> 'pending'
            ) AS changed
            GROUP BY 1, 2, 3, 4
            ORDER BY 1, 2, 3, 4
            ON CONFLICT (user_id, workspace_id, hour, status)
            DO UPDATE SET calls = t.calls + excluded.calls;
            {latencies}
            RETURN NULL;
        END $$
"""


def upgrade() -> None:
    op.create_table(
        "hubspot_quotas",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("used_at", sa.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.PrimaryKeyConstraint(
            "user_id", "workspace_id", "action", name=op.f("pk_hubspot_quotas")
        ),
    )
    op.create_table(
        "hubspot_sync_latencies",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bin", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "user_id", "workspace_id", "hour", "bin", name=op.f("pk_hubspot_sync_latencies")
        ),
    )
    # Steps of 2^(1/4) milliseconds: a percentile read from them is at most 10 % off.
    op.execute("""
        CREATE FUNCTION hubspot_latency_bin(accepted_at timestamptz, recorded_at timestamptz)
        RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
            SELECT floor(4 / ln(2::float8) * ln(greatest(
                extract(epoch FROM recorded_at - accepted_at)::float8 * 1000, 1)))::smallint
        $$
    """)
    # Reads the whole log once, some 3 s for a million entries, and locks nobody out. Calls that
    # become notes meanwhile are missing here, where all is a distribution, not in the counts.
    # A call whose person was erased has no number any more, and a later time of change.
    op.execute("""
        INSERT INTO hubspot_sync_latencies (user_id, workspace_id, hour, bin, calls)
        SELECT l.user_id, l.workspace_id, date_trunc('hour', l.created_at, 'UTC'),
               hubspot_latency_bin(l.created_at, l.updated_at), count(*)
        FROM hubspot_sync_logs l
        WHERE l.status = 'success' AND l.phone_number IS NOT NULL
        GROUP BY 1, 2, 3, 4
    """)
    # The trigger stays: to replace its function takes no lock on the log.
    op.execute(FUNCTION.format(latencies=COUNT_LATENCIES))


def downgrade() -> None:
    op.execute(FUNCTION.format(latencies=""))
    op.execute("DROP FUNCTION hubspot_latency_bin(timestamptz, timestamptz)")
    op.drop_table("hubspot_sync_latencies")
    op.drop_table("hubspot_quotas")
