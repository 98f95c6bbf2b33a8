"""Deliveries out of `fixtures/`, and the vectors that other code computed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from sources.adapter import Adapter, Delivery, Event, Options, Refusal, RefusedError, Secret

FIXTURES: Final = Path(__file__).parent / "fixtures"
# Stands in the fixtures wherever vendors send credentials and what is nobody's business.
PLANTED: Final = "PLANTED-5f3a"
# What the vectors sign: 18 bytes, one of the letters takes two.
BODY: Final = '{"hello":"Ada é"}'.encode()
SIGNED_AT: Final = datetime.fromtimestamp(1764300000, UTC)

Headers = Sequence[tuple[str, str]]


def deliver(
    adapter: Adapter, body: bytes, headers: Headers = (), at: datetime = SIGNED_AT
) -> Delivery:
    url = f"https://calls.example.com/api/webhooks/{adapter.vendor}/src_demo"
    return Delivery(url=url, headers=headers, body=body, received_at=at)


def load(adapter: Adapter, name: str) -> bytes:
    return (FIXTURES / adapter.vendor / name).read_bytes()


def names(vendor: str) -> list[str]:
    return sorted(path.name for path in (FIXTURES / vendor).iterdir())


def read_event(adapter: Adapter, body: bytes, options: Options | None = None) -> Event:
    """The only reading of a body, which is an event."""
    readings = adapter.read(deliver(adapter, body), options or adapter.options())
    assert len(readings) == 1
    assert isinstance(readings[0], Event)
    return readings[0]


def secret(value: str, scheme: str, name: str = "sec_1") -> Secret:
    return Secret(id=name, scheme=scheme, value=value)


def refuse(adapter: Adapter, delivery: Delivery, *secrets: Secret) -> Refusal:
    """Why a delivery is refused."""
    with pytest.raises(RefusedError) as refused:
        adapter.verify(delivery, secrets, adapter.options())
    for each in secrets:
        assert each.value not in refused.value.message
    return refused.value.code


def tamper(body: bytes) -> bytes:
    """The body with one other byte."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
