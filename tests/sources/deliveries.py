"""Deliveries for the tests of adapters: kept bodies, published signatures, and attacks on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from sources.adapter import Adapter, Delivery, Event, Reading, Refusal, RefusedError, Secret

FIXTURES: Final = Path(__file__).parent / "fixtures"
URL: Final = "https://calls.example.com/api/webhooks/vendor/src_demo"
# What the published signatures are of.
BODY: Final = '{"hello":"Ada é"}'.encode()
SIGNED_AT: Final = datetime.fromtimestamp(1764300000, UTC)
OTHER: Final = "another-secret-of-16"


# Where a vendor's defaults read nothing.
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "generic": {
        "fields": {
            "call_id": "calls.0.id",
            "event": "event",
            "from_number": "$.calls[0].from",
            "to_number": "calls.0.to",
            "direction": "calls.0.kind",
            "started_at": "calls.0.begin",
            "ended_at": "calls.0.end",
            "duration_seconds": "calls.0.length_ms",
            "agent_name": "calls.0.who.name",
            "agent_email": "calls.0.who.mail",
            "outcome": "calls.0.result",
            "summary": "calls.0.notes",
            "recording_url": "calls.0.audio",
            "transcript": "calls.0.lines",
            "structured_data": "calls.0.extra",
            "structured_data.mailbox": "calls.0.who.mail",
        },
        "duration_unit": "milliseconds",
        "ended_when": {"path": "event", "value": "call.ended"},
    }
}


def options_of(adapter: Adapter) -> Any:
    return adapter.options.model_validate(OPTIONS.get(adapter.vendor, {}))


def deliver(
    body: bytes, headers: Mapping[str, str] | None = None, at: datetime = SIGNED_AT
) -> Delivery:
    return Delivery(url=URL, headers=tuple((headers or {}).items()), body=body, received_at=at)


def load(vendor: str, name: str) -> bytes:
    return (FIXTURES / vendor / f"{name}.json").read_bytes()


def names_of(vendor: str) -> list[str]:
    return sorted(path.stem for path in (FIXTURES / vendor).glob("*.json"))


def read_all(adapter: Adapter, body: bytes, options: Any = None) -> Sequence[Reading]:
    chosen = options if options is not None else options_of(adapter)
    return adapter.read(deliver(body), chosen)


def read_event(adapter: Adapter, name: str, options: Any = None) -> Event:
    (reading,) = read_all(adapter, load(adapter.vendor, name), options)
    assert isinstance(reading, Event), reading
    return reading


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A signature that was not made by our code, and the secret that it was made with."""

    adapter: Adapter
    secret: Secret
    headers: Mapping[str, str]
    signature: str
    """The header of the signature."""
    fresh_s: int | None = 300
    """How old it may be; None if its time is not checked."""
    options: Any = None
    body: bytes = BODY
    changes: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    """Other spellings of the signature that must be refused."""

    def verify(self, delivery: Delivery | None = None, *secrets: Secret) -> Secret:
        options = self.options if self.options is not None else self.adapter.options()
        return self.adapter.verify(delivery or self.delivery, secrets or (self.secret,), options)

    @property
    def delivery(self) -> Delivery:
        return deliver(self.body, self.headers)

    def refusal(self, delivery: Delivery, *secrets: Secret) -> Refusal:
        with pytest.raises(RefusedError) as refused:
            self.verify(delivery, *secrets)
        for each in (*secrets, self.secret):
            assert each.value not in refused.value.message
        assert refused.value.message.endswith(".")
        return refused.value.code


def check_vector(vector: Vector) -> None:
    """A signature is taken, again when it is repeated, and beside other secrets."""
    assert vector.verify() is vector.secret
    assert vector.verify() is vector.secret
    other = replace(vector.secret, id="other", value=OTHER)
    assert vector.verify(vector.delivery, other, vector.secret) is vector.secret
    # A header's name has no case.
    shouted = deliver(vector.body, {name.upper(): text for name, text in vector.headers.items()})
    assert vector.verify(shouted) is vector.secret


def check_attacks(vector: Vector) -> None:
    """What differs from a signed delivery in anything is refused, and says why."""
    delivery, name = vector.delivery, vector.signature
    options = vector.options if vector.options is not None else vector.adapter.options()
    with pytest.raises(RefusedError) as refused:
        vector.adapter.verify(delivery, (), options)
    assert refused.value.code is Refusal.NO_SECRET

    other = replace(vector.secret, value=OTHER)
    empty = replace(vector.secret, value="")
    assert vector.refusal(delivery, other) is Refusal.WRONG_SIGNATURE
    with pytest.raises(RefusedError):
        vector.adapter.verify(delivery, (empty,), options)
    if len(vector.adapter.schemes) > 1:
        with pytest.raises(RefusedError):
            vector.adapter.verify(delivery, (replace(vector.secret, scheme="foreign"),), options)

    for header in vector.headers:
        without = {each: text for each, text in vector.headers.items() if each != header}
        assert vector.refusal(deliver(vector.body, without)) is Refusal.MISSING_SIGNATURE
        twice = (*delivery.headers, (header.title(), vector.headers[header]))
        assert vector.refusal(replace(delivery, headers=twice)) in {
            Refusal.MALFORMED_SIGNATURE,
            Refusal.MISSING_SIGNATURE,
        }
        blank = {**vector.headers, header: " "}
        assert vector.refusal(deliver(vector.body, blank)) is not Refusal.NO_SECRET

    for place in range(len(vector.body)):
        tampered = bytearray(vector.body)
        tampered[place] ^= 1
        changed = deliver(bytes(tampered), vector.headers)
        assert vector.refusal(changed) is Refusal.WRONG_SIGNATURE
    for body in (b"", vector.body + b" ", vector.body[:-1], b"\xef\xbb\xbf" + vector.body):
        assert vector.refusal(deliver(body, vector.headers)) is Refusal.WRONG_SIGNATURE

    for change in (*_CHANGES, *vector.changes.values()):
        changed = deliver(vector.body, {**vector.headers, name: change(vector.headers[name])})
        assert vector.refusal(changed) in {
            Refusal.MALFORMED_SIGNATURE,
            Refusal.WRONG_SIGNATURE,
        }

    if vector.fresh_s is not None:
        for seconds in (-vector.fresh_s + 1, vector.fresh_s - 1):
            later = replace(delivery, received_at=SIGNED_AT + timedelta(seconds=seconds))
            assert vector.verify(later) is vector.secret
        for seconds in (-vector.fresh_s - 1, vector.fresh_s + 1, 10**8):
            later = replace(delivery, received_at=SIGNED_AT + timedelta(seconds=seconds))
            assert vector.refusal(later) is Refusal.STALE


_CHANGES: Final[Sequence[Callable[[str], str]]] = (
    lambda text: text[:-2],
    lambda text: text + "0",
    lambda text: text[:-3] + "é" + text[-2:],
    lambda text: text[:-3] + "\u0661" + text[-2:],
    lambda text: text.replace(text[-8:], text[-8:][::-1]),
    lambda _: "0" * 64,
    lambda _: "=",
    lambda _: "\udcff",
    lambda text: text * 3000,
)
