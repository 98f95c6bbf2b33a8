"""Figures that are read when somebody asks: what waits, for whom, and what asking may cost."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from redis import Redis
from sqlalchemy import text, update

from api.gauges import KEPT_FOR_S, Gauges
from api.probes import Probes
from local.engines import start_postgres
from shared import accounts
from shared.db import Database
from shared.models import Account
from tests.api.asking import NO_POSTGRES
from tests.queue.tenants import HUB, Tenant, ago

Measure = Callable[[], dict[str, float]]


def values_of(metrics: Iterable[Metric]) -> dict[str, float]:
    """By name and label value, without our prefix: `queue_calls/due`."""
    return {
        "/".join([sample.name, *sample.labels.values()]).removeprefix("callsync_"): sample.value
        for metric in metrics
        for sample in metric.samples
    }


@pytest.fixture
def measure(database: Database, probes: Probes) -> Measure:
    return lambda: values_of(Gauges(database, probes).collect())


def test_queue_is_counted_by_what_its_calls_wait_for(tenant: Tenant, measure: Measure) -> None:
    tenant.connect()
    tenant.store(2)
    tenant.claim(most=1)
    tenant.store(3, next_attempt_at=ago(-600))
    measured = measure()
    assert measured["queue_calls/due"] == 1
    assert measured["queue_calls/scheduled"] == 3
    assert measured["queue_calls/claimed"] == 1
    assert measured["connections/connected"] == 1
    assert measured["postgres_up"] == measured["redis_up"] == measured["figures_complete"] == 1


def test_lateness_is_that_of_the_oldest_due_call(tenant: Tenant, measure: Measure) -> None:
    tenant.connect()
    tenant.store(next_attempt_at=ago(90))
    tenant.store(3, next_attempt_at=ago(20))
    tenant.store(lane=3, next_attempt_at=ago(4000))
    measured = measure()
    assert measured["oldest_due_seconds"] == pytest.approx(90, abs=15)
    assert measured["oldest_backfill_seconds"] == pytest.approx(4000, abs=15)
    assert measured["oldest_paused_seconds"] == 0


def test_calls_that_wait_for_hubspot_do_not_call_for_more_workers(
    tenant: Tenant, measure: Measure
) -> None:
    tenant.connect()
    tenant.store(next_attempt_at=ago(90))
    with tenant.database.begin() as session:
        accounts.pause_account(session, HUB, seconds=600, reason="locked")
    measured = measure()
    assert measured["oldest_due_seconds"] == 0
    assert measured["oldest_paused_seconds"] == pytest.approx(90, abs=15)
    assert measured["paused_accounts"] == 1
    with tenant.database.begin() as session:
        session.execute(update(Account).values(paused_until=ago(1)))
    assert measure()["oldest_due_seconds"] == pytest.approx(90, abs=15)


def test_several_observers_cost_one_look(
    tenant: Tenant, database: Database, probes: Probes
) -> None:
    now = 100.0
    gauges = Gauges(database, probes, clock=lambda: now)
    assert values_of(gauges.collect())["queue_calls/due"] == 0
    tenant.store()
    now += KEPT_FOR_S - 0.1
    assert values_of(gauges.collect())["queue_calls/due"] == 0
    now += 0.2
    assert values_of(gauges.collect())["queue_calls/due"] == 1


def test_statement_that_takes_long_costs_figures_and_not_the_answer(
    tenant: Tenant, database: Database, measure: Measure
) -> None:
    tenant.store()
    with database.begin() as session:
        session.execute(text("LOCK TABLE hubspot_sync_logs IN ACCESS EXCLUSIVE MODE"))
        measured = measure()
    assert (measured["postgres_up"], measured["figures_complete"]) == (1, 0)
    assert "oldest_due_seconds" not in measured
    assert measure()["figures_complete"] == 1


def test_metrics_outlive_postgres(probes: Probes) -> None:
    measured = values_of(Gauges(NO_POSTGRES, probes).collect())
    assert (measured["postgres_up"], measured["figures_complete"]) == (0, 0)
    assert measured["redis_up"] == 1


def test_frozen_postgres_costs_a_moment(tmp_path: Path, probes: Probes) -> None:
    with start_postgres(tmp_path, durable=False) as engine:
        database = Database(engine.url.replace("postgresql:", "postgresql+psycopg:"))
        gauges = Gauges(database, probes, timeout_s=0.2)
        engine.process.suspend()
        assert values_of(gauges.collect())["postgres_up"] == 0
        engine.process.resume()
        database.dispose()


def test_redis_that_is_away_is_told(database: Database) -> None:

    nobody: Redis = Redis.from_url("redis://127.0.0.1:1")
    assert values_of(Gauges(database, Probes(database, nobody)).collect())["redis_up"] == 0
