"""The API behind its real server: bodies that come slowly, in chunks, or not at all."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.processes import Command, Process, free_port
from tests.api.asking import call_ended, environment, signed_headers

PROJECT = Path(__file__).parents[2]
PATH = "/api/webhooks/call-ended"
CAP = 1024 * 1024
ARRAY_CAP = 16 * CAP


@pytest.fixture(scope="module")
def server_url(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command = Command(
        name="api",
        arguments=[sys.executable, "-m", *arguments, "api.wsgi:app"],
        log=tmp_path_factory.mktemp("api") / "api.log",
        environment={**os.environ, **environment(DATABASE_URL=postgres_url)},
        directory=PROJECT,
    )

    def answers() -> bool:
        try:
            return requests.get(f"{url}/healthz", timeout=240).ok
        except requests.ConnectionError:
            return False

    process = Process(command, answers)
    try:
        process.wait_until_ready()
        yield url
    finally:
        process.stop()


def connect(server_url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server_url.rpartition(":")[2])), timeout=240)


def head(*lines: str, headers: dict[str, str] | None = None) -> bytes:
    """The head of a raw webhook request."""
    given = [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: x", *lines, *given, "", ""]).encode()


def read_status(connection: socket.socket) -> int:
    first_line = connection.makefile("rb").readline()
    return int(first_line.split()[1])


def test_webhook_is_accepted(server_url: str) -> None:
    body = json.dumps(call_ended()).encode()
    answer = requests.post(server_url + PATH, data=body, headers=signed_headers(body), timeout=240)
    assert answer.status_code == 202
    assert answer.json()["duplicate"] is False


def test_body_in_chunks_is_accepted(server_url: str) -> None:
    body = json.dumps(call_ended()).encode()
    answer = requests.post(
        server_url + PATH,
        data=iter([body[:50], body[50:]]),
        headers=signed_headers(body),
        timeout=240,
    )
    assert answer.status_code == 202


def test_body_that_trickles_is_accepted(server_url: str) -> None:
    body = json.dumps(call_ended()).encode()
    with connect(server_url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head(f"Content-Length: {len(body)}", headers=signed_headers(body)))
        for byte in body:
            connection.sendall(bytes([byte]))
        assert read_status(connection) == 202


def test_chunks_over_the_cap_are_refused(server_url: str) -> None:
    with connect(server_url) as connection:
        signed = signed_headers(b"")  # by the right form: what it says is looked at later
        connection.sendall(head("Transfer-Encoding: chunked", "Connection: close", headers=signed))
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(CAP // 0x10000 + 1):
            connection.sendall(chunk)
        connection.sendall(b"0\r\n\r\n")
        assert read_status(connection) == 413


def test_length_over_the_cap_is_refused_without_the_body(server_url: str) -> None:
    with connect(server_url) as connection:
        connection.sendall(head(f"Content-Length: {ARRAY_CAP + 1}"))
        assert read_status(connection) == 413


def test_array_larger_than_a_call_may_be_is_accepted(server_url: str) -> None:
    body = json.dumps([call_ended(summary="x" * 600_000) for _ in range(2)]).encode()
    assert len(body) > CAP
    answer = requests.post(server_url + PATH, data=body, headers=signed_headers(body), timeout=240)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)


@pytest.mark.parametrize("length", ["-1", "ten", "1, 2"])
def test_length_that_is_none_is_refused(server_url: str, length: str) -> None:
    with connect(server_url) as connection:
        connection.sendall(head(f"Content-Length: {length}", "Connection: close") + b"{}")
        assert read_status(connection) == 400


def test_body_shorter_than_announced_is_not_taken_for_a_whole_one(server_url: str) -> None:
    body = json.dumps(call_ended()).encode()
    with connect(server_url) as connection:
        announced = head(f"Content-Length: {len(body) + 10}", headers=signed_headers(body))
        connection.sendall(announced + body)
        connection.shutdown(socket.SHUT_WR)
        assert read_status(connection) == 400


def test_environment_that_is_incomplete_ends_the_process_with_one_message() -> None:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    result = subprocess.run(
        [sys.executable, "-c", "import api.wsgi"],
        cwd=PROJECT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    for name in ("DATABASE_URL", "WEBHOOK_SECRETS", "JWT_SECRET or JWT_JWKS_URL"):
        assert name in result.stderr
