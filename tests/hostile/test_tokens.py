"""Bearer tokens made by somebody without the key."""

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from tests.api.asking import JWT_SECRET, make_token
from tests.api.test_auth import Provider, ask_status, unpadded

IN_CENTURIES = 9_999_999_999
CLAIMS = {"sub": "user_1", "workspace_id": "ws_1", "exp": int(time.time()) + 3600}


def forge(header: dict[str, Any], signature: str = "") -> str:
    """A token with any header, its claims being in order."""
    return f"{unpadded(json.dumps(header))}.{unpadded(json.dumps(CLAIMS))}.{signature}"


HEADERS: list[dict[str, Any]] = [
    {"alg": "none"},
    {"alg": "None"},
    {"alg": "NONE"},
    {"alg": "nOnE"},
    {"alg": "none", "typ": "JWT", "kid": "rsa"},
    {"alg": ""},
    {"alg": None},
    {"alg": ["HS256"]},
    {"alg": "HS256"},
    {"alg": "ES256", "kid": "ec"},
    {"alg": "HS256", "kid": "../../../../dev/null"},
    {"alg": "RS256", "kid": {"$ne": ""}},
    {"alg": "HS256", "crit": ["exp"]},
    {"alg": "HS256", "b64": False, "crit": ["b64"]},
    {},
]


@pytest.mark.parametrize("header", HEADERS, ids=json.dumps)
# r = s = 0 passed for a signature of anything in a JDK once.
@pytest.mark.parametrize("signature", ["", "AA", "A" * 86], ids=["none", "short", "zeros"])
def test_unsigned_token_is_refused(
    client: FlaskClient, keyed_client: FlaskClient, header: dict[str, Any], signature: str
) -> None:
    for asked in (client, keyed_client):
        assert ask_status(asked, forge(header, signature)) == (401, "invalid_token")


def test_key_that_a_token_brings_along_is_not_used(
    provider: Provider, keyed_client: FlaskClient
) -> None:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    brought = json.loads(RSAAlgorithm.to_jwk(own.public_key()))
    for more in ({"jwk": brought}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil"}):
        token = jwt.encode(CLAIMS, own, algorithm="RS256", headers={"kid": "rsa", **more})
        assert ask_status(keyed_client, token) == (401, "invalid_token")
    assert ask_status(keyed_client, provider.token("RS256", provider.rsa, "rsa")) == (200, None)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": {"$gt": ""}},
        {"sub": True},
        {"workspace_id": "ws_1\n"},
        {"workspace_id": "\u202ews_1"},
        {"workspace_id": "w" * 10_000},
        {"exp": True},
        {"exp": -1},
        {"exp": [IN_CENTURIES]},
        {"iat": "soon"},
        {"nbf": 1e308},
        {"iat": 10**400},
        {"iat": -(10**400)},
        {"iat": None},
        {"iat": 1e400},
        {"iat": {"$gt": 0}},
        {"iat": IN_CENTURIES},
        {"exp": 10**400},
        {"exp": 9e15},
        {"role": None},
        {"role": "platforms"},
        {"role": ["viewer", "owner"]},
        {"role": {"viewer": True}},
        {"role": "viewer\u200b"},
    ],
    ids=str,
)
def test_claims_of_a_wrong_kind_are_refused(client: FlaskClient, claims: dict[str, Any]) -> None:
    header, body = unpadded('{"alg":"HS256"}'), unpadded(json.dumps(CLAIMS | claims))
    key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = key.sign(f"{header}.{body}".encode(), JWT_SECRET.encode())
    token = f"{header}.{body}.{jwt.utils.base64url_encode(signature).decode()}"
    status, code = ask_status(client, token)
    assert status == 401
    assert code in {"invalid_token", "expired_token"}


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    header=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"))
    | st.lists(st.sampled_from(["Bearer ", "bearer\t", ".", "e30", "A", "=", "-", " "])).map(
        "".join
    )
)
def test_any_header_is_refused(client: FlaskClient, header: str) -> None:
    answer = client.get("/api/hubspot/status", headers={"Authorization": header})
    assert answer.status_code == 401


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 1000), character=st.sampled_from("Aa0-_.=% \xe9"))
def test_no_character_of_a_token_can_be_changed(
    client: FlaskClient, place: int, character: str
) -> None:
    token = make_token()
    place %= len(token) - 1  # the last character has bits that say nothing
    forged = token[:place] + character + token[place + 1 :]
    if forged != token:
        assert ask_status(client, forged)[0] == 401
