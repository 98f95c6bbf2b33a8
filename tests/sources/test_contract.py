"""What every adapter of the registry does, whichever vendor's it is."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sources.adapter import (
    Adapter,
    Event,
    Ignored,
    InvalidSecretError,
    RefusedError,
    Scheme,
    Secret,
    Unreadable,
)
from sources.registry import ADAPTERS
from tests.sources.deliveries import (
    FIXTURES,
    SIGNED_AT,
    URL,
    deliver,
    load,
    names_of,
    options_of,
    read_all,
)
from tests.sources.soundness import check_sound
from tests.thoroughness import IS_THOROUGH, examples

every_vendor = pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=lambda each: each.vendor)
MIB: Final = 1024 * 1024
# Each scheme takes one of them.
SECRETS: Final = (
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
    "0123456789abcdef0123456789abcdef",
    "a-shared-secret-of-more-than-thirty-two-bytes",
)
# A scheme whose secret is a public key: only the vendor can sign with the other half.
UNSIGNABLE: Final = frozenset({"ed25519"})
# Of these the call's end is known by what a delivery holds, not by the name of an event.
WITHOUT_NAMES: Final = frozenset({"generic"})
LATER: Final = "event.of.next.year"
HOSTILE: Final[tuple[Any, ...]] = (
    *(None, True, -1, float("nan"), 10**400, 10**310, "\0", "\ud800", "12", "x" * 9000),
    *([None, 7, {}], [[]], {"a": {"b": [1]}}),
)
BODIES: Final = (
    *(b"", b" ", b"null", b"[]", b'""', b"0", b"true", b"{}", b"NaN", b"{", b'{"a"', b'{"a":1,}'),
    *(b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf", b'{"a":"\xff"}', b"\0", b"a=b&c=d", b"\xed\xa0\x80"),
    *(
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":[' * 400 + b"]}" * 400,
        b'{"a":1' + b"0" * 100_000 + b"}",
    ),
    *(b'{"a":1,"a":2}', b'{"\\ud800":"\\udfff"}', b"--boundary\r\n\r\n", b"eyJ.eyJ.x"),
)
# The end of a body, and what comes before it as often as there is room.
HUGE: Final = {
    "empty lists": (b'{"data":[', b"[],", b"1]}"),
    "empty objects": (b'{"data":[', b"{},", b"1]}"),
    "short texts": (b'{"data":[', b'"ab",', b"1]}"),
    "numbers": (b'{"data":[', b"1e9,", b"1]}"),
    "one text": (b'{"data":"', b"x", b'"}'),
    "line ends": (b'{"data":"', b"\\n", b'"}'),
    "open lists": (b"", b"[", b""),
    "quotes": (b"", b'"', b""),
    "blanks": (b"", b" ", b""),
    "ampersands": (b"", b"&", b""),
    "pairs": (b"", b"a=b&", b""),
    "percents": (b"", b"%41", b""),
    "dots": (b"", b".", b""),
}
# Readers of JSON, of forms, of both, of a signed token, and of what a setting names: vendors share
# them. Of the full size each is tried with one vendor, smaller with all.
READERS: Final = ("vapi", "twilio", "telnyx", "vonage", "dialpad", "generic")


def fixtures() -> list[Any]:
    return [
        pytest.param(adapter, name, id=f"{vendor}-{name}")
        for vendor, adapter in ADAPTERS.items()
        for name in names_of(vendor)
    ]


def _secret(scheme: Scheme) -> Secret:
    for value in SECRETS:
        try:
            scheme.check(value)
        except InvalidSecretError:
            continue
        return Secret(id=f"sec_{scheme.name}", scheme=scheme.name, value=value)
    raise AssertionError(f"no secret for {scheme.name}")


def test_every_vendor_of_the_registry_has_fixtures() -> None:
    assert {path.name for path in FIXTURES.iterdir()} == set(ADAPTERS)


@every_vendor
def test_words_are_complete(adapter: Adapter) -> None:
    assert re.fullmatch(r"[a-z0-9]+", adapter.vendor)
    assert adapter.title
    assert adapter.schemes
    assert len({scheme.name for scheme in adapter.schemes}) == len(adapter.schemes)
    assert sum(step.count("{url}") for step in adapter.steps) >= 1
    for sentence in (*adapter.steps, *adapter.caveats, *(each.hint for each in adapter.schemes)):
        assert sentence[0].isupper()
        assert sentence.endswith((".", "{url}"))
        assert "{" not in sentence.replace("{url}", "")


@every_vendor
def test_blank_text_is_no_secret(adapter: Adapter) -> None:
    for scheme in adapter.schemes:
        for text in ("", " ", "\n", "a b", "x" * 100_000):
            with pytest.raises(InvalidSecretError) as wrong:
                scheme.check(text)
            assert str(wrong.value).endswith(".")


@every_vendor
def test_unknown_option_is_refused(adapter: Adapter) -> None:
    with pytest.raises(ValidationError):
        adapter.options.model_validate({"colour": "red"})


@every_vendor
def test_source_without_a_secret_takes_nothing(adapter: Adapter) -> None:
    options = options_of(adapter)
    headers: tuple[dict[str, str], ...] = ({}, dict.fromkeys(adapter.signature_headers, "x"))
    samples = [
        sample.headers
        for scheme in adapter.schemes
        if scheme.name not in UNSIGNABLE
        for sample in adapter.sample(_secret(scheme), URL, SIGNED_AT, options)
    ]
    for each in (*headers, *samples):
        with pytest.raises(RefusedError):
            adapter.verify(deliver(b"{}", each), (), options)


@every_vendor
def test_unsigned_delivery_is_refused(adapter: Adapter) -> None:
    for scheme in adapter.schemes:
        for body in BODIES:
            with pytest.raises(RefusedError):
                adapter.verify(deliver(body), (_secret(scheme),), options_of(adapter))


@every_vendor
@given(data=st.data())
@settings(max_examples=examples(25), deadline=None)
def test_any_header_is_refused_and_nothing_else(adapter: Adapter, data: st.DataObject) -> None:
    names = st.sampled_from([*adapter.signature_headers, "authorization", "x-timestamp"])
    texts = st.text(max_size=60) | st.from_regex(
        r"[tv]=\d{10,13},(d|v0)=[0-9a-f]{64}", fullmatch=True
    )
    headers = tuple(data.draw(st.lists(st.tuples(names, texts), max_size=4)))
    delivery = replace(deliver(data.draw(st.binary(max_size=40))), headers=headers)
    for scheme in adapter.schemes:
        with pytest.raises(RefusedError):
            adapter.verify(delivery, (_secret(scheme),), options_of(adapter))


@every_vendor
def test_samples_are_genuine_and_tell_of_one_call_that_ended(adapter: Adapter) -> None:
    options = options_of(adapter)
    for scheme in adapter.schemes:
        if scheme.name in UNSIGNABLE:
            continue
        secret = _secret(scheme)
        samples = adapter.sample(secret, URL, SIGNED_AT, options)
        assert samples
        events: list[Any] = []
        for sample in samples:
            delivery = deliver(sample.body, sample.headers)
            assert adapter.verify(delivery, (secret,), options) is secret
            events += adapter.read(delivery, options)
        assert all(isinstance(event, Event) for event in events)
        assert len({event.call for event in events if isinstance(event, Event)}) == 1
        assert any(event.is_end for event in events if isinstance(event, Event))
        for event in events:
            check_sound(event)


@every_vendor
def test_sample_of_another_secret_is_refused(adapter: Adapter) -> None:
    options = options_of(adapter)
    for scheme in adapter.schemes:
        if scheme.name in UNSIGNABLE:
            continue
        secret = _secret(scheme)
        other = replace(secret, value=secret.value[:-4] + secret.value[-4:][::-1])
        for sample in adapter.sample(secret, URL, SIGNED_AT, options):
            with pytest.raises(RefusedError) as refused:
                adapter.verify(deliver(sample.body, sample.headers), (other,), options)
            assert secret.value not in refused.value.message


@every_vendor
def test_secret_shows_nowhere(adapter: Adapter) -> None:
    options = options_of(adapter)
    for scheme in adapter.schemes:
        if scheme.name in UNSIGNABLE:
            continue
        secret = _secret(scheme)
        for sample in adapter.sample(secret, URL, SIGNED_AT, options):
            delivery = deliver(sample.body, sample.headers)
            said = (secret, delivery, sample, *adapter.read(delivery, options))
            assert secret.value not in repr(said)


@every_vendor
def test_event_of_next_year_is_ignored(adapter: Adapter) -> None:
    call = {"id": "c1", "call_id": "c1", "callId": "c1", "conversation_id": "c1"}
    body = {
        "event": LATER,
        "type": LATER,
        "message": {"type": LATER, "call": call},
        "data": {"event_type": LATER, "payload": call, **call},
        "call": call,
    }
    for reading in read_all(adapter, json.dumps(body).encode()):
        assert isinstance(
            reading, Ignored if adapter.vendor not in WITHOUT_NAMES else (Ignored, Unreadable)
        )
        check_sound(reading)


@every_vendor
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_body_that_is_none_says_nothing(adapter: Adapter, body: bytes) -> None:
    readings = read_all(adapter, body)
    assert readings
    for reading in readings:
        assert not isinstance(reading, Event)
        check_sound(reading)


def _fill(kind: str, size: int) -> bytes:
    start, filling, end = HUGE[kind]
    return start + filling * ((size - len(start) - len(end)) // len(filling)) + end


def _names(size: int) -> bytes:
    """An object of as many different names as fit."""
    return b"{" + b",".join(b'"%d":0' % each for each in range(size // 10)) + b"}"


def _say_nothing(adapter: Adapter, body: bytes) -> None:
    for reading in read_all(adapter, body):
        assert not isinstance(reading, Event)


@pytest.mark.parametrize("vendor", ADAPTERS if IS_THOROUGH else READERS)
def test_body_of_eight_mebibytes_says_nothing(vendor: str) -> None:
    for kind in HUGE:
        _say_nothing(ADAPTERS[vendor], _fill(kind, 8 * MIB))
    _say_nothing(ADAPTERS[vendor], _names(8 * MIB))


@every_vendor
def test_body_of_a_quarter_mebibyte_says_nothing(adapter: Adapter) -> None:
    for kind in HUGE:
        _say_nothing(adapter, _fill(kind, MIB // 4))
    _say_nothing(adapter, _names(MIB // 4))


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "event", "data", "call", "message", "id", "call_id"])
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@every_vendor
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=examples(40), deadline=None)
def test_any_body_is_read(adapter: Adapter, body: bytes) -> None:
    readings = read_all(adapter, body)
    assert readings
    for reading in readings:
        check_sound(reading)


@pytest.mark.parametrize(("adapter", "name"), fixtures())
def test_fixture_is_read_soundly_and_without_what_is_secret(adapter: Adapter, name: str) -> None:
    readings = read_all(adapter, load(adapter.vendor, name))
    for reading in readings:
        assert not isinstance(reading, Unreadable)
        check_sound(reading)
    assert "PLANTED" not in repr(readings)


@pytest.mark.parametrize(("adapter", "name"), fixtures())
def test_fixture_with_any_value_replaced_is_read_soundly(adapter: Adapter, name: str) -> None:
    body = json.loads(load(adapter.vendor, name))
    for holder, key in list(_paths(body)):
        kept = holder[key]
        for value in HOSTILE:
            holder[key] = value
            for reading in read_all(adapter, json.dumps(body).encode()):
                check_sound(reading)
        holder[key] = kept


def _paths(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where each value stands: what holds it, and under which name or number."""
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, each in children:
        yield value, key
        yield from _paths(each)
