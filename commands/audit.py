"""`callsync audit`: who did what to a tenant's connection and calls."""

import json

import click
from rich.table import Table

from commands.terminal import make_console, open_database
from shared.models import AuditEntry
from shared.privacy.audit import find_deeds

MOST_SHOWN = 10_000


@click.command()
@click.option("--user", "user_id", help="Only of this user.")
@click.option("--workspace", "workspace_id", help="Only of this workspace.")
@click.option(
    "--limit", type=click.IntRange(1, MOST_SHOWN), default=100, show_default=True, help="How many."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def audit(*, user_id: str | None, workspace_id: str | None, limit: int, as_json: bool) -> None:
    """Say who connected, disconnected, exported, retried, changed settings or erased; newest first.

    Tenants see their own in the dashboard. Entries end after AUDIT_RETENTION_DAYS.
    """
    with open_database() as database, database.begin() as session:
        found = find_deeds(session, user_id=user_id, workspace_id=workspace_id, limit=limit)
    if as_json:
        for each in found:
            click.echo(json.dumps(_as_object(each)))
        return
    table = Table("Time", "User", "Workspace", "By", "Did", "From", "Details")
    for each in found:
        details = ", ".join(f"{name} {value}" for name, value in each.details.items())
        table.add_row(
            f"{each.at:%Y-%m-%d %H:%M:%S}",
            each.user_id,
            each.workspace_id,
            each.actor,
            each.action.replace("_", " "),
            each.address or "",
            details,
        )
    make_console().print(table if found else "Nothing is recorded.")


def _as_object(entry: AuditEntry) -> dict[str, object]:
    return {
        "at": entry.at.isoformat(),
        "user_id": entry.user_id,
        "workspace_id": entry.workspace_id,
        "actor": entry.actor,
        "action": entry.action,
        "address": entry.address,
        "details": entry.details,
    }
