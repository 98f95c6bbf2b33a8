"""An environment in which every process starts."""

import base64

KEY = base64.b64encode(b"k" * 32).decode()
OTHER_KEY = base64.b64encode(b"o" * 32).decode()
SIGNING_KEY = f"whsec_{base64.b64encode(b's' * 25).decode()}"  # padded: ends in "="


def make_environ(**changes: str | None) -> dict[str, str]:
    """Return a valid environment with some variables changed, or removed by None."""
    environ: dict[str, str | None] = {
        "DATABASE_URL": "postgresql://callsync:db-hunter2@db.example:5432/callsync",
        "REDIS_URL": "redis://:redis-hunter2@cache.example:6379/0",
        "HUBSPOT_CLIENT_ID": "client-1",
        "HUBSPOT_CLIENT_SECRET": "client-hunter2",
        "PUBLIC_URL": "https://calls.example.com",
        "WEBHOOK_SECRETS": SIGNING_KEY,
        "TOKEN_ENCRYPTION_KEYS": KEY,
        "JWT_SECRET": "jwt-hunter2-jwt-hunter2-jwt-hunter2",
        **changes,
    }
    return {name: value for name, value in environ.items() if value is not None}
