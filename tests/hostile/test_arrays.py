"""Signed arrays of the worst shapes: answered quickly, and nobody's call suffers for another's."""

import json
import time

import pytest
from flask.testing import FlaskClient

from api.intake.call_ended import EndedCall
from api.intake.json_arrays import split_array
from tests.api.asking import Asker, call_ended, post_webhook, read
from tests.hostile.test_bodies import MOST_SECONDS

MIB = 1024 * 1024


def array_of(*elements: bytes) -> bytes:
    return b"[" + b",".join(elements) + b"]"


@pytest.mark.parametrize(
    "bad",
    [
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 400_000 + b"]" * 400_000,
        b'{"type":"call.ended","data":{"call_id":"\\ud800","user_id":"u","workspace_id":"\\u0000"}}',
        b'{"call_id":"' + b"x" * 100_000 + b'"}',
        b'{"type":"call.ended","data":{"summary":"' + b"y" * MIB + b'"}}',
        b'{"type":"call.ended","type":"call.ended"}',
        b'{"data":[{"call_id":"a"}],"type":"call.ended"}',
        b'{"type":[],"data":{}}',
        b"-" + b"9" * 500_000,
        b"NaN",
        b"null",
    ],
    ids=range(11),
)
def test_bad_call_leaves_its_neighbours_alone(asker: Asker, bad: bytes) -> None:
    good = [json.dumps(call_ended(**asker.tenant, call_id=name)).encode() for name in ("a", "z")]
    started = time.process_time()
    answer = post_webhook(asker.client, array_of(good[0], bad, good[1]))
    assert time.process_time() - started < MOST_SECONDS
    assert answer.status_code == 202
    first, refused, last = read(answer)["results"]
    assert (first["call_id"], last["call_id"]) == ("a", "z")
    assert refused["error"]["code"] in {"invalid_request", "payload_too_large"}
    assert len(answer.data) < 20_000


@pytest.mark.parametrize(
    ("start", "unit", "end"),
    [
        ("[", "[", ""),
        ("[", '{"a":', ""),
        ("[[", "[],", "0]]"),
        ("[", "0,", "0]"),
        ("[", ",", "]"),
        ('["', "\\ud83d", '"]'),
        ('["', "x", ""),
        ('["', '"', '"]'),
        ('[[""', ',""', "]]"),
        ("[", " ", ""),
        ("[", "9", "]"),
        (" ", "\n", "[]"),
    ],
    ids=range(12),
)
def test_array_of_full_size_and_one_shape_is_answered_quickly(
    client: FlaskClient, start: str, unit: str, end: str
) -> None:
    room = 16 * MIB - len(start) - len(end)
    body = (start + unit * (room // len(unit)) + end).encode()
    started = time.process_time()
    answer = post_webhook(client, body)
    assert time.process_time() - started < MOST_SECONDS
    assert answer.status_code in {400, 413}
    assert len(answer.data) < 20_000


def test_thousand_calls_that_are_all_wrong_in_all_are_answered_quickly(client: FlaskClient) -> None:
    wrong = json.dumps({**{name: [] for name in EndedCall.model_fields}, "transcript": [0] * 1000})
    started = time.process_time()
    answer = post_webhook(client, array_of(*[wrong.encode()] * 1000))
    assert time.process_time() - started < MOST_SECONDS
    assert answer.status_code == 400
    assert len(answer.data) < 2 * MIB


def test_thousand_calls_with_a_slip_in_every_field_are_stored_and_answered_quickly(
    asker: Asker,
) -> None:
    slips = dict.fromkeys(EndedCall.model_fields, 10**30) | {"transcript": [0] * 1000}
    calls = [
        json.dumps(slips | asker.tenant | {"call_id": f"c{number}"}).encode()
        for number in range(1000)
    ]
    started = time.process_time()
    answer = post_webhook(asker.client, array_of(*calls))
    assert time.process_time() - started < MOST_SECONDS
    told = read(answer)
    assert (answer.status_code, told["accepted"]) == (202, 1000)
    assert all(1 <= len(result["warnings"]) <= 20 for result in told["results"])
    assert len(answer.data) < 2 * MIB


@pytest.mark.parametrize("text", ['"', '\\"', '\\\\"],[', "\\\\\\", "]}", "\\u0022,{", ","])
def test_whatever_a_text_holds_the_calls_are_those_that_json_reads(text: str) -> None:
    values = [{"a": text, text: [text, {}]}, text, [[text], []]]
    for written in (json.dumps(values), json.dumps(values, indent=1)):
        elements = split_array(written.encode(), most=3)
        assert [json.loads(each) for each in elements] == values
