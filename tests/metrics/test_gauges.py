"""Figures that are read when somebody asks: what waits, for whom, and what asking may cost."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from redis import Redis
from sqlalchemy import text, update

from api.operating.gauges import KEPT_FOR_S, STATEMENT_TIMEOUT_MS, Gauges
from api.operating.probes import Probes
from local.engines import start_postgres
from shared.connections import accounts
from shared.database.engines import Database
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


def missing_of(measured: dict[str, float]) -> set[str]:
    figures = {
        name.removeprefix("figure_up/"): is_up
        for name, is_up in measured.items()
        if name.startswith("figure_up/")
    }
    assert measured["figures_complete"] == all(figures.values())
    return {name for name, is_up in figures.items() if not is_up}


@pytest.mark.parametrize(
    ("table", "losses"),
    [
        ("hubspot_strays", {"surplus_notes": ["overdue_surplus_notes"]}),
        ("hubspot_revocations", {"revocations": ["overdue_revocations"]}),
        ("calls", {"failed_calls": ["failed_calls/x", "troubled_calls/misconfigured"]}),
        (
            "hubspot_accounts",
            {
                "lateness": [f"oldest_{kind}_seconds" for kind in ("due", "backfill", "paused")],
                "paused_accounts": ["paused_accounts"],
                "stuck_calls": ["troubled_calls/stuck"],
            },
        ),
    ],
)
def test_figure_that_takes_long_is_missing_alone_and_named(
    tenant: Tenant,
    database: Database,
    measure: Measure,
    table: str,
    losses: dict[str, list[str]],
) -> None:
    tenant.store(status="error", error_code="x", error_message="x", next_attempt_at=None)
    whole = measure()
    assert missing_of(whole) == set()
    with database.begin() as session:
        session.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        measured = measure()
    assert missing_of(measured) == losses.keys()
    assert whole.keys() - measured.keys() == set().union(*losses.values())
    assert measured["postgres_up"] == 1
    assert missing_of(measure()) == set()


def test_figure_that_fails_is_missing_alone(
    tenant: Tenant, database: Database, measure: Measure
) -> None:
    tenant.store()
    with database.begin() as session:
        session.execute(text("ALTER TABLE hubspot_revocations RENAME TO moved"))
    try:
        assert missing_of(measure()) == {"revocations"}
    finally:
        with database.begin() as session:
            session.execute(text("ALTER TABLE moved RENAME TO hubspot_revocations"))


def test_slow_figures_cost_no_more_than_the_answer_may_take(
    tenant: Tenant, database: Database, probes: Probes
) -> None:
    tenant.store()
    gauges = Gauges(database, probes, timeout_s=2 * STATEMENT_TIMEOUT_MS / 1000)
    with database.begin() as session:
        session.execute(text("LOCK TABLE hubspot_sync_logs IN ACCESS EXCLUSIVE MODE"))
        measured = values_of(gauges.collect())
    assert {"lateness", "claimed_calls", "waiting_calls"} <= missing_of(measured)
    assert measured["connections/connected"] == 0
    assert measured["postgres_up"] == 1


def test_autoscalers_figure_is_asked_for_first(measure: Measure) -> None:
    figures = [name for name in measure() if name.startswith("figure_up/")]
    assert figures[0] == "figure_up/lateness"


def test_limit_of_a_statement_ends_with_its_transaction(database: Database, probes: Probes) -> None:
    with database.begin() as session:
        usual = session.execute(text("SHOW statement_timeout")).scalar_one()
    list(Gauges(database, probes).collect())
    with database.begin() as session:
        assert session.execute(text("SHOW statement_timeout")).scalar_one() == usual


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
