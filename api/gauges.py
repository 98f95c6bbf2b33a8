"""Gauges that are read from Postgres at the moment in which somebody asks for the metrics."""

from collections.abc import Iterator, Mapping

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from shared.backlog import Backlog, read_backlog
from shared.db import Database
from shared.trouble import Trouble, read_trouble

log = structlog.get_logger(__name__)


class Gauges(Collector):
    """What waits and what is wrong; without Postgres only `callsync_postgres_up 0` is left."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        try:
            with self._database.begin() as session:
                backlog, trouble = read_backlog(session), read_trouble(session)
        except SQLAlchemyError as error:
            log.warning("metrics_incomplete", error=type(error).__name__)
            yield GaugeMetricFamily("callsync_postgres_up", "Whether Postgres answers.", value=0)
            return
        yield GaugeMetricFamily("callsync_postgres_up", "Whether Postgres answers.", value=1)
        yield from _describe_queue(backlog, trouble)
        yield from _describe_chores(trouble)


def _describe_queue(backlog: Backlog, trouble: Trouble) -> Iterator[Metric]:
    yield _labelled(
        "callsync_calls",
        "Calls in the queue.",
        "kind",
        {
            "pending": backlog.pending,
            "due": backlog.due,
            "claimed": backlog.claimed,
            "stuck": sum(each.calls for each in trouble.stuck_calls),
            "suspect": trouble.suspects.count,
            "in_doubt": trouble.in_doubt.count,
            "misconfigured": trouble.misconfigured.count,
        },
    )
    yield GaugeMetricFamily(
        "callsync_oldest_due_seconds",
        "How long the oldest due call has waited to be taken up.",
        value=backlog.oldest_due_seconds,
    )
    yield _labelled(
        "callsync_failed_calls",
        "Calls that ended as errors and can be replayed.",
        "error_code",
        {each.error_code: each.calls for each in trouble.failed_calls},
    )
    yield _labelled("callsync_connections", "Connections by state.", "state", backlog.connections)


def _describe_chores(trouble: Trouble) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "callsync_paused_accounts",
        "HubSpot accounts that are being left alone.",
        value=len(trouble.paused_accounts),
    )
    yield GaugeMetricFamily(
        "callsync_overdue_surplus_notes",
        "Second notes of a call that should be archived by now.",
        value=trouble.surplus_notes.count,
    )
    yield GaugeMetricFamily(
        "callsync_overdue_revocations",
        "Grants of ended connections that HubSpot should have been told of by now.",
        value=trouble.revocations.count,
    )


def _labelled(name: str, help_text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
