"""A task that does nothing, on a worker like ours: the most that a task for each call allows."""

import os

from shared.broker.celery_app import make_celery

app = make_celery(os.environ["REDIS_URL"])
app.conf.task_default_queue = "empty"
app.conf.worker_consumer = "celery.worker.consumer:Consumer"  # ours takes our own tasks alone


@app.task(name="empty.nothing")  # type: ignore[untyped-decorator]  # Celery ships no types
def nothing(_number: int) -> None:
    return
