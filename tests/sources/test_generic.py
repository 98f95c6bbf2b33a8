import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from sources.adapter import Event, Ignored, Outcome, Refusal, Secret, Unreadable
from sources.generic import ADAPTER, list_names
from sources.generic_options import GenericOptions
from tests.sources.deliveries import (
    BODY,
    OPTIONS,
    SIGNED_AT,
    URL,
    Vector,
    check_attacks,
    check_vector,
    deliver,
    load,
    options_of,
    read_all,
    read_event,
)

SHOWN = Secret(id="s1", scheme="header", value="demo-generic")
SIGNING = Secret(id="s2", scheme="hmac", value="demo-bland")
# Published for a vendor that signs the body alone.
BODY_SIGNATURE = "f3cd3f5b65853904121b47292cab44fc5e188ce3d4abbd06c7875615ae6e97db"
SIGNED = Vector(
    adapter=ADAPTER,
    secret=SIGNING,
    headers={"X-Webhook-Signature": BODY_SIGNATURE},
    signature="X-Webhook-Signature",
    fresh_s=None,
)


def _options(**options: Any) -> GenericOptions:
    return GenericOptions.model_validate(options)


def _read(body: Any, **options: Any) -> Any:
    (reading,) = read_all(ADAPTER, json.dumps(body).encode(), _options(**options))
    return reading


def test_signature_of_the_body_is_taken_and_no_other() -> None:
    check_vector(SIGNED)
    check_attacks(SIGNED)


def test_usual_prefix_needs_no_setting() -> None:
    headers = {"X-Webhook-Signature": f"sha256={BODY_SIGNATURE}"}
    assert SIGNED.verify(deliver(BODY, headers)) is SIGNING
    other = {"X-Webhook-Signature": f"sha512={BODY_SIGNATURE}"}
    assert SIGNED.refusal(deliver(BODY, other)) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize("signed", ["{timestamp}.{body}", "timestamp.body"])
def test_signature_is_checked_as_it_was_set_up(signed: str) -> None:
    options = _options(
        header="X-Calls", algorithm="sha512", encoding="base64", signed=signed, prefix="v1="
    )
    digest = hmac.new(b"demo-bland", b"1764300000." + BODY, hashlib.sha512).digest()
    vector = replace(
        SIGNED,
        options=options,
        headers={
            "X-Calls": f"v1={base64.b64encode(digest).decode()}",
            "X-Timestamp": "1764300000",
        },
        signature="X-Calls",
        fresh_s=300,
    )
    check_vector(vector)
    check_attacks(vector)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (None, "demo-generic"),
        ("X-Api-Key", "demo-generic"),
        ("Authorization", "Bearer demo-generic"),
        ("Authorization", "demo-generic"),
    ],
)
def test_secret_in_a_header_is_taken(header: str | None, value: str) -> None:
    name = header or "X-Webhook-Secret"
    vector = replace(SIGNED, secret=SHOWN, options=_options(header=header))
    assert vector.verify(deliver(BODY, {name: value})) is SHOWN
    for wrong in (
        "demo-generik",
        "Demo-generic",
        "demo-generic,demo-generic",
        "Basic demo-generic",
    ):
        assert vector.refusal(deliver(BODY, {name: wrong})) is Refusal.WRONG_SIGNATURE
    assert vector.refusal(deliver(BODY)) is Refusal.MISSING_SIGNATURE
    assert vector.refusal(deliver(BODY, {"X-Other": value})) is Refusal.MISSING_SIGNATURE
    twice = replace(deliver(BODY), headers=((name, value), (name, value)))
    assert vector.refusal(twice) is Refusal.MALFORMED_SIGNATURE


def test_each_scheme_is_the_only_way_of_its_secret() -> None:
    shown = deliver(BODY, {"X-Webhook-Secret": SIGNING.value})
    assert SIGNED.refusal(shown, SIGNING) is Refusal.MISSING_SIGNATURE
    assert SIGNED.refusal(SIGNED.delivery, SHOWN) is Refusal.MISSING_SIGNATURE
    assert SIGNED.verify(SIGNED.delivery, SHOWN, SIGNING) is SIGNING


