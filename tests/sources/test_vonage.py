"""Vonage's events: the JWT that proves them, and what they say.

The first JWT is a vector that our code did not make; the others are made with PyJWT, which our code
does not use.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sources.adapter import (
    Delivery,
    Event,
    Ignored,
    InvalidSecretError,
    Refusal,
    Secret,
    Unreadable,
)
from sources.vonage import ADAPTER, ASKS, MISPLACED, VonageOptions
from tests.sources.deliveries import FIXTURES, SIGNED_AT, Vector, check_attacks, check_vector
from tests.sources.reading_fixtures import (
    STRANGE,
    Headers,
    load,
    read,
    read_event,
    refuse,
)

URL: Final = "https://calls.example.com/api/webhooks/vonage/src_demo"
BODY: Final = '{"hello":"Ada é"}'.encode()
JWT: Final = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NjQzMDAwMDAsImp0aSI6ImRlbW8tanRpIiwiaXNzIjoi"
    "Vm9uYWdlIiwicGF5bG9hZF9oYXNoIjoiOGJlMmE0M2ZlOTJmZDM0NmQyNTY4ODVkMDdhZDIyYTI3M2FjNjMyMDA4YzNkNT"
    "RmODI4NzUxYjU0MWZjNTA2YiIsImFwaV9rZXkiOiJhMWIyYzNkNCIsImFwcGxpY2F0aW9uX2lkIjoiYXBwLWRlbW8ifQ."
    "kBWhQr-U5rB-pWBckWAllKNKOTDC8K7hTw52lokGIWI"
)
SECRET: Final = Secret(id="one", scheme="jwt", value="demo-vonage-secret-32-bytes-long!")
OTHER: Final = Secret(id="two", scheme="jwt", value="other-vonage-secret-32-bytes-long")
SHORT: Final = Secret(id="short", scheme="jwt", value="16-bytes-secret!")
EVENTS: Final = sorted(path.name for path in (FIXTURES / "vonage").glob("*.json"))


def deliver(
    body: bytes = BODY,
    authorization: str | None = f"Bearer {JWT}",
    *,
    url: str = URL,
    method: str = "POST",
    received_at: datetime = SIGNED_AT,
    more: Headers = (),
) -> Delivery:
    headers = [("content-type", "application/json"), *more]
    if authorization is not None:
        headers.append(("authorization", authorization))
    return Delivery(method=method, url=url, headers=headers, body=body, received_at=received_at)


def encode(body: bytes, key: Any = SECRET.value, algorithm: str = "HS256", **claims: Any) -> str:
    """A Bearer header for a body; a claim that is None is left out."""
    all_claims = {
        "iat": int(SIGNED_AT.timestamp()),
        "jti": "jti-1",
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(body).hexdigest(),
        "application_id": "app-1",
    } | claims
    payload = {name: value for name, value in all_claims.items() if value is not None}
    return f"Bearer {jwt.encode(payload, key, algorithm=algorithm)}"


def deliver_fixture(name: str, **changes: Any) -> Delivery:
    body = json.dumps(json.loads(load("vonage", f"{name}.json")) | changes).encode()
    return deliver(body, encode(body))


def verify(delivery: Delivery) -> str:
    return ADAPTER.verify(delivery, [OTHER, SECRET], VonageOptions()).id


def find(delivery: Delivery, options: VonageOptions | None = None) -> list[Event]:
    readings = read(ADAPTER, delivery, options)
    return [reading for reading in readings if isinstance(reading, Event)]


def test_body_with_its_jwt_is_genuine_however_often() -> None:
    assert [verify(deliver()) for _ in range(2)] == ["one", "one"]
    assert verify(deliver(authorization=f"bearer {JWT}")) == "one"


def test_nothing_that_differs_in_a_byte_is_taken() -> None:
    vector = Vector(
        adapter=ADAPTER,
        secret=SECRET,
        headers={"authorization": f"Bearer {JWT}"},
        signature="authorization",
    )
    check_vector(vector)
    check_attacks(vector)


def test_secrets_of_less_than_32_bytes_are_fine() -> None:
    # Made with `openssl dgst -sha256 -hmac`: PyJWT warns about such secrets.
    token = (
        "eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjE3NjQzMDAwMDAsInBheWxvYWRfaGFzaCI6IjhiZTJhNDNmZTkyZmQzNDZ"
        "kMjU2ODg1ZDA3YWQyMmEyNzNhYzYzMjAwOGMzZDU0ZjgyODc1MWI1NDFmYzUwNmIifQ.gBrQJqFRmpbrHYcIjN7lsXjs4sEfUDQPtdPloeEqfHE"
    )
    delivery = deliver(authorization=f"Bearer {token}")
    assert ADAPTER.verify(delivery, [SHORT], VonageOptions()).id == "short"


@pytest.mark.parametrize("body", [BODY + b" ", BODY.replace(b"Ada", b"Eve"), b"", b"{}"])
def test_other_body_is_refused(body: bytes) -> None:
    assert refuse(ADAPTER, deliver(body), [SECRET]) is Refusal.WRONG_SIGNATURE


def test_other_secret_is_refused() -> None:
    assert refuse(ADAPTER, deliver(), [OTHER]) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    ("seconds", "refusal"), [(301, Refusal.STALE), (-301, Refusal.STALE), (3600, Refusal.STALE)]
)
def test_stale_delivery_is_refused(seconds: int, refusal: Refusal) -> None:
    late = deliver(received_at=SIGNED_AT + timedelta(seconds=seconds))
    assert refuse(ADAPTER, late, [SECRET]) is refusal
    # A forged one is not told that its time is wrong.
    assert refuse(ADAPTER, late, [OTHER]) is Refusal.WRONG_SIGNATURE
    assert verify(deliver(received_at=SIGNED_AT + timedelta(seconds=300))) == "one"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        JWT,
        f"Basic {JWT}",
        f"Bearer  {JWT} {JWT}",
        f"Bearer {JWT}=",
        f"Bearer {JWT[:-1]}J",
        f"Bearer {JWT[:-1]}",
        f"Bearer {JWT}.",
        f"Bearer {JWT.rpartition('.')[0]}.",
        f"Bearer {JWT.rpartition('.')[0]}",
        "Bearer a.b.c",
        "Bearer " + "a" * 20_000,
        f"Bearer {'é' * 20}.x.{'A' * 43}",
    ],
)
def test_header_that_is_no_jwt_of_ours_is_refused(authorization: str | None) -> None:
    code = refuse(ADAPTER, deliver(authorization=authorization), [SECRET])
    if authorization is None:
        assert code is Refusal.MISSING_SIGNATURE
    elif authorization.endswith("J"):
        # Another spelling of the same signature: its last two bits stand for nothing.
        assert code is Refusal.WRONG_SIGNATURE
    else:
        assert code is Refusal.MALFORMED_SIGNATURE


def test_doubled_header_is_refused() -> None:
    twice = deliver(more=[("Authorization", f"Bearer {JWT}")])
    assert refuse(ADAPTER, twice, [SECRET]) is Refusal.MALFORMED_SIGNATURE


def test_other_algorithms_are_refused() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for authorization in (
        encode(BODY, None, "none"),
        encode(BODY, key, "RS256"),
        encode(BODY, SECRET.value * 2, "HS512"),
    ):
        delivery = deliver(authorization=authorization)
        assert refuse(ADAPTER, delivery, [SECRET]) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "hs256"},
        {"alg": "HS384"},
        {"alg": ["HS256"]},
        {"alg": "none"},
        {},
        {"alg": "HS256", "crit": ["b64"], "b64": False},
    ],
)
def test_header_with_another_algorithm_is_refused_whatever_signed_it(
    header: Mapping[str, Any],
) -> None:
    def part(value: Mapping[str, Any]) -> str:
        return jwt.utils.base64url_encode(json.dumps(value).encode()).decode()

    claims = {"iat": 1764300000, "payload_hash": hashlib.sha256(BODY).hexdigest()}
    text = f"{part(header)}.{part(claims)}"
    digest = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        text.encode(), SECRET.value.encode()
    )
    token = f"{text}.{jwt.utils.base64url_encode(digest).decode()}"
    delivery = deliver(authorization=f"Bearer {token}")
    assert refuse(ADAPTER, delivery, [SECRET]) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize(
    ("claims", "refusal"),
    [
        ({"payload_hash": None}, Refusal.MALFORMED_SIGNATURE),
        ({"payload_hash": ""}, Refusal.MALFORMED_SIGNATURE),
        ({"payload_hash": "abc"}, Refusal.MALFORMED_SIGNATURE),
        ({"payload_hash": ["8b"]}, Refusal.MALFORMED_SIGNATURE),
        ({"payload_hash": "0" * 64}, Refusal.WRONG_SIGNATURE),
        ({"iat": None}, Refusal.MALFORMED_SIGNATURE),
        ({"iat": True}, Refusal.MALFORMED_SIGNATURE),
        ({"iat": 1}, Refusal.MALFORMED_SIGNATURE),
        ({"iat": 9999999999}, Refusal.STALE),
    ],
)
def test_jwt_that_does_not_say_when_and_what_is_refused(
    claims: dict[str, Any], refusal: Refusal
) -> None:
    delivery = deliver(authorization=encode(BODY, **claims))
    assert refuse(ADAPTER, delivery, [SECRET]) is refusal


def test_get_is_genuine_by_the_hash_of_its_query() -> None:
    fields = {"conversation_uuid": "CON-1", "status": "busy", "from": "12025550199", "note": ""}
    query = "conversation_uuid=CON-1&status=busy&from=12025550199&note="
    signed = json.dumps(fields, separators=(",", ":")).encode()
    genuine = deliver(b"", encode(signed), url=f"{URL}?{query}", method="GET")
    assert verify(genuine) == "one"
    assert read_event(ADAPTER, genuine).facts["outcome"] == "busy"
    for wrong in (f"{query}&status=busy", f"{query}&x=1", query.replace("busy", "failed"), ""):
        delivery = deliver(b"", encode(signed), url=f"{URL}?{wrong}", method="GET")
        assert refuse(ADAPTER, delivery, [SECRET]) is Refusal.WRONG_SIGNATURE
    # The hash of a body proves nothing about a query.
    other = deliver(b"", encode(b""), url=f"{URL}?{query}", method="GET")
    assert refuse(ADAPTER, other, [SECRET]) is Refusal.WRONG_SIGNATURE


def test_completed_inbound_leg_is_read_whole() -> None:
    assert find(deliver_fixture("completed_inbound")) == [
        Event(
            name="completed",
            call="CON-1",
            facts={
                "direction": "inbound",
                "from_number": "+12025550113",
                "to_number": "+12025550199",
                "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
                "ended_at": datetime(2025, 11, 28, 3, 20, 31, tzinfo=UTC),
                "duration_seconds": 31.0,
                "outcome": "completed",
            },
            occurred_at=datetime(2025, 11, 28, 3, 20, 31, 500_000, tzinfo=UTC),
            is_end=True,
            tenant=("+12025550199", "app-1"),
        )
    ]


def test_answer_by_a_machine_wins_over_completed_in_either_order() -> None:
    end, answered = find(deliver_fixture("completed"))
    (machine,) = find(deliver_fixture("machine"))
    assert (end.is_end, answered.is_end, machine.is_end) == (True, False, False)
    assert "outcome" not in end.facts
    stamps = [(each.occurred_at, each.rank, each.facts["outcome"]) for each in (answered, machine)]
    assert max(stamps)[2] == "voicemail"
    assert max(stamps[:1])[2] == "completed"
    assert {end.call, answered.call, machine.call} == {"CON-1"}


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("busy", "busy"),
        ("cancelled", "canceled"),
        ("unanswered", "no_answer"),
        ("timeout", "no_answer"),
        ("rejected", "failed"),
        ("failed", "failed"),
    ],
)
def test_call_that_was_not_answered_ends_with_its_outcome(name: str, outcome: str) -> None:
    (event,) = find(deliver_fixture(name))
    assert (event.facts["outcome"], event.is_end, event.is_final) == (outcome, True, True)
    assert event.facts["to_number"] == "+12025550113"
    assert "duration_seconds" not in event.facts


def test_reason_of_a_failure_is_kept() -> None:
    (event,) = find(deliver_fixture("rejected"))
    assert event.facts["structured_data"] == {"detail": "declined"}


def test_recording_joins_the_conversation() -> None:
    (event,) = find(deliver_fixture("record"))
    assert event.facts == {"recording_url": "https://api.nexmo.com/v1/files/rec-1"}
    assert (event.call, event.rank, event.is_end, event.notices) == ("CON-1", 20, False, (ASKS,))


@pytest.mark.parametrize("name", ["withheld", "sip"])
def test_withheld_number_is_no_number(name: str) -> None:
    (event,) = find(deliver_fixture(name))
    assert "from_number" not in event.facts


def test_leg_without_a_direction_names_both_parties() -> None:
    (event,) = find(deliver_fixture("completed", direction=None))
    assert event.facts["parties"] == ("+12025550199", "+12025550113")


def test_legs_that_are_not_the_customers_are_ignored_if_the_options_say_so() -> None:
    inbound = VonageOptions(legs="inbound")
    assert read(ADAPTER, deliver_fixture("completed"), inbound) == [Ignored("leg.completed")]
    assert find(deliver_fixture("completed_inbound"), inbound)
    outbound = VonageOptions(legs="outbound")
    assert read(ADAPTER, deliver_fixture("completed_inbound"), outbound) == [
        Ignored("leg.completed")
    ]


@pytest.mark.parametrize(
    ("fixture", "reading"),
    [
        *((name, Ignored(name)) for name in ("started", "ringing", "answered", "human")),
        ("input", Ignored("unknown")),
        ("transfer", Ignored("unknown")),
        ("error", Ignored("unknown")),
        ("answer", Ignored("answer", MISPLACED)),
    ],
)
def test_what_says_nothing_of_an_end_is_ignored(fixture: str, reading: Ignored) -> None:
    assert read(ADAPTER, deliver_fixture(fixture)) == [reading]


@pytest.mark.parametrize("name", ["completed_inbound", "busy", "machine", "record"])
def test_event_without_a_conversation_is_unreadable(name: str) -> None:
    (reading,) = read(ADAPTER, deliver_fixture(name, conversation_uuid=None))
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b'{"a":', b"[" * 100_000])
def test_body_that_is_no_event_is_unreadable(body: bytes) -> None:
    (reading,) = read(ADAPTER, deliver(body, encode(body)))
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("name", EVENTS)
def test_strange_values_lose_no_event(name: str) -> None:
    body = json.loads(load("vonage", name))
    for strange in STRANGE:
        for field in set(body) - {"conversation_uuid", "status", "recording_url"}:
            assert read(ADAPTER, deliver(json.dumps(body | {field: strange}).encode()))


@pytest.mark.parametrize("name", EVENTS)
def test_nothing_secret_is_read(name: str) -> None:
    planted = "PLANTED-7f3a"
    body = json.loads(load("vonage", name))
    body |= {"api_secret": planted, "headers": {"Authorization": planted}, "SipHeader_X-K": planted}
    raw = json.dumps(body).encode()
    authorization = encode(raw, api_secret=planted, jti=planted, api_key=planted)
    readings = repr(read(ADAPTER, deliver(raw, authorization, url=f"{URL}?token={planted}")))
    assert planted not in readings
    assert authorization not in readings


@pytest.mark.parametrize("value", ["", " ", "abc", "two words", "line\nbreak", "x" * 5000])
def test_secret_that_cannot_be_one_is_refused_in_words(value: str) -> None:
    with pytest.raises(InvalidSecretError):
        ADAPTER.scheme("jwt").check(value)
    ADAPTER.scheme(None).check(SECRET.value)
