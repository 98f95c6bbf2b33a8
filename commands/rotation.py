"""`callsync rotate-keys`: re-encrypts all stored tokens with the first key."""

import sys

import click
from rich.progress import Progress, SpinnerColumn, TextColumn

from commands.terminal import make_console, open_database, readable_settings_errors
from shared.configuration.settings import ServiceSettings
from shared.connections.rotation import rotate_tokens
from shared.crypto import TokenCipher


@click.command("rotate-keys")
def rotate_keys() -> None:
    """Re-encrypt HubSpot tokens and sources' secrets with the first of TOKEN_ENCRYPTION_KEYS.

    The service may go on running. To rotate: add the new key second everywhere, then make it
    first everywhere, then run this, then remove the old key. May be run again at any time.
    """
    with readable_settings_errors():
        cipher = TokenCipher(ServiceSettings.load().token_encryption_keys)
    console = make_console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} rows re-encrypted"))
    with (
        open_database() as database,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("rows", total=None)
        rotation = rotate_tokens(
            database, cipher, on_rewritten=lambda rows: progress.advance(task, rows)
        )
    click.echo(f"Rows re-encrypted: {rotation.rewritten}.")
    for row in rotation.undecryptable:
        click.echo(
            f"{row.table} {row.id}: no key opens it. Add the key it was encrypted with to"
            " TOKEN_ENCRYPTION_KEYS and run this again; else the workspace has to reconnect, or"
            " to add the source's secret anew.",
            err=True,
        )
    for row in rotation.busy:
        click.echo(f"{row.table} {row.id}: in use all the time. Run this again.", err=True)
    sys.exit(1 if rotation.undecryptable or rotation.busy else 0)