def test_delivery_is_read_by_the_fields_that_were_chosen() -> None:
    event = read_event(ADAPTER, "call_ended")
    assert event.name == "call.ended"
    assert event.call == "700001"
    assert event.facts == {
        "direction": "inbound",
        "from_number": "+12025550117",
        "to_number": "+12025550199",
        "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
        "ended_at": datetime(2025, 11, 28, 3, 21, 1, tzinfo=UTC),
        "duration_seconds": 61.5,
        "agent_name": "Max",
        "agent_email": "max@example.com",
        "outcome": Outcome.NO_ANSWER,
        "summary": "Ada asked for a call back.",
        "recording_url": "https://rec.example.net/g1.mp3",
        "transcript": [
            {"role": "assistant", "text": "Hello."},
            {"role": "Ada", "text": "Call me."},
        ],
        "structured_data": {"topic": "call back", "mailbox": "max@example.com"},
    }
    assert (event.is_end, event.is_final) == (True, False)


def test_delivery_before_the_end_tells_of_the_call_and_does_not_end_it() -> None:
    event = read_event(ADAPTER, "call_started")
    assert event.call == "700001"
    assert not event.is_end


def test_delivery_before_the_end_that_names_no_call_is_ignored() -> None:
    assert read_all(ADAPTER, load("generic", "ping")) == (Ignored("ping"),)


def test_end_without_an_id_is_unreadable_and_names_the_path() -> None:
    reading = _read({"event": "call.ended"}, **OPTIONS["generic"])
    assert isinstance(reading, Unreadable)
    assert "calls.0.id" in reading.message


def test_every_delivery_is_an_end_if_nothing_was_said_about_it() -> None:
    reading = _read({"id": "c1"}, fields={"call_id": "id"})
    assert reading == Event(name="delivery", call="c1", facts={}, is_end=True)


@pytest.mark.parametrize(
    ("value", "given", "is_end"),
    [
        ("Ended", "ended", True),
        ("ended", "ending", False),
        (["completed", "missed"], "MISSED", True),
        (True, True, True),
        (True, "true", True),
        (False, None, False),
        (3, 3.0, True),
        (3, "3", True),
        ("3", ["3"], False),
    ],
)
def test_end_is_a_value_at_a_path(value: Any, given: Any, is_end: bool) -> None:
    reading = _read(
        {"id": "c1", "state": given},
        fields={"call_id": "id"},
        ended_when={"path": "state", "value": value},
    )
    assert reading.is_end is is_end


def test_nothing_is_read_until_the_fields_are_chosen() -> None:
    (reading,) = read_all(ADAPTER, load("generic", "call_ended"), _options())
    assert isinstance(reading, Unreadable)
    assert ADAPTER.sample(SHOWN, URL, SIGNED_AT, _options()) == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fields": {}}, "call_id"),
        ({"fields": {"phone_number": "from"}}, "call_id"),
        ({"fields": {"call_id": ""}}, "path"),
        ({"fields": {"call_id": "a..b"}}, "path"),
        ({"fields": {"call_id": "a" * 300}}, "path"),
        ({"fields": {"call_id": 3}}, "string"),
        ({"fields": {"call_id": "id", "colour": "x"}}, "agent_email"),
        ({"fields": {"call_id": "id", "structured_data.": "x"}}, "unknown field"),
        ({"fields": {"call_id": "id"}, "ended_when": {"path": "x"}}, "value"),
        ({"fields": {"call_id": "id"}, "ended_when": {"path": "", "value": "x"}}, "path"),
        ({"signed": "{timestamp}"}, "{body}"),
        ({"signed": "nothing"}, "{body}"),
        ({"duration_unit": "hours"}, "minutes"),
        ({"header": "no header"}, "pattern"),
        ({"colour": "red"}, "Extra"),
    ],
)
def test_wrong_options_name_the_cure(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        _options(**options)
    assert said in str(wrong.value)


@pytest.mark.parametrize(
    "path", ["a.b.c", "$.a.b.c", " a.b.c ", "l.0.c", "l[0].c", "$.l[0].c", "d.e"]
)
def test_path_is_taken_as_people_write_it(path: str) -> None:
    body = {"a": {"b": {"c": "c1"}}, "l": [{"c": "c1"}], "d.e": "c1"}
    assert _read(body, fields={"call_id": path}).call == "c1"


def test_parties_are_told_where_nothing_says_the_direction() -> None:
    fields = {"call_id": "id", "from_number": "a", "to_number": "b"}
    body = {"id": 1, "a": "+12025550117", "b": "+12025550199"}
    assert _read(body, fields=fields).facts == {"parties": ("+12025550117", "+12025550199")}


def test_word_for_the_direction_that_only_the_pipeline_knows_is_kept() -> None:
    reading = _read({"id": 1, "way": "eingehend"}, fields={"call_id": "id", "direction": "way"})
    assert reading.facts == {"direction": "eingehend"}


@pytest.mark.parametrize("number", ["anonymous", "Unknown", "", None, "sip:ada@example.com", {}])
def test_withheld_number_is_nothing(number: Any) -> None:
    fields = {"call_id": "id", "phone_number": "n", "from_number": "n"}
    assert _read({"id": 1, "n": number}, fields=fields).facts == {}


@pytest.mark.parametrize(
    ("unit", "given", "seconds"),
    [
        ("seconds", 61, 61.0),
        ("milliseconds", "61500", 61.5),
        ("minutes", 1.5, 90.0),
        ("seconds", "1:07", "1:07"),
        ("seconds", None, None),
    ],
)
def test_duration_has_a_unit(unit: str, given: Any, seconds: Any) -> None:
    fields = {"call_id": "id", "duration_seconds": "d"}
    facts = _read({"id": 1, "d": given}, fields=fields, duration_unit=unit).facts
    assert facts.get("duration_seconds") == seconds


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("answered", Outcome.COMPLETED),
        ("No Answer", Outcome.NO_ANSWER),
        ("missed", Outcome.NO_ANSWER),
        ("cancelled", Outcome.CANCELED),
        ("BUSY", Outcome.BUSY),
        ("voicemail", Outcome.VOICEMAIL),
        ("Sold a house", "Sold a house"),
    ],
)
def test_outcome_is_ours_or_the_platforms_own_word(word: str, outcome: str) -> None:
    fields = {"call_id": "id", "outcome": "o"}
    assert _read({"id": 1, "o": word}, fields=fields).facts["outcome"] == outcome


