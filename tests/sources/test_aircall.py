"""Aircall's events: the token that proves them, and what they say."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from sources.adapter import (
    Delivery,
    Event,
    InvalidSecretError,
    Options,
    Refusal,
    Secret,
    Unreadable,
)
from sources.aircall import ADAPTER, MOST_BYTES, SHORT_LIVED
from tests.sources.deliveries import FIXTURES, SIGNED_AT
from tests.sources.reading_fixtures import (
    STRANGE,
    load,
    read,
    read_event,
    read_ignored,
    refuse,
)

URL: Final = "https://calls.example.com/api/webhooks/aircall/src_demo"
SECRET: Final = Secret(id="one", scheme="token", value="demo-aircall-token")
OTHER: Final = Secret(id="two", scheme="token", value="another-aircall-token")
ASSET: Final = "https://assets.example.net/calls/1/recording"
EVENTS: Final = sorted(path.name for path in (FIXTURES / "aircall").glob("*.json"))


def deliver(body: bytes) -> Delivery:
    headers = [("content-type", "application/json"), ("aircall-origin", "webhooks")]
    return Delivery(url=URL, headers=headers, body=body, received_at=SIGNED_AT)


def deliver_fixture(name: str, **changes: Any) -> Delivery:
    """A fixture with other values in its data."""
    body = json.loads(load("aircall", f"{name}.json"))
    body["data"] |= changes
    return deliver(json.dumps(body).encode())


def event_of(name: str, **changes: Any) -> Event:
    return read_event(ADAPTER, deliver_fixture(name, **changes))


@pytest.mark.parametrize("name", EVENTS)
def test_token_in_the_body_proves_each_event_however_often(name: str) -> None:
    for _ in range(2):
        delivery = deliver(load("aircall", name))
        assert ADAPTER.verify(delivery, [OTHER, SECRET], Options()).id == "one"


@pytest.mark.parametrize(
    ("token", "refusal"),
    [
        ("demo-aircall-tokem", Refusal.WRONG_SIGNATURE),
        ("demo-aircall-token ", Refusal.WRONG_SIGNATURE),
        ("demo-aircall-tokenx", Refusal.WRONG_SIGNATURE),
        ("Demo-aircall-token", Refusal.WRONG_SIGNATURE),
        ("\ud800", Refusal.WRONG_SIGNATURE),
        ("é", Refusal.WRONG_SIGNATURE),
        ("", Refusal.MISSING_SIGNATURE),
        (None, Refusal.MISSING_SIGNATURE),
        (["demo-aircall-token"], Refusal.MISSING_SIGNATURE),
        ({"demo-aircall-token": True}, Refusal.MISSING_SIGNATURE),
        (True, Refusal.MISSING_SIGNATURE),
        (0, Refusal.MISSING_SIGNATURE),
    ],
)
def test_other_token_is_refused(token: object, refusal: Refusal) -> None:
    body = json.loads(load("aircall", "ended.json")) | {"token": token}
    assert refuse(ADAPTER, deliver(json.dumps(body).encode()), [SECRET, OTHER]) is refusal


def test_token_elsewhere_is_no_token() -> None:
    body = json.loads(load("aircall", "ended.json"))
    body["data"]["token"] = body.pop("token")
    assert refuse(ADAPTER, deliver(json.dumps(body).encode()), [SECRET]) is (
        Refusal.MISSING_SIGNATURE
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'"demo-aircall-token"',
        b"[]",
        b"token=demo-aircall-token",
        b'{"token": "demo-aircall-token"',
        '{"token": "demo-aircall-token"}'.encode("utf-16"),
        b'{"token": "demo-aircall-token", "data": ' + b"[" * 200_000,
        b'{"token": "demo-aircall-token", "a": "' + b"x" * MOST_BYTES + b'"}',
    ],
)
def test_body_that_is_no_event_is_refused(body: bytes) -> None:
    assert refuse(ADAPTER, deliver(body), [SECRET]) is Refusal.MALFORMED_SIGNATURE


def test_other_secret_is_refused() -> None:
    assert refuse(ADAPTER, deliver(load("aircall", "ended.json")), [OTHER]) is (
        Refusal.WRONG_SIGNATURE
    )


def test_ended_call_is_read_whole() -> None:
    assert event_of("ended") == Event(
        name="call.ended",
        call="3980000001",
        facts={
            "phone_number": "+1 202-555-0108",
            "direction": "outbound",
            "from_number": "+1 202-555-0199",
            "to_number": "+1 202-555-0108",
            "region": "US",
            "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
            "ended_at": datetime(2025, 11, 28, 3, 21, 40, tzinfo=UTC),
            # From the answer on; `duration` says 100.
            "duration_seconds": 90.0,
            "agent_name": "Max",
            "agent_email": "max@example.com",
            "agent_id": "5",
            "outcome": "completed",
            "recording_url": ASSET,
            "structured_data": {"tags": ["sales"], "comments": ["call back"]},
        },
        occurred_at=datetime(2025, 11, 28, 3, 22, 10, tzinfo=UTC),
        rank=10,
        is_end=True,
        tenant=("7", "+12025550199", "5"),
    )


@pytest.mark.parametrize(
    ("name", "outcome", "duration"),
    [
        ("ended", "completed", 90.0),
        ("ended_status_answered", "completed", 90.0),
        ("hungup", "completed", 90.0),
        ("missed", "no_answer", 0.0),
        ("voicemail", "voicemail", 0.0),
        ("voicemail_left", "voicemail", 0.0),
    ],
)
def test_end_of_a_call_has_its_outcome(name: str, outcome: str, duration: float) -> None:
    event = event_of(name)
    assert (event.facts["outcome"], event.facts["duration_seconds"]) == (outcome, duration)
    assert event.is_end
    assert not event.is_final


def test_missed_call_says_why_and_in_which_country() -> None:
    facts = event_of("missed").facts
    assert facts["structured_data"] == {"missed_call_reason": "agents_did_not_answer"}
    assert (facts["from_number"], facts["region"]) == ("+44 20 7946 0018", "GB")
    assert "agent_name" not in facts


def test_national_number_comes_with_the_country_of_the_line() -> None:
    facts = event_of("national_number").facts
    assert (facts["phone_number"], facts["region"]) == ("020 7946 0018", "GB")


@pytest.mark.parametrize("digits", ["anonymous", "", None, "Restricted", "+266696687", "private"])
def test_withheld_number_is_no_number(digits: str | None) -> None:
    facts = event_of("anonymous", raw_digits=digits).facts
    assert "phone_number" not in facts
    assert "from_number" not in facts
    assert facts["direction"] == "inbound"


@pytest.mark.parametrize("country", ["", None, "USA", "U1", 1, "ß"])
def test_country_that_is_none_is_left_out(country: object) -> None:
    event = event_of("ended", number={"digits": "+1 202-555-0199", "country": country})
    assert "region" not in event.facts


def test_assets_add_the_lasting_link_and_blank_nothing() -> None:
    event = event_of("assets")
    assert event.facts == {"direction": "outbound", "recording_url": ASSET}
    assert (event.call, event.rank, event.is_end) == ("3980000001", 20, False)


def test_link_that_ends_within_an_hour_is_left_out_and_said() -> None:
    event = event_of("short_lived_recording")
    assert "recording_url" not in event.facts
    assert event.notices == (SHORT_LIVED,)
    assert event_of("ended").notices == ()


def test_tags_and_comments_come_whole_each_time() -> None:
    assert event_of("tagged").facts["structured_data"]["tags"] == ["sales", "renewal"]
    comments = event_of("commented").facts["structured_data"]["comments"]
    assert comments == ["call back", "Wants 12 seats"]
    assert event_of("commented").rank > event_of("ended").rank


def test_tag_during_a_call_does_not_end_it() -> None:
    event = event_of("tagged_during_call")
    assert not event.is_end
    assert event.facts.keys().isdisjoint({"outcome", "ended_at", "duration_seconds"})


def test_ai_agent_that_passes_a_call_on_does_not_end_it() -> None:
    event = event_of("agent_ended")
    assert event.facts == {
        "phone_number": "+1 202-555-0108",
        "direction": "inbound",
        "from_number": "+1 202-555-0108",
        "to_number": "+1 202-555-0199",
        "agent_name": "Mia",
    }
    assert not event.is_end


def test_ai_agents_summary_joins_the_call() -> None:
    event = event_of("agent_summary")
    assert event.call == event_of("ended").call
    assert event.facts == {
        "agent_name": "Mia",
        "summary": "Ada left her address.",
        "structured_data": {"intake": {"City?": "Bath"}},
    }
    extracted = event_of("agent_summary_extracted").facts
    assert extracted["summary"] == "Ada asks for a date."
    assert extracted["structured_data"] == {"intake": {"City?": "Bath", "Name?": "Ada"}}


def test_summary_and_transcript_are_read_if_they_are_sent() -> None:
    assert event_of("summary_created").facts == {"summary": "Ada wants an offer."}
    assert event_of("summary_created").call == "3980000001"
    assert event_of("transcription_created").facts == {
        "transcript": [
            {"role": "assistant", "text": "Hello."},
            {"role": "user", "text": "Ada here."},
        ]
    }


@pytest.mark.parametrize(
    ("fixture", "name"),
    [
        ("created", "call.created"),
        ("contact_created", "contact.created"),
        ("summary_to_be_fetched", "summary.created"),
    ],
)
def test_what_says_nothing_of_an_end_is_ignored(fixture: str, name: str) -> None:
    ignored = read_ignored(ADAPTER, deliver_fixture(fixture))
    assert (ignored.name, ignored.misplaced) == (name, None)


@pytest.mark.parametrize("name", ["ended", "assets", "summary_created", "agent_summary"])
def test_event_without_a_call_is_unreadable(name: str) -> None:
    (reading,) = read(ADAPTER, deliver_fixture(name, id=None, call_id=None))
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("name", EVENTS)
def test_strange_values_lose_no_event(name: str) -> None:
    plain = [type(each) for each in read(ADAPTER, deliver(load("aircall", name)))]
    body = json.loads(load("aircall", name))
    for strange in STRANGE:
        for field in body["data"]:
            if field in {"id", "call_id", "content"}:
                continue
            changed = body | {"data": body["data"] | {field: strange}, "timestamp": strange}
            readings = read(ADAPTER, deliver(json.dumps(changed).encode()))
            assert [type(each) for each in readings] == plain


@pytest.mark.parametrize("name", EVENTS)
def test_token_and_other_secrets_are_never_read(name: str) -> None:
    planted = "PLANTED-7f3a"
    body = json.loads(load("aircall", name))
    body |= {"api_token": planted, "secret": planted}
    body["data"] |= {"token": planted, "api_key": planted, "oauth": {"access_token": planted}}
    body["data"].setdefault("extracted_data", {})
    body["data"]["extracted_data"] |= {"api_token": planted, "x": {"password": planted}}
    for holder in ("user", "number", "contact"):
        if isinstance(body["data"].get(holder), dict):
            body["data"][holder] |= {"token": planted, "secret": planted}
    readings = repr(read(ADAPTER, deliver(json.dumps(body).encode())))
    assert planted not in readings
    assert SECRET.value not in readings


@pytest.mark.parametrize("value", ["", " ", "abc", "two words", "line\nbreak", "x" * 5000])
def test_secret_that_cannot_be_one_is_refused_in_words(value: str) -> None:
    with pytest.raises(InvalidSecretError):
        ADAPTER.scheme("token").check(value)
    ADAPTER.scheme(None).check(SECRET.value)
