"""The textbook worker: a Celery task for each call, with its own search, note and retries."""

import os
import threading
from typing import Any

import requests
from celery import Celery

from bench.peers.hubspot import sync_call

app = Celery("textbook", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    task_default_queue="textbook",
)
_local = threading.local()


@app.task(  # type: ignore[untyped-decorator]  # Celery ships no types
    name="textbook.sync_call",
    autoretry_for=(requests.RequestException,),
    retry_backoff=True,
    retry_backoff_max=60,
    retry_jitter=True,
    max_retries=5,
)
def sync_one(call: dict[str, Any]) -> bool:
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    return sync_call(_local.session, os.environ["HUBSPOT_API_URL"], os.environ["PEER_TOKEN"], call)
