"""Servers that say nothing, speak slowly or lie, while many requests want something of them.

Webhooks need none of them but Postgres, and must be answered as if nothing were the matter. How
long they took is compared with a calm phase of the same run, in which as many others ask as much.
"""

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from faults.judging.history import Delivery
from faults.producer import RecordingProducer
from faults.proxies.liars import (
    HTTP_LIES,
    HTTP_TRICKLES,
    REDIS_LIES,
    REDIS_TRICKLES,
    Speech,
    replaced,
    stay_silent,
)
from faults.proxies.proxy import Proxy
from faults.scenario import Scenario
from faults.tenants import Tenant
from faults.world import World
from shared.configuration.setting_values import sqlalchemy_url
from shared.connections.oauth_states import Authorization, new_secret, store_state
from shared.crypto import TokenCipher
from shared.database.engines import Database

WEBHOOKS: Final = 100
AT_ONCE: Final = 4
# More than the API has threads.
CONSENTS: Final = 300
ASKERS: Final = 24
ASK_TIMEOUT_S: Final = 120.0
# Longer than anything on this machine takes, and shorter than what gives up on the silent server.
HUBSPOT_TIMEOUT_S: Final = 12.0
PROVIDER_TIMEOUT_S: Final = 3.0
REDIS_GRACE_S: Final = 0.5
# Of the API to HubSpot: consents and previews that may wait, and some that are just being closed.
MOST_CONNECTIONS: Final = 16 + 8 + 8

# How long a slow Redis takes each way.
SLOW_S: Final = 0.1

Ask = Callable[[], object]
# Puts what is wrong in the place of what these proxies lead to, for as long as its block lasts.
Fault = Callable[[Sequence[Proxy]], AbstractContextManager[object]]


@contextmanager
def slowed(doors: Sequence[Proxy]) -> Iterator[None]:
    """Let everything come late inside the block."""
    for door in doors:
        door.delay_s = SLOW_S
    try:
        yield
    finally:
        for door in doors:
            door.heal()


