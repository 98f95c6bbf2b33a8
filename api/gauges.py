"""Gauges that are read from Postgres and Redis when somebody asks for the metrics.

Whoever asks within `KEPT_FOR_S` of somebody else gets the same figures, so that more observers cost
nothing. A statement that takes long, or a Postgres that is frozen, costs figures, not the answer.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.probes import Probes
from shared.backlog import count_connections, measure_depth, measure_lateness
from shared.db import Database
from shared.trouble import Trouble, read_trouble

log = structlog.get_logger(__name__)

KEPT_FOR_S: Final = 2.0
STATEMENT_TIMEOUT_MS: Final = 1_000
# Figures that take long to count must not get lost when they are large.
MOST_COUNTED: Final = 10_000
# Prometheus gives up after ten seconds.
TIMEOUT_S: Final = 5.0


class Gauges(Collector):
    """What waits and what is wrong, over all connections, the same in every API process."""

    def __init__(
        self,
        database: Database,
        probes: Probes,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._probes = probes
        self._timeout_s = timeout_s
        self._clock = clock
        self._kept: list[Metric] = []
        self._kept_until = 0.0
        self._lock = threading.Lock()
        # A socket to a frozen server gives up late, so somebody else waits for it.
        self._asker = ThreadPoolExecutor(1, thread_name_prefix="gauges")

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            if not self._kept or self._clock() >= self._kept_until:
                self._kept = self._measure()
                self._kept_until = self._clock() + KEPT_FOR_S
            kept = self._kept
        yield from kept

    def _measure(self) -> list[Metric]:
        found: list[Metric] = []
        asked = self._asker.submit(self._ask_postgres, found.append)
        try:
            is_up, is_complete = asked.result(self._timeout_s)
        except FutureTimeoutError:
            asked.cancel()
            log.warning("metrics_incomplete", error="TimeoutError")
            found, is_up, is_complete = [], False, False
        return [
            _gauge("postgres_up", "Whether Postgres answers.", is_up),
            _gauge("redis_up", "Whether Redis answers.", self._probes.redis_answers()),
            _gauge("figures_complete", "Whether Postgres gave all figures in time.", is_complete),
            *found,
        ]

    def _ask_postgres(self, keep: Callable[[Metric], object]) -> tuple[bool, bool]:
        """Whether Postgres answers, and whether it gave every figure; the rest is left out."""
        is_up = False
        for describe in (_describe_queue, _describe_connections, _describe_trouble):
            try:
                with self._database.begin() as session:
                    session.execute(_TIMEOUT, {"ms": str(STATEMENT_TIMEOUT_MS)})
                    is_up = True
                    for metric in describe(session):
                        keep(metric)
            except SQLAlchemyError as error:
                log.warning("metrics_incomplete", error=type(error).__name__)
                return is_up, False
        return is_up, True


_TIMEOUT = text("SELECT set_config('statement_timeout', :ms, true)")


def _describe_queue(session: Session) -> Iterator[Metric]:
    late = measure_lateness(session)
    yield _gauge(
        "oldest_due_seconds",
        "How long the oldest due call that a worker could take up has waited.",
        late.due,
    )
    yield _gauge(
        "oldest_backfill_seconds",
        "The same for calls that may wait behind others: imports, late looks for a contact.",
        late.backfill,
    )
    yield _gauge(
        "oldest_paused_seconds",
        "The same for calls of HubSpot accounts that are being left alone.",
        late.paused,
    )
    depth = measure_depth(session)
    yield _labelled(
        "queue_calls",
        "Calls that wait for a worker, for their time, or are in a worker's hands.",
        "state",
        {"due": depth.due, "scheduled": depth.scheduled, "claimed": depth.claimed},
    )


def _describe_connections(session: Session) -> Iterator[Metric]:
    states = {"connected": 0, "disconnected": 0, "reconnect_required": 0}
    counted = {**states, **count_connections(session)}
    yield _labelled("connections", "Connections by state.", "state", counted)


def _describe_trouble(session: Session) -> Iterator[Metric]:
    trouble = read_trouble(session, most=MOST_COUNTED)
    yield _gauge(
        "paused_accounts",
        "HubSpot accounts that are being left alone.",
        len(trouble.paused_accounts),
    )
    yield _labelled("troubled_calls", "Calls in trouble, by kind.", "kind", _count_kinds(trouble))
    yield _labelled(
        "failed_calls",
        "Calls that ended as errors and can be replayed.",
        "error_code",
        {each.error_code: each.calls for each in trouble.failed_calls},
    )
    yield _gauge(
        "overdue_surplus_notes",
        "Second notes of a call that should be archived by now.",
        trouble.surplus_notes.count,
    )
    yield _gauge(
        "overdue_revocations",
        "Grants of ended connections that HubSpot should have been told of by now.",
        trouble.revocations.count,
    )


def _count_kinds(trouble: Trouble) -> Mapping[str, int]:
    return {
        "stuck": sum(each.calls for each in trouble.stuck_calls),
        "suspect": trouble.suspects.count,
        "in_doubt": trouble.in_doubt.count,
        "misconfigured": trouble.misconfigured.count,
    }


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"callsync_{name}", help_text, value=value)


def _labelled(name: str, help_text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"callsync_{name}", help_text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
