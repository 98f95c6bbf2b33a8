"""The port for probes: what webhooks hold is not held there."""

import socket
import threading
from collections.abc import Iterator

import pytest
import requests
from flask.testing import FlaskClient

from api.health_listener import serve_health
from local.processes import free_port

TIMEOUT_S = 60


@pytest.fixture
def health_url(client: FlaskClient) -> Iterator[str]:
    port = free_port()
    stop = serve_health(client.application, port)
    yield f"http://127.0.0.1:{port}"
    stop()
    assert "health" not in {thread.name for thread in threading.enumerate()}


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
