import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources import reading
from sources.adapter import Unreadable

AT = datetime(2025, 11, 28, 3, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}),
        (b' {"a": "\\u00e9"} \n', {"a": "é"}),
    ],
)
def test_object_is_parsed(body: bytes, value: Any) -> None:
    assert reading.parse_object(body) == value


def test_numbers_that_are_none_are_parsed_and_not_taken() -> None:
    body = reading.parse_object(
        b'{"a": NaN, "b": -Infinity, "c": 1' + b"0" * 9000 + b', "d": 1e999}'
    )
    assert isinstance(body, dict)
    assert [reading.read_number(each) for each in body.values()] == [None] * 4
    assert [reading.read_text(each) for each in body.values()] == [None] * 4
    assert [reading.read_time(each) for each in body.values()] == [None] * 4
    assert reading.clean(body) == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"[1]", "not an object"),
        (b'{"a": "\xff"}', "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "deeply"),
        (b'{"a": secret-of-ours}', "not JSON"),
        (b'{"a":[' + b"{}," * 300_000 + b"{}]}", "more values"),
        (b'{"a":[' + b"0," * 1_100_000 + b"0]}", "more values"),
    ],
)
def test_body_that_is_no_object_says_why_and_quotes_nothing(body: bytes, said: str) -> None:
    found = reading.parse_object(body)
    assert isinstance(found, Unreadable)
    assert said in found.message
    assert "secret" not in found.message


def test_call_of_many_hours_with_a_time_for_each_word_is_parsed() -> None:
    words = [{"word": "hello,", "start": 1.25, "end": 1.75}] * 170_000
    body = json.dumps({"words": words}).encode()
    assert len(body) > 7 * 1024 * 1024
    assert isinstance(reading.parse_object(body), dict)


VALUE: Any = {"a": {"b": {"c": 1}, "x.y": {"z": 2}, "": 3}, "l": [{"n": 4}, [5]], "1": 6, "n": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b.c", 1),
        ("a.b", {"c": 1}),
        ("a.x.y.z", 2),
        ("l.0.n", 4),
        ("l.1.0", 5),
        ("1", 6),
        ("n", None),
        ("a.", 3),
        ("n.a", None),
        ("l.2", None),
        ("l.-1", None),
        ("l.n", None),
        ("l.²", None),
        ("a.b.c.d", None),
        ("", None),
        (".", None),
        ("a" * 1000, None),
    ],
)
def test_path_finds_what_stands_there(path: str, found: Any) -> None:
    assert reading.dig(VALUE, path) == found


@given(st.text(alphabet="a.0l", max_size=12))
def test_any_path_is_followed(path: str) -> None:
    reading.dig({"a": {"a": [0, {"l": 0}], "a.a": {"": 0}}}, path)


def test_first_that_is_not_empty_counts() -> None:
    value: Any = {"a": None, "b": "", "c": "  ", "d": [], "e": {}, "f": "x", "g": "y"}
    assert reading.find_text(value, *"abcdefg") == "x"
    assert reading.find_object({"a": [], "b": {}, "c": {"d": 1}}, "a", "b", "c") == {"d": 1}
    assert reading.find_list({"a": {}, "b": [], "c": [0]}, "a", "b", "c") == [0]
    assert reading.find_number({"a": "x", "b": "0"}, "a", "b") == 0
    assert reading.find_time({"a": 0, "b": 1764300000}, "a", "b") == AT


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a ", "a"),
        ("a\0b", "ab"),
        ("a\ud83d", "a"),
        ("\ud83d", None),
        ("é", "é"),
        (3, "3"),
        (3.0, "3"),
        (3980000001.0, "3980000001"),
        (3.5, "3.5"),
        (True, None),
        ([], None),
        (math.inf, None),
    ],
)
def test_text_is_read(value: Any, text: str | None) -> None:
    assert reading.read_text(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1),
        ("45.5", 45.5),
        (" 7 ", 7),
        ("-3", -3),
        ("1e3", None),
        ("1,5", None),
        ("٣", None),
        ("1" * 400, None),
        (10**400, None),
        (math.nan, None),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_number_is_read(value: Any, number: float | None) -> None:
    assert reading.read_number(value) == number


