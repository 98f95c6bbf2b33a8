"""One table of strays, in place of late writes and surplus notes.

Both old tables stay, empty, for the release before: what its workers still insert there while this
one is rolled out is moved. A later migration drops them with their triggers.
"""

import sqlalchemy as sa

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MOVE = """
    INSERT INTO hubspot_strays AS s
        (log_id, hub_id, contact_id, activity_id, written_at, attempts, next_attempt_at)
"""
LATE_WRITE = "{0}.log_id, {0}.hub_id, {0}.contact_id, NULL, {0}.written_at, {0}.read_back_misses"
SURPLUS_NOTE = "{0}.log_id, {0}.hub_id, NULL, {0}.note_id, {0}.created_at, {0}.attempts"
RENEWED = """
    (sought_id, hub_id) DO UPDATE SET contact_id = excluded.contact_id, attempts = 0,
        written_at = excluded.written_at, next_attempt_at = excluded.next_attempt_at
"""
# Each old table with its values in the new one, and what a row that is there already becomes.
OLD = {
    "hubspot_late_writes": (LATE_WRITE, RENEWED),
    "hubspot_surplus_notes": (SURPLUS_NOTE, "DO NOTHING"),
}


def upgrade() -> None:
    # The log is locked before the others, as by those who write to it.
    op.create_table(
        "hubspot_strays",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("log_id", sa.Text(collation="C"), nullable=False),
        sa.Column("hub_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="note", nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=True),
        sa.Column("activity_id", sa.Text(), nullable=True),
        sa.Column(
            "sought_id",
            sa.Text(collation="C"),
            sa.Computed(
                "CASE WHEN activity_id IS NULL THEN log_id ELSE NULL::text END", persisted=True
            ),
            nullable=True,
        ),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('note', 'call')", name=op.f("ck_hubspot_strays_kind")),
        sa.CheckConstraint(
            "(contact_id IS NULL) <> (activity_id IS NULL)",
            name=op.f("ck_hubspot_strays_sought_or_found"),
        ),
        sa.ForeignKeyConstraint(
            ["sought_id"],
            ["hubspot_sync_logs.id"],
            name=op.f("fk_hubspot_strays_sought_id_hubspot_sync_logs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hubspot_strays")),
        sa.UniqueConstraint("sought_id", "hub_id", name=op.f("uq_hubspot_strays_sought_id_hub_id")),
        sa.UniqueConstraint(
            "hub_id", "kind", "activity_id", name=op.f("uq_hubspot_strays_hub_id_kind_activity_id")
        ),
    )
    op.create_index(op.f("ix_hubspot_strays_log_id"), "hubspot_strays", ["log_id"])
    op.create_index(
        op.f("ix_hubspot_strays_next_attempt_at"), "hubspot_strays", ["next_attempt_at"]
    )
    for table, (values, conflict) in OLD.items():
        op.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        op.execute(f"{MOVE} SELECT {values.format('o')}, o.next_attempt_at FROM {table} o")  # noqa: S608
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are ours
        op.execute(f"""
            CREATE FUNCTION {table}_move() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                {MOVE} VALUES ({values.format("NEW")}, NEW.next_attempt_at)
                ON CONFLICT {conflict};
                RETURN NULL;
            END $$
        """)
        op.execute(f"""
            CREATE TRIGGER {table}_move BEFORE INSERT ON {table}
            FOR EACH ROW EXECUTE FUNCTION {table}_move()
        """)


def downgrade() -> None:
    # The lock that dropping the foreign key takes, in the order of those who write.
    op.execute("LOCK TABLE hubspot_sync_logs, hubspot_strays IN ACCESS EXCLUSIVE MODE")
    for table in OLD:
        op.execute(f"DROP TRIGGER {table}_move ON {table}")
        op.execute(f"DROP FUNCTION {table}_move()")
    op.execute("""
        INSERT INTO hubspot_late_writes
            (log_id, hub_id, contact_id, written_at, read_back_misses, next_attempt_at)
        SELECT log_id, hub_id, contact_id, written_at, attempts, next_attempt_at
        FROM hubspot_strays WHERE activity_id IS NULL
    """)
    # An earlier version would archive another kind as if it were a note.
    op.execute("""
        INSERT INTO hubspot_surplus_notes
            (log_id, hub_id, note_id, created_at, attempts, next_attempt_at)
        SELECT log_id, hub_id, activity_id, written_at, attempts, next_attempt_at
        FROM hubspot_strays WHERE activity_id IS NOT NULL AND kind = 'note'
    """)
    op.drop_table("hubspot_strays")
