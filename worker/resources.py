"""What a worker process holds: made once per process, after any fork, closed at its end."""

import threading
from dataclasses import dataclass, replace
from functools import cache

import requests

from shared.activities.destination import Destination
from shared.activities.hubspot import HubSpotDestination
from shared.broker.celery_app import WORKER_THREADS
from shared.broker.deployment import DeploymentRedis, connect_redis
from shared.broker.waking import WakeUps
from shared.configuration.settings import WorkerSettings
from shared.connections.access_tokens import TokenSource
from shared.connections.oauth_states import open_oauth
from shared.crypto import TokenCipher
from shared.database.engines import Database
from shared.hubspot.oauth import HubSpotOAuth
from shared.hubspot.transport import build_session
from shared.pacing.client import HubSpotAccess, PacedHubSpot, Patience
from shared.pacing.limits import Limits
from worker.leases import Leases
from worker.shares import UpdateShare

# Above any sensible Celery concurrency of one process.
HTTP_POOL_SIZE = 64
# To ask each time would be a fifth of a round's queries, and a round that loses its connection
# only tries again, where a request would have to be refused.
DATABASE_PING_AFTER_S = 1.0
# Waiting longer for a slot would hold calls that another round could take; a request started with
# less time left could outlast its round.
PATIENCE = Patience(longest_wait_s=1.5, least_time_s=28.0)


@dataclass(frozen=True, slots=True)
class Resources:
    """A worker's doors to Postgres, Redis and HubSpot."""

    settings: WorkerSettings
    database: Database
    redis: DeploymentRedis
    limits: Limits
    wake_ups: WakeUps
    cipher: TokenCipher
    http: requests.Session
    oauth: HubSpotOAuth
    tokens: TokenSource
    leases: Leases
    # Held by the one round that has large contents in memory.
    loading: threading.Lock
    update_share: UpdateShare
    stopping: threading.Event

    def open_destination(self, connection_id: str, hub_id: int, *, deadline: float) -> Destination:
        """The account of a connection, until `deadline` (`time.monotonic`)."""
        access = HubSpotAccess(self.tokens, self.limits, self.http, self.settings.hubspot_api_url)
        patience = replace(PATIENCE, deadline=deadline, stopping=self.stopping)
        return HubSpotDestination(
            PacedHubSpot(access, connection_id=connection_id, hub_id=hub_id, patience=patience)
        )

    def close(self) -> None:
        """Stop renewing and close what is pooled."""
        self.leases.stop()
        self.http.close()
        self.redis.close()
        self.database.dispose()


def open_resources(settings: WorkerSettings) -> Resources:
    """Make everything that a worker process needs; connects lazily."""
    database = Database(
        settings.sqlalchemy_url,
        # One for each thread; whoever refreshes a token needs another beside it, which overflows.
        pool_size=WORKER_THREADS,
        ping_after_s=DATABASE_PING_AFTER_S,
    )
    redis_url = settings.redis_url.get_secret_value()
    redis = connect_redis(redis_url, settings.redis_prefix)
    limits = Limits(redis)
    cipher = TokenCipher(settings.token_encryption_keys)
    http = build_session(HTTP_POOL_SIZE)
    oauth = open_oauth(settings, http)
    leases = Leases(database, limits)
    leases.start()
    return Resources(
        settings=settings,
        database=database,
        redis=redis,
        limits=limits,
        wake_ups=WakeUps(
            redis_url, settings.broker_url.get_secret_value(), prefix=settings.redis_prefix
        ),
        cipher=cipher,
        http=http,
        oauth=oauth,
        tokens=TokenSource(
            database=database, redis=redis, limits=limits, cipher=cipher, oauth=oauth
        ),
        leases=leases,
        loading=threading.Lock(),
        update_share=UpdateShare(),
        stopping=threading.Event(),
    )


@cache
def process_resources() -> Resources:
    """The resources of this process, made on first use."""
    return open_resources(WorkerSettings.load())
