"""Tally by quarter of an hour, keep old tallies by day, and know calls whose log row was pruned."""

import sqlalchemy as sa

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

QUARTER = "date_bin('15 minutes', {}, '2000-01-01T00:00Z')"
HOUR = "date_trunc('hour', {}, 'UTC')"

FUNCTION = """
        CREATE OR REPLACE FUNCTION hubspot_tally_sync_logs() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO hubspot_sync_tallies AS t (user_id, workspace_id, hour, status, calls)
            SELECT changed.user_id, changed.workspace_id, {changed}, changed.status,
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

            INSERT INTO hubspot_sync_latencies AS t (user_id, workspace_id, hour, bin, calls)
            SELECT n.user_id, n.workspace_id, {new},
                   hubspot_latency_bin(n.created_at, n.updated_at), count(*)
            FROM new_rows n JOIN old_rows o USING (id)
            WHERE n.status = 'success' AND o.status <> 'success'
            GROUP BY 1, 2, 3, 4
            ORDER BY 1, 2, 3, 4
            ON CONFLICT (user_id, workspace_id, hour, bin)
            DO UPDATE SET calls = t.calls + excluded.calls;
            RETURN NULL;
        END $$
"""

# Each table with its table of days, and what its rows are told apart by.
TALLIED = (
    ("hubspot_sync_tallies", "hubspot_daily_tallies", "status"),
    ("hubspot_sync_latencies", "hubspot_daily_latencies", "bin"),
)


def tally_by(step: str) -> None:
    # The trigger stays: to replace its function takes no lock on the log.
    op.execute(
        FUNCTION.format(changed=step.format("changed.created_at"), new=step.format("n.created_at"))
    )


def create_days(name: str, kind: sa.Column[str] | sa.Column[int]) -> None:
    op.create_table(
        name,
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        kind,
        sa.Column("quarters", sa.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("calls", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint(
            "user_id", "workspace_id", "day", kind.name, name=op.f(f"pk_{name}")
        ),
    )


def upgrade() -> None:
    create_days("hubspot_daily_tallies", sa.Column("status", sa.Text(), nullable=False))
    create_days(
        "hubspot_daily_latencies",
        sa.Column("bin", sa.SmallInteger(), autoincrement=False, nullable=False),
    )
    op.create_table(
        "hubspot_pruned_calls",
        sa.Column("identity_hash", sa.LargeBinary(), nullable=False),
        sa.Column("log_id", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "remembered_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("identity_hash", name=op.f("pk_hubspot_pruned_calls")),
    )
    op.create_index(
        op.f("ix_hubspot_pruned_calls_remembered_at"),
        "hubspot_pruned_calls",
        ["remembered_at"],
        unique=False,
    )
    op.create_table(
        "hubspot_pruning_keys",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_hubspot_pruning_keys_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hubspot_pruning_keys")),
    )
    # What was tallied by the hour stays where it is, in the first quarter of its hour: the log may
    # not hold those calls any more. The column keeps its name, because the release before reads it
    # while this one is rolled out; to that one a quarter is an hour like any other.
    tally_by(QUARTER)


def downgrade() -> None:
    tally_by(HOUR)
    for table, days, kind in TALLIED:
        op.execute(f"""
            WITH quarters AS (
                DELETE FROM {table} WHERE hour <> {HOUR.format("hour")} RETURNING *
            ), tallied AS (
                SELECT user_id, workspace_id, hour, {kind}, calls FROM quarters
                UNION ALL
                SELECT user_id, workspace_id,
                       (day + each.quarter * interval '15 minutes') AT TIME ZONE 'UTC', {kind},
                       each.calls
                FROM {days}, unnest(quarters, calls) AS each (quarter, calls)
            )
            INSERT INTO {table} AS t (user_id, workspace_id, hour, {kind}, calls)
            SELECT user_id, workspace_id, {HOUR.format("hour")}, {kind}, sum(calls)
            FROM tallied GROUP BY 1, 2, 3, 4
            ON CONFLICT (user_id, workspace_id, hour, {kind})
            DO UPDATE SET calls = t.calls + excluded.calls
        """)  # noqa: S608 - the names are ours
        op.drop_table(days)
    op.drop_table("hubspot_pruning_keys")
    op.drop_index(op.f("ix_hubspot_pruned_calls_remembered_at"), table_name="hubspot_pruned_calls")
    op.drop_table("hubspot_pruned_calls")
