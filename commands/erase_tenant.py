"""`callsync erase --user --workspace`: forgets a tenant, and says what it deletes."""

import time
from dataclasses import asdict, replace
from typing import Final

import click

from commands.terminal import forget_matches, log_deed, open_database, readable_settings_errors
from shared.configuration.settings import WorkerSettings
from shared.database.engines import Database
from shared.privacy import tenant_erasure
from shared.privacy.tenant_erasure import TenantRows
from shared.queue.marks import WRITE_WITHIN_S, may_write

LOOK_EVERY_S: Final = 0.1
# Longer than a mark is good for.
LONGEST_WAIT_S: Final = WRITE_WITHIN_S + 1


def erase_tenant(user_id: str, workspace_id: str, *, is_rehearsal: bool, is_sure: bool) -> None:
    """Delete all that is stored of a user within a workspace."""
    with readable_settings_errors():
        settings = WorkerSettings.load()
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    with open_database() as database:
        with database.begin() as session:
            rows = tenant_erasure.count_rows(session, **tenant)
        if not rows.is_known:
            click.echo("Nothing is stored of this user in this workspace.")
            return
        _describe(rows)
        if is_rehearsal:
            return
        if not is_sure:
            click.confirm("Delete all of it? This cannot be undone", abort=True)
        deleted = _forget(database, rows, tenant)
    forget_matches(settings)
    click.echo(
        f"Deleted: {deleted.calls} calls, {deleted.contents} contents. In HubSpot, {deleted.notes}"
        " notes stay, which are the customer's own."
    )
    counts = {name: value for name, value in asdict(deleted).items() if name != "is_known"}
    log_deed("tenant_erased", **tenant, **counts)


def _describe(rows: TenantRows) -> None:
    click.echo(f"Calls: {rows.calls}, with contents: {rows.contents}, waiting: {rows.waiting}.")
    click.echo(f"Notes in HubSpot, which stay there: {rows.notes}.")
    click.echo(f"Entries of the audit trail: {rows.audit_entries}.")
    if rows.is_connected:
        click.echo("HubSpot is connected: it is disconnected first, and its tokens revoked.")


def _forget(database: Database, rows: TenantRows, tenant: dict[str, str]) -> TenantRows:
    """Delete page by page; returns what was there, with what was deleted of calls."""
    with database.begin() as session:
        tenant_erasure.end_connection(session, **tenant)
    _wait_for_writes(database, tenant)
    calls = contents = notes = 0
    while True:
        with database.begin() as session:
            page = tenant_erasure.delete_calls(
                session, user_id=tenant["user_id"], workspace_id=tenant["workspace_id"]
            )
        calls, contents, notes = calls + page.calls, contents + page.contents, notes + page.notes
        if page.is_last:
            break
        if not page.calls:
            time.sleep(LOOK_EVERY_S)  # all that is left is locked for a moment
    deleted = replace(rows, calls=calls, contents=contents, notes=notes)
    while True:
        with database.begin() as session:
            if not tenant_erasure.delete_counts(session, **tenant):
                break
    with database.begin() as session:
        tenant_erasure.finish(session, deleted, **tenant)
    return deleted


def _wait_for_writes(database: Database, tenant: dict[str, str]) -> None:
    """Wait until no create can start any more under a mark from before the disconnect."""
    until = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < until:
        with database.read() as session:
            if not may_write(session, **tenant):
                return
        time.sleep(LOOK_EVERY_S)
