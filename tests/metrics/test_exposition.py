"""Metrics of several processes: added up, or on a port each."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from structlog.testing import capture_logs

from local.processes import free_port
from shared.telemetry.exposition import note_build, serve_metrics
from shared.version import own_version
from tests.metrics.exposed import PROJECT


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


def test_figures_of_all_processes_are_added_up(tmp_path: Path) -> None:
    script = """
import os
from shared.telemetry.exposition import render_metrics
from shared.telemetry.metrics import LAST_SWEEP, WEBHOOKS
child = os.fork()
WEBHOOKS.labels(202).inc()
LAST_SWEEP.set(5 if child else 7)
if child:
    os.waitpid(child, 0)
    print(render_metrics().decode())
"""
    shown = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'callsync_webhooks_total{status="202"} 2.0' in shown.stdout
    assert "callsync_sweep_last_success_timestamp_seconds 7.0" in shown.stdout


def test_first_free_port_is_taken(taken_port: int) -> None:
    port = free_port()
    note_build("worker")
    stop = serve_metrics((taken_port, port))
    shown = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=240).text
    stop()
    assert f'callsync_build_info{{component="worker",version="{own_version()}"}} 1.0' in shown
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/metrics", timeout=240)


def test_worker_without_a_free_port_works_on(taken_port: int) -> None:
    with capture_logs() as logs:
        serve_metrics([taken_port])()
    assert [line["event"] for line in logs] == ["metrics_not_served"]
