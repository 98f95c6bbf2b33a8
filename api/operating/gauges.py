"""Gauges that are read from Postgres and Redis when somebody asks for the metrics.

Whoever asks within `KEPT_FOR_S` of somebody else gets the same figures, so that more observers cost
nothing. A statement that takes long costs its own figure, and a Postgres that is frozen the rest of
them: never the answer.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.operating.probes import KeptAnswer, Probes
from shared.database.engines import Database
from shared.log import trouble
from shared.queue.backlog import (
    count_claimed_calls,
    count_connections,
    count_waiting_calls,
    measure_lateness,
)

log = structlog.get_logger(__name__)

KEPT_FOR_S: Final = 2.0
STATEMENT_TIMEOUT_MS: Final = 1_000
# Figures that take long to count must not get lost when they are large.
MOST_COUNTED: Final = 10_000
# Prometheus gives up after ten seconds.
TIMEOUT_S: Final = 5.0
# Of that, what statements may take: who is silent beyond is not slow but away.
BUDGET: Final = 0.8

Measured = Mapping[str, Mapping[str, float]]
"""What a figure says: values by the name of their metric and by label, `ALL` where it has none."""
ALL: Final = ""


@dataclass(slots=True)
class Answers:
    """What Postgres has said so far: figures by name, None for one that it did not give."""

    is_up: bool = False
    figures: dict[str, Measured | None] = field(default_factory=lambda: dict.fromkeys(_FIGURES))


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
        self._kept = KeptAnswer(self._measure, kept_for_s=KEPT_FOR_S, clock=clock)
        # A socket to a frozen server gives up late, so somebody else waits for it.
        self._asker = ThreadPoolExecutor(1, thread_name_prefix="gauges")

    def collect(self) -> Iterator[Metric]:
        yield from self._kept.get()

    def _measure(self) -> list[Metric]:
        answers = Answers()
        asked = self._asker.submit(self._ask_postgres, answers)
        is_up = False
        try:
            asked.result(self._timeout_s)
            is_up = answers.is_up
        except FutureTimeoutError:
            asked.cancel()
        figures = dict(answers.figures)
        missing = [name for name, measured in figures.items() if measured is None]
        if missing:
            log.warning("metrics_incomplete", missing=missing)
        return [
            _gauge("postgres_up", "Whether Postgres answers.", is_up),
            _gauge("redis_up", "Whether Redis answers.", self._probes.redis_answers()),
            _gauge("figures_complete", "Whether Postgres gave all figures in time.", not missing),
            _labelled(
                "figure_up",
                "Whether Postgres gave this figure in time.",
                "figure",
                {name: measured is not None for name, measured in figures.items()},
            ),
            *_describe(figures),
        ]

    def _ask_postgres(self, answers: Answers) -> None:
        """Ask for each figure in a transaction of its own, the most wanted first."""
        until = self._clock() + self._timeout_s * BUDGET
        for name, measure in _FIGURES.items():
            left_ms = int((until - self._clock()) * 1000)
            if left_ms <= 0:
                return
            answers.is_up = False
            try:
                with self._database.begin() as session:
                    # In the transaction, not of the connection, which a pooler may share.
                    session.execute(_TIMEOUT, {"ms": str(min(STATEMENT_TIMEOUT_MS, left_ms))})
                    answers.is_up = True
                    answers.figures[name] = measure(session)
            except SQLAlchemyError as error:
                log.warning("figure_missing", figure=name, error=type(error).__name__)
                if not answers.is_up:
                    return


_TIMEOUT = text("SELECT set_config('statement_timeout', :ms, true)")


def _measure_lateness(session: Session) -> Measured:
    late = measure_lateness(session)
    return {
        "oldest_due_seconds": {ALL: late.due},
        "oldest_backfill_seconds": {ALL: late.backfill},
        "oldest_paused_seconds": {ALL: late.paused},
    }


def _measure_connections(session: Session) -> Measured:
    states = {"connected": 0, "disconnected": 0, "reconnect_required": 0}
    return {"connections": {**states, **count_connections(session)}}


def _measure_failed_calls(session: Session) -> Measured:
    calls = {
        each.error_code: each.calls
        for each in trouble.find_failed_calls(session, most=MOST_COUNTED)
    }
    misconfigured = calls.pop(trouble.MISCONFIGURED, 0)
    return {"failed_calls": calls, "troubled_calls": {"misconfigured": misconfigured}}


def _measure_stuck_calls(session: Session) -> Measured:
    stuck = trouble.find_stuck_calls(session)
    return {"troubled_calls": {"stuck": sum(each.calls for each in stuck)}}


# What scales the workers comes first, then small tables, then the log: where that is slow or
# locked, its figures may use up the time.
_FIGURES: Final[Mapping[str, Callable[[Session], Measured]]] = {
    "lateness": _measure_lateness,
    "connections": _measure_connections,
    "paused_accounts": lambda session: {
        "paused_accounts": {ALL: len(trouble.find_paused_accounts(session))}
    },
    "surplus_notes": lambda session: {
        "overdue_surplus_notes": {ALL: trouble.count_surplus_notes(session).count}
    },
    "revocations": lambda session: {
        "overdue_revocations": {ALL: trouble.count_revocations(session).count}
    },
    "claimed_calls": lambda session: {"queue_calls": {"claimed": count_claimed_calls(session)}},
    "suspects": lambda session: {
        "troubled_calls": {"suspect": trouble.count_suspects(session, most=MOST_COUNTED).count}
    },
    "in_doubt": lambda session: {
        "troubled_calls": {"in_doubt": trouble.count_doubts(session, most=MOST_COUNTED).count}
    },
    "updates": lambda session: {"updates": trouble.count_updates(session, most=MOST_COUNTED)},
    "stuck_calls": _measure_stuck_calls,
    "failed_calls": _measure_failed_calls,
    "waiting_calls": lambda session: {"queue_calls": count_waiting_calls(session)},
}

# By name: what a metric says, and its label if it has one.
_METRICS: Final[Mapping[str, tuple[str, str | None]]] = {
    "oldest_due_seconds": (
        "How long the oldest due call that a worker could take up has waited.",
        None,
    ),
    "oldest_backfill_seconds": (
        "The same for calls that may wait behind others: imports, late looks for a contact.",
        None,
    ),
    "oldest_paused_seconds": (
        "The same for calls of HubSpot accounts that are being left alone.",
        None,
    ),
    "queue_calls": (
        "Calls that wait for a worker, for their time, or are in a worker's hands.",
        "state",
    ),
    "connections": ("Connections by state.", "state"),
    "paused_accounts": ("HubSpot accounts that are being left alone.", None),
    "troubled_calls": ("Calls in trouble, by kind.", "kind"),
    "failed_calls": ("Calls that ended as errors and can be replayed.", "error_code"),
    "updates": ("Notes that are to be completed, or could not be, by state.", "state"),
    "overdue_surplus_notes": ("Second notes of a call that should be archived by now.", None),
    "overdue_revocations": (
        "Grants of ended connections that HubSpot should have been told of by now.",
        None,
    ),
}


def _describe(figures: Mapping[str, Measured | None]) -> Iterator[Metric]:
    """The metrics of which at least one figure is there; several figures may share one."""
    known = [measured for measured in figures.values() if measured is not None]
    for name, (help_text, label) in _METRICS.items():
        if parts := [measured[name] for measured in known if name in measured]:
            values = {key: value for part in parts for key, value in part.items()}
            if label is None:
                yield _gauge(name, help_text, values[ALL])
            else:
                yield _labelled(name, help_text, label, values)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"callsync_{name}", help_text, value=value)


def _labelled(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"callsync_{name}", help_text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