@pytest.mark.parametrize(
    "value",
    [
        1764300000,
        1764300000.0,
        "1764300000",
        1764300000000,
        "1764300000000",
        1764300000000000,
        "2025-11-28T03:20:00Z",
        "2025-11-28t03:20:00z",
        "2025-11-28T03:20:00.000000+00:00",
        "2025-11-28 03:20:00.000000Z",
        "2025-11-28 03:20:00",
        "2025-11-27T22:20:00-05:00",
        "2025-11-28T03:20:00.0000000Z",
        "Fri, 28 Nov 2025 03:20:00 +0000",
        "Fri, 28 Nov 2025 04:20:00 +0100",
        "Fri, 28 Nov 2025 03:20:00 GMT",
        " 2025-11-28T03:20:00Z ",
    ],
)
def test_time_is_read_in_each_unit_and_spelling(value: Any) -> None:
    assert reading.read_time(value) == AT
    assert reading.read_time(value).tzinfo is UTC  # type: ignore[union-attr]


def test_part_of_a_second_is_kept() -> None:
    wanted = AT.replace(microsecond=123_000)
    assert reading.read_time(1764300000123) == wanted
    assert reading.read_time("2025-11-28T03:20:00.123Z") == wanted


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", 0, -1, 1, 12, True, [], {}, "now", "2025-11-28", "20251128", "12:00", 10**30),
        *("1970-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"),
        *("Fri, 99 Nov 2025 03:20:00 +0000", "2025-13-28T03:20:00Z", "2025-11-28T03:20:00Z" * 9),
    ],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert reading.read_time(value) is None


@given(st.text(max_size=64) | st.from_regex(r"[A-Za-z]{3}, [\d :+-]{0,40}", fullmatch=True))
def test_any_text_is_a_time_or_none(text: str) -> None:
    time = reading.read_time(text)
    assert time is None or time.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("+12025550101", "+12025550101"),
        ("+1 202-555-0108", "+1 202-555-0108"),
        ("(202) 555-0108 ext. 5", "(202) 555-0108 ext. 5"),
        (12025550101, "12025550101"),
        ("sip:+12025550101@trunk.example", "+12025550101"),
        ("sips:12025550101@trunk.example;user=phone", "12025550101"),
        ("sip:ada@trunk.example", None),
        ("sip:trunk.example", None),
        ("anonymous", None),
        ("Anonymous", None),
        ("Restricted", None),
        ("Unknown", None),
        ("private", None),
        ("blocked", None),
        ("unavailable", None),
        ("+266696687", None),
        ("266696687", None),
        ("+86282452253", None),
        ("+2562533", None),
        ("+8656696", None),
        ("+7378742833", None),
        ("7378742833", "7378742833"),
        ("my-trunk-2", None),
        ("client:ada", None),
        ("0000", None),
        ("+", None),
        ("-", None),
        ("", None),
        (None, None),
        (True, None),
        (["+12025550101"], None),
        ("9" * 5000, None),
    ],
)
def test_phone_is_a_number_or_nothing(value: Any, number: str | None) -> None:
    assert reading.read_phone(value) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12025550101", "+12025550101"),
        (12025550101, "+12025550101"),
        ("+12025550101", "+12025550101"),
        ("02025550101", "02025550101"),
        ("1202555", "1202555"),
        ("1 202 555 0101", "1 202 555 0101"),
    ],
)
def test_plus_is_put_before_a_number_that_lacks_it(value: Any, number: str) -> None:
    assert reading.read_phone(value, plus=True) == number


@pytest.mark.parametrize(
    ("value", "is_link"),
    [
        ("https://rec.example.net/a.mp3", True),
        ("HTTPS://rec.example.net/a.mp3?sig=x#t", True),
        ("http://rec.example.net/a.mp3", False),
        ("ftp://rec.example.net/a.mp3", False),
        ("javascript:alert(1)", False),
        ("https://", False),
        ("https:///a.mp3", False),
        ("https://user:password@rec.example.net/a.mp3", False),
        ("https://rec.example.net/a b", False),
        ("https://rec.example.net/a\nb", False),
        ("https://[rec/a", False),
        ("https://rec.example.net/" + "a" * 9000, False),
        (7, False),
        (None, False),
    ],
)
def test_link_is_https_and_holds_no_password(value: Any, is_link: bool) -> None:
    assert reading.read_link(value) == (value if is_link else None)