@contextmanager
def crowd(asks: Sequence[Ask], *, again: bool = True) -> Iterator[None]:
    """Have each of these asked in a thread of its own inside the block, over and over unless not.

    Whoever waits for a silent server at the end is not waited for.
    """
    is_over = threading.Event()

    def ask_on(ask: Ask) -> None:
        while not is_over.is_set():
            with suppress(requests.RequestException):
                ask()
            if not again:
                return

    threads = [threading.Thread(target=ask_on, args=[each], daemon=True) for each in asks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()


def deliver(world: World, producer: RecordingProducer, tenant: Tenant) -> list[Delivery]:
    """Post webhooks once each; every one must be acknowledged."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        deliveries = list(pool.map(producer.deliver, tenant.calls(WEBHOOKS)))
    if refused := [each.status for each in deliveries if not each.is_acknowledged]:
        world.complain(f"{len(refused)} webhooks were answered with {set(refused)}")
    return deliveries


def compare(
    world: World, calm: Sequence[Delivery], during: Sequence[Delivery], *, limit: float
) -> None:
    """Note both; it is wrong if a webhook took as long as what waits for the server does."""
    world.note_webhooks(calm, during)
    world.complain_if_slow("a webhook", max(each.seconds for each in during), limit=limit)


# Redis


def ask_of_redis(world: World) -> list[Ask]:
    url = world.cluster.api_url
    paths = ("/readyz", "/metrics")
    return [
        lambda path=path: requests.get(url + path, timeout=ASK_TIMEOUT_S)  # type: ignore[misc]
        for path in paths * (ASKERS // 2)
    ]


def play_redis(world: World, fault: Fault) -> None:
    tenant = world.tenant()
    world.excuse_haste()  # whoever lies about budgets has HubSpot asked too often
    doors = [world.cluster.api_doors.redis, world.cluster.worker_doors.redis]
    with crowd(ask_of_redis(world)):
        calm = deliver(world, world.producer, tenant)
        with fault(doors):
            during = deliver(world, world.producer, tenant)
    compare(world, calm, during, limit=max(each.seconds for each in calm) + REDIS_GRACE_S)
    world.settle()
    if blamed := [row["id"] for row in world.rows() if row["suspect_size"] is not None]:
        world.complain(f"{len(blamed)} calls are suspects")


# HubSpot


def make_consents(world: World, tenant: Tenant) -> list[Ask]:
    """Browsers that come back from HubSpot with codes of their own invention."""
    env = world.cluster.env
    cipher = TokenCipher([b64decode(env["TOKEN_ENCRYPTION_KEYS"])])
    states = [new_secret() for _ in range(CONSENTS)]
    database = Database(sqlalchemy_url(world.cluster.postgres.url), pool_size=1)
    with database.begin() as session:
        for state in states:
            authorization = Authorization(
                user_id=tenant.user_id,
                workspace_id=tenant.workspace_id,
                code_verifier="v" * 64,
                browser_hash=None,
                return_to=world.cluster.api_url,
            )
            store_state(session, state, authorization, cipher)
    database.dispose()
    callback = f"{world.cluster.api_url}/api/hubspot/oauth/callback"

    def come_back(state: str) -> Ask:
        return lambda: requests.get(
            callback,
            params={"state": state, "code": "invented"},
            timeout=ASK_TIMEOUT_S,
            allow_redirects=False,
        )

    return [come_back(each) for each in states]


def play_hubspot(world: World, fault: Fault) -> None:
    tenant = world.tenant()
    door = world.cluster.api_doors.hubspot
    with crowd(make_consents(world, tenant), again=False):
        calm = deliver(world, world.producer, tenant)
    consents = make_consents(world, tenant)
    with fault([door]), crowd(consents, again=False):
        world.wait_for(lambda: door.connections > 0)
        during = deliver(world, world.producer, tenant)
        if door.connections > MOST_CONNECTIONS:
            world.complain(f"{door.connections} requests of the API waited for HubSpot at once")
    compare(world, calm, during, limit=HUBSPOT_TIMEOUT_S)
    world.settle()


# The identity provider


class Provider:
    """Publishes one key; users' tokens are signed with it, strangers' with one that nobody has."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._other = ec.generate_private_key(ec.SECP256R1())
        public = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        document = json.dumps({"keys": [{**public, "kid": "known"}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def sign(self, tenant: Tenant, key_id: str) -> str:
        now = datetime.now(UTC).timestamp()
        claims = {"sub": tenant.user_id, "workspace_id": tenant.workspace_id, "exp": now + 3600}
        key = self._key if key_id == "known" else self._other
        return jwt.encode({**claims, "iat": now}, key, algorithm="ES256", headers={"kid": key_id})


def show_tokens(url: str, provider: Provider, tenant: Tenant) -> list[Ask]:
    def show(token: str) -> Ask:
        return lambda: requests.get(
            f"{url}/api/hubspot/status",
            headers={"Authorization": f"Bearer {token}"},
            timeout=ASK_TIMEOUT_S,
        )

    strangers = (provider.sign(tenant, f"stranger {number}") for number in range(ASKERS // 2))
    users = (provider.sign(tenant, "known") for _ in range(ASKERS // 2))
    return [show(each) for each in (*strangers, *users)]


def play_provider(world: World, fault: Fault) -> None:
    """Play it on an API beside the cluster's, which knows its users by the provider's keys."""
    tenant, provider = world.tenant(), Provider()
    door = Proxy(provider.port)
    settings = {
        "JWT_SECRET": "",
        "JWT_JWKS_URL": f"http://127.0.0.1:{door.port}/keys",
        "JWT_AUDIENCE": "any",
        "JWT_ISSUER": "any",
    }
    try:
        with world.cluster.run_api_beside(settings) as url:
            producer = RecordingProducer(url, world.cluster.env["WEBHOOK_SECRETS"], world.history)
            with crowd(show_tokens(url, provider, tenant)):
                calm = deliver(world, producer, tenant)
                with fault([door]):
                    during = deliver(world, producer, tenant)
            producer.close()
        with fault([door]), world.cluster.run_api_beside(settings) as url:
            producer = RecordingProducer(url, world.cluster.env["WEBHOOK_SECRETS"], world.history)
            with crowd(show_tokens(url, provider, tenant)):  # it has no keys at all
                during += deliver(world, producer, tenant)
            producer.close()
    finally:
        door.close()
        provider.close()
    compare(world, calm, during, limit=PROVIDER_TIMEOUT_S)
    world.settle()


@dataclass(frozen=True)
class Trouble:
    """A server, and what is the matter with it."""

    server: str
    words: str
    how: str
    what: str
    play: Callable[[World, Fault], None]
    speeches: Sequence[Speech] = ()

    def _begin(self, world: World) -> Fault:
        if self.how == "slow" and not self.speeches:
            return slowed
        speeches = self.speeches or (stay_silent,)
        return lambda doors: replaced(doors, world.draws, *speeches)

    def scenario(self) -> Scenario:
        """The scenario of this trouble."""
        return Scenario(
            f"silence.{self.server}_{self.how}",
            lambda world: self.play(world, self._begin(world)),
            f"{self.words} {self.what} while others want something of it and webhooks come in",
            "Webhooks are answered as fast as before; calls are late as long as it lasts."
            if self.server != "provider"
            else "Webhooks are answered as fast as before; who signs in is told to try again.",
        )


_FROZEN: Final = "takes every connection and says nothing"
_TROUBLES: Final = (
    Trouble("provider", "The identity provider", "frozen", _FROZEN, play_provider),
    Trouble(
        "provider", "The identity provider", "slow", "never ends", play_provider, HTTP_TRICKLES
    ),
    Trouble("provider", "The identity provider", "lying", "lies", play_provider, HTTP_LIES),
    Trouble("redis", "Redis", "frozen", _FROZEN, play_redis),
    Trouble("redis", "Redis", "slow", f"takes {SLOW_S * 1000:.0f} ms each way", play_redis),
    Trouble("redis", "Redis", "trickling", "never ends", play_redis, REDIS_TRICKLES),
    Trouble("redis", "Redis", "lying", "answers anything at all", play_redis, REDIS_LIES),
    Trouble("hubspot", "HubSpot", "frozen", _FROZEN, play_hubspot),
    Trouble("hubspot", "HubSpot", "slow", "never ends", play_hubspot, HTTP_TRICKLES),
    Trouble("hubspot", "HubSpot", "lying", "lies", play_hubspot, HTTP_LIES),
)

SCENARIOS: Final[tuple[Scenario, ...]] = tuple(each.scenario() for each in _TROUBLES)
