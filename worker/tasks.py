"""The Celery tasks: doors to ordinary functions that do not know Celery."""

from celery import Celery

from shared.broker.messages import HOUSEKEEPING_TASK, SYNC_TASK
from worker.maintenance import housekeeping
from worker.resources import process_resources
from worker.rounds import sync


def add_tasks(app: Celery) -> None:
    """Register every task with the application, under explicit names."""

    @app.task(name=SYNC_TASK, ignore_result=True)
    def sync_connection(connection_id: str) -> dict[str, str | int]:
        """Work on one connection's due calls; the return value shows in Flower."""
        return sync.sync_connection(process_resources(), connection_id).as_result()

    @app.task(name=HOUSEKEEPING_TASK, ignore_result=True)
    def keep_house() -> dict[str, int]:
        """What nobody waits for: retention, revocations, strays."""
        return housekeeping.keep_house(process_resources())
