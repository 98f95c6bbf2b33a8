"""Showing a process's metrics to Prometheus.

With PROMETHEUS_MULTIPROC_DIR set, the figures of all processes of a server are added up; a server
with one process per container, as ours, needs none.
"""

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from shared.telemetry.metrics import BUILD
from shared.version import own_version

log = structlog.get_logger(__name__)


def note_build(component: Literal["api", "worker"]) -> None:
    """Say in the metrics what runs here."""
    BUILD.labels(component, own_version()).set(1)


def render_metrics(collectors: Iterable[Collector] = ()) -> bytes:
    """The metrics as text, with figures that are collected at this moment."""
    fresh = CollectorRegistry()
    for collector in collectors:
        fresh.register(collector)
    return generate_latest(_kept()) + generate_latest(fresh)


def serve_metrics(ports: Iterable[int]) -> Callable[[], None]:
    """Answer Prometheus on the first of these ports that is free, from threads of their own.

    Without a free one the process works on unwatched: syncing calls matters more than counting
    them. Returns what ends it.
    """
    for port in ports:
        try:
            server, _ = start_http_server(port, registry=_kept())
        except OSError:
            continue
        log.info("metrics_served", port=port)
        return partial(_stop, server)
    log.error("metrics_not_served", reason="every port of METRICS_PORT is taken")
    return lambda: None


def _stop(server: WSGIServer) -> None:
    server.shutdown()
    server.server_close()


def _kept() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
