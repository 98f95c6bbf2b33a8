"""`callsync token`: a dashboard token for development."""

import os
from datetime import timedelta
from typing import Final

import click

from commands.terminal import readable_settings_errors
from local.visitor import sign_in
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
    with readable_settings_errors():
        settings = ApiSettings.load(os.environ)
    if settings.jwt_secret is None:
        raise click.ClickException(
            "JWT_JWKS_URL is set: tokens come from that identity provider, which alone can sign"
            " them. For development, set JWT_SECRET instead."
        )
    click.echo(
        sign_in(
            settings.jwt_secret.get_secret_value(),
            user_id=user_id,
            workspace_id=workspace_id,
            lasts=timedelta(hours=hours),
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
        )
    )
