"""Bodies that differ from real ones in any place: reading them raises nothing."""

import base64
import copy
import json
import math
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from sources.adapter import Delivery, Event, RefusedError, Secret
from sources.registry import ADAPTERS
from tests.sources.vendor_fixtures import FIXTURES

TRIES: Final = 150
JUNK: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1e308, -1e308, math.nan, math.inf, 10**350, 1764300000000.5),
    *("", " ", "é", "x" * 5000, "\ud800", "\0", "[", '{"a":1}', "{" * 3000, "null", "user/ws"),
    *("2025-11-28T03:20:00Z", "99999-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "1e999"),
    *("sip:+12025550110@x", "anonymous", "https://user:pass@a.example/x", "javascript:x"),
    *([], {}, [[]], [None], [1, "x", {}], {"a": None}, {"": ""}, {"value": {"value": 1}}),
    *([{"result": {"a": {}}}], ["https://a.example/x"], {"name": 7, "id": []}),
)
TEXTS: Final = ("summary", "outcome", "recording_url", "agent_name", "agent_id", "agent_email")
NUMBERS: Final = ("phone_number", "from_number", "to_number", "direction", "region")

Path = tuple[str | int, ...]


def find_paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, each in items:
        yield from find_paths(each, (*path, name))


def break_value(value: Any, chance: random.Random) -> Any:
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 4)):
        paths = [path for path in find_paths(value) if path]
        if not paths:
            return value
        *way, last = chance.choice(paths)
        holder = value
        for name in way:
            holder = holder[name]
        holder[last] = copy.deepcopy(chance.choice(JUNK))
    return value


def break_bytes(body: bytes, chance: random.Random) -> bytes:
    broken = bytearray(body)
    for _ in range(chance.randint(1, 12)):
        broken[chance.randrange(len(broken))] = chance.randrange(256)
    return bytes(broken)


def break_body(body: bytes, chance: random.Random) -> bytes:
    try:
        value = json.loads(body)
    except ValueError:
        return break_bytes(body, chance)
    if chance.random() < 0.2:
        return break_bytes(body, chance)
    return json.dumps(break_value(value, chance)).encode()


def check(event: Event) -> None:
    """What is said can be stored: texts in UTF-8, finite numbers, times with a zone."""
    assert event.call.strip()
    repr(event).encode()
    json.dumps(event.facts, default=str, allow_nan=False).encode()
    for name in (*TEXTS, *NUMBERS):
        assert isinstance(event.facts.get(name, ""), str)
    for name in ("started_at", "ended_at"):
        at: Any = event.facts.get(name)
        assert at is None or at.tzinfo is not None
    assert isinstance(event.facts.get("structured_data", {}), dict)
    assert str(event.facts.get("recording_url", "https://")).startswith("https://")
    for turn in event.facts.get("transcript", []):
        assert turn["text"]
        assert isinstance(turn["role"], str)


@pytest.mark.parametrize("vendor", sorted(path.name for path in FIXTURES.iterdir()))
def test_whatever_a_body_holds_reading_it_raises_nothing(vendor: str) -> None:
    adapter = ADAPTERS[vendor]
    chance = random.Random(vendor)
    files = sorted(path for path in (FIXTURES / vendor).iterdir() if path.is_file())
    for _ in range(TRIES):
        body = break_body(chance.choice(files).read_bytes(), chance)
        if vendor == "dialpad":
            body = b"x." + base64.urlsafe_b64encode(body).rstrip(b"=") + b".x"
        delivery = Delivery(
            url=f"https://calls.example.com/api/webhooks/{vendor}/src_demo",
            headers=[(name, "0" * 64) for name in adapter.signature_headers],
            body=body,
            received_at=datetime(2026, 11, 28, tzinfo=UTC),
        )
        readings = adapter.read(delivery, adapter.options())
        assert readings
        for reading in readings:
            if isinstance(reading, Event):
                check(reading)
        secret = Secret(id="sec_1", scheme=adapter.schemes[0].name, value="demo-secret")
        with pytest.raises(RefusedError):
            adapter.verify(delivery, [secret], adapter.options())
