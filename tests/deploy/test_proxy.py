"""The proxy in front of the API holds what is slow, large or too much: the API never sees it."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import requests
import tenacity

from local.databases import PROJECT
from local.processes import free_port
from tests.programs import stop_without

MIB = 1024 * 1024
CALLS = "/api/webhooks/call-ended"
# As root nginx would give its workers to nobody, who may not write into a test's folder.
IN_FOREGROUND = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
NOTHING: Mapping[str, str] = MappingProxyType({})
CONFIGURATION = (PROJECT / "deploy" / "proxy" / "nginx.conf").read_text()


class Upstream(ThreadingHTTPServer):
    """Stands where the API stands, and remembers what reaches it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[int] = []
        self.connected = 0
        self.status = 200

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connected += 1
        super().process_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.server.bodies.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer()

    def _answer(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


StartProxy = Callable[..., int]


@pytest.fixture
def start_proxy(tmp_path: Path, upstream: Upstream) -> Iterator[StartProxy]:
    """Runs nginx as Compose does, with other addresses; returns its port.

    Options replace texts of the configuration, such as a limit that would take long to reach.
    """
    nginx = shutil.which("nginx")
    if nginx is None:
        stop_without("nginx is not installed: the proxy was not tried.")
    with ExitStack() as cleanup:

        def start(changed: Mapping[str, str] = NOTHING) -> int:
            port = free_port()
            given = {
                "listen 8080": f"listen 127.0.0.1:{port}",
                "http://api:8000": f"http://127.0.0.1:{upstream.server_port}",
                " /tmp/": f" {tmp_path}/",
                **changed,
            }
            text = CONFIGURATION
            # What a test changes may stand within what all change.
            for before, after in sorted(given.items(), key=lambda each: each[0] not in changed):
                assert before in text or before == "http://api:8000"
                text = text.replace(before, after)
            (tmp_path / "nginx.conf").write_text(text)
            process = subprocess.Popen(  # noqa: S603
                [nginx, "-e", "/dev/stderr", "-c", tmp_path / "nginx.conf", "-g", IN_FOREGROUND],
            )
            cleanup.callback(process.wait)
            cleanup.callback(process.terminate)
            _wait_for(port)
            return port

        yield start


@tenacity.retry(stop=tenacity.stop_after_delay(60), wait=tenacity.wait_fixed(0.05), reraise=True)
def _wait_for(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        pass


def assert_is_ours(answer: requests.Response, status: int, code: str, *, comes_again: bool) -> None:
    """Assert that the proxy answered as the API answers."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    told = answer.json()
    assert sorted(told) == ["error", "success"]
    assert told["success"] is False
    assert sorted(told["error"]) == ["code", "message"]
    assert told["error"]["code"] == code
    assert told["error"]["message"].endswith(".")
    assert answer.headers.get("Retry-After") == ("2" if comes_again else None)


def ask_raw(port: int, request: bytes) -> requests.Response:
    """Send what no client would, and read the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sender:
        sender.sendall(request)
        read = HTTPResponse(sender)
        read.begin()
        answer = requests.Response()
        answer.status_code = read.status
        answer.headers.update(read.headers)
        answer._content = read.read()
    return answer


def test_request_reaches_the_api(start_proxy: StartProxy, upstream: Upstream) -> None:
    port = start_proxy()

    assert requests.post(f"http://127.0.0.1:{port}{CALLS}", data=b"{}", timeout=60).text == "ok"
    assert upstream.bodies == [2]


def test_unfinished_bodies_hold_nothing_of_the_api(
    start_proxy: StartProxy, upstream: Upstream
) -> None:
    port = start_proxy()
    with ExitStack() as senders:
        for _ in range(100):
            sender = senders.enter_context(socket.create_connection(("127.0.0.1", port)))
            sender.sendall(
                f"POST {CALLS} HTTP/1.1\r\nHost: a\r\nContent-Length: {MIB}\r\n\r\n".encode()
                + b"x" * 1000
            )

        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=60).text == "ok"

    assert upstream.connected == 1
    assert upstream.bodies == []


def test_sender_that_dawdles_is_ended(start_proxy: StartProxy, upstream: Upstream) -> None:
    port = start_proxy({"client_body_timeout 10s": "client_body_timeout 1s"})
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sender:
        sender.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")

        with suppress(ConnectionResetError):
            assert sender.recv(1) == b""

    assert upstream.connected == 0


def test_request_under_way_is_finished_when_the_proxy_is_stopped(
    start_proxy: StartProxy, upstream: Upstream, tmp_path: Path
) -> None:
    port = start_proxy()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sender:
        sender.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        assert b" 100 " in sender.recv(1000)
        os.kill(int((tmp_path / "nginx.pid").read_text()), signal.SIGQUIT)
        _wait_until_closed(port)

        sender.sendall(b"123456789")

        assert b" 200 " in sender.recv(1000)
    assert upstream.bodies == [9]


@tenacity.retry(
    stop=tenacity.stop_after_delay(60),
    wait=tenacity.wait_fixed(0.05),
    retry=tenacity.retry_if_result(lambda is_closed: not is_closed),
)
def _wait_until_closed(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def test_only_arrays_of_calls_may_be_large(start_proxy: StartProxy, upstream: Upstream) -> None:
    port = start_proxy()
    large = b" " * (2 * MIB)

    for path, status in ((CALLS, 200), ("/api/hubspot/settings", 413)):
        answer = requests.post(f"http://127.0.0.1:{port}{path}", data=large, timeout=60)
        assert answer.status_code == status
    assert_is_ours(answer, 413, "payload_too_large", comes_again=False)
    too_large = requests.post(
        f"http://127.0.0.1:{port}{CALLS}", data=b" " * (16 * MIB + 1), timeout=60
    )
    assert_is_ours(too_large, 413, "payload_too_large", comes_again=False)
    assert upstream.bodies == [2 * MIB]


def test_metrics_are_not_passed_on(start_proxy: StartProxy, upstream: Upstream) -> None:
    port = start_proxy()

    answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60)
    assert_is_ours(answer, 404, "not_found", comes_again=False)
    assert upstream.connected == 0


LINE = b" / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "invalid_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "invalid_request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "invalid_request"),
        (b"GET" + LINE + b"Host: b\r\n\r\n", 400, "invalid_request"),
        (b"GET" + LINE + b"a: " + b"a" * 40_000 + b"\r\n\r\n", 400, "invalid_request"),
        (b"POST" + LINE + b"Content-Length: x\r\n\r\n", 400, "invalid_request"),
        (
            b"POST" + LINE + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
            400,
            "invalid_request",
        ),
        (b"GET /proxy-says HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not_found"),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "http_error"),
        (b"TRACE" + LINE + b"\r\n", 405, "method_not_allowed"),
        (b"POST" + LINE + b"Transfer-Encoding: gzip\r\n\r\n", 501, "http_error"),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "http_error"),
    ],
)
def test_what_the_proxy_refuses_is_answered_as_the_api_answers(
    start_proxy: StartProxy, upstream: Upstream, request_: bytes, status: int, code: str
) -> None:
    answer = ask_raw(start_proxy(), request_)

    assert_is_ours(answer, status, code, comes_again=False)
    assert upstream.connected == 0


