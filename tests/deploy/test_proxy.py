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
        self.send_response(200)
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
            for before, after in given.items():
                assert before in text
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
    too_large = requests.post(
        f"http://127.0.0.1:{port}{CALLS}", data=b" " * (16 * MIB + 1), timeout=60
    )
    assert too_large.status_code == 413
    assert upstream.bodies == [2 * MIB]


def test_metrics_are_not_passed_on(start_proxy: StartProxy, upstream: Upstream) -> None:
    port = start_proxy()

    assert requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).status_code == 404
    assert upstream.connected == 0


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
            retry=tenacity.retry_if_result(lambda status: status != 429),
        )
        def ask_as_the_same() -> int:
            same = {"X-Forwarded-For": "203.0.113.7"}
            return requests.get(url, headers=same, timeout=60).status_code

        assert ask_as_the_same() == 429
        other = requests.get(url, headers={"X-Forwarded-For": "203.0.113.8"}, timeout=60)
        assert other.status_code == 200
