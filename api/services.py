"""What the views work with, made once per app.

Nothing in here connects before the first request, so an app may be made before its server forks.
"""

from dataclasses import dataclass
from typing import Protocol, cast

from flask import current_app

from api.auth import Authenticator
from api.probes import Probes
from api.signatures import WebhookVerifier
from shared.crypto import TokenCipher
from shared.db import Database
from shared.hubspot.oauth import HubSpotOAuth
from shared.hubspot.transport import build_session
from shared.hubspot_app import open_oauth
from shared.queue import BackgroundWakeUps, WakeUps
from shared.settings import ApiSettings

EXTENSION = "callsync"
HUBSPOT_POOL_SIZE = 8


class Waker(Protocol):
    """Tells the workers that a connection has due calls; never blocks and never raises."""

    def wake(self, connection_id: str) -> None: ...


@dataclass(frozen=True)
class Services:
    settings: ApiSettings
    database: Database
    waker: Waker
    cipher: TokenCipher
    authenticator: Authenticator
    verifier: WebhookVerifier
    oauth: HubSpotOAuth
    probes: Probes

    def encrypt(self, plaintext: str, row_id: str, field: str) -> str:
        """Encrypt a token for one field of one row."""
        return self.cipher.encrypt(plaintext, row_id=row_id, field=field)


def build_services(
    settings: ApiSettings, *, database: Database | None, waker: Waker | None
) -> Services:
    redis_url = settings.redis_url.get_secret_value()
    database = database or Database(settings.sqlalchemy_url)
    return Services(
        settings=settings,
        database=database,
        waker=waker or BackgroundWakeUps(WakeUps(redis_url)),
        cipher=TokenCipher(settings.token_encryption_keys),
        authenticator=Authenticator(settings),
        verifier=WebhookVerifier(settings.webhook_secrets),
        oauth=open_oauth(settings, build_session(HUBSPOT_POOL_SIZE)),
        probes=Probes(database, redis_url),
    )


def services() -> Services:
    """The services of the app that answers the current request."""
    return cast("Services", current_app.extensions[EXTENSION])