def test_who_asks_too_often_is_told_to_come_again(start_proxy: StartProxy) -> None:
    port = start_proxy({"rate=500r/s": "rate=1r/m", "burst=1000": "burst=1"})
    answers = [
        requests.post(f"http://127.0.0.1:{port}{CALLS}", data=b"{}", timeout=60) for _ in range(9)
    ]

    assert answers[0].status_code == 200
    assert_is_ours(answers[-1], 503, "busy", comes_again=True)


def test_caller_comes_again_when_the_api_is_away(start_proxy: StartProxy) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = start_proxy(
            {"$api http://api:8000": f"$api http://127.0.0.1:{nobody.getsockname()[1]}"}
        )
        answer = requests.post(f"http://127.0.0.1:{port}{CALLS}", data=b"{}", timeout=60)

    assert_is_ours(answer, 502, "unavailable", comes_again=True)


def test_caller_comes_again_when_the_api_is_silent(start_proxy: StartProxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = start_proxy(
            {
                "$api http://api:8000": f"$api http://127.0.0.1:{silent.getsockname()[1]}",
                "proxy_read_timeout 60s": "proxy_read_timeout 1s",
            }
        )
        answer = requests.post(f"http://127.0.0.1:{port}{CALLS}", data=b"{}", timeout=60)

    assert_is_ours(answer, 504, "unavailable", comes_again=True)


def test_caller_comes_again_when_there_is_no_room_for_the_body(
    start_proxy: StartProxy, upstream: Upstream
) -> None:
    port = start_proxy({"client_body_temp_path /tmp/bodies": "client_body_temp_path /dev/full"})
    answer = requests.post(f"http://127.0.0.1:{port}{CALLS}", data=b" " * MIB, timeout=60)

    assert_is_ours(answer, 503, "busy", comes_again=True)
    assert upstream.bodies == []


@pytest.mark.parametrize("status", [400, 404, 413, 429, 500, 502, 503, 504])
def test_answers_of_the_api_are_passed_on_as_they_are(
    start_proxy: StartProxy, upstream: Upstream, status: int
) -> None:
    upstream.status = status
    answer = requests.post(f"http://127.0.0.1:{start_proxy()}{CALLS}", data=b"{}", timeout=60)

    assert (answer.status_code, answer.text) == (status, "ok")
    assert "Retry-After" not in answer.headers


def test_one_address_cannot_hold_every_connection(start_proxy: StartProxy) -> None:
    port = start_proxy({"limit_conn connections 256": "limit_conn connections 2"})
    url = f"http://127.0.0.1:{port}/healthz"
    unfinished = (
        b"POST / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\nContent-Length: 9\r\n\r\n"
    )
    with ExitStack() as senders:
        for _ in range(2):
            sender = senders.enter_context(socket.create_connection(("127.0.0.1", port)))
            sender.sendall(unfinished)

        @tenacity.retry(
            stop=tenacity.stop_after_delay(60),
            wait=tenacity.wait_fixed(0.05),
            retry=tenacity.retry_if_result(lambda answer: answer.status_code == 200),
        )
        def ask_as_the_same() -> requests.Response:
            same = {"X-Forwarded-For": "203.0.113.7"}
            return requests.get(url, headers=same, timeout=60)

        # A 4xx would lose the call.
        assert_is_ours(ask_as_the_same(), 503, "busy", comes_again=True)
        other = requests.get(url, headers={"X-Forwarded-For": "203.0.113.8"}, timeout=60)
        assert other.status_code == 200