def test_names_are_listed_and_no_values() -> None:
    names = list_names(load("generic", "call_ended"))
    assert names[:4] == ("event", "token", "calls", "calls.0.id")
    assert {"calls.0.who.mail", "calls.0.lines", "calls.0.lines.0.speaker"} <= set(names)
    assert "PLANTED" not in repr(names)
    assert all(reading_of(name) is not None for name in names)


def reading_of(path: str) -> Any:
    value = json.loads(load("generic", "call_ended"))
    for part in path.split("."):
        value = value[int(part)] if part.isdigit() else value[part]
    return value


def test_names_that_are_data_themselves_are_not_listed() -> None:
    body = {
        "by_number": {"+12025550117": 1, "(202) 555-0117": 1},
        "by_mail": {"ada@example.com": 1},
        "by_id": {"0199aaaa-0001-7000": 1},
        "": 1,
        "x" * 100: 1,
        "plain": {"name": []},
    }
    assert list_names(json.dumps(body).encode()) == ("plain.name",)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"{" * 10_000, b'{"a":' * 500])
def test_no_names_are_listed_of_what_cannot_be_read(body: bytes) -> None:
    assert list_names(body) == ()


def test_list_of_names_is_bounded() -> None:
    wide = json.dumps({f"n{chr(97 + each % 26)}{each}": each for each in range(3000)}).encode()
    assert len(list_names(wide)) == 500
    deep = b'{"a":' * 400 + b"1" + b"}" * 400
    assert list_names(deep) == ("a.a.a.a.a.a.a.a",)


def test_sample_has_the_shape_that_was_chosen() -> None:
    options = options_of(ADAPTER)
    for secret in (SHOWN, SIGNING):
        (sample,) = ADAPTER.sample(secret, URL, SIGNED_AT, options)
        assert ADAPTER.verify(deliver(sample.body, sample.headers), (secret,), options) is secret
        (reading,) = read_all(ADAPTER, sample.body, options)
        assert isinstance(reading, Event)
        assert reading.is_end
        assert reading.facts["duration_seconds"] == 60


@pytest.mark.parametrize("fields", [None, {"call_id": "nothing.here"}])
def test_delivery_that_is_not_understood_names_its_fields(fields: dict[str, str] | None) -> None:
    reading = _read({"id": "c1", "caller": {"phone": "+12025550116"}}, fields=fields)
    assert isinstance(reading, Unreadable)
    assert reading.fields == ("id", "caller.phone")


def test_number_whose_other_end_is_withheld_is_not_taken_for_the_customers() -> None:
    fields = {"call_id": "id", "from_number": "a", "to_number": "b"}
    assert _read({"id": 1, "a": "anonymous", "b": "+12025550199"}, fields=fields).facts == {}
