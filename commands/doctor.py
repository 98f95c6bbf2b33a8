"""`callsync doctor`: says what is misconfigured and how to fix it."""

import base64
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

from commands import findings
from commands.findings import Finding
from commands.terminal import make_console
from shared.configuration.environment import read_settings
from shared.configuration.setting_values import (
    BASIC_AUTH_PASSWORD_LENGTH,
    DEFAULT_PREFIX,
    JWT_SECRET_BYTES,
    sqlalchemy_url,
)
from shared.configuration.settings import ApiSettings, FlowerSettings, find_problems
from shared.database.plain_connections import find_plain_connections
from shared.hubspot.oauth import HubSpotOAuth
from shared.hubspot.transport import build_session

MARKS: Final = {
    "fine": ("✓", "green"),
    "fault": ("✗", "bold red"),
    "warning": ("!", "yellow"),
    "info": ("·", "dim"),
}

# Of 24 random bytes fewer than this are different once in some 10^20 times.
LEAST_DISTINCT: Final = 8


@click.command()
@click.option("--offline", is_flag=True, help="Check the settings only; ask no server.")
def doctor(*, offline: bool) -> None:
    """Say what is misconfigured and how to fix it. Secrets are never shown.

    Exits with 1 if something is wrong.
    """
    console = make_console()
    faults = 0
    for finding in _examine(os.environ, offline=offline):
        _show(console, finding)
        faults += finding.kind == "fault"
    _show(
        console,
        Finding("fault", f"Faults found: {faults}.")
        if faults
        else Finding("fine", "Everything that was checked is in order."),
    )
    sys.exit(1 if faults else 0)


def _examine(environ: Mapping[str, str], *, offline: bool) -> Iterator[Finding]:
    problems = find_problems(environ)
    for each in problems:
        yield Finding("fault", f"{each.name}: {each.problem}", each.cure)
    if not problems:
        yield Finding("fine", "All settings are there and well formed.")
        yield from _describe(ApiSettings.load(environ), environ)
    if not offline:
        yield from _examine_servers(read_settings(ApiSettings, environ).values)


def _describe(settings: ApiSettings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What a person has to know beyond right and wrong."""
    yield Finding("info", f"Your HubSpot app must list this redirect URL: {settings.redirect_uri}")
    explained = {
        "auto": "another browser than the one that starts connecting, or none that can be told,"
        " is asked before an account is connected",
        "cookie": "the browser that starts connecting must be the one that ends it",
        "confirm": "a page asks before an account is connected",
    }
    secret = settings.jwt_secret
    if secret is not None and len(secret.get_secret_value().encode()) < JWT_SECRET_BYTES:
        yield Finding(
            "warning",
            f"JWT_SECRET is shorter than {JWT_SECRET_BYTES} bytes and may be guessed: it is"
            " accepted on localhost only.",
            "take a longer one in production",
        )
    if settings.jwt_jwks_url is not None and None in {settings.jwt_audience, settings.jwt_issuer}:
        yield Finding(
            "warning",
            "JWT_AUDIENCE or JWT_ISSUER is any: tokens that the identity provider made for other"
            " services are accepted here.",
            "name both in production",
        )
    for plain in find_plain_connections(settings):
        yield Finding(
            "warning",
            f"{plain.setting} leads to {plain.host}, a public host, without TLS that checks whose"
            " it is: who is on the way may read and change what goes there.",
            plain.cure,
        )
    for name in _find_monotonous(settings):
        yield Finding(
            "warning",
            f"{name} repeats a few characters and may be guessed.",
            "take a random one in production",
        )
    auth = FlowerSettings.load(environ).flower_basic_auth
    if auth is not None:
        password = auth.get_secret_value().partition(":")[2]
        if len(password) < BASIC_AUTH_PASSWORD_LENGTH:
            yield Finding(
                "warning",
                "The password in FLOWER_BASIC_AUTH is shorter than"
                f" {BASIC_AUTH_PASSWORD_LENGTH} characters and may be guessed.",
                "take a longer one in production",
            )
    binding = settings.oauth_binding
    yield Finding("info", f"OAuth is bound by {binding}: {explained[binding]}.")


def _find_monotonous(settings: ApiSettings) -> Iterator[str]:
    """Secrets that are long enough and yet were not drawn by lot."""
    secret = settings.jwt_secret
    if secret is not None and len(set(secret.get_secret_value())) < LEAST_DISTINCT:
        yield "JWT_SECRET"
    signing = (each.secret.get_secret_value() for each in settings.webhook_secrets)
    keys = (base64.b64decode(each.removeprefix("whsec_")) for each in signing)
    if any(len(set(key)) < LEAST_DISTINCT for key in keys):
        yield "WEBHOOK_SECRETS"
    if any(len(set(key)) < LEAST_DISTINCT for key in settings.token_encryption_keys):
        yield "TOKEN_ENCRYPTION_KEYS"


def _examine_servers(values: Mapping[str, Any]) -> Iterator[Finding]:
    """Ask every server whose address is well formed, whatever else is wrong."""
    if "database_url" in values:
        url = sqlalchemy_url(values["database_url"].get_secret_value())
        yield from findings.examine_postgres(url)
    if "redis_url" in values:
        redis_url = values["redis_url"]
        # Without a word on it, or with one that cannot be read, wake-ups go through Redis.
        broker_url = values.get("broker_url") or redis_url
        yield from findings.examine_redis(
            redis_url.get_secret_value(),
            broker_url.get_secret_value(),
            prefix=values.get("redis_prefix") or DEFAULT_PREFIX,
            database_url=sqlalchemy_url(values["database_url"].get_secret_value())
            if "database_url" in values
            else None,
        )
    if "hubspot_api_url" not in values:
        return
    reachable = findings.examine_hubspot(values["hubspot_api_url"])
    yield reachable
    if reachable.kind == "fine" and {"hubspot_client_id", "hubspot_client_secret"} <= values.keys():
        with build_session(1) as session:
            yield findings.examine_credentials(
                HubSpotOAuth(
                    client_id=values["hubspot_client_id"],
                    client_secret=values["hubspot_client_secret"].get_secret_value(),
                    api_url=values["hubspot_api_url"],
                    app_url="",
                    redirect_uri="",
                    scopes=(),
                    session=session,
                )
            )


def _show(console: Console, finding: Finding) -> None:
    mark, style = MARKS[finding.kind]
    console.print(Text(f"{mark} ", style=style) + Text(finding.text), soft_wrap=True)
    if finding.cure:
        console.print(Text(f"  → {finding.cure}"), soft_wrap=True)
