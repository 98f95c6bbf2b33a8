"""The commands of a local stack's processes, and how to see that each is ready."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import requests
from kombu.exceptions import OperationalError

from shared.broker.celery_app import WORKER_THREADS, make_celery
from shared.configuration.settings import (
    CALLBACK_PATH,
    ApiSettings,
    BrokerSettings,
    FlowerSettings,
    Settings,
    WorkerSettings,
    restrict_environment,
)

# Each body is read by a thread, however slowly it comes: slow senders must not use up all.
API_THREADS = 256
ANSWER_TIMEOUT_SECONDS = 2.0
PING_TIMEOUT_SECONDS = 0.5


@dataclass(frozen=True)
class Service:
    """A Python module to run, with its arguments and the variables that it reads."""

    name: str
    title: str
    arguments: Sequence[str]
    answers: Callable[[], bool]
    settings: type[Settings]

    def pick(self, env: Mapping[str, str]) -> dict[str, str]:
        """An environment without what only other processes read."""
        return restrict_environment(env, self.settings)


def sandbox(url: str, env: Mapping[str, str], *, latency_ms: int) -> Service:
    arguments = [
        "sandbox",
        *("--port", port_of(url)),
        *("--client-id", env["HUBSPOT_CLIENT_ID"]),
        *("--client-secret", env["HUBSPOT_CLIENT_SECRET"]),
        *("--redirect-uri", env["PUBLIC_URL"] + CALLBACK_PATH),
        *("--latency-ms", str(latency_ms)),
    ]
    return Service("sandbox", "the HubSpot sandbox", arguments, partial(serves, url), Settings)


def api(url: str) -> Service:
    arguments = [
        *("granian", "--interface", "wsgi", "api.wsgi:app"),
        *("--host", "127.0.0.1", "--port", port_of(url)),
        *("--workers", "1", "--blocking-threads", str(API_THREADS), "--no-ws", "--http", "1"),
    ]
    return Service("api", "the API", arguments, partial(serves, f"{url}/readyz"), ApiSettings)


def worker(number: int, redis_url: str) -> Service:
    name = f"worker-{number}"
    # Unlike a host's name, this cannot be another stack's on the same server.
    node = f"{name}@{secrets.token_hex(4)}"
    arguments = [
        *("celery", "-A", "worker.app", "worker", "--pool", "threads"),
        *("--concurrency", str(WORKER_THREADS), "-E", "--hostname", node),
        # A second at every start, for knowledge of each other that these workers do not use.
        *("--without-mingle", "--without-gossip"),
    ]
    answers = partial(answers_ping, redis_url, node)
    return Service(name, f"worker {number}", arguments, answers, WorkerSettings)


def beat(state: Path) -> Service:
    arguments = ["celery", "-A", "worker.app", "beat", "--schedule", str(state / "beat")]
    return Service("beat", "beat", arguments, lambda: True, BrokerSettings)


def flower(url: str) -> Service:
    arguments = [
        *("celery", "-A", "worker.app", "flower"),
        *("--address=127.0.0.1", f"--port={port_of(url)}"),
    ]
    return Service(
        "flower", "Flower", arguments, partial(serves, f"{url}/healthcheck"), FlowerSettings
    )


def port_of(url: str) -> str:
    return str(urlsplit(url).port)


def serves(url: str) -> bool:
    """Whether a page is answered with success."""
    try:
        return requests.get(url, timeout=ANSWER_TIMEOUT_SECONDS).ok
    except requests.RequestException:
        return False


def answers_ping(redis_url: str, node: str) -> bool:
    """Whether a worker takes commands, which it does last of all when it starts."""
    with make_celery(redis_url) as app:
        try:
            return bool(app.control.ping(destination=[node], timeout=PING_TIMEOUT_SECONDS))
        except OperationalError:
            return False
