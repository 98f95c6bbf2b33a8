"""Bearer tokens: which are accepted, and that nobody sees what belongs to others."""

import base64
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import flask
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from sandbox.server import run_in_thread
from shared.database.engines import Database
from tests.api.asking import JWT_SECRET, Asker, make_token, read
from tests.api.conftest import ClientFactory
from tests.api.rows import add_connection, add_log

CLAIMS = {"sub": "user_1", "workspace_id": "ws_1"}
PROVIDED = {"aud": "calls", "iss": "https://id.example.com"}


def ask_status(client: FlaskClient, token: str | None) -> tuple[int, str | None]:
    """The status and the error's code."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    answer = client.get("/api/hubspot/status", headers=headers)
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    return answer.status_code, (read(answer).get("error") or {}).get("code")


def test_token_with_the_three_claims_is_accepted(client: FlaskClient) -> None:
    assert ask_status(client, make_token()) == (200, None)


@pytest.mark.parametrize("header", ["", "Basic dXNlcjpw", "Bearer", "Bearer  ", "token"])
def test_header_without_a_token_is_refused(client: FlaskClient, header: str) -> None:
    answer = client.get("/api/hubspot/status", headers={"Authorization": header})
    assert (answer.status_code, read(answer)["error"]["code"]) == (401, "missing_token")


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"workspace_id": None},
        {"exp": None},
        {"sub": ""},
        {"sub": " "},
        {"sub": "x" * 256},
        {"sub": "a\x00b"},
        {"workspace_id": 5},
        {"workspace_id": ["ws_1"]},
        {"exp": "never"},
        {"exp": 1e400},
        {"nbf": int(time.time()) + 600},
    ],
)
def test_token_with_other_claims_is_refused(client: FlaskClient, claims: dict[str, Any]) -> None:
    if not isinstance(claims.get("sub", ""), str):
        token = jwt.encode(CLAIMS | claims, JWT_SECRET)
    else:
        token = make_token(**claims)
    assert ask_status(client, token) == (401, "invalid_token")


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"sub": 42}, "claim sub must be a string of 1 to 255 printable characters, not a number"),
        ({"sub": True}, "claim sub must be a string"),
        ({"sub": {"id": "user_1"}}, "claim sub must be a string of 1 to 255 printable characters,"),
        ({"sub": " "}, "claim sub must be a string"),
        ({"sub": None}, "lacks the claim sub"),
        ({"workspace_id": 5}, "claim workspace_id must be a string"),
        ({"workspace_id": ["ws_1"]}, "claim workspace_id must be a string"),
        ({"workspace_id": None}, "lacks the claim workspace_id"),
        ({"exp": None}, "lacks the claim exp"),
        ({"exp": "never"}, "claim exp must be a number"),
        ({"exp": [1]}, "claim exp must be a number"),
        ({"iat": "today"}, "claim iat must be a number"),
        ({"nbf": {}}, "claim nbf must be a number"),
        ({"nbf": 9_000_000_000}, "not valid yet"),
        ({"aud": "mail"}, "claim aud does not name this service"),
        ({"aud": ["mail", "chat"]}, "claim aud does not name this service"),
        ({"aud": {"a": 1}}, "claim aud does not name this service"),
        ({"aud": None}, "lacks the claim aud"),
        ({"iss": "x"}, "claim iss is not the issuer"),
        ({"iss": 5}, "claim iss is not the issuer"),
    ],
    ids=str,
)
def test_claim_that_is_wrong_is_named_to_who_may_sign_and_to_nobody_else(
    make_client: ClientFactory, claims: dict[str, Any], words: str
) -> None:
    client = make_client(JWT_AUDIENCE="calls", JWT_ISSUER="https://id.example.com")
    right = {"exp": int(time.time()) + 60, "aud": "calls", "iss": "https://id.example.com"}
    given = {name: each for name, each in (CLAIMS | right | claims).items() if each is not None}
    payload = json.dumps(given).encode()

    def ask(secret: str) -> str:
        token = jwt.api_jws.encode(payload, secret, algorithm="HS256")
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.get("/api/hubspot/status", headers=headers)
        assert (answer.status_code, read(answer)["error"]["code"]) == (401, "invalid_token")
        return str(read(answer)["error"]["message"])

    assert words in ask(JWT_SECRET)
    assert ask("another secret of 32 bytes or more") == "The token is not valid here."


def test_token_that_expired_is_refused_with_a_little_leeway(client: FlaskClient) -> None:
    now = int(time.time())
    assert ask_status(client, make_token(exp=now - 60)) == (401, "expired_token")
    assert ask_status(client, make_token(exp=now - 2)) == (200, None)


def test_token_of_another_secret_or_algorithm_is_refused(client: FlaskClient) -> None:
    claims = CLAIMS | {"exp": int(time.time()) + 60}
    for token in (
        jwt.encode(claims, "another secret of 32 bytes or more", algorithm="HS256"),
        jwt.encode(claims, JWT_SECRET * 2, algorithm="HS512"),
        jwt.encode(claims, "", algorithm="none"),
    ):
        assert ask_status(client, token) == (401, "invalid_token")


def unpadded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "\xe9.\xe9.\xe9", unpadded("[" * 50_000) + ".e30.x", unpadded("5") + ".e30.x"],
)
def test_token_that_is_none_is_refused(client: FlaskClient, token: str) -> None:
    assert ask_status(client, token) == (401, "invalid_token")


def test_audience_and_issuer_are_checked_when_configured(make_client: ClientFactory) -> None:
    client = make_client(JWT_AUDIENCE="calls", JWT_ISSUER="https://id.example.com")
    fitting = {"aud": "calls", "iss": "https://id.example.com"}
    assert ask_status(client, make_token(**fitting)) == (200, None)
    assert ask_status(client, make_token(**fitting | {"aud": "mail"})) == (401, "invalid_token")
    assert ask_status(client, make_token(**fitting | {"iss": "x"})) == (401, "invalid_token")
    assert ask_status(client, make_token()) == (401, "invalid_token")


class Provider:
    """An identity provider: two keys, and a JWKS that can be broken."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.answer: tuple[str, int] | None = None
        self.asked = 0
        self.app = flask.Flask("provider")
        self.app.add_url_rule("/keys", view_func=self.show_keys)

    def show_keys(self) -> tuple[str, int]:
        self.asked += 1
        if self.answer is not None:
            return self.answer
        keys = [
            json.loads(RSAAlgorithm.to_jwk(self.rsa.public_key())) | {"kid": "rsa"},
            json.loads(ECAlgorithm.to_jwk(self.ec.public_key())) | {"kid": "ec"},
        ]
        return json.dumps({"keys": keys}), 200

    def token(self, algorithm: str, key: Any, kid: str) -> str:
        claims = CLAIMS | PROVIDED | {"exp": int(time.time()) + 60}
        return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def keyed_client(provider: Provider, make_client: ClientFactory) -> Iterator[FlaskClient]:
    with run_in_thread(provider.app) as server:
        yield make_client(
            JWT_SECRET="",
            JWT_JWKS_URL=f"{server.url}/keys",
            JWT_AUDIENCE=PROVIDED["aud"],
            JWT_ISSUER=PROVIDED["iss"],
        )


