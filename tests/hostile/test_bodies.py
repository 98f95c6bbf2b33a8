"""Signed bodies of the worst shapes: answered quickly, with an answer of bounded size."""

import json
import time
import zlib

import pytest
from flask.testing import FlaskClient

from tests.api.asking import Asker, call_ended, post_webhook, read

MIB = 1024 * 1024
# Of this process, on a slow and busy machine.
MOST_SECONDS = 5.0


def of_full_size(start: str, unit: str, end: str) -> bytes:
    """A body of nearly 1 MiB that repeats one unit."""
    room = MIB - len(start.encode()) - len(end.encode())
    return (start + unit * (room // len(unit.encode())) + end).encode()


def data_start(field: str) -> str:
    return json.dumps(call_ended()).removesuffix("}}") + f', "{field}": '


def test_body_with_a_hundred_thousand_names_and_one_twice_is_answered_at_once(
    client: FlaskClient,
) -> None:
    names = ",".join(f'"{number:x}":0' for number in range(90_000))
    started = time.process_time()
    answer = post_webhook(client, f'{{{names},"type":"a","type":"b"}}'.encode())
    # Comparing every name with every other takes minutes.
    assert time.process_time() - started < MOST_SECONDS
    assert read(answer)["error"]["fields"][0]["field"] == "type"


def test_long_list_of_things_that_are_no_turns_is_left_out_at_once(client: FlaskClient) -> None:
    body = of_full_size(data_start("transcript") + '[{"role":"a","text":"b"}, 0', ",0", "]}}")
    started = time.process_time()
    answer = post_webhook(client, body)
    assert time.process_time() - started < MOST_SECONDS
    (warning,) = read(answer)["warnings"]
    assert warning["field"] == "transcript"


@pytest.mark.parametrize(
    ("start", "unit", "end"),
    [
        ("", "[", ""),
        ("", '{"a":', ""),
        ("", "[", "]"),
        (data_start("summary") + '"', "\\ud83d", '"}}'),
        (data_start("structured_data"), '{"a":', ""),
        (data_start("structured_data") + '{"a":', "[", ""),
        (data_start("structured_data") + '{"a":[0', ",1e999", "]}}}"),
        (data_start("structured_data") + '{"a":[0', "," + "9" * 4000, "]}}}"),
        (data_start("structured_data") + '{"a":[0', ',{"b":[]}', "]}}}"),
        (data_start("duration_seconds"), "9", "}}"),
        (data_start("phone_number") + '"', "1 ", '"}}'),
        (data_start("phone_number") + '"', "\ufdfa", '"}}'),
        (data_start("recording_url") + '"https://', "a.", '"}}'),
        (data_start("transcript") + "[", '{"role":"","text":""},', '{"role":"","text":""}]}}'),
        (data_start("unknown") + "[0", ",[]", "]}}"),
        (data_start("unknown") + "[" * 5000, "[]", "]" * 5000 + "}}"),
        (data_start("unknown") + "[" * 5000 + '"', '\\"', ""),
        (data_start("structured_data") + "[0", ',{"name":"a"}', "]}}"),
        (data_start("structured_data") + '{"a":[0', ",1e308", "]}}}"),
        (data_start("structured_data") + '"', "[", '"}}'),
        (data_start("transcript") + "[0", ',"a: b"', "]}}"),
        (data_start("transcript") + '"', "a: b\\n", '"}}'),
        (data_start("transcript") + '"', "a: ", '"}}'),
        (data_start("transcript") + "[0", ',{"text":[]}', "]}}"),
        (data_start("summary") + "[0", ",0", "]}}"),
        (data_start("summary") + '"a"', ',"summary":"a"', "}}"),
        (data_start("phone_number") + "[0", ",0", "]}}"),
        (data_start("recording_url") + '"https://a.example/', "\u00fc", '"}}'),
        (data_start("started_at") + '"', " ", '2026-11-28"}}'),
        (data_start("duration_seconds") + '"', "1:", '"}}'),
    ],
    ids=range(30),
)
def test_full_sized_body_of_one_shape_is_answered_quickly(
    client: FlaskClient, start: str, unit: str, end: str
) -> None:
    body = of_full_size(start, unit, end)
    started = time.process_time()
    answer = post_webhook(client, body)
    assert time.process_time() - started < MOST_SECONDS
    assert answer.status_code in {202, 400}
    assert len(answer.data) < 20_000


CHANGE = '{"default_region": "GB", "other": "text"}'


@pytest.mark.parametrize(
    "body",
    [
        CHANGE.encode("utf-16"),
        CHANGE.encode("utf-16-le"),
        CHANGE.encode("utf-32-le"),
        b"\xef\xbb\xbf" + CHANGE.encode(),
        CHANGE.encode().replace(b"text", b"\xed\xa0\x80"),
        CHANGE.encode().replace(b"text", b"\xc0\xaf"),
        CHANGE.encode().replace(b"text", b"\xff"),
        zlib.compress(CHANGE.encode()),
    ],
    ids=["utf-16", "utf-16-le", "utf-32", "bom", "surrogate", "overlong", "latin-1", "zlib"],
)
def test_settings_in_a_wrong_encoding_change_nothing(asker: Asker, body: bytes) -> None:
    before = asker.get("settings")
    answer = asker.ask("PATCH", "settings", data=body)
    assert (answer.status_code, read(answer)["error"]["code"]) == (400, "invalid_request")
    assert asker.get("settings") == before


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip", "GZIP", "x"])
def test_compressed_body_is_refused_however_it_is_announced(asker: Asker, encoding: str) -> None:
    answer = asker.client.patch(
        "/api/hubspot/settings",
        data=b"{}",
        headers={**asker.headers, "Content-Encoding": encoding},
    )
    assert answer.status_code == 415
