"""The API behind its real server, asked by somebody who writes HTTP by hand."""

import json
import re
from contextlib import ExitStack
from math import inf
from types import SimpleNamespace

import pytest
import requests
from flask import Flask

from api.http.errors import USUAL_BYTES
from api.http.slow_peers import AT_ONCE, SENDERS_PATIENCE_S, discard_bodies
from tests.api.asking import (
    DASHBOARD_URL,
    PUBLIC_URL,
    call_ended,
    make_token,
    signed_headers,
)
from tests.api.test_server import connect
from tests.hostile.wire import Conversation, open_and_stall, request, talk

WEBHOOK = "POST /api/webhooks/call-ended HTTP/1.1"
HEALTH = "GET /healthz HTTP/1.1"
CLOSE = "Connection: close"
NEXT = request(HEALTH, "Host: x", CLOSE)

BODY = json.dumps(call_ended()).encode()
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


def post(*headers: str, body: bytes = BODY) -> bytes:
    """A webhook that is signed now; minutes later it would be refused."""
    return request(WEBHOOK, "Host: x", *headers, signed=signed_headers(BODY), body=body)


def authorization() -> str:
    """A header with a token that is valid for some minutes."""
    return f"Authorization: Bearer {make_token()}"


@pytest.mark.parametrize(
    "headers",
    [
        (LENGTH, "Content-Length: 5"),
        ("Content-Length: 5", LENGTH),
        (LENGTH, "Transfer-Encoding: xchunked"),
        (LENGTH, "Transfer-Encoding: identity"),
        (LENGTH, "Transfer-Encoding : chunked"),
        (LENGTH, "Transfer-Encoding:\x0bchunked"),
        (LENGTH, "X: a\r\n folded"),
        (LENGTH, "X: a\rTransfer-Encoding: chunked"),
        (LENGTH, "X: a\0b"),
        (f"Content-Length: +{len(BODY)}",),
        ("Content-Length: 0x10",),
    ],
)
def test_request_of_doubtful_length_ends_the_connection(
    server_url: str, headers: tuple[str, ...]
) -> None:
    assert talk(server_url, post(*headers) + NEXT).statuses == [400]


def test_length_beside_chunks_does_not_count(server_url: str) -> None:
    raw = post("Transfer-Encoding: chunked", "Content-Length: 4", body=CHUNKED)
    assert talk(server_url, raw + NEXT).statuses == [202]


@pytest.mark.parametrize(
    "chunks",
    [b"-5\r\nhello\r\n", b"F" * 18 + b"\r\n", b"5\nhello\n0\n\n", b"5;" + b"a" * 100_000 + b"\r\n"],
)
def test_chunks_that_are_none_end_the_connection(server_url: str, chunks: bytes) -> None:
    raw = post("Transfer-Encoding: chunked", body=chunks)
    assert talk(server_url, raw + NEXT).statuses == [401]


def test_two_forged_arrays_that_stall_leave_room_for_a_large_call(server_url: str) -> None:
    stalled = request(
        WEBHOOK, "Host: x", f"Content-Length: {16 * MIB}", signed=signed_headers(b""), body=b"["
    )
    large = json.dumps(call_ended(summary="x" * 100_000)).encode()
    length = f"Content-Length: {len(large)}"
    with open_and_stall(server_url, stalled, times=2):
        raw = request(WEBHOOK, "Host: x", length, CLOSE, signed=signed_headers(large), body=large)
        assert talk(server_url, raw).statuses == [202]


def test_body_that_nobody_reads_is_not_taken_for_a_request(server_url: str) -> None:
    inner = request("GET /metrics HTTP/1.1", "Host: x")
    outer = request("POST /nowhere HTTP/1.1", "Host: x", f"Content-Length: {len(inner)}")
    assert talk(server_url, outer + inner + NEXT).statuses == [404, 200]


MIB = 1024 * 1024
FORGED = {**signed_headers(b""), "webhook-timestamp": "1"}


