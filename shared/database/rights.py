"""What the service's role may do in Postgres: it needs rows, and should have nothing else."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.models import Base


@dataclass(frozen=True, slots=True)
class Rights:
    """A role's rights in the service's database.

    Attributes:
        role: Its name.
        needless: What it may do beyond reading and changing rows, in words; empty is best.
        missing: What it lacks on the tables that there are: `INSERT on hubspot_oauth_tokens`.
    """

    role: str
    needless: tuple[str, ...]
    missing: tuple[str, ...]


_NEEDLESS = text("""
    SELECT told FROM pg_roles, LATERAL (VALUES
        (1, rolsuper, 'is a superuser'),
        (2, NOT rolsuper AND EXISTS (
            SELECT FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
                AND pg_has_role(relowner, 'MEMBER')), 'owns tables'),
        (3, NOT rolsuper AND has_schema_privilege(current_schema(), 'CREATE'), 'may create tables'),
        (4, NOT rolsuper AND rolcreaterole, 'may make roles'),
        (5, NOT rolsuper AND rolcreatedb, 'may make databases'),
        (6, NOT rolsuper AND rolreplication, 'may copy the whole server')
    ) AS looked_at (place, is_true, told)
    WHERE rolname = current_user AND is_true ORDER BY place
""")

_MISSING = text("""
    SELECT asked.privilege || ' on ' || asked.name
    FROM unnest(CAST(:privileges AS text[]), CAST(:names AS text[])) AS asked (privilege, name)
    WHERE to_regclass(asked.name) IS NOT NULL
        AND NOT has_table_privilege(to_regclass(asked.name), asked.privilege)
""")


def find_rights(session: Session) -> Rights:
    """What the session's role may do, and may not do although the service does."""
    asked = [
        (privilege, table)
        for table in sorted(Base.metadata.tables)
        for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")
    ]
    asked.append(("SELECT", "alembic_version"))
    privileges, names = zip(*asked, strict=True)
    asking = {"privileges": list(privileges), "names": list(names)}
    role, schema = session.execute(text("SELECT current_user, current_schema()")).one()
    return Rights(
        role=role,
        needless=tuple(session.execute(_NEEDLESS).scalars()),
        missing=tuple(session.execute(_MISSING, asking).scalars())
        if schema
        else ("USAGE on the schema",),
    )
