"""Prometheus metrics of the processes, and how they are shown.

With PROMETHEUS_MULTIPROC_DIR set, the figures of all processes of a server are added up.
"""

import os
from collections.abc import Iterable
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

WEBHOOKS: Final = Counter(
    "callsync_webhooks", "Webhooks by the HTTP status of the answer.", ["status"]
)


def render_metrics(collectors: Iterable[Collector] = ()) -> bytes:
    """The metrics as text, with figures that are collected at this moment."""
    fresh = CollectorRegistry()
    for collector in collectors:
        fresh.register(collector)
    kept = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        kept = CollectorRegistry()
        MultiProcessCollector(kept)  # type: ignore[no-untyped-call]
    return generate_latest(kept) + generate_latest(fresh)
