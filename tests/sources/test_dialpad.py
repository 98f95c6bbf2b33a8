"""Dialpad: the body is a token, and one call has several legs."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from sources.adapter import Event, Ignored, Options, Outcome, Refusal, Unreadable
from sources.dialpad import ADAPTER
from tests.sources.vendor_fixtures import (
    PLANTED,
    deliver,
    load,
    names,
    refuse,
    secret,
    tamper,
)
from tests.sources.vendor_fixtures import read_event as read_body

SECRET: Final = secret("demo-dialpad", "jwt")
HEADER: Final = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
CLAIMS: Final = b"eyJjYWxsX2lkIjoxLCJzdGF0ZSI6Imhhbmd1cCJ9"
SIGNATURE: Final = b"YBxU9rY-fEGrAJwS07U_jR_2XmIzm6NjSA0NKPWOcGQ"
TOKEN: Final = b".".join((HEADER, CLAIMS, SIGNATURE))


def encode(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def wrap(claims: bytes) -> bytes:
    """A token whose signature nobody looks at: `read` is asked when it has been checked."""
    return b".".join((HEADER, encode(claims), SIGNATURE))


def read_event(name: str, **changes: Any) -> Event:
    claims = json.loads(load(ADAPTER, name)) | changes
    return read_body(ADAPTER, wrap(json.dumps(claims).encode()))


@pytest.mark.parametrize("content_type", ["application/jwt", "application/json", "text/plain"])
def test_the_vector_is_genuine_whatever_the_content_type_says(content_type: str) -> None:
    delivery = deliver(ADAPTER, TOKEN, [("Content-Type", content_type)])
    other = secret("another-secret", "jwt", "sec_2")
    for _ in range(2):  # a repeat as well
        assert ADAPTER.verify(delivery, [other, SECRET], Options()) is SECRET
    assert read_body(ADAPTER, TOKEN).call == "1"


def test_a_token_within_quotes_is_genuine() -> None:
    quoted = b'"' + TOKEN + b'"'
    assert ADAPTER.verify(deliver(ADAPTER, quoted), [SECRET], Options()) is SECRET
    assert read_body(ADAPTER, quoted).call == "1"


def test_another_secret_is_refused() -> None:
    other = secret("another-secret", "jwt")
    assert refuse(ADAPTER, deliver(ADAPTER, TOKEN), other) is Refusal.WRONG_SIGNATURE


def test_a_plain_body_is_refused() -> None:
    plain = deliver(ADAPTER, b' {"call_id":1,"state":"hangup"}')
    assert refuse(ADAPTER, plain, SECRET) is Refusal.MISSING_SIGNATURE


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_every_changed_byte_is_refused(place: int) -> None:
    body = TOKEN[:place] + bytes([TOKEN[place] ^ 1]) + TOKEN[place + 1 :]
    code = refuse(ADAPTER, deliver(ADAPTER, body), SECRET)
    assert code in {Refusal.WRONG_SIGNATURE, Refusal.MALFORMED_SIGNATURE}


def test_claims_of_another_token_are_refused() -> None:
    body = b".".join((HEADER, encode(b'{"call_id":2,"state":"hangup"}'), SIGNATURE))
    assert refuse(ADAPTER, deliver(ADAPTER, body), SECRET) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"..",
        b"a.b",
        TOKEN + b".x",
        TOKEN + b" ",
        b"\n" + TOKEN,
        TOKEN + b"=",
        TOKEN[:-1] + b"R",  # the same signature, with bits set that are not read
        TOKEN.replace(b"-", b"+").replace(b"_", b"/"),
        TOKEN[:-2],
        b".".join((HEADER, CLAIMS, b"")),
        tamper(HEADER) + b"." + CLAIMS + b"." + SIGNATURE,
        b"\xff.\xff.\xff",
    ],
)
def test_a_token_has_one_spelling(body: bytes) -> None:
    assert refuse(ADAPTER, deliver(ADAPTER, body), SECRET) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS512"},
        {"alg": "RS256"},
        {"alg": "hs256"},
        {"alg": ["HS256"]},
        {"typ": "JWT"},
        {"alg": "HS256", "crit": ["b64"], "b64": False},
    ],
)
def test_the_token_does_not_choose_how_it_is_checked(header: dict[str, Any]) -> None:
    signed = encode(json.dumps(header).encode()) + b"." + CLAIMS
    for signature in (b"", encode(b"0" * 32), SIGNATURE):
        delivery = deliver(ADAPTER, signed + b"." + signature)
        assert refuse(ADAPTER, delivery, SECRET) is Refusal.MALFORMED_SIGNATURE


def test_a_token_that_is_signed_by_other_algorithms_is_refused() -> None:
    claims = {"call_id": 1, "state": "hangup"}
    key = generate_private_key(public_exponent=65537, key_size=2048)
    long = secret("demo-dialpad-that-is-long-enough-for-every-algorithm-of-the-library" * 2, "jwt")
    for body in (
        jwt.encode(claims, key, algorithm="RS256"),
        jwt.encode(claims, long.value, algorithm="HS384"),
        jwt.encode(claims, "", algorithm="none"),
    ):
        code = refuse(ADAPTER, deliver(ADAPTER, body.encode()), long)
        assert code is Refusal.MALFORMED_SIGNATURE
    genuine = jwt.encode(claims, long.value, algorithm="HS256").encode()
    assert ADAPTER.verify(deliver(ADAPTER, genuine), [long], Options()) is long


def test_the_time_of_an_event_refuses_nothing() -> None:
    claims = {"call_id": 1, "state": "hangup", "event_timestamp": 1500000000000, "exp": 1500000000}
    long = secret("demo-dialpad-that-is-long-enough", "jwt")
    body = jwt.encode(claims, long.value, algorithm="HS256").encode()
    assert ADAPTER.verify(deliver(ADAPTER, body), [long], Options()) is long


def test_samples_are_genuine() -> None:
    at = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    events = []
    for sample in ADAPTER.sample(SECRET, "https://x.example/y", at, Options()):
        assert ADAPTER.verify(deliver(ADAPTER, sample.body), [SECRET], Options()) is SECRET
        events.append(read_body(ADAPTER, sample.body))
    assert len({event.call for event in events}) == 1
    assert [event.name for event in events] == ["hangup", "recap_summary"]


def test_claims_that_are_passed_on_are_read_alike() -> None:
    assert read_body(ADAPTER, load(ADAPTER, "hangup.json")) == read_event("hangup.json")


def test_the_end_of_a_call() -> None:
    event = read_event("hangup.json")
    assert event.call == "5300000000000001"
    assert event.facts == {
        "phone_number": "+12025550111",
        "direction": "outbound",
        "from_number": "+12025550199",
        "to_number": "+12025550111",
        "agent_id": "5171365938069504",
        "agent_name": "Max",
        "agent_email": "max@example.com",
        "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
        "ended_at": datetime(2025, 11, 28, 3, 21, 6, tzinfo=UTC),
        "duration_seconds": 60.0005,
        "outcome": Outcome.COMPLETED,
        "recording_url": "https://dialpad.example/r/1",
    }
    assert event.is_end
    assert event.occurred_at == datetime(2025, 11, 28, 3, 21, 6, 400000, tzinfo=UTC)
    assert event.tenant == ("ws_1", "5171365938069504", "+12025550199")


def test_recaps_complete_the_call() -> None:
    summary = read_event("recap_summary.json")
    assert summary.call == "5300000000000001"
    assert summary.facts["summary"] == "Ada agreed to the renewal."
    assert not summary.is_end
    items = read_event("recap_action_items.json")
    assert items.facts["structured_data"] == {
        "recap_action_items": ["Send the contract."],
        "dispositions": {"reason": "renewal"},
    }
    listed = read_event("recap_summary.json", recap_summary=["One.", "Two."])
    assert listed.facts["summary"] == "One.\nTwo."


def test_legs_are_one_call_and_the_colleague_who_took_it_is_the_agent() -> None:
    queue, user = read_event("queue_leg.json"), read_event("user_leg.json")
    assert queue.call == user.call == "5300000000000010"
    assert "agent_name" not in queue.facts
    assert user.facts["agent_name"] == "Max"
    assert queue.facts["outcome"] == user.facts["outcome"] == Outcome.COMPLETED
    assert queue.is_end
    assert user.is_end
    assert queue.rank > user.rank


def test_a_phone_that_was_not_picked_up_says_nothing_against_one_that_was() -> None:
    user, unanswered = read_event("user_leg.json"), read_event("unanswered_leg.json")
    assert unanswered.call == user.call
    assert not unanswered.is_end
    assert "agent_name" not in unanswered.facts
    assert "ended_at" not in unanswered.facts
    assert unanswered.occurred_at is not None
    assert user.occurred_at is not None
    assert unanswered.occurred_at < user.occurred_at


@pytest.mark.parametrize("nothing", [0, "0", "null", "", None, {}])
def test_ids_that_are_none_group_nothing(nothing: object) -> None:
    event = read_event("hangup.json", master_call_id=nothing, entry_point_call_id=nothing)
    assert event.call == "5300000000000001"


def test_the_master_call_counts_before_the_entry_point() -> None:
    event = read_event("user_leg.json", master_call_id="9", entry_point_call_id=8)
    assert event.call == "9"


def test_large_ids_are_exact() -> None:
    assert read_event("hangup.json", call_id=9007199254740993).call == "9007199254740993"


def test_a_missed_call() -> None:
    event = read_event("missed.json")
    assert event.call == "5300000000000020"
    assert event.facts["outcome"] == Outcome.NO_ANSWER
    assert event.facts["direction"] == "inbound"
    assert event.facts["to_number"] == "+12025550199"  # `blocked` is no number
    assert event.facts["duration_seconds"] == 0
    assert event.is_end


def test_a_voicemail_follows_with_its_link_and_its_text() -> None:
    uploaded, text = read_event("voicemail_uploaded.json"), read_event("transcription.json")
    assert uploaded.call == text.call
    assert uploaded.facts["outcome"] == text.facts["outcome"] == Outcome.VOICEMAIL
    assert uploaded.facts["recording_url"] == "https://dialpad.example/vm/1"
    assert uploaded.is_end
    assert text.facts["transcript"] == [{"role": "user", "text": "Please call me back."}]


def test_a_canceled_call() -> None:
    assert read_event("canceled.json").facts["outcome"] == Outcome.CANCELED


def test_a_withheld_number_is_none() -> None:
    event = read_event("withheld.json")
    assert "phone_number" not in event.facts
    assert event.facts["direction"] == "inbound"


@pytest.mark.parametrize(
    ("custom_data", "tenant", "key"),
    [
        ("ws_1", (None, None), "ws_1"),
        ("user_1/ws_1", ("user_1", "ws_1"), "user_1/ws_1"),
        ('{"user_id": "user_1", "workspace_id": "ws_1"}', ("user_1", "ws_1"), None),
        ("{", (None, None), None),
        ("any words of a person", (None, None), None),
        ("", (None, None), None),
        ({}, (None, None), None),
    ],
)
def test_custom_data_may_name_the_tenant(
    custom_data: object, tenant: tuple[str | None, str | None], key: str | None
) -> None:
    event = read_event("hangup.json", custom_data=custom_data)
    assert (event.user_id, event.workspace_id) == tenant
    assert event.tenant == tuple(filter(None, (key, "5171365938069504", "+12025550199")))


def test_only_the_state_says_that_a_call_is_over() -> None:
    (reading,) = ADAPTER.read(
        deliver(ADAPTER, wrap(load(ADAPTER, "ringing.json"))), Options()
    )  # it has a date_ended
    assert reading == Ignored("ringing")
    assert "ended_at" not in read_event("hangup.json", state="recording").facts


def test_a_text_message_is_ignored() -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, wrap(load(ADAPTER, "sms.json"))), Options())
    assert isinstance(reading, Ignored)


@pytest.mark.parametrize("claims", [b"", b"[]", b"\xff", b'{"state":"hangup","call_id":0}'])
def test_what_is_no_call_is_unreadable(claims: bytes) -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, wrap(claims)), Options())
    assert isinstance(reading, Unreadable)


def test_what_is_no_token_is_unreadable() -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, b"a.b"), Options())
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("name", names("dialpad"))
def test_nothing_secret_is_read(name: str) -> None:
    readings = ADAPTER.read(deliver(ADAPTER, wrap(load(ADAPTER, name))), Options())
    assert readings
    assert PLANTED not in repr(readings)
