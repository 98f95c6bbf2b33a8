"""`callsync init`: makes the `.env` of a Docker Compose deployment, with secrets of its own."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from local.environment import make_secrets

EXAMPLE: Final = Path(".env.example")
# As the services are called in docker-compose.yml; the browser reaches the sandbox by its port.
SANDBOX: Final = {
    "HUBSPOT_API_URL": "sandbox+http://sandbox:8765",
    "HUBSPOT_APP_URL": "http://localhost:8765",
    "COMPOSE_PROFILES": "sandbox",
}
HUBSPOT_APP: Final = ("HUBSPOT_CLIENT_ID", "HUBSPOT_CLIENT_SECRET")


@click.command()
@click.option("--sandbox", is_flag=True, help="Try it with the HubSpot sandbox, without HubSpot.")
@click.option("--stdout", is_flag=True, help="Print the settings instead of writing .env.")
def init(*, sandbox: bool, stdout: bool) -> None:
    """Write .env for Docker Compose, with new secrets. To be run in the checkout.

    Without --sandbox, fill in HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET and PUBLIC_URL. An .env that
    exists is left alone: its keys are the only ones that open what the database holds.
    """
    try:
        text = fill_in(EXAMPLE.read_text(encoding="utf-8"), make_values(sandbox=sandbox))
    except FileNotFoundError as error:
        raise click.ClickException(f"{EXAMPLE} is not here: run this in the checkout.") from error
    if stdout:
        click.echo(text, nl=False)
        return
    try:
        descriptor = os.open(".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise click.ClickException(".env exists; its secrets are in use. Nothing done.") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    rest = "" if sandbox else f" Fill in {', '.join(HUBSPOT_APP)} and PUBLIC_URL, then"
    click.echo(f".env is written.{rest} Run: docker compose up --build --detach", err=True)


def make_values(*, sandbox: bool) -> dict[str, str]:
    """New secrets, and the addresses of the services in docker-compose.yml."""
    owner_password, service_password, redis_password = (secrets.token_hex(24) for _ in range(3))
    database = "postgres:5432/callsync"
    made = make_secrets() | {
        "POSTGRES_PASSWORD": secrets.token_hex(24),
        "POSTGRES_OWNER_PASSWORD": owner_password,
        "POSTGRES_SERVICE_PASSWORD": service_password,
        "DATABASE_OWNER_URL": f"postgresql://callsync:{owner_password}@{database}",
        "DATABASE_URL": f"postgresql://callsync_service:{service_password}@{database}",
        "REDIS_PASSWORD": redis_password,
        "REDIS_URL": f"redis://:{redis_password}@redis:6379/0",
        "FLOWER_BASIC_AUTH": f"operator:{secrets.token_hex(24)}",
        "GRAFANA_PASSWORD": secrets.token_hex(24),
    }
    if sandbox:
        return made | SANDBOX
    return {name: value for name, value in made.items() if name not in HUBSPOT_APP}


def fill_in(example: str, values: Mapping[str, str]) -> str:
    """Give the variables of `.env.example` these values, in place of default or comment mark."""
    for name, value in values.items():
        pattern = re.compile(rf"^(# )?{name}=.*$", re.MULTILINE)
        example = pattern.sub(f"{name}={value}", example)
    return example
