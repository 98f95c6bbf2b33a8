"""What the views work with, made once per app.

Nothing in here connects before the first request, so an app may be made before its server forks.
"""

from dataclasses import dataclass
from typing import Final, Protocol, cast

from flask import current_app
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.context.quotas import Buckets, ChosenQuotas, Ongoing
from api.http.slots import Room, Slots
from api.identity.auth import Authenticator, EndedSessions
from api.intake.group_commit import GroupCommit
from api.intake.signatures import WebhookVerifier
from api.intake.source_journal import SourceJournal
from api.intake.source_lookup import SourceLookup
from api.operating.gauges import Gauges
from api.operating.probes import Probes
from shared.broker.deployment import DeploymentRedis
from shared.broker.waking import BackgroundWakeUps, WakeUps
from shared.configuration.settings import ApiSettings
from shared.connections.access_tokens import TokenSource
from shared.connections.oauth_states import open_oauth
from shared.crypto import TokenCipher
from shared.database.engines import Database
from shared.hubspot.oauth import HubSpotOAuth
from shared.hubspot.transport import build_session
from shared.models import Connection
from shared.pacing.client import HubSpotAccess
from shared.pacing.limits import Limits

# More requests at once wait for one of these: to open a connection costs more than a webhook.
DATABASE_POOL_SIZE: Final = 16
EXTENSION = "callsync"
HUBSPOT_POOL_SIZE = 8
REDIS_TIMEOUT_S = 0.3
# Each may wait for a silent HubSpot, in a thread that webhooks need as well.
PREVIEWS_AT_ONCE = 8
CONSENTS_AT_ONCE = 16
DISCONNECTS_AT_ONCE = 16
# They rest for most of the time.
EXPORTS_AT_ONCE = 16
# One takes the processor for two seconds, which live webhooks need.
LARGE_ARRAYS_AT_ONCE = 1
# Three times as much in memory, with what the server and the parser keep of them.
LARGE_BODIES_BYTES = 32 * 1024 * 1024
# Of which arrays have half, or two of them that come slowly would shut out every large call.
LARGE_ARRAYS_BYTES = LARGE_BODIES_BYTES // 2


class Waker(Protocol):
    """Informs the workers that a connection has due calls; never blocks and never raises."""

    def wake(self, connection_id: str) -> None: ...


@dataclass(frozen=True)
class Services:
    settings: ApiSettings
    database: Database
    group_commit: GroupCommit
    waker: Waker
    cipher: TokenCipher
    authenticator: Authenticator
    ended_sessions: EndedSessions
    verifier: WebhookVerifier
    sources: SourceLookup
    journal: SourceJournal
    oauth: HubSpotOAuth
    hubspot: HubSpotAccess
    probes: Probes
    gauges: Gauges
    preview_slots: Slots
    consent_slots: Slots
    disconnect_slots: Slots
    export_slots: Slots
    array_slots: Slots
    array_room: Room
    room: Room
    quotas: ChosenQuotas
    buckets: Buckets
    address_buckets: Buckets
    ongoing: Ongoing

    def encrypt(self, plaintext: str, row_id: str, field: str) -> str:
        """Encrypt a token for one field of one row."""
        return self.cipher.encrypt(plaintext, row_id=row_id, field=field)

    def contact_url(self, hub_id: int, contact_id: str, connection: Connection | None) -> str:
        """A contact's page in HubSpot, on the host that the account's pages are on."""
        base = self.settings.hubspot_app_url
        if connection is not None and connection.hub_id == hub_id and connection.ui_domain:
            base = f"https://{connection.ui_domain}"
        return f"{base}/contacts/{hub_id}/record/0-1/{contact_id}"


def build_services(
    settings: ApiSettings, *, database: Database | None, waker: Waker | None
) -> Services:
    redis_url = settings.redis_url.get_secret_value()
    redis = _connect_redis(redis_url, settings.redis_prefix)
    database = database or Database(
        settings.sqlalchemy_url, pool_size=DATABASE_POOL_SIZE, overflow=0
    )
    probes = Probes(database, redis)
    cipher = TokenCipher(settings.token_encryption_keys)
    http = build_session(HUBSPOT_POOL_SIZE)
    oauth = open_oauth(settings, http)
    limits = Limits(redis)
    tokens = TokenSource(database=database, redis=redis, limits=limits, cipher=cipher, oauth=oauth)
    wake_ups = WakeUps(
        redis_url, settings.broker_url.get_secret_value(), prefix=settings.redis_prefix
    )
    return Services(
        settings=settings,
        database=database,
        group_commit=GroupCommit(database, activity=settings.activity),
        waker=waker or BackgroundWakeUps(wake_ups),
        cipher=cipher,
        authenticator=Authenticator(settings),
        ended_sessions=EndedSessions(database),
        verifier=WebhookVerifier(settings.webhook_secrets),
        sources=SourceLookup(database, cipher),
        journal=SourceJournal(database),
        oauth=oauth,
        hubspot=HubSpotAccess(tokens, limits, http, settings.hubspot_api_url),
        probes=probes,
        gauges=Gauges(database, probes),
        preview_slots=Slots(PREVIEWS_AT_ONCE),
        consent_slots=Slots(CONSENTS_AT_ONCE),
        disconnect_slots=Slots(DISCONNECTS_AT_ONCE),
        export_slots=Slots(EXPORTS_AT_ONCE),
        array_slots=Slots(LARGE_ARRAYS_AT_ONCE),
        array_room=Room(LARGE_ARRAYS_BYTES),
        room=Room(LARGE_BODIES_BYTES),
        quotas=ChosenQuotas.of(
            requests_per_minute=settings.dashboard_requests_per_minute,
            calls_per_minute=settings.webhook_calls_per_minute,
        ),
        buckets=Buckets(),
        address_buckets=Buckets(),
        ongoing=Ongoing(),
    )


def _connect_redis(url: str, prefix: str) -> DeploymentRedis:
    """A client for requests that somebody waits for: away or frozen, it says so at once."""
    return DeploymentRedis.open(
        url,
        prefix,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def services() -> Services:
    """The services of the app that serves the current request."""
    return cast("Services", current_app.extensions[EXTENSION])