def test_tokens_are_checked_with_the_providers_keys(
    provider: Provider, keyed_client: FlaskClient
) -> None:
    for token in (
        provider.token("RS256", provider.rsa, "rsa"),
        provider.token("ES256", provider.ec, "ec"),
    ):
        assert ask_status(keyed_client, token) == (200, None)


def test_public_key_is_no_shared_secret(provider: Provider, keyed_client: FlaskClient) -> None:
    public = provider.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = unpadded(json.dumps({"alg": "HS256", "kid": "rsa"}))
    signed = f"{header}.{unpadded(json.dumps(CLAIMS | {'exp': int(time.time()) + 60}))}"
    signature = hmac.digest(public, signed.encode(), "sha256")
    forged = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert ask_status(keyed_client, forged) == (401, "invalid_token")
    assert ask_status(keyed_client, make_token()) == (401, "invalid_token")


def test_token_of_an_unknown_key_is_refused(provider: Provider, keyed_client: FlaskClient) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for kid in ("rsa", "unknown"):
        token = provider.token("RS256", stranger, kid)
        assert ask_status(keyed_client, token) == (401, "invalid_token")


@pytest.mark.parametrize("answer", [("", 503), ("<html>", 200), ('{"keys": []}', 200)])
def test_keys_that_cannot_be_read_are_nobodys_fault(
    provider: Provider, keyed_client: FlaskClient, answer: tuple[str, int]
) -> None:
    provider.answer = answer
    token = provider.token("RS256", provider.rsa, "rsa")
    assert ask_status(keyed_client, token) == (503, "unavailable")


def test_no_route_shows_or_changes_what_belongs_to_others(
    client: FlaskClient, database: Database
) -> None:
    owner = Asker(client)
    add_connection(database, owner, hub_id=987_654)
    log_id = add_log(database, owner, status="error", phone_number="+12025550177", call_id="secret")
    before = owner.status(), owner.get("settings"), owner.get(f"sync-logs/{log_id}")
    sharing_user = Asker(client, user_id=owner.user_id)
    sharing_workspace = Asker(client, workspace_id=owner.workspace_id)

    walked = 0
    for rule in client.application.url_map.iter_rules():
        if not rule.rule.startswith("/api/hubspot") or rule.endpoint.startswith("oauth_callback"):
            continue
        path = rule.rule.removeprefix("/api/hubspot/").replace("<log_id>", log_id)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            walked += 1
            assert client.open(rule.rule, method=method).status_code == 401
            for stranger in (sharing_user, sharing_workspace):
                answer = stranger.ask(method, path, json={"ids": [log_id]})
                for private in ("987654", "+12025550177", "secret"):
                    assert private not in answer.text
                if "<log_id>" in rule.rule:
                    assert answer.status_code == 404
    assert walked == 14
    after = owner.status(), owner.get("settings"), owner.get(f"sync-logs/{log_id}")
    assert after == before