@pytest.mark.parametrize("size", [1000, MIB, 16 * MIB, 17 * MIB])
@pytest.mark.parametrize(
    ("line", "signed", "status", "most"),
    [
        (WEBHOOK, {}, 401, 16 * MIB),
        (WEBHOOK, FORGED, 401, 16 * MIB),
        ("POST /nowhere HTTP/1.1", {}, 404, inf),
        ("PUT /healthz HTTP/1.1", {}, 405, inf),
        ("PATCH /api/hubspot/settings HTTP/1.1", {}, 401, USUAL_BYTES),
        (
            "PATCH /api/hubspot/settings HTTP/1.1",
            {"Content-Encoding": "gzip"},
            401,
            USUAL_BYTES,
        ),
    ],
)
def test_refused_sender_may_finish_and_sees_why_and_is_heard_again(  # noqa: PLR0917
    server_url: str, line: str, signed: dict[str, str], status: int, most: float, size: int
) -> None:
    if size > most:
        status = 413
    body = request("GET /metrics HTTP/1.1", "Host: x").ljust(size, b"x")
    refused = request(line, "Host: x", f"Content-Length: {size}", signed=signed, body=body)
    assert talk(server_url, refused + NEXT).statuses == [status, 200]


def test_refused_sender_of_chunks_may_finish(server_url: str) -> None:
    chunk = b"%x\r\n%b\r\n" % (64 * 1024, b"x" * 64 * 1024)
    raw = request(WEBHOOK, "Host: x", "Transfer-Encoding: chunked", body=chunk * 40)
    assert talk(server_url, raw + b"0\r\n\r\n" + NEXT).statuses == [401, 200]


@pytest.mark.parametrize("sent", [b"", b"x" * 1000])
@pytest.mark.parametrize("length", [1000_000, 16 * MIB])
def test_unsigned_sender_who_stalls_is_refused_without_the_rest(
    server_url: str, length: int, sent: bytes
) -> None:
    raw = request(WEBHOOK, "Host: x", f"Content-Length: {length}", body=sent)
    with ExitStack() as stack:
        senders = [stack.enter_context(connect(server_url)) for _ in range(40)]
        for sender in senders:
            sender.sendall(raw)
        assert [sender.recv(12) for sender in senders] == [b"HTTP/1.1 401"] * 40
        assert talk(server_url, post(LENGTH, CLOSE)).statuses == [202]


