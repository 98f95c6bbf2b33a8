"""The messages that there are: what a queue holds is believed no further than it must be.

A message is a hint. Of one that waits in Redis or RabbitMQ only the task, a connection's id and the
end of its life are read; whatever else it says (callbacks, delays, limits, ids) is not handed on.
"""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import uuid4

from shared.ids import is_connection_id

SYNC_TASK: Final = "callsync.sync_connection"
HOUSEKEEPING_TASK: Final = "callsync.housekeeping"

# Ours have about 1,000; nobody needs to parse a large one to know that it is none of them.
MOST_BYTES: Final = 16_384

JSON_TYPE: Final = "application/json"


class Task(NamedTuple):
    """A message of ours as whoever runs it needs it, made anew: nothing of what came is left."""

    headers: dict[str, Any]
    body: bytes
    properties: dict[str, Any]


def read_task(headers: Any, body: object, queue: str) -> Task | None:
    """A task of ours, from a message of any transport; None if that is none.

    Args:
        headers: As Celery's publishers write them (protocol 2).
        body: In JSON, as text or as bytes.
        queue: Where it waited.
    """
    if not isinstance(body, str | bytes | bytearray | memoryview) or len(body) > MOST_BYTES:
        return None
    try:
        task, expires = headers["task"], headers.get("expires")
        args, kwargs, _ = json.loads(body if isinstance(body, str) else bytes(body))
        if expires is not None:
            expires = datetime.fromisoformat(expires).astimezone(UTC).isoformat()
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        return None
    if kwargs != {} or not _are_arguments(task, args):
        return None
    return _make_task(task, args, expires, queue)


def read_message(held: bytes, queue: str) -> bytes | None:
    """A message of ours, made anew from what was in Redis's queue; None if that was none."""
    if len(held) > MOST_BYTES:
        return None
    try:
        envelope = json.loads(held)
        headers, body = envelope["headers"], b64decode(envelope["body"], validate=True)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    task = read_task(headers, body, queue)
    if task is None:
        return None
    envelope = {
        "body": b64encode(task.body).decode(),
        "content-encoding": "utf-8",
        "content-type": JSON_TYPE,
        "headers": task.headers,
        "properties": task.properties,
    }
    return json.dumps(envelope).encode()


def _are_arguments(task: object, args: object) -> bool:
    if task == SYNC_TASK and isinstance(args, list) and len(args) == 1:
        return isinstance(args[0], str) and is_connection_id(args[0])
    return task == HOUSEKEEPING_TASK and args == []


def _make_task(task: str, args: list[str], expires: str | None, queue: str) -> Task:
    """As Celery makes it (protocol 2)."""
    task_id = str(uuid4())
    body = [args, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    headers: dict[str, Any] = {
        "lang": "py",
        "task": task,
        "id": task_id,
        "shadow": None,
        "eta": None,
        "expires": expires,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": task_id,
        "parent_id": None,
        "argsrepr": repr(tuple(args)),
        "kwargsrepr": "{}",
        "origin": "",
        "ignore_result": True,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    properties = {
        "correlation_id": task_id,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    return Task(headers, json.dumps(body).encode(), properties)


def is_broadcast(held: object) -> bool:
    """Whether Kombu can make a message of what came by an exchange that all listen to."""
    match held:
        case {
            "body": str(body),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": dict(headers),
            "properties": {
                "body_encoding": "base64",
                "delivery_tag": str(),
                "delivery_info": dict(),
            },
        } if "compression" not in headers:
            return _is_json(body)
    return False


def _is_json(body: str) -> bool:
    try:
        json.loads(b64decode(body, validate=True))
    except (ValueError, RecursionError):
        return False
    return True
