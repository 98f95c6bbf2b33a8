"""An identity provider that is silent, slow or lying costs nobody but those who sign in by it."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest
import tenacity
from flask.testing import FlaskClient
from jwt.algorithms import RSAAlgorithm

from api.identity import identity_provider
from sandbox.server import run_in_thread
from tests.api.conftest import ClientFactory
from tests.api.test_auth import Provider, ask_status

eventually = tenacity.retry(
    stop=tenacity.stop_after_delay(60), wait=tenacity.wait_fixed(0.02), reraise=True
)


@pytest.fixture(autouse=True)
def nobody_is_left_fetching() -> Iterator[None]:
    """Set up first, hence torn down last, after the provider has gone."""
    yield
    for thread in threading.enumerate():
        if thread.name == "published-keys":
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture
def frozen_url() -> Iterator[str]:
    """A provider that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/keys"


def test_silent_provider_holds_a_few_requests_at_most(
    make_client: ClientFactory, frozen_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waits for the provider waits until the test has ended.
    monkeypatch.setattr(identity_provider, "SOCKET_TIMEOUT_S", 600.0)
    client = make_client(
        JWT_SECRET="", JWT_JWKS_URL=frozen_url, JWT_AUDIENCE="any", JWT_ISSUER="any"
    )
    token = Provider().token("RS256", Provider().rsa, "rsa")
    answers: list[tuple[int, str | None]] = []

    def ask() -> None:
        answers.append(ask_status(client.application.test_client(), token))

    askers = [threading.Thread(target=ask, daemon=True) for _ in range(40)]
    for asker in askers:
        asker.start()

    @eventually
    def others_are_told_to_come_again() -> None:
        assert answers == [(503, "unavailable")] * (40 - identity_provider.MOST_WAITING)

    others_are_told_to_come_again()
    assert client.get("/healthz").status_code == 200


def test_provider_is_left_alone_while_nobody_signs_in(
    provider: Provider, keyed_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_provider, "REFRESH_S", 0.0)
    monkeypatch.setattr(identity_provider, "REFRESH_SOONEST_S", 0.0)
    token = provider.token("RS256", provider.rsa, "rsa")

    @eventually
    def old_set_is_fetched_anew() -> None:
        assert ask_status(keyed_client, token) == (200, None)
        assert provider.asked > 2

    old_set_is_fetched_anew()

    @eventually
    def nobody_fetches() -> None:
        assert "published-keys" not in [each.name for each in threading.enumerate()]

    nobody_fetches()


def test_keys_outlive_a_provider_that_breaks_down(
    provider: Provider, keyed_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_provider, "REFRESH_SOONEST_S", 0.05)
    token = provider.token("RS256", provider.rsa, "rsa")
    assert ask_status(keyed_client, token) == (200, None)
    asked_before = provider.asked

    for answer in (("", 503), ("[]", 200), ('{"keys": [{"kty": "oct", "k": "YQ"}]}', 200)):
        provider.answer = answer

        @eventually
        def provider_is_asked_again(before: int = provider.asked) -> None:
            ask_status(keyed_client, provider.token("RS256", provider.rsa, "unknown"))
            assert provider.asked > before + 1

        provider_is_asked_again()
        assert ask_status(keyed_client, token) == (200, None)

    assert provider.asked > asked_before


def test_keys_of_yesterday_are_not_believed_for_ever(
    provider: Provider, keyed_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = provider.token("RS256", provider.rsa, "rsa")
    assert ask_status(keyed_client, token) == (200, None)

    monkeypatch.setattr(identity_provider, "KEEP_S", 0.0)

    assert ask_status(keyed_client, token) == (503, "unavailable")


def test_new_key_is_looked_for_when_a_token_names_it(
    provider: Provider, keyed_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_provider, "REFRESH_SOONEST_S", 0.0)
    assert ask_status(keyed_client, provider.token("RS256", provider.rsa, "rsa")) == (200, None)
    new = json.loads(RSAAlgorithm.to_jwk(provider.rsa.public_key())) | {"kid": "next"}
    provider.answer = json.dumps({"keys": [new]}), 200
    token = provider.token("RS256", provider.rsa, "next")

    @eventually
    def new_key_is_known() -> None:
        assert ask_status(keyed_client, token) == (200, None)

    new_key_is_known()


def test_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    provider.answer = "[" * (2 * identity_provider.MOST_BYTES), 200
    with run_in_thread(provider.app) as server:
        keys = identity_provider.PublishedKeys(f"{server.url}/keys")

        assert keys._fetch() is False

        monkeypatch.setattr(identity_provider, "MOST_BYTES", 100)
        provider.answer = None
        assert keys._fetch() is False
