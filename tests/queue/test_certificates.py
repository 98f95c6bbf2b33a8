"""One URL means the same to everything that reads it: who vouches for the server is checked."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError

from shared.broker.celery_app import make_celery
from shared.broker.deployment import connect_redis
from shared.configuration.setting_values import InvalidValueError, broker_url, redis_url
from tests.queue.authorities import encrypted, write_certificate

UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def encrypted_url(valkey_url: str, certificate: Path) -> Iterator[str]:
    """A Redis whose certificate nobody vouches for."""
    with encrypted(valkey_url, certificate) as address:
        yield f"rediss://:{urlsplit(valkey_url).password}@{address}/0"


def ask_redis(url: str) -> None:
    with connect_redis(url) as client:
        client.ping()


def ask_celery(url: str) -> None:
    with make_celery(url) as app, app.connection() as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
        connection.default_channel.client.ping()


Ask = Callable[[str], None]
everybody = pytest.mark.parametrize("ask", [ask_redis, ask_celery])


@everybody
@pytest.mark.parametrize(
    "query",
    ["", "?ssl_cert_reqs=required", "?ssl_cert_reqs=CERT_REQUIRED", "?ssl_check_hostname=0"],
)
def test_certificate_that_nobody_vouches_for_is_refused(
    encrypted_url: str, ask: Ask, query: str
) -> None:
    with pytest.raises((RedisError, BrokerError), match=UNTRUSTED):
        ask(encrypted_url + query)


@everybody
def test_certificate_of_an_authority_that_is_named_is_accepted(
    encrypted_url: str, ask: Ask, certificate: Path
) -> None:
    ask(f"{encrypted_url}?ssl_ca_certs={certificate}")


@everybody
@pytest.mark.parametrize("word", ["none", "None", "CERT_NONE"])
def test_url_may_say_that_nothing_is_checked(encrypted_url: str, ask: Ask, word: str) -> None:
    ask(f"{encrypted_url}?ssl_cert_reqs={word}")


@everybody
@pytest.mark.parametrize(("query", "is_accepted"), [("", False), ("&ssl_check_hostname=no", True)])
def test_certificate_of_another_host_is_refused_unless_told(
    valkey_url: str, tmp_path: Path, ask: Ask, query: str, is_accepted: bool
) -> None:
    other = write_certificate(tmp_path, address="10.0.0.1")
    with encrypted(valkey_url, other) as address:
        url = f"rediss://:{urlsplit(valkey_url).password}@{address}/0?ssl_ca_certs={other}{query}"
        if is_accepted:
            ask(url)
            return
        with pytest.raises((RedisError, BrokerError), match=UNTRUSTED):
            ask(url)


@pytest.mark.parametrize("parse", [redis_url, broker_url])
def test_word_that_means_nothing_is_refused_at_start(parse: Callable[[str], object]) -> None:
    with pytest.raises(InvalidValueError, match="ssl_cert_reqs other than"):
        parse("rediss://cache.example?ssl_cert_reqs=perhaps")


@pytest.mark.parametrize(
    ("query", "tls"),
    [
        ("", {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": "rabbit.example"}),
        ("?ssl_cert_reqs=none", {"cert_reqs": ssl.CERT_NONE}),
        (
            "?ssl_ca_certs=/ca.pem&heartbeat=10",
            {
                "cert_reqs": ssl.CERT_REQUIRED,
                "server_hostname": "rabbit.example",
                "ca_certs": "/ca.pem",
            },
        ),
    ],
)
def test_rabbitmq_is_checked_by_the_same_words(query: str, tls: dict[str, object]) -> None:
    with make_celery(f"amqps://user:hunter2@rabbit.example/calls{query}") as app:
        assert app.conf.broker_use_ssl == tls
        assert "ssl_" not in app.conf.broker_url
        assert ("heartbeat=10" in app.conf.broker_url) == ("heartbeat" in query)


def test_rabbitmq_whose_certificate_nobody_vouches_for_is_refused(
    valkey_url: str, certificate: Path
) -> None:
    with (
        encrypted(valkey_url, certificate) as address,
        make_celery(f"amqps://{address}//") as app,
        app.connection() as connection,
        pytest.raises((OSError, BrokerError), match=UNTRUSTED),
    ):
        connection.ensure_connection(max_retries=1, timeout=5)
