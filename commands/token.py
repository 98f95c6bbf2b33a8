"""`callsync token`: a dashboard token for development, and the end of a user's sessions."""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import click

from commands.terminal import open_database
from local.visitor import sign_in
from shared.configuration.environment import SettingsError, read_settings
from shared.configuration.setting_values import show_duration
from shared.configuration.settings import ApiSettings
from shared.connections.session_ends import ALL_WORKSPACES, end_sessions
from shared.privacy.audit import Action, Actor, Deed, record_deed

DEFAULT_HOURS: Final = 1.0
LONGEST_HOURS: Final = 24 * 30


@click.command()
@click.option("--user", "user_id", required=True, help="The user id: claim sub.")
@click.option(
    "--workspace",
    "workspace_id",
    help="Claim workspace_id. With --revoke, all workspaces of the user if left out.",
)
@click.option(
    "--hours",
    type=click.FloatRange(0, LONGEST_HOURS, min_open=True),
    help=f"How long it is valid, at most JWT_MAX_AGE.  [default: {DEFAULT_HOURS:.0f}]",
)
@click.option("--read-only", is_flag=True, help="It may only look: claim role is viewer.")
@click.option("--revoke", is_flag=True, help="Make none: end the sessions that the user has.")
def token(
    *,
    user_id: str,
    workspace_id: str | None,
    hours: float | None,
    read_only: bool,
    revoke: bool,
) -> None:
    """Print a dashboard token (JWT) for development, signed with JWT_SECRET.

    With --revoke every token of the user that was issued until now is refused, whoever signed it;
    those without the claim iat are refused for good.
    """
    if revoke:
        if hours is not None or read_only:
            raise click.UsageError("--revoke makes no token: leave out --hours and --read-only.")
        _revoke(user_id, workspace_id)
        return
    if workspace_id is None:
        raise click.UsageError("Missing option '--workspace': a token is for one workspace.")
    found = _read_token_settings()
    lasts = timedelta(hours=hours or DEFAULT_HOURS)
    longest = found["jwt_max_age"]
    if lasts > longest:
        raise click.ClickException(
            f"The service refuses tokens that are older than JWT_MAX_AGE={show_duration(longest)}:"
            f" give --hours {longest / timedelta(hours=1):g} or less, or raise JWT_MAX_AGE."
        )
    click.echo(
        sign_in(
            found["jwt_secret"].get_secret_value(),
            user_id=user_id,
            workspace_id=workspace_id,
            lasts=lasts,
            audience=found["jwt_audience"],
            issuer=found["jwt_issuer"],
            role="viewer" if read_only else None,
        )
    )


def _read_token_settings() -> Mapping[str, Any]:
    """The settings of tokens alone, with a secret to sign with."""
    reading = read_settings(ApiSettings, os.environ)
    # The other settings are not needed here.
    if problems := [each for each in reading.problems if each.name.startswith("JWT_")]:
        raise click.ClickException(str(SettingsError(problems)))
    found = reading.values
    if found["jwt_secret"] is None:
        raise click.ClickException(
            "JWT_JWKS_URL is set: its identity provider alone can sign tokens. For development,"
            " set JWT_SECRET instead."
            if found["jwt_jwks_url"]
            else "JWT_SECRET is missing: it is what the service checks tokens with."
        )
    return found


def _revoke(user_id: str, workspace_id: str | None) -> None:
    if not user_id or workspace_id == ALL_WORKSPACES:
        raise click.UsageError("An id is empty.")
    where = "all workspaces" if workspace_id is None else f"workspace {workspace_id}"
    with open_database() as database, database.begin() as session:
        known = end_sessions(session, user_id=user_id, workspace_id=workspace_id or ALL_WORKSPACES)
        # Each workspace reads its own part of the audit trail.
        for each in known or [ALL_WORKSPACES]:
            deed = Deed(
                user_id=user_id,
                workspace_id=each,
                actor=Actor.OPERATOR,
                action=Action.SESSIONS_ENDED,
                details={"all_workspaces": workspace_id is None},
            )
            record_deed(session, deed)
    click.echo(
        f"Sessions of user {user_id} in {where} are ended: tokens issued until now change nothing"
        " any more and show nothing in 5 seconds. What was being connected is given up."
    )
