"""Keep the tallies of outcomes by hour with a trigger, so that no status poll counts the log."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Per statement, not per row: a batch of a hundred outcomes costs a few upserts. Ordered, so
    # that two batches of one tenant cannot deadlock.
    op.execute("""
        CREATE FUNCTION hubspot_tally_sync_logs() RETURNS trigger LANGUAGE plpgsql AS $$
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
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER tally_sync_logs AFTER UPDATE ON hubspot_sync_logs
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION hubspot_tally_sync_logs()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER tally_sync_logs ON hubspot_sync_logs")
    op.execute("DROP FUNCTION hubspot_tally_sync_logs()")
