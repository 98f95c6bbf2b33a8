"""The port for probes: what webhooks hold is not held there."""

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import pytest
import requests
from flask import Blueprint
from flask.testing import FlaskClient

from api import health
from api.health import serve_health
from local.databases import PROJECT
from local.processes import free_port
from tests.api.asking import environment
from tests.local.waiting import wait_for

TIMEOUT_S = 60


@pytest.fixture
def health_url(client: FlaskClient) -> Iterator[str]:
    port = free_port()
    stop = serve_health(client.application, port)
    yield f"http://127.0.0.1:{port}"
    stop()
    assert "health" not in {thread.name for thread in threading.enumerate()}


# Servers of other tests may still have somebody on the line.
BEFORE: Final[set[threading.Thread]] = set()


@pytest.fixture(autouse=True)
def remember_threads() -> None:
    BEFORE.clear()
    BEFORE.update(threading.enumerate())


def wait_until_nobody_is_answered() -> None:
    def is_idle() -> bool:
        new = set(threading.enumerate()) - BEFORE
        return not any("process_request" in thread.name for thread in new)

    wait_for(is_idle)


def test_probes_and_metrics_are_answered_and_nothing_else(health_url: str) -> None:
    for path, word in (("/healthz", "true"), ("/readyz", "degraded"), ("/metrics", "callsync_")):
        answer = requests.get(health_url + path, timeout=TIMEOUT_S)
        assert (answer.status_code, word in answer.text) == (200, True)
    for path in ("/", "/api/hubspot/status", "/docs", "/openapi.json"):
        assert requests.get(health_url + path, timeout=TIMEOUT_S).status_code == 404
    webhook = requests.post(f"{health_url}/api/webhooks/call-ended", timeout=TIMEOUT_S)
    assert webhook.status_code == 404


def test_who_says_nothing_holds_nobody_up(health_url: str) -> None:
    address = ("127.0.0.1", int(health_url.rpartition(":")[2]))
    silent = [socket.create_connection(address, timeout=TIMEOUT_S) for _ in range(20)]
    assert requests.get(f"{health_url}/healthz", timeout=TIMEOUT_S).ok
    for each in silent:
        assert each.recv(1) == b""  # hung up on, after a while
        each.close()


RESET_AT_ONCE = struct.pack("ii", 1, 0)
ODD_REQUESTS = (
    b"",
    b"\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x",
    b"GET /metrics HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"nonsense\r\n\r\n",
    b"GET /healthz HTTP/7.7\r\n\r\n",
    b"GET /healthz\r\n\r\n",
    b"GET //[ HTTP/1.1\r\nHost: [\r\n\r\n",
    b"GET /%ff\xff HTTP/1.1\r\nContent-Length: \xff\r\nno colon\r\n\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    b"POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
)


@pytest.mark.parametrize("ends", ["silently", "by closing", "by a reset"])
def test_whatever_strangers_send_is_no_line_of_the_log(
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    ends: str,
) -> None:
    monkeypatch.setattr(health._Handler, "timeout", 0.2)
    port = free_port()
    stop = serve_health(client.application, port)
    try:
        for request in ODD_REQUESTS:
            with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as stranger:
                if ends == "by a reset":
                    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
                stranger.sendall(request)
                if ends == "silently":
                    with suppress(ConnectionResetError):
                        while stranger.recv(4096):
                            pass
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=TIMEOUT_S).ok
    finally:
        stop()
    wait_until_nobody_is_answered()
    assert capfd.readouterr().err == ""


def test_reader_who_takes_nothing_is_no_line_of_the_log(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(health._Handler, "timeout", 0.2)
    large = Blueprint("large", __name__)
    large.add_url_rule("/large", view_func=lambda: "x" * 50_000_000)
    monkeypatch.setattr(health, "blueprint", large)
    port = free_port()
    stop = serve_health(client.application, port)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as reader:
            reader.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            assert reader.recv(8) == b"HTTP/1.0"
            wait_until_nobody_is_answered()
    finally:
        stop()
    assert capfd.readouterr().err == ""


PRELOADED = """
import os, sys
import requests
from api.context.services import EXTENSION
from api.wsgi import app

assert requests.get(f"http://127.0.0.1:{sys.argv[1]}/readyz", timeout=60).ok
pool = app.extensions[EXTENSION].database.engine.pool
assert pool.checkedin() > 0
child = os.fork()
if child == 0:
    kept = app.extensions[EXTENSION].database.engine.pool.checkedin()
    os._exit(kept)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert pool.checkedin() > 0
"""


def test_processes_forked_later_inherit_no_connection_of_a_probe(postgres_url: str) -> None:
    port = str(free_port())
    variables = environment(DATABASE_URL=postgres_url, HEALTH_PORT=port)
    subprocess.run(  # noqa: S603
        [sys.executable, "-c", PRELOADED, port],
        env={**os.environ, **variables},
        cwd=PROJECT,
        check=True,
        timeout=240,
    )


def test_processes_of_one_server_share_the_port(client: FlaskClient, health_url: str) -> None:
    port = int(health_url.rpartition(":")[2])
    stop = serve_health(client.application, port)
    try:
        assert all(requests.get(f"{health_url}/healthz", timeout=TIMEOUT_S).ok for _ in range(20))
    finally:
        stop()
    assert requests.get(f"{health_url}/healthz", timeout=TIMEOUT_S).ok


def test_port_of_another_program_is_an_error(client: FlaskClient) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other, pytest.raises(OSError, match="in use"):
        serve_health(client.application, other.getsockname()[1])
