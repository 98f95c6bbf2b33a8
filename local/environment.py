"""What the processes of a local stack are told: addresses, and secrets made for the occasion."""

import base64
import os
import secrets
from collections.abc import Mapping


def make_environment(
    environ: Mapping[str, str],
    *,
    database_url: str,
    redis_url: str,
    api_url: str,
    sandbox_url: str | None,
) -> dict[str, str]:
    """The environment of every process, on top of ours.

    Secrets that `environ` gives are kept, so that other commands with the same environment fit
    in, and so that a database of the user's own can be read again next time.
    """
    made = {name: environ.get(name) or value for name, value in make_secrets().items()}
    made |= {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "PUBLIC_URL": api_url}
    made["MALLOC_ARENA_MAX"] = environ.get("MALLOC_ARENA_MAX") or "2"  # as in the image
    if sandbox_url:
        made |= {"HUBSPOT_API_URL": sandbox_url, "HUBSPOT_APP_URL": sandbox_url}
    rivals = {"JWT_JWKS_URL", *(f"{name}_FILE" for name in made)}
    return {name: value for name, value in environ.items() if name not in rivals} | made


def make_secrets() -> dict[str, str]:
    return {
        "HUBSPOT_CLIENT_ID": secrets.token_hex(16),
        "HUBSPOT_CLIENT_SECRET": secrets.token_urlsafe(32),
        "WEBHOOK_SECRETS": f"whsec_{base64.b64encode(os.urandom(32)).decode()}",
        "TOKEN_ENCRYPTION_KEYS": base64.b64encode(os.urandom(32)).decode(),
        "JWT_SECRET": secrets.token_urlsafe(48),
    }
