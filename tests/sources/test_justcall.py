"""JustCall's events: what proves them, and what they say.

Signatures are constants: the first is a vector that our code did not make, the others come from
`openssl dgst -sha256 -hmac` over a text written out by hand.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from pydantic import ValidationError

from sources.adapter import Delivery, Event, InvalidSecretError, Refusal, Secret, Unreadable
from sources.justcall import ADAPTER, UNKNOWN_ZONE, JustCallOptions
from tests.sources.deliveries import FIXTURES, SIGNED_AT
from tests.sources.reading_fixtures import (
    STRANGE,
    Headers,
    load,
    read,
    read_event,
    read_ignored,
    refuse,
)

URL: Final = "https://calls.example.com/in/justcall/src_demo"
STAMP: Final = "2025-11-28 03:20:00"
SIGNATURE: Final = "99915e1e3dffed07c25d52fe9cfb70b4ca38ef07dba7d6c9975379858ec4e553"
# Of call.updated, for ODD_URL.
ODD_URL: Final = f"{URL}?workspace_id=ws_1&x=(a)!'*~"
ODD_SIGNATURE: Final = "4579e7c269fcbd4ee7fc449733c9e6992b9f3a44fc4a9f2c099b71618bd9e15e"
# Of call.completed, for another source's address.
OTHER_URL: Final = "https://calls.example.com/in/justcall/src_other"
OTHER_SIGNATURE: Final = "3caa53be9e09446ef76b04f90ddc6184078856dc80a2b4b75f17960fd2542a5c"
SECRET: Final = Secret(id="one", scheme="api_secret", value="demo-justcall")
OTHER: Final = Secret(id="two", scheme="api_secret", value="other-justcall")
EVENTS: Final = sorted(path.name for path in (FIXTURES / "justcall").glob("*.json"))
STARTED_AT: Final = datetime(2025, 11, 28, 3, 20, tzinfo=UTC)
RECEIVED: Final = SIGNED_AT + timedelta(minutes=2)


def deliver(
    body: bytes,
    signature: str | None = SIGNATURE,
    *,
    url: str = URL,
    stamp: str | None = STAMP,
    version: str | None = "v1",
    more: Headers = (),
    received_at: datetime = RECEIVED,
) -> Delivery:
    named = {
        "x-justcall-signature": signature,
        "x-justcall-signature-version": version,
        "x-justcall-request-timestamp": stamp,
    }
    headers = [*more, *((name, value) for name, value in named.items() if value is not None)]
    return Delivery(url=url, headers=headers, body=body, received_at=received_at)


def deliver_fixture(name: str, **changes: Any) -> Delivery:
    """A fixture with other values in its data."""
    body = json.loads(load("justcall", f"{name}.json"))
    body["data"] |= changes
    return deliver(json.dumps(body).encode())


def event_of(name: str, options: JustCallOptions | None = None, **changes: Any) -> Event:
    return read_event(ADAPTER, deliver_fixture(name, **changes), options)


def change(**changes: Any) -> bytes:
    return json.dumps(json.loads(load("justcall", "completed.json")) | changes).encode()


def verify(delivery: Delivery) -> str:
    return ADAPTER.verify(delivery, [OTHER, SECRET], JustCallOptions()).id


def test_address_event_and_time_prove_a_delivery_however_often() -> None:
    delivery = deliver(load("justcall", "completed.json"))
    assert [verify(delivery) for _ in range(2)] == ["one", "one"]
    assert verify(deliver(load("justcall", "completed.json"), SIGNATURE.upper())) == "one"
    assert verify(deliver(load("justcall", "completed.json"), version=None)) == "one"


def test_address_is_encoded_as_javascript_does() -> None:
    body = change(webhook_url=ODD_URL, type="call.updated")
    delivery = deliver(body, ODD_SIGNATURE, url=ODD_URL)
    assert verify(delivery) == "one"
    assert read_event(ADAPTER, delivery).workspace_id == "ws_1"


def test_delivery_signed_for_another_address_is_refused() -> None:
    body = change(webhook_url=OTHER_URL)
    assert verify(deliver(body, OTHER_SIGNATURE, url=OTHER_URL)) == "one"
    assert refuse(ADAPTER, deliver(body, OTHER_SIGNATURE), [SECRET]) is Refusal.WRONG_SIGNATURE
    # The body's address is what was signed, not the one that was called.
    body = change(webhook_url=URL)
    assert refuse(ADAPTER, deliver(body, OTHER_SIGNATURE), [SECRET]) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "url",
    [f"{URL}/", URL.replace(".com/", ".com:443/"), URL.replace("calls.example", "Calls.Example")],
)
def test_address_may_be_spelled_in_another_way_than_it_was_entered(url: str) -> None:
    assert verify(deliver(load("justcall", "completed.json"), url=url)) == "one"


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https", "http"),
        URL.replace(".com/", ".com:8443/"),
        f"{URL}?x=1",
        URL.upper(),
        "https://[",
        "",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    delivery = deliver(load("justcall", "completed.json"), url=url)
    assert refuse(ADAPTER, delivery, [SECRET]) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"signature": None}, Refusal.MISSING_SIGNATURE),
        ({"stamp": None}, Refusal.MISSING_SIGNATURE),
        ({"signature": ""}, Refusal.MALFORMED_SIGNATURE),
        ({"signature": SIGNATURE[:-1]}, Refusal.MALFORMED_SIGNATURE),
        ({"signature": SIGNATURE + "00"}, Refusal.MALFORMED_SIGNATURE),
        ({"signature": "g" * 64}, Refusal.MALFORMED_SIGNATURE),
        (
            {"signature": "mZFeHj3/7QfCXVL+nPtwtMo47wfbp9bJl1N5hY7E5VM="},
            Refusal.MALFORMED_SIGNATURE,
        ),
        ({"signature": "sha256=" + SIGNATURE}, Refusal.MALFORMED_SIGNATURE),
        ({"version": "v2"}, Refusal.MALFORMED_SIGNATURE),
        ({"version": ""}, Refusal.MALFORMED_SIGNATURE),
        ({"signature": "0" * 64}, Refusal.WRONG_SIGNATURE),
        ({"stamp": "2025-11-28 03:20:01"}, Refusal.WRONG_SIGNATURE),
        ({"more": [("X-JustCall-Signature", SIGNATURE)]}, Refusal.MALFORMED_SIGNATURE),
        ({"more": [("x-justcall-request-timestamp", STAMP)]}, Refusal.MALFORMED_SIGNATURE),
        ({"more": [("x-justcall-signature-version", "v1")]}, Refusal.MALFORMED_SIGNATURE),
    ],
)
def test_headers_that_prove_nothing_are_refused(changes: dict[str, Any], refusal: Refusal) -> None:
    assert (
        refuse(ADAPTER, deliver(load("justcall", "completed.json"), **changes), [SECRET]) is refusal
    )


def test_other_secret_and_other_event_are_refused() -> None:
    assert refuse(ADAPTER, deliver(load("justcall", "completed.json")), [OTHER]) is (
        Refusal.WRONG_SIGNATURE
    )
    body = change(type="call.updated")
    assert refuse(ADAPTER, deliver(body), [SECRET]) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"{}",
        b"[" * 100_000,
        change(webhook_url=None),
        change(type=None),
        change(type=["call.completed"]),
        change(webhook_url={"url": URL}),
    ],
)
def test_body_that_is_no_event_is_refused(body: bytes) -> None:
    assert refuse(ADAPTER, deliver(body), [SECRET]) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize("text", ["\ud800", "é", "|", "x" * 100_000])
def test_strange_texts_in_what_is_signed_are_refused(text: str) -> None:
    for body in (change(webhook_url=text), change(type=text)):
        assert refuse(ADAPTER, deliver(body), [SECRET]) is Refusal.WRONG_SIGNATURE
    same = deliver(change(webhook_url=URL + text), url=URL + text)
    assert refuse(ADAPTER, same, [SECRET]) is Refusal.WRONG_SIGNATURE


def test_completed_call_is_read_whole() -> None:
    assert event_of("completed") == Event(
        name="call.completed",
        call="CAjc1",
        facts={
            "phone_number": "+12025550115",
            "direction": "outbound",
            "from_number": "+12025550199",
            "to_number": "+12025550115",
            "started_at": STARTED_AT,
            "ended_at": STARTED_AT + timedelta(seconds=64),
            "duration_seconds": 64.0,
            "agent_name": "Max",
            "agent_email": "max@example.com",
            "agent_id": "41",
            "outcome": "completed",
            "recording_url": "https://rec.example.net/j1",
            "structured_data": {"disposition": "Interested"},
        },
        occurred_at=STARTED_AT + timedelta(seconds=64),
        rank=10,
        is_end=True,
        tenant=("+12025550199", "41", "max@example.com"),
    )


@pytest.mark.parametrize(
    ("name", "outcome", "duration"),
    [
        ("completed", "completed", 64.0),
        ("missed", "no_answer", 0.0),
        ("outgoing_missed", "no_answer", 0.0),
        ("voicemail", "voicemail", 64.0),
        ("dialer_completed", "completed", 64.0),
        ("older_duration", "completed", 64.0),
        ("clock_only", "completed", 3605.0),
    ],
)
def test_end_of_a_call_has_its_outcome_and_duration(
    name: str, outcome: str, duration: float
) -> None:
    event = event_of(name)
    assert (event.facts["outcome"], event.facts["duration_seconds"]) == (outcome, duration)
    assert event.is_end


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("Unanswered", "no_answer"),
        ("no_answer", "no_answer"),
        ("Abandoned", "no_answer"),
        ("Busy", "busy"),
        ("failed", "failed"),
        ("Cancelled", "canceled"),
        ("Blocked", "blocked"),
    ],
)
def test_other_words_for_an_end_are_read(word: str, outcome: str) -> None:
    info = {"direction": "Incoming", "type": word}
    assert event_of("completed", call_info=info).facts["outcome"] == outcome


def test_event_says_the_outcome_if_the_call_does_not() -> None:
    assert event_of("missed", call_info={}).facts["outcome"] == "no_answer"
    assert event_of("voicemail", call_info={}).facts["outcome"] == "voicemail"
    assert "outcome" not in event_of("completed", call_info={}).facts


def test_voicemail_is_what_the_caller_said() -> None:
    facts = event_of("voicemail").facts
    assert facts["transcript"] == [{"role": "user", "text": "Please call me back."}]


def test_ai_report_brings_summary_and_transcript() -> None:
    event = event_of("ai_generated")
    assert event.facts["summary"] == "Ada wants an offer."
    assert event.facts["transcript"] == [
        {"role": "assistant", "text": "Hello, this is Max."},
        {"role": "user", "text": "Ada here."},
    ]
    data = event.facts["structured_data"]
    assert data == {
        "disposition": "Interested",
        "customer_sentiment": "Positive",
        "call_score": "87.5",
    }
    assert (event.rank, event.is_end) == (30, True)


def test_speakers_may_be_names() -> None:
    roles = [turn["role"] for turn in event_of("ai_report").facts["transcript"]]
    assert roles == ["assistant", "user", "Eve"]


def test_empty_report_blanks_nothing() -> None:
    assert event_of("ai_empty").facts.keys().isdisjoint({"summary", "transcript"})


def test_rank_decides_between_events_of_a_call_whatever_their_order() -> None:
    events = [event_of(name) for name in ("completed", "updated", "ai_generated")]
    assert len({each.occurred_at for each in events}) == 1
    assert [each.rank for each in events] == [10, 20, 30]
    assert events[1].facts["structured_data"] == {
        "disposition": "Booked",
        "notes": "Tuesday at ten",
        "tags": ["renewal", "vip"],
    }


def test_dialers_update_may_hold_the_change_only() -> None:
    event = event_of("dialer_updated")
    assert (event.call, event.facts) == (
        "CAsd1",
        {"structured_data": {"disposition": "Call later"}},
    )
    assert (event.is_end, event.occurred_at) == (False, None)
    assert event_of("dialer_ai_generated").call == event.call
    assert event_of("dialer_completed").facts["structured_data"] == {"campaign": "Winter"}


def test_time_without_a_zone_is_in_the_zone_of_the_options() -> None:
    options = JustCallOptions(time_zone="Europe/Berlin")
    started_at = event_of("completed", options).facts["started_at"]
    assert started_at == datetime(2025, 11, 28, 2, 20, tzinfo=UTC)
    assert started_at.tzinfo is UTC


def test_time_ahead_of_us_is_left_out_and_said() -> None:
    event = event_of("completed", JustCallOptions(time_zone="America/New_York"))
    assert event.facts.keys().isdisjoint({"started_at", "ended_at"})
    assert (event.occurred_at, event.notices) == (None, (UNKNOWN_ZONE,))
    assert event.facts["duration_seconds"] == 64.0
    assert event.is_end


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../etc/passwd", "America", "x" * 100, None, 5])
def test_unknown_zone_is_refused(zone: object) -> None:
    with pytest.raises(ValidationError):
        JustCallOptions.model_validate({"time_zone": zone})


@pytest.mark.parametrize(
    ("written", "ours", "number"),
    [
        ("12025550115", "12025550199", "+12025550115"),
        ("+12025550115", "+12025550199", "+12025550115"),
        ("442079460018", "12025550199", "+442079460018"),
        # It could be a number in Egypt with a plus.
        ("2025550115", "12025550199", "2025550115"),
        ("02079460018", "442079460999", "02079460018"),
        ("(202) 555-0115", "12025550199", "(202) 555-0115"),
    ],
)
def test_plus_is_added_only_where_a_country_code_stands(
    written: str, ours: str, number: str
) -> None:
    event = event_of("completed", contact_number=written, justcall_number=ours)
    assert event.facts["phone_number"] == number


def test_default_region_goes_with_the_numbers() -> None:
    event = event_of("completed", JustCallOptions(default_region="US"))
    assert event.facts["region"] == "US"


@pytest.mark.parametrize("number", ["Anonymous", "", None, "Unknown", "+266696687", "Restricted"])
def test_withheld_number_is_no_number(number: str | None) -> None:
    facts = event_of("withheld", contact_number=number).facts
    assert facts.keys().isdisjoint({"phone_number", "from_number"})
    assert facts["direction"] == "inbound"


def test_call_is_named_by_its_sid_and_else_by_its_id() -> None:
    assert event_of("completed", call_sid=None).call == "500001"
    assert event_of("completed", call_sid="").call == "500001"
    (reading,) = read(ADAPTER, deliver_fixture("completed", call_sid=None, id=None))
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize(
    ("fixture", "name"), [("initiated", "call.initiated"), ("text_message", "sms.received")]
)
def test_what_says_nothing_of_an_end_is_ignored(fixture: str, name: str) -> None:
    assert read_ignored(ADAPTER, deliver_fixture(fixture)).name == name


@pytest.mark.parametrize("name", EVENTS)
def test_strange_values_lose_no_event(name: str) -> None:
    body = json.loads(load("justcall", name))
    plain = [type(each) for each in read(ADAPTER, deliver(json.dumps(body).encode()))]
    for strange in STRANGE:
        for field in set(body["data"]) - {"id", "call_sid"}:
            changed = body | {"data": body["data"] | {field: strange}}
            readings = read(ADAPTER, deliver(json.dumps(changed).encode()))
            assert [type(each) for each in readings] == plain


@pytest.mark.parametrize("data", [None, [], "x", 5])
def test_event_without_data_is_unreadable(data: object) -> None:
    (reading,) = read(ADAPTER, deliver(change(data=data)))
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("name", EVENTS)
def test_nothing_secret_is_read(name: str) -> None:
    planted = "PLANTED-7f3a"
    body = json.loads(load("justcall", name)) | {"api_key": planted, "token": planted}
    body["data"] |= {"api_secret": planted, "custom_fields": {"password": planted}}
    for holder in ("call_info", "justcall_ai"):
        body["data"][holder] = body["data"].get(holder, {}) | {"token": planted}
    delivery = deliver(json.dumps(body).encode(), url=f"{URL}?secret={planted}")
    assert planted not in repr(read(ADAPTER, delivery))


@pytest.mark.parametrize("value", ["", " ", "abc", "two words", "api-key:api-secret", "x" * 5000])
def test_secret_that_cannot_be_one_is_refused_in_words(value: str) -> None:
    with pytest.raises(InvalidSecretError):
        ADAPTER.scheme("api_secret").check(value)
    ADAPTER.scheme(None).check(SECRET.value)
