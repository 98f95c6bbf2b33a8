"""Whoever can write to the broker, whichever it is, has a worker do our tasks and nothing else."""

import json
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu.entity import Exchange
from kombu.messaging import Producer

from shared.broker.celery_app import make_celery
from shared.broker.messages import MOST_BYTES, SYNC_TASK
from shared.ids import new_connection_id
from shared.telemetry.metrics import MESSAGES_DROPPED
from tests.local.waiting import wait_for

QUEUE = "hostile-broker"
EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
BODY: list[Any] = [[new_connection_id()], {}, EMBED]
HEADERS: dict[str, Any] = {
    "task": SYNC_TASK,
    "id": "x",
    "lang": "py",
    "argsrepr": "",
    "root_id": "x",
}
HOSTILE: tuple[tuple[object, dict[str, Any]], ...] = (
    (b"", HEADERS),
    (b"\xff\xfe\x00", HEADERS),
    ("[" * 5000, HEADERS),
    ("null", HEADERS),
    ("5", HEADERS),
    (json.dumps(BODY), {}),
    (json.dumps(BODY), {"task": None}),
    (json.dumps(BODY), {"task": [SYNC_TASK]}),
    (json.dumps(BODY), {**HEADERS, "task": "celery.chord_unlock"}),
    (json.dumps(BODY), {**HEADERS, "task": "celery.backend_cleanup"}),
    (json.dumps(BODY), {**HEADERS, "expires": 5}),
    (json.dumps(BODY), {**HEADERS, "expires": "soon"}),
    (json.dumps(BODY[:2]), HEADERS),
    (json.dumps([[], {}, EMBED]), HEADERS),
    (json.dumps([["no id"], {}, EMBED]), HEADERS),
    (json.dumps([[7], {}, EMBED]), HEADERS),
    (json.dumps([BODY[0], {"connection_id": "x"}, EMBED]), HEADERS),
    (json.dumps({"task": SYNC_TASK, "id": "x", "args": BODY[0], "kwargs": {}}), {}),  # protocol 1
    (json.dumps([*BODY, " " * MOST_BYTES]), HEADERS),
    (zlib.compress(json.dumps(BODY).encode()), {**HEADERS, "compression": "application/x-gzip"}),
)


class Worker(NamedTuple):
    """A worker on a broker that is neither Redis nor guarded by its transport."""

    app: Celery
    done: list[str]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    done: list[str] = []
    with make_celery("memory://", QUEUE) as app:

        @app.task(name=SYNC_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
        def sync_connection(connection_id: str) -> None:
            done.append(connection_id)

        with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False):
            yield Worker(app, done)


def publish(
    app: Celery, body: object, headers: dict[str, Any], *, kind: str = "application/json"
) -> None:
    exchange = Exchange(QUEUE, "direct")  # type: ignore[no-untyped-call]
    with app.connection_for_write() as connection:
        Producer(connection.default_channel, exchange).publish(  # type: ignore[no-untyped-call]
            body, routing_key=QUEUE, headers=headers, content_type=kind, content_encoding="utf-8"
        )


def count_dropped() -> float:
    return float(MESSAGES_DROPPED._value.get())


def test_only_our_tasks_are_done_and_all_else_is_dropped_and_counted(worker: Worker) -> None:
    before, last = count_dropped(), new_connection_id()

    for body, headers in HOSTILE:
        publish(worker.app, body, headers)
    worker.app.send_task(SYNC_TASK, args=[last])

    wait_for(lambda: bool(worker.done))
    assert worker.done.pop() == last
    assert count_dropped() == before + len(HOSTILE)


def test_task_is_done_at_once_and_without_what_else_its_message_says(worker: Worker) -> None:
    first, second, last = (new_connection_id() for _ in range(3))
    again = {"task": SYNC_TASK, "args": [second], "kwargs": {}, "options": {}}
    embed = {**EMBED, "callbacks": [again], "chain": [again]}
    headers = {**HEADERS, "eta": "2100-01-01T00:00:00+00:00", "timelimit": [1e-9, 1e-9]}
    publish(
        worker.app,
        json.dumps([[first], {}, embed]),
        {**headers, "retries": "x", "group": 5, "stamps": 7},
        kind="application/x-python-serialize",
    )
    worker.app.send_task(SYNC_TASK, args=[last])

    wait_for(lambda: last in worker.done)
    assert worker.done == [first, last]
