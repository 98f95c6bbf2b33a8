"""Connections that anybody on the way can read: to a public host, and not encrypted."""

import os
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog

from shared.configuration.setting_values import sqlalchemy_url
from shared.configuration.settings import ServiceSettings

log = structlog.get_logger(__name__)

_ENCRYPTED = {"rediss": "redis", "amqps": "amqp"}
# Names that lead to no public host (RFC 6761, RFC 8375, and Kubernetes's and Docker's own).
_INNER_DOMAINS = (
    *(
        "localhost",
        "local",
        "internal",
        "lan",
        "home.arpa",
        "test",
        "invalid",
        "cluster.local",
        "svc",
    ),
)


class PlainConnection(NamedTuple):
    """A setting that asks for no encryption, or for none that is checked, and the cure."""

    setting: str
    host: str
    cure: str


def find_plain_connections(settings: ServiceSettings) -> Iterator[PlainConnection]:
    """The settings whose connections a stranger may read or take over."""
    yield from find_plain_postgres(settings.database_url.get_secret_value())
    broker_url = settings.broker_url.get_secret_value()
    redis_url = settings.redis_url.get_secret_value()
    yield from find_plain_broker("REDIS_URL", redis_url)
    if broker_url != redis_url:
        yield from find_plain_broker("BROKER_URL", broker_url)


def find_plain_postgres(url: str) -> Iterator[PlainConnection]:
    """The public hosts of a Postgres URL whose certificate is not checked against their name."""
    parts = sqlalchemy_url(url)
    told = [parts.host, *_texts(parts.query.get("host")), *_texts(parts.query.get("hostaddr"))]
    if parts.query.get("sslmode", os.environ.get("PGSSLMODE")) == "verify-full":
        return
    for host in ",".join(filter(None, told)).split(","):
        if is_public(host):
            yield PlainConnection(
                "DATABASE_URL", host, "add sslmode=verify-full (and sslrootcert) to it"
            )


def find_plain_broker(setting: str, url: str) -> Iterator[PlainConnection]:
    """The public host of a URL of Redis or RabbitMQ that asks for no TLS, or believes anybody."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not is_public(host):
        return
    if parts.scheme not in _ENCRYPTED:
        yield PlainConnection(setting, host, f"write it as {_secure(parts.scheme)}://…")
    elif "ssl_cert_reqs=none" in parts.query:
        yield PlainConnection(setting, host, "leave out ssl_cert_reqs=none, or add ssl_ca_certs")


def warn_of_plain_connections(settings: ServiceSettings) -> None:
    """Log a line for each."""
    for each in find_plain_connections(settings):
        log.warning("connection_not_encrypted", setting=each.setting, hint=each.cure)


def is_public(host: str) -> bool:
    """Whether a host may be reached over networks that belong to others.

    Private and loopback addresses are not, nor are sockets, names of one label and names of inner
    domains.
    """
    host = host.strip("[]").rstrip(".").lower()
    if not host or host.startswith(("/", "@")):
        return False
    try:
        return ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return "." in host and not host.endswith(tuple(f".{each}" for each in _INNER_DOMAINS))


def _secure(scheme: str) -> str:
    return next((secure for secure, plain in _ENCRYPTED.items() if plain == scheme), scheme)


def _texts(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()
