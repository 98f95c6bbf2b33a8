"""A vendor's signed sample of a call, posted to a call source: `callsync send --vendor`."""

from datetime import UTC, datetime
from typing import Final

import click
import requests

from commands.terminal import open_database, readable_settings_errors
from shared.configuration.settings import ServiceSettings
from shared.crypto import TokenCipher, UndecryptableError
from shared.sources.options import Owner, SourceOptions
from shared.sources.storing import (
    FORWARDED,
    StoredSource,
    find_anywhere,
    list_sources,
    open_secrets,
)
from sources.adapter import InvalidSecretError, Secret
from sources.registry import ADAPTERS

TIMEOUT_S: Final = 10.0


def send_sample(
    vendor: str, owner: Owner, source_id: str | None, *, api_url: str, sign_with: str | None
) -> None:
    """Post a vendor's deliveries of one invented call, in their order, and print the answers.

    Args:
        vendor: Whose.
        owner: Whose source is looked for.
        source_id: Which source; the owner's first of that vendor, else the platform's, if None.
        api_url: Where the service is.
        sign_with: Instead of the source's own secret.
    """
    adapter = ADAPTERS[vendor]
    source, secrets = _find(vendor, owner, source_id)
    secret = next((each for each in secrets if each.scheme != FORWARDED), None)
    if sign_with is not None:
        scheme = secret.scheme if secret else adapter.schemes[0].name
        secret = Secret(id="given", scheme=scheme, value=sign_with)
    if secret is None:
        raise click.ClickException("The source has no secret to sign with: add it first.")
    path = f"/api/webhooks/{vendor}/{source.id}"
    options = SourceOptions.read(adapter, source.options).own
    with readable_settings_errors():
        public_url = ServiceSettings.load().public_url
    try:
        # Some sign the address; the service knows itself by PUBLIC_URL.
        samples = adapter.sample(secret, public_url + path, datetime.now(UTC), options)
    except InvalidSecretError as error:
        raise click.ClickException(f"{error} Give --sign-with.") from error
    for each in samples:
        try:
            answer = requests.post(
                api_url.rstrip("/") + path,
                data=each.body,
                headers=dict(each.headers),
                timeout=TIMEOUT_S,
            )
        except requests.RequestException as error:
            raise click.ClickException(f"{api_url} could not be asked: {error}") from error
        if answer.status_code != requests.codes.ok:
            raise click.ClickException(
                f"{each.name}: the service answered {answer.status_code}: {answer.text[:500]}"
            )
        click.echo(f"{each.name}: {_describe(answer.json())}")


def _find(vendor: str, owner: Owner, source_id: str | None) -> tuple[StoredSource, list[Secret]]:
    with readable_settings_errors():
        cipher = TokenCipher(ServiceSettings.load().token_encryption_keys)
    with open_database() as database, database.begin() as session:
        if source_id is not None:
            found = find_anywhere(session, source_id)
            sources = [found] if found is not None else []
        else:
            sources = [*list_sources(session, owner), *list_sources(session, None)]
        fitting = [each for each in sources if each.vendor == vendor]
        if not fitting:
            raise click.ClickException(
                f"There is no such source of {vendor}: callsync source add {vendor} --user"
                f" {owner.user_id} --workspace {owner.workspace_id} --secret …"
            )
        try:
            return fitting[0], open_secrets(session, cipher, fitting[0].id)
        except UndecryptableError as error:
            raise click.ClickException(str(error)) from error


def _describe(answer: dict[str, object]) -> str:
    if answer["ignored"]:
        return "of no interest" if answer["ignored"] is True else str(answer["ignored"])
    became = "known already" if answer["duplicate"] else "stored"
    became = "completes the call" if answer["updated"] else became
    return f"{became}, sync log {answer['id']}"
