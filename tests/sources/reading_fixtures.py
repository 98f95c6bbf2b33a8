"""Deliveries made of fixtures, and what adapters say of them."""

from collections.abc import Sequence
from typing import Final

import pytest

from sources.adapter import (
    Adapter,
    Delivery,
    Event,
    Ignored,
    Options,
    Refusal,
    RefusedError,
    Secret,
)
from tests.sources.deliveries import FIXTURES

# What no vendor sends, and a reader must outlive.
STRANGE: Final[tuple[object, ...]] = (
    *(None, [], {}, [[None]], {"id": {}}, "", "x" * 1000, "99:99:99", True, -1, 1e308),
)
Headers = Sequence[tuple[str, str]]


def load(vendor: str, name: str) -> bytes:
    return (FIXTURES / vendor / name).read_bytes()


def read(adapter: Adapter, delivery: Delivery, options: Options | None = None) -> list[object]:
    return list(adapter.read(delivery, options or adapter.options()))


def read_event(adapter: Adapter, delivery: Delivery, options: Options | None = None) -> Event:
    """The only event that a delivery tells."""
    (reading,) = read(adapter, delivery, options)
    assert isinstance(reading, Event), reading
    return reading


def read_ignored(adapter: Adapter, delivery: Delivery, options: Options | None = None) -> Ignored:
    (reading,) = read(adapter, delivery, options)
    assert isinstance(reading, Ignored), reading
    return reading


def refuse(adapter: Adapter, delivery: Delivery, secrets: Sequence[Secret]) -> Refusal:
    """The code with which a delivery is refused; its words quote no secret."""
    with pytest.raises(RefusedError) as refused:
        adapter.verify(delivery, secrets, adapter.options())
    assert all(each.value not in refused.value.message for each in secrets)
    return refused.value.code
