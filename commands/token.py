"""`callsync token`: a dashboard token for development."""

import os
from datetime import timedelta
from typing import Final

import click

from local.visitor import sign_in
from shared.environment import SettingsError, read_settings
from shared.settings import ApiSettings

LONGEST_HOURS: Final = 24 * 30


@click.command()
@click.option("--user", "user_id", required=True, help="The user id: claim sub.")
@click.option("--workspace", "workspace_id", required=True, help="Claim workspace_id.")
@click.option(
    "--hours",
    type=click.FloatRange(0, LONGEST_HOURS, min_open=True),
    default=1,
    show_default=True,
    help="How long it is valid.",
)
def token(*, user_id: str, workspace_id: str, hours: float) -> None:
    """Print a dashboard token (JWT) for development, signed with JWT_SECRET."""
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
    click.echo(
        sign_in(
            found["jwt_secret"].get_secret_value(),
            user_id=user_id,
            workspace_id=workspace_id,
            lasts=timedelta(hours=hours),
            audience=found["jwt_audience"],
            issuer=found["jwt_issuer"],
        )
    )
