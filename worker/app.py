"""The Celery application as its standard commands find it: worker, beat and Flower.

Each command reads the settings it uses and no others: beat and Flower know the broker, and hold no
key to anything else.
"""

import gc
import os
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
import structlog
from celery.signals import (
    setup_logging,
    worker_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from shared.broker.celery_app import make_celery
from shared.broker.messages import HOUSEKEEPING_TASK
from shared.configuration.settings import (
    BrokerSettings,
    FlowerSettings,
    SettingsError,
    WorkerSettings,
)
from shared.database.engines import Database
from shared.database.plain_connections import warn_of_plain_connections
from shared.database.schema import NotReadyError, wait_for_schema
from shared.telemetry.exposition import note_build, serve_metrics
from shared.telemetry.logging import configure_logging
from shared.telemetry.tracing import start_tracing
from worker.maintenance.housekeeping import EVERY_S, housekeeping
from worker.maintenance.sweep import sweeping
from worker.presence import Presence
from worker.resources import process_resources
from worker.tasks import add_tasks

log = structlog.get_logger(__name__)

# Celery's other commands need the broker alone. A Flower that was started in a way nobody foresaw
# must still ask for its password, so that its group is what is left.
_GROUPS: Final[dict[str | None, type[BrokerSettings]]] = {
    "worker": WorkerSettings,
    "beat": BrokerSettings,
}

T = TypeVar("T", bound=BrokerSettings)


def _load(group: type[T]) -> T:
    """Read a group's settings, or end the process with a message that names all that is wrong."""
    try:
        return group.load()
    except SettingsError as error:
        sys.exit(str(error))


_context = click.get_current_context(silent=True)
_settings = _load(_GROUPS.get(_context.invoked_subcommand if _context else None, FlowerSettings))

app = make_celery(_settings.broker_url.get_secret_value(), _settings.redis_prefix)
app.set_default()
# Workers keep house by themselves. A beat that runs beside them asks for what is done anyway.
app.conf.beat_schedule = {
    "housekeeping": {
        "task": HOUSEKEEPING_TASK,
        "schedule": EVERY_S,
        # Two beats, or a queue that stood still, must not add up.
        "options": {"expires": EVERY_S, "queue": _settings.redis_prefix},
    }
}
add_tasks(app)

if isinstance(_settings, FlowerSettings):
    # Flower reads these after it has loaded this module. It only shows: workers are scaled and
    # ended by whoever started them.
    os.environ.setdefault("FLOWER_READ_ONLY", "True")
    os.environ.setdefault("FLOWER_TASKS_COLUMNS", "name,args,state,result,runtime,received,worker")
    os.environ.setdefault("FLOWER_MAX_TASKS", "10000")
    os.environ.setdefault("FLOWER_PURGE_OFFLINE_WORKERS", "3600")
    if _settings.flower_basic_auth is None:
        os.environ.setdefault("FLOWER_ADDRESS", "127.0.0.1")  # nobody is asked for a password
    else:
        os.environ["FLOWER_BASIC_AUTH"] = _settings.flower_basic_auth.get_secret_value()

_at_end: list[Callable[[], object]] = []


@setup_logging.connect(weak=False)
def _configure_logging(**_: Any) -> None:
    configure_logging(_settings.log_level, _settings.log_format)


@worker_init.connect(weak=False)
def _check_schema(**_: Any) -> None:
    """End a worker, in words, where there is nothing to work on; the others need no database."""
    database = Database(_load(WorkerSettings).sqlalchemy_url, pool_size=1)
    try:
        wait_for_schema(database)
    except NotReadyError as error:
        sys.exit(str(error))
    finally:
        database.dispose()


@worker_init.connect(weak=False)
def _start_watching(**_: Any) -> None:
    note_build("worker")
    settings = _load(WorkerSettings)
    warn_of_plain_connections(settings)
    if settings.otel_exporter_otlp_endpoint is not None:
        start_tracing("worker")


@worker_ready.connect(weak=False)
def _start_sweeping(**_: Any) -> None:
    for duty in (sweeping(process_resources()), housekeeping(process_resources())):
        duty.start()
        _at_end.append(duty.stop)
    presence = Presence(process_resources())
    presence.start()
    _at_end.append(presence.stop)
    if (ports := process_resources().settings.metrics_port) is not None:
        _at_end.append(serve_metrics(ports))
    gc.freeze()  # full collections of what is loaded by now would hold up every round
    log.info("worker_started")


@worker_shutting_down.connect(weak=False)
def _stop_working(**_: Any) -> None:
    # A warm shutdown: rounds give back what they have not begun to write.
    process_resources().stopping.set()


@worker_shutdown.connect(weak=False)
def _close(**_: Any) -> None:
    for stop in _at_end:
        stop()
    process_resources().close()
    log.info("worker_stopped")