@pytest.mark.parametrize(
    ("value", "direction"),
    [
        ("inbound", "inbound"),
        ("Incoming", "inbound"),
        ("inboundPhoneCall", "inbound"),
        ("outbound-api", "outbound"),
        ("Outgoing", "outbound"),
        ("webCall", None),
        ("in", None),
        (None, None),
        (7, None),
    ],
)
def test_direction_is_read(value: Any, direction: str | None) -> None:
    assert reading.read_direction(value) == direction


@pytest.mark.parametrize("value", [None, "", 7, "two words", "<b>", "x" * 65, "é", "a\n", ["a"]])
def test_name_that_is_no_word_is_unknown(value: Any) -> None:
    assert reading.read_name(value) == "unknown"
    assert reading.read_name("call.ended") == "call.ended"


def test_turns_of_others_are_left_out() -> None:
    items = [
        {"role": "BOT", "text": "Hello."},
        {"role": "system", "text": "You are Max."},
        {"role": "user", "text": None, "message": "Hi."},
        {"role": "user", "text": "  "},
        {"role": ["user"], "text": "no"},
        "user",
        None,
    ]
    turns = reading.read_turns(
        items, "role", ("text", "message"), {"bot": "assistant", "user": "user"}
    )
    assert turns == [{"role": "assistant", "text": "Hello."}, {"role": "user", "text": "Hi."}]


def test_lines_go_on_until_another_speaks() -> None:
    text = "\n\nbefore: it\nAI: Hello,\nnote: this is one turn\nUSER:  Hi: there \n AI :\n"
    turns = reading.read_lines(text, {"ai": "assistant", "user": "user"})
    assert turns == [
        {"role": "unknown", "text": "before: it"},
        {"role": "assistant", "text": "Hello,\nnote: this is one turn"},
        {"role": "user", "text": "Hi: there"},
    ]
    assert reading.read_lines(None, {}) == []


@pytest.mark.parametrize(
    "name",
    [
        *(
            "secret",
            "secret__key",
            "clientSecret",
            "access_token",
            "accessToken",
            "Token",
            "password",
        ),
        *("passwd", "apiKey", "api_key", "API-KEY", "X-Api-Key", "authorization", "Authorisation"),
        *("privateKey", "credentials", "bearer", "jwt", "authToken", "twilioAuthToken"),
    ],
)
def test_credential_is_known_by_its_name(name: str) -> None:
    assert reading.is_credential(name)
    assert reading.clean({"a": [{name: "x"}], "b": {name: {"c": 1}}, name: 1}) == {}


@pytest.mark.parametrize(
    "name", ["secretary", "key", "keyword", "intent", "monkey", "author", "pass"]
)
def test_ordinary_name_is_no_credential(name: str) -> None:
    assert not reading.is_credential(name)


def test_structured_data_is_cleaned() -> None:
    value = {"a": None, "b": math.inf, "c": "x\0", "d": False, "e": 0, "f": [None, "", 1], "": 1}
    assert reading.clean(value) == {"c": "x", "d": False, "e": 0, "f": [1]}
    deep: Any = "x"
    for _ in range(500):
        deep = {"a": deep}
    assert reading.clean(deep) == {}
    assert reading.clean([[[]]]) == []


def test_tenant_comes_out_of_one_object() -> None:
    one, other = {"user_id": "u1"}, {"workspace_id": "w2", "userId": "u2"}
    assert reading.find_tenant(one, None, "x", other) == ("u2", "w2")
    assert reading.find_tenant(one) == (None, None)


def test_duration_of_times_in_the_wrong_order_is_unknown() -> None:
    later = AT.replace(minute=21)
    assert reading.seconds_between(AT, later) == 60
    assert reading.seconds_between(later, AT) is None
    assert reading.seconds_between(None, AT) is None


@pytest.mark.parametrize("value", ["x" * 256, "é" * 128, "a\nb", "", None, True, [], {"id": 1}])
def test_what_cannot_be_an_id_is_none(value: Any) -> None:
    assert reading.read_id(value) is None
    assert reading.find_id({"a": value, "b": 700001}, "a", "b") == "700001"
