"""What somebody who can write to Redis might leave there: nonsense, in each key of the service.

Names are those of a deployment with the default prefix.
"""

import json
import random
import time
from base64 import b64encode
from collections.abc import Collection
from typing import Any, Final

from redis import Redis

from shared.broker.messages import HOUSEKEEPING_TASK, SYNC_TASK

QUEUE: Final = "callsync"
BROADCAST: Final = "celery.pidbox"
SEPARATOR: Final = "\x06\x16"
EXCHANGES: Final = (QUEUE, BROADCAST, f"reply.{BROADCAST}", "celeryev")
QUEUES: Final = (QUEUE, *(f"{QUEUE}{SEPARATOR}{priority}" for priority in (3, 6, 9)))
SHARED: Final = (
    *("callsync:sweep", "callsync:housekeeping", "callsync:deployments", "callsync:budget:tokens"),
    "callsync:grants:refused",
    *(f"_kombu.binding.{exchange}" for exchange in EXCHANGES),
    *(f"_kombu.binding_permanent.{exchange}" for exchange in EXCHANGES),
    "_kombu.binding_deadlines",
    *("unacked", "unacked_index", "unacked_mutex"),
)

TEXTS: Final[tuple[bytes, ...]] = (
    *(b"", b"abc", b"None", b"{}", b"\xff\xfe\x00", b"0x7fffffff", b"1_0", "٣".encode()),
    *(b"nan", b"inf", b"-inf", b"-1", b"0", b"1e308", b"-1e308", b"1e-308", b"9" * 400),
)
FIELDS: Final = ("tat", "rate", "rate_at", "else")


def list_keys(
    *, connection_ids: Collection[str], hub_ids: Collection[int], client_id: str
) -> list[str]:
    """The keys that belong to these connections and accounts, and those that all share."""
    return [
        *QUEUES,
        *SHARED,
        f"callsync:grants:refreshed:{client_id}",
        *(
            f"callsync:{kind}:{id_}"
            for kind in ("wake", "swept", "busy", "gathering")
            for id_ in connection_ids
        ),
        *(
            f"callsync:{kind}:{hub_id}"
            for kind in ("budget:search", "budget:requests", "allowed", "turns")
            for hub_id in hub_ids
        ),
    ]


def spoil(redis: Redis, key: str, draws: random.Random) -> None:
    """Put something of any type in the place of a key, most often for ever."""
    redis.delete(key)
    texts = [_draw_text(draws) for _ in range(draws.randint(1, 3))]
    match draws.randrange(6):
        case 0:
            redis.set(key, texts[0])
        case 1:
            redis.rpush(key, *texts)
        case 2:
            redis.sadd(key, *texts)
        case 3:
            scores = (float("inf"), float("-inf"), time.time() + 1e9, 0.0)
            redis.zadd(key, {text: draws.choice(scores) for text in texts})
        case 4:
            redis.hset(key, mapping={each: _draw_text(draws) for each in FIELDS})
        case _:
            redis.xadd(key, {"field": texts[0]})
    if draws.random() < 0.2:  # noqa: PLR2004 - some look as if they were to end
        redis.expire(key, draws.choice((100_000, 2_000_000_000)))


def _draw_text(draws: random.Random) -> bytes:
    if draws.random() < 0.3:  # noqa: PLR2004 - times that look like times
        return str(time.time() + draws.choice((-1e9, 1e9))).encode()
    return draws.choice(TEXTS)


def make_entry(connection_id: str, draws: random.Random) -> bytes:
    """An entry of the queue that is no message, or one that says too much or too little."""
    if draws.random() < 0.3:  # noqa: PLR2004 - the rest looks more like one
        return draws.choice((*TEXTS, b"[]", b"[1]", b'"text"', b"null", b"[" * 5000, b"{" * 5000))
    message = make_message(connection_id)
    for _ in range(draws.randint(1, 3)):
        _distort(message, draws)
    return json.dumps(message).encode()


def make_message(connection_id: str, task: str = SYNC_TASK) -> dict[str, Any]:
    """A message as our publishers make it."""
    return {
        "body": _encode([[connection_id], {}, {"callbacks": None, "chain": None}]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": "an id", "retries": 0, "eta": None},
        "properties": {
            "correlation_id": "an id",
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "a tag",
        },
    }


def _encode(body: object) -> str:
    return b64encode(json.dumps(body).encode()).decode()


_ANYTHING: Final[tuple[object, ...]] = (
    *(None, 0, -1, 1e308, True, "", "text", "\x00", [], [[]], {}, {"a": 1}),
    *("2999-01-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
)
_BODIES: Final[tuple[object, ...]] = (
    *([], {}, "text", None, [[], {}, {}], [[1], {}, {}], [["x"], {}, {}], [["a", "b"], {}, {}]),
    *([["hc_1\x00"], {}, {}], [[], {"connection_id": "x"}, {}], {"task": SYNC_TASK, "args": 1}),
    [[], {}, {"chain": [{"task": HOUSEKEEPING_TASK}]}],
)
_HEADERS: Final = (
    *("task", "id", "eta", "expires", "retries", "timelimit", "shadow", "compression"),
    *("group", "root_id", "argsrepr", "stamps", "stamped_headers", "replaced_task_nesting"),
)


def _distort(message: dict[str, Any], draws: random.Random) -> None:
    anything = draws.choice(_ANYTHING)
    match draws.randrange(5):
        case 0:
            message.pop(draws.choice(sorted(message)), None)
        case 1:
            message[draws.choice(sorted(message) or ["body"])] = anything
        case 2:
            message["body"] = _encode(draws.choice(_BODIES))
        case 3 if isinstance(message.get("headers"), dict):
            message["headers"][draws.choice(_HEADERS)] = anything
        case _ if isinstance(message.get("properties"), dict):
            name = draws.choice(sorted(message["properties"]) or ["delivery_tag"])
            message["properties"][name] = anything
        case _:
            message["headers"] = {"task": "os.system", "id": "x"}


def make_broadcast(draws: random.Random) -> bytes:
    """Something for all who listen for commands: nonsense, and commands that end workers."""
    if draws.random() < 0.3:  # noqa: PLR2004 - the rest looks more like one
        return draws.choice((*TEXTS, b"[1]", b'"text"', b"[" * 100_000))
    command = draws.choice(
        (
            {"method": "shutdown", "arguments": {}},
            {"method": "cancel_consumer", "arguments": {"queue": QUEUE}},
            {"method": "pool_shrink", "arguments": {"n": 31}},
            {"method": "rate_limit", "arguments": {"task_name": SYNC_TASK, "rate_limit": "1/h"}},
            {"method": "time_limit", "arguments": {"task_name": SYNC_TASK, "hard": 1}},
            {"method": "ping", "arguments": {"no": "such"}, "reply_to": "text", "ticket": 1},
            {"method": "ping", "reply_to": {"exchange": "", "routing_key": QUEUE}, "ticket": "1"},
            {"method": ["ping"]},
            {"destination": 7},
            ["a list"],
            None,
        )
    )
    message = make_message("hc_1")
    message["headers"] = {"clock": draws.choice((1, "text", None, 1e308))}
    message["body"] = _encode(command)
    if draws.random() < 0.3:  # noqa: PLR2004 - the rest can be read
        _distort(message, draws)
    return json.dumps(message).encode()
