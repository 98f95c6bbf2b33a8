"""The Celery application as its standard commands find it: worker, beat and Flower."""

import os
import sys
from typing import Any

import structlog
from celery.signals import setup_logging, worker_ready, worker_shutdown, worker_shutting_down

from shared.logging import configure_logging
from shared.queue import SYNC_QUEUE, make_celery
from shared.settings import SettingsError, WorkerSettings
from worker.resources import process_resources
from worker.sweep import Sweep
from worker.tasks import HOUSEKEEPING_TASK, add_tasks

log = structlog.get_logger(__name__)

HOUSEKEEPING_EVERY_S = 60

try:
    _settings = WorkerSettings.load()
except SettingsError as error:
    sys.exit(str(error))

app = make_celery(_settings.redis_url.get_secret_value())
app.set_default()
app.conf.beat_schedule = {
    "housekeeping": {
        "task": HOUSEKEEPING_TASK,
        "schedule": HOUSEKEEPING_EVERY_S,
        # Two beats, or a queue that stood still, must not add up.
        "options": {"expires": HOUSEKEEPING_EVERY_S, "queue": SYNC_QUEUE},
    }
}
add_tasks(app)

# Flower, started by its standard command, reads these after it has loaded this module.
if _settings.flower_basic_auth is None:
    os.environ.setdefault("FLOWER_ADDRESS", "127.0.0.1")  # nobody is asked for a password
else:
    os.environ["FLOWER_BASIC_AUTH"] = _settings.flower_basic_auth.get_secret_value()

_sweeps: list[Sweep] = []


@setup_logging.connect(weak=False)
def _configure_logging(**_: Any) -> None:
    configure_logging(_settings.log_level, _settings.log_format)


@worker_ready.connect(weak=False)
def _start_sweeping(**_: Any) -> None:
    sweep = Sweep(process_resources())
    sweep.start()
    _sweeps.append(sweep)
    log.info("worker_started")


@worker_shutting_down.connect(weak=False)
def _stop_working(**_: Any) -> None:
    # A warm shutdown: turns give back what they have not begun to write.
    process_resources().stopping.set()


@worker_shutdown.connect(weak=False)
def _close(**_: Any) -> None:
    for sweep in _sweeps:
        sweep.stop()
    process_resources().close()
    log.info("worker_stopped")
