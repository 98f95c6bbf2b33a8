"""Optional fields of another kind: they cost no call, and what is lost of them is named."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from api.http.webhook_json import parse_event
from api.intake.call_ended import parse_data
from shared.calls.intake import NewCall
from shared.database.engines import Database
from shared.models import Call
from tests.api.asking import Asker, call_ended, post_webhook, read

IDS = {"call_id": "c", "user_id": "u", "workspace_id": "w"}
FOUR = "2026-11-28T04:00:00+00:00"
SECONDS = int(datetime.fromisoformat(FOUR).timestamp())
LEFT_OUT = None
HELLO = [{"role": "Agent", "text": "Hello"}, {"role": "User", "text": "Hi"}]

# What is given, what is kept of it, and whether something was left out, cut or guessed.
TIMES: list[tuple[Any, str | None, bool]] = [
    ("", LEFT_OUT, False),
    ("  ", LEFT_OUT, False),
    (None, LEFT_OUT, False),
    ("2026-11-28T04:00:00+0000", FOUR, False),
    ("2026-11-28T04:00:00+00", FOUR, False),
    ("2026-11-28 05:00:00 +01:00", FOUR, False),
    ("2026-11-28 04:00:00 UTC", FOUR, False),
    ("2026-11-28T04:00Z", FOUR, False),
    ("20261128T040000Z", FOUR, False),
    ("2026-11-28T05:00:00+01:00[Europe/Berlin]", FOUR, False),
    ("2026-11-28T04:00:00", FOUR, True),
    ("2026/11/28 04:00:00", FOUR, True),
    ("2026-11-28", "2026-11-28T00:00:00+00:00", True),
    (SECONDS, FOUR, False),
    (str(SECONDS), FOUR, False),
    (float(SECONDS), FOUR, False),
    (SECONDS * 1000, FOUR, False),
    (str(SECONDS * 1000), FOUR, False),
    (SECONDS * 10**6, FOUR, False),
    (SECONDS * 10**9, FOUR, False),
    ([SECONDS], FOUR, False),
    ("Sat, 28 Nov 2026 04:00:00 +0000", FOUR, False),
    ("Sat, 28 Nov 2026 04:00:00 GMT", FOUR, False),
    ("Sat, 28 Nov 2026 04:00:00 -0000", FOUR, False),
    ("27 Nov 2026 23:00 EST", FOUR, False),
    ("Sat Nov 28 2026 05:00:00 GMT+0100 (Central European Standard Time)", FOUR, False),
    ("yesterday", LEFT_OUT, True),
    ("11/12/2026 04:00", LEFT_OUT, True),
    ("2026-02-30T10:00:00Z", LEFT_OUT, True),
    ("0001-01-01T00:00:00+14:00", LEFT_OUT, True),
    (42, LEFT_OUT, True),
    (True, LEFT_OUT, True),
    ({"at": 1}, LEFT_OUT, True),
    ([SECONDS, SECONDS], LEFT_OUT, True),
    (10**400, LEFT_OUT, True),
]
DURATIONS: list[tuple[Any, float | None, bool]] = [
    ("67", 67.0, False),
    (" 67.5 ", 67.5, False),
    ("67,5", 67.5, False),
    ("00:01:07", 67.0, False),
    ("1m 7s", 67.0, False),
    ("67 seconds", 67.0, False),
    ("PT1M7S", 67.0, False),
    ("1:07", 67.0, True),
    ("", LEFT_OUT, False),
    ([], LEFT_OUT, False),
    (-1, LEFT_OUT, True),
    ("-1", LEFT_OUT, True),
    ("1,234", LEFT_OUT, True),
    (31_536_001, LEFT_OUT, True),
    (10**400, LEFT_OUT, True),
    (True, LEFT_OUT, True),
    ({"s": 1}, LEFT_OUT, True),
    ("long", LEFT_OUT, True),
]
TEXTS: list[tuple[str, Any, str | None, bool]] = [
    ("summary", ["One", "Two"], "One\nTwo", False),
    ("summary", 42, "42", False),
    ("summary", {"text": "Said", "model": "m"}, "Said", True),
    ("summary", {"a": 1}, LEFT_OUT, True),
    ("summary", [], LEFT_OUT, False),
    ("summary", [[None]], LEFT_OUT, False),
    ("summary", ["One", [[""], {}]], "One", False),
    ("summary", [[]], LEFT_OUT, False),
    ("summary", [[None], "One", [["Two"], [[""]]]], "One\nTwo", False),
    ("recording_url", [[[]], ["https://e.com/1"]], "https://e.com/1", False),
    ("started_at", [None, [" "]], LEFT_OUT, False),
    ("phone_number", [[[]], ["+12025550123"]], "+12025550123", False),
    ("summary", False, LEFT_OUT, True),
    ("outcome", True, "yes", True),
    ("outcome", [[None]], LEFT_OUT, False),
    ("summary", ["One", [None, ""], [[]]], "One", False),
    ("outcome", {"value": "won"}, "won", True),
    ("outcome", ["won", "again"], "won, again", False),
    ("outcome", "x" * 5000, "x" * 1000, True),
    ("agent_name", {"name": "Ada", "id": 7}, "Ada", True),
    ("agent_name", 7, "7", False),
    ("direction", ["inbound"], "inbound", False),
    ("direction", ["inbound", "outbound"], LEFT_OUT, True),
    ("direction", [None, ""], LEFT_OUT, False),
    ("agent_name", [None, {}], LEFT_OUT, False),
    ("agent_name", ["Ada", [None]], "Ada", False),
    ("outcome", [[], [[]]], LEFT_OUT, False),
    ("phone_number", [None, ""], LEFT_OUT, False),
    ("phone_number", ["+12025550123", [[""]]], "+12025550123", False),
    ("recording_url", [None], LEFT_OUT, False),
    ("recording_url", {"url": "https://h.example/a"}, "https://h.example/a", True),
    ("recording_url", ["https://h.example/a"], "https://h.example/a", False),
    ("recording_url", ["https://h.example/a", "https://h.example/b"], "https://h.example/a", True),
    ("recording_url", "https://h.example/a b", "https://h.example/a b", False),
    ("recording_url", "http://h.example/a", "http://h.example/a", True),
    ("recording_url", "ftp://h.example/a", "ftp://h.example/a", True),
    ("recording_url", "https://u:p@h.example/a", "https://u:p@h.example/a", True),
    ("recording_url", "a.wav", "a.wav", True),
    ("phone_number", 2025550123, "2025550123", False),
    ("phone_number", 2025550123.0, "2025550123", False),
    ("phone_number", 2.0255501234567e17, LEFT_OUT, True),
    ("phone_number", ["+12025550123"], "+12025550123", False),
    ("phone_number", ["+12025550123", "+12025550123"], "+12025550123", False),
    ("phone_number", ["+12025550123", "+12025550124"], LEFT_OUT, True),
    ("from_number", {"number": "+12025550123"}, "+12025550123", True),
    ("to_number", {}, LEFT_OUT, False),
    ("to_number", True, LEFT_OUT, True),
]
TRANSCRIPTS: list[tuple[Any, list[dict[str, str]] | None, bool]] = [
    ({}, LEFT_OUT, False),
    ("", LEFT_OUT, False),
    ([None, "", {}], LEFT_OUT, False),
    ("Agent: Hello\nUser: Hi", HELLO, False),
    ("[00:01] Agent: Hello\n[00:04] User: Hi", HELLO, False),
    ("Hello and Hi", [{"role": "", "text": "Hello and Hi"}], False),
    ("Agent: Hello\nagain", [{"role": "Agent", "text": "Hello\nagain"}], False),
    (["Agent: Hello", "User: Hi"], HELLO, False),
    ([["Agent", "Hello"], ["User", "Hi"]], HELLO, False),
    (json.dumps(HELLO), HELLO, False),
    ({"messages": HELLO}, HELLO, False),
    ({"transcript": "Agent: Hello\nUser: Hi"}, HELLO, False),
    ([{"speaker": "Agent", "content": "Hello"}, {"name": "User", "message": "Hi"}], HELLO, False),
    ([{"speaker": {"name": "Agent"}, "text": [{"text": "Hello"}]}], HELLO[:1], False),
    ([{"speaker": 0, "text": "Hello"}], [{"role": "speaker 0", "text": "Hello"}], False),
    ([*HELLO, {"role": "tool", "result": 1}], HELLO, True),
    ([*HELLO, 5], HELLO, True),
    ([5, [1]], LEFT_OUT, True),
    ({"a": 1}, LEFT_OUT, True),
    (5, LEFT_OUT, True),
    (True, LEFT_OUT, True),
]
DATA: list[tuple[Any, dict[str, Any] | None, bool]] = [
    ([], LEFT_OUT, False),
    ("", LEFT_OUT, False),
    ('{"intent": "demo"}', {"intent": "demo"}, False),
    ("wants a demo", {"text": "wants a demo"}, False),
    (["a", "b"], {"items": ["a", "b"]}, False),
    ([{"name": "intent", "value": "demo"}], {"intent": "demo"}, False),
    ({"n": 10**300}, {"n": str(10**300)}, False),
    (5, LEFT_OUT, True),
    (True, LEFT_OUT, True),
]
CASES: list[tuple[str, Any, Any, bool]] = [
    *(("started_at", *each) for each in TIMES),
    *(("ended_at", *each) for each in TIMES[:4]),
    *(("duration_seconds", *each) for each in DURATIONS),
    *TEXTS,
    *(("transcript", *each) for each in TRANSCRIPTS),
    *(("structured_data", *each) for each in DATA),
]


@pytest.mark.parametrize(("field", "given", "kept", "is_warned"), CASES, ids=str)
def test_field_of_another_kind_is_read_or_left_out_and_named(
    field: str, given: Any, kept: Any, *, is_warned: bool
) -> None:
    call = parse_data({**IDS, "summary": "Kept", field: given})
    assert contents_of(call).get(field) == kept
    assert field == "summary" or contents_of(call)["summary"] == "Kept"
    assert [each.field for each in call.warnings] == [field] * is_warned


@pytest.mark.parametrize(
    ("field", "given"), [(field, given) for field, given, _, warned in CASES if warned], ids=str
)
def test_no_warning_quotes_what_it_is_about(field: str, given: Any) -> None:
    words = "" if isinstance(given, bool) else json.dumps(given).strip('"[]{} ')
    for warning in parse_data({**IDS, field: given}).warnings:
        assert len(words) < 5 or words not in warning.message
        assert len(warning.message) < 200


def contents_of(call: NewCall) -> dict[str, Any]:
    """What is kept of a call."""
    contents: dict[str, Any] = json.loads(call.document)
    return contents


def test_all_fields_may_be_wrong_at_once(asker: Asker, database: Database) -> None:
    fields = [*{field for field, *_ in CASES}]
    answer = post_webhook(asker.client, call_ended(**asker.tenant, **dict.fromkeys(fields, True)))
    assert answer.status_code == 202
    told = read(answer)
    assert {each["field"] for each in told["warnings"]} == {*fields}
    with database.begin() as session:
        assert session.get_one(Call, told["id"]).payload.keys() == {"call_id", "outcome"}


def test_number_that_was_sent_as_a_number_is_the_customers(asker: Asker) -> None:
    log_id = asker.send_call(direction="inbound", from_number=12025550123)
    assert asker.get(f"sync-logs/{log_id}")["log"]["phone_number"].endswith("12025550123")


@pytest.mark.parametrize("timestamp", ["soon", "", 5, [], {}, None, True])
def test_time_of_sending_that_is_wrong_refuses_nothing(asker: Asker, timestamp: object) -> None:
    event = call_ended(**asker.tenant, summary="Kept") | {"timestamp": timestamp}
    assert read(post_webhook(asker.client, event))["success"] is True


@pytest.mark.parametrize(
    ("text", "kept", "warned"),
    [
        ('"duration_seconds": NaN', {}, ["duration_seconds"]),
        ('"duration_seconds": -Infinity', {}, ["duration_seconds"]),
        ('"started_at": 1e999', {}, ["started_at"]),
        (f'"phone_number": {"9" * 5000}', {}, ["phone_number"]),
        ('"structured_data": {"a": NaN, "b": 1}', {"structured_data": {"a": None, "b": 1}}, None),
        (
            f'"structured_data": {{"a": {"9" * 5000}, "b": 1}}',
            {"structured_data": {"a": None, "b": 1}},
            None,
        ),
        ('"summary": "a", "summary": "b"', {"summary": "b"}, ["summary"]),
        ('"summary": "a", "summary": "a"', {"summary": "a"}, []),
        ('"summary": "a", "summary": null', {"summary": "a"}, []),
        ('"phone_number": "+12025550123", "phone_number": "+12025550124"', {}, ["phone_number"]),
        ('"structured_data": {"a": 1, "a": 2}', {"structured_data": {"a": [1, 2]}}, []),
        ('"unknown": {"a": NaN, "a": ' + "9" * 5000 + "}", {}, []),
    ],
    ids=range(12),
)
def test_json_that_only_an_optional_field_makes_doubtful_refuses_nothing(
    text: str, kept: dict[str, Any], warned: list[str] | None
) -> None:
    body = json.dumps(IDS).removesuffix("}") + f", {text}}}"
    call = parse_data(parse_event(body.encode()))
    assert {name: each for name, each in contents_of(call).items() if name != "call_id"} == kept
    named = [each.field for each in call.warnings]
    assert named == (["structured_data"] if warned is None else warned)


@pytest.mark.parametrize("levels", [21, 101, 1000, 50_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_of_any_depth_costs_only_what_is_too_deep(
    levels: int, opening: str, closing: str
) -> None:
    deep = opening * levels + "1" + closing * levels
    body = json.dumps(IDS).removesuffix("}") + (
        f', "structured_data": {{"deep": {deep}, "flat": "]}}"}}, "summary": "[{{"}}'
    )
    call = parse_data(parse_event(body.encode()))
    assert contents_of(call)["structured_data"]["flat"] == "]}"
    assert contents_of(call)["summary"] == "[{"
    assert [each.field for each in call.warnings] == ["structured_data"]


@pytest.mark.parametrize(
    "field", ["summary", "phone_number", "recording_url", "outcome", "started_at", "transcript"]
)
@pytest.mark.parametrize("inside", ["", '"x"'])
def test_lists_in_lists_of_any_depth_refuse_nothing(asker: Asker, field: str, inside: str) -> None:
    deep = "[" * 3_000 + inside + "]" * 3_000
    body = json.dumps(call_ended(**asker.tenant))[:-2] + f', "{field}": {deep}}}}}'

    assert post_webhook(asker.client, body.encode()).status_code == 202


def test_time_of_another_zone_is_kept_in_utc() -> None:
    berlin = datetime.fromtimestamp(SECONDS, timezone(timedelta(hours=1)))
    call = parse_data({**IDS, "ended_at": berlin.isoformat(), "duration_seconds": "1"})
    assert contents_of(call)["ended_at"] == datetime.fromtimestamp(SECONDS, UTC).isoformat()