@pytest.fixture
def ended_at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the discarding of bodies goes by, in seconds; to be changed in place."""
    now = [0.0]
    monkeypatch.setattr("api.http.slow_peers.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_body_that_dribbles_in_is_discarded_for_a_while_only(ended_at: list[float]) -> None:
    app = Flask(__name__)
    discard_bodies(app)
    read: list[int] = []

    def dribble(size: int) -> bytes:
        read.append(size)
        ended_at[0] += 1
        return b"x"

    def refuse() -> int:
        read.clear()
        answer = app.test_client().post(
            "/",
            environ_overrides={
                "wsgi.input": SimpleNamespace(read=dribble),
                "CONTENT_LENGTH": str(16 * MIB),
                "wsgi.input_terminated": True,
            },
        )
        assert answer.status_code == 404
        answer.close()
        return len(read)

    # Each gives its place up, for whoever comes next.
    assert [refuse() for _ in range(AT_ONCE + 1)] == [SENDERS_PATIENCE_S] * (AT_ONCE + 1)


def test_requests_in_one_go_are_answered_in_order(server_url: str) -> None:
    raw = post(LENGTH) + request("GET /nowhere HTTP/1.1", "Host: x") + post(LENGTH) + NEXT
    assert talk(server_url, raw).statuses == [202, 404, 202, 200]


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("is_first", [True, False])
def test_signature_given_twice_is_refused(server_url: str, name: str, *, is_first: bool) -> None:
    signed = signed_headers(BODY)
    once = f"{name}: {signed[name]}"
    own = [f"{each}: {value}" for each, value in signed.items() if each != name]
    twice = ["Webhook" + name[7:] + ": v1,AAAA", once]
    headers = (*own, *(twice if is_first else reversed(twice)))
    answer = talk(server_url, request(WEBHOOK, "Host: x", LENGTH, CLOSE, *headers, body=BODY))
    assert answer.statuses == [401]


def test_two_tokens_are_refused(server_url: str) -> None:
    other = f"Authorization: Bearer {make_token(sub='somebody-else')}"
    raw = request("GET /api/hubspot/status HTTP/1.1", "Host: x", CLOSE, authorization(), other)
    assert talk(server_url, raw).statuses == [401]


HOSTS = [
    ("Host: evil.example",),
    ("Host: evil.example:99999",),
    ("Host: calls.example.com@evil.example",),
    ("Host: evil.example/..",),
    ("Host: a b",),
    ("Host: [::1",),
    ("Host: \xff",),
    ("Host:",),
    (),
    ("Host: x", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http"),
    ("Host: x", "Forwarded: host=evil.example;proto=http"),
    ("Host: x", "X-Original-URL: //evil.example", "X-Rewrite-URL: //evil.example"),
]


def get(server_url: str, path: str, *headers: str) -> Conversation:
    return talk(server_url, request(f"GET {path} HTTP/1.1", *headers, CLOSE))


@pytest.mark.parametrize("headers", HOSTS)
def test_host_of_a_request_is_never_where_the_browser_is_sent(
    server_url: str, headers: tuple[str, ...]
) -> None:
    landed = get(server_url, "/api/hubspot/oauth/callback?state=x", *headers)
    assert landed.headers["location"].startswith(DASHBOARD_URL)
    asked = get(server_url, "/api/hubspot/oauth/initiate", *headers, authorization())
    assert "redirect_uri=https%3A%2F%2Fcalls.example.com%2Fapi%2F" in asked.text
    described = get(server_url, "/openapi.json", *headers)
    assert f'"url":"{PUBLIC_URL}"' in described.text.replace(" ", "")
    for answer in (landed, asked, described):
        assert "evil" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/api//hubspot/status",
        "/docs//swagger-ui.css",
        "//evil.example/docs",
        "/docs/",
        "/\\evil.example",
        "/%2f%2fevil.example",
        "/api/hubspot/sync-logs/",
        "/assets/..%2f..%2fapp.py",
        "/docs/%2e%2e/%2e%2e/app.py",
        "/..;/metrics",
    ],
)
def test_odd_path_is_not_mended_by_a_redirect(server_url: str, path: str) -> None:
    answer = get(server_url, path, "Host: evil.example", authorization())
    assert answer.statuses == [404]
    assert "location" not in answer.headers


def test_absolute_url_says_nothing_about_us(server_url: str) -> None:
    answer = get(server_url, "http://evil.example/api/hubspot/oauth/callback", "Host: x")
    assert answer.headers["location"].startswith(DASHBOARD_URL)


@pytest.mark.parametrize(
    "path",
    [
        "/%0d%0aSet-Cookie:%20planted=1",
        "/api/hubspot/oauth/callback?state=%0d%0aSet-Cookie:%20planted=1",
        "/api/hubspot/oauth/callback?error=x%0d%0aSet-Cookie:%20planted=1",
        "/api/hubspot/oauth/initiate?return_to=https://app.example.com/%0d%0aSet-Cookie:%20planted=1",
        "/api/hubspot/oauth/initiate?return_to=https://app.example.com/%E5%98%8D%E5%98%8ASet-Cookie:planted",
        "/api/hubspot/sync-logs/%0d%0aSet-Cookie:%20planted=1",
        "/api/hubspot/sync-logs?cursor=%0d%0aSet-Cookie:%20planted=1",
    ],
)
def test_line_ends_in_a_url_make_no_headers(server_url: str, path: str) -> None:
    answer = get(server_url, path, "Host: x", authorization(), "Cookie: callsync_browser=%0d%0aX:1")
    assert "planted" not in answer.headers.get("set-cookie", "")
    assert answer.statuses[0] in {200, 302, 400, 404}


@pytest.mark.parametrize("origin", ["https://app.example.com\tX", "null", "\xff", "a" * 10_000])
def test_origin_is_never_echoed_unless_it_is_allowed(server_url: str, origin: str) -> None:
    answer = get(server_url, "/api/hubspot/status", "Host: x", authorization(), f"Origin: {origin}")
    assert answer.statuses == [200]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (request(f"GET /{'a' * 70_000} HTTP/1.1", "Host: x"), 414),
        (request(HEALTH, "Host: x", *(f"X{number}: a" for number in range(10_000))), 431),
        (b"G\xc3\xa4T /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 400),
        (b"GET /healthz\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (request("CONNECT evil.example:443 HTTP/1.1", "Host: x", CLOSE), 405),
        (request("OPTIONS * HTTP/1.1", "Host: x", CLOSE), 404),
        (request("TRACE /healthz HTTP/1.1", "Host: x", CLOSE, "Cookie: private"), 405),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_too_long_or_no_request_is_refused(
    server_url: str, raw: bytes, status: int
) -> None:
    answer = talk(server_url, raw)
    assert answer.statuses == [status]
    assert "private" not in answer.text


@pytest.mark.parametrize("start", ["GET /?", "GET /healthz HTTP/1.1\r\nX: "])
def test_head_without_an_end_is_cut_off(server_url: str, start: str) -> None:
    answer = talk(server_url, start.encode() + b"a" * 5_000_000)
    # What we were told is lost when the connection is reset while we still send.
    assert answer.statuses in ([431], [])
    assert talk(server_url, NEXT).statuses == [200]


@pytest.mark.parametrize(
    "path", ["/api/hubspot/sync-logs/%ff", "/api/hubspot/sync-logs/%00", "/%ed%a0%80", "/%"]
)
def test_path_in_no_encoding_leads_nowhere(server_url: str, path: str) -> None:
    assert get(server_url, path, "Host: x", authorization()).statuses == [404]


def test_client_that_waits_for_a_go_ahead_gets_it(server_url: str) -> None:
    answer = talk(server_url, post(LENGTH, "Expect: 100-continue", CLOSE))
    assert answer.statuses == [100, 202]


def test_client_that_waits_for_a_go_ahead_is_refused_before_it_sends_too_much(
    server_url: str,
) -> None:
    over = post("Content-Length: 20000000", "Expect: 100-continue", CLOSE, body=b"")
    assert talk(server_url, over).statuses == [413]


def test_http_1_0_is_answered_and_closed(server_url: str) -> None:
    raw = request(WEBHOOK.replace("1.1", "1.0"), LENGTH, signed=signed_headers(BODY), body=BODY)
    assert talk(server_url, raw).statuses == [202]


@pytest.mark.parametrize(
    "stalled",
    [post(LENGTH, body=BODY[:20]), request(HEALTH, "Host: x").removesuffix(b"\r\n")],
    ids=["body", "head"],
)
def test_slow_senders_do_not_hold_others_up(server_url: str, stalled: bytes) -> None:
    with open_and_stall(server_url, stalled, times=100):
        answer = requests.post(
            f"{server_url}/api/webhooks/call-ended",
            data=BODY,
            headers=signed_headers(BODY),
            timeout=240,
        )
    assert answer.status_code == 202


def test_server_does_not_say_more_than_it_must(server_url: str) -> None:
    answer = get(server_url, "/nowhere", "Host: x")
    assert not re.search(r"python|werkzeug|flask|\d+\.\d+\.\d+", answer.text, re.IGNORECASE)
