"""`callsync erase`: forgets a person by phone number, or a user within a workspace as a whole."""

import click

from commands.erase_person import erase_person
from commands.erase_tenant import erase_tenant


@click.command()
@click.option("--phone", help="The person's number, in any spelling.")
@click.option("--user", "user_id", help="Only calls of this user.")
@click.option("--workspace", "workspace_id", help="Only calls of this workspace.")
@click.option(
    "--include-mentions",
    is_flag=True,
    help="Also erase calls that may be meant: a text mentions the number, a field may be it.",
)
@click.option("--dry-run", is_flag=True, help="Only say what it would remove.")
@click.option("--yes", is_flag=True, help="Do not ask before erasing.")
def erase(
    *,
    phone: str | None,
    user_id: str | None,
    workspace_id: str | None,
    include_mentions: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Forget a person, or a tenant.

    With --phone: every call from or to the number. Contents (numbers, summary, transcript,
    recording) and messages are deleted, and calls that wait are stopped. The sync log keeps ids,
    times and outcomes. Calls that only may be meant are listed for a person to decide.

    With --user and --workspace alone: all that is stored of them. HubSpot is disconnected first.
    Stop what sends their calls before that: a call that comes later is a new one.

    Notes in HubSpot are the customer's own and stay. May be run again at any time.
    """
    if phone is not None:
        erase_person(
            phone,
            user_id=user_id,
            workspace_id=workspace_id,
            includes_near=include_mentions,
            is_rehearsal=dry_run,
            is_sure=yes,
        )
        return
    if not (user_id and workspace_id) or include_mentions:
        raise click.UsageError(
            "Give --phone to forget a person, or both --user and --workspace to forget a tenant."
        )
    erase_tenant(user_id, workspace_id, is_rehearsal=dry_run, is_sure=yes)
