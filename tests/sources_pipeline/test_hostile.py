"""Whatever is sent to a source's address: no 500, no row, no red light, no secret anywhere."""

import base64
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from local.databases import PROJECT
from sources.adapter import Adapter, Sample
from sources.registry import ADAPTERS
from tests.api.asking import PUBLIC_URL, read
from tests.sources.deliveries import names_of
from tests.sources_pipeline.sending import OTHER_SECRETS, Platform, choose_secret, sample
from tests.sources_pipeline.test_vendors import every_vendor

MIB: Final = 1024 * 1024
PLANTED: Final = "PLANTED-5f3a"
OTHER_SEED: Final = base64.b64encode(b"x" * 32).decode()
STALE: Final = timedelta(hours=3)
BODIES: Final = {
    "empty": b"",
    "null": b"null",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe{\x00}\x00",
    "deep": b'{"a":[' * 50_000,
    "huge number": b'{"a":1' + b"0" * 100_000 + b"}",
    "form bomb": b"a=b&" * 200_000,
    "percents": b"%41" * 300_000,
    "empty lists": b'{"data":[' + b"[]," * 400_000 + b"1]}",
    "surrogates": b'{"\\ud800":"\\udfff"}',
}
SCANS: Final = (
    ("GET", "?page=../../etc/passwd", b""),
    ("POST", "", b"<?php system('id'); ?>"),
    ("POST", "?a=b", b'{"jsonrpc":"2.0","method":"initialize"}'),
    ("PUT", "", b"x"),
    ("HEAD", "", b""),
)


def foreign_samples(adapter: Adapter, url: str) -> list[Sample]:
    """Deliveries as the vendor would sign them for somebody else."""
    if adapter.schemes[0].name == "ed25519":
        return sample(adapter, f"seed:{OTHER_SEED}", url)
    return sample(adapter, choose_secret(adapter, OTHER_SECRETS), url)


@every_vendor
def test_deliveries_of_somebody_else_are_refused_and_seen(
    adapter: Adapter, platform: Platform
) -> None:
    source, signing = platform.add_ready(adapter)
    for sent in foreign_samples(adapter, source["url"]):
        assert platform.deliver(source, sent).status_code == 401, sent.name
    assert platform.read_calls() == []
    shown = platform.show(source["id"])
    assert shown["state"] == "refusing"
    assert signing not in json.dumps(shown)
    sent = sample(adapter, signing, source["url"])[0]
    assert platform.deliver(source, sent).status_code == 200
    assert platform.show(source["id"])["state"] != "refusing"


@every_vendor
def test_headers_that_are_missing_doubled_or_blank_prove_nothing(
    adapter: Adapter, platform: Platform
) -> None:
    source, signing = platform.add_ready(adapter)
    (sent, *_) = sample(adapter, signing, source["url"])
    names = {name.lower() for name in adapter.signature_headers}
    for header in (each for each in sent.headers if each.lower() in names):
        without = {name: text for name, text in sent.headers.items() if name != header}
        if platform.deliver(source, sent, headers=without).status_code == 200:
            continue  # the proof is in the body
        blank = {**sent.headers, header: " "}
        assert platform.deliver(source, sent, headers=blank).status_code == 401
        # A server joins what came twice by a comma; some of these headers are lists.
        twice = [*sent.headers.items(), (header, sent.headers[header])]
        assert platform.deliver(source, sent, headers=twice).status_code in {200, 401}
        forged = [*without.items(), (header, "x"), (header, "y")]
        assert platform.deliver(source, sent, headers=forged).status_code == 401


@every_vendor
def test_whatever_is_sent_without_proof_is_refused(adapter: Adapter, platform: Platform) -> None:
    source, _ = platform.add_ready(adapter)
    for body in BODIES.values():
        nothing = Sample(name="nothing", headers={}, body=body)
        assert platform.deliver(source, nothing).status_code == 401
        has_all = dict.fromkeys(adapter.signature_headers, "x")
        forged = Sample(name="forged", headers=has_all, body=body)
        assert platform.deliver(source, forged).status_code == 401
    assert platform.read_calls() == []
    assert platform.show(source["id"])["counts"]["refused"] == 2 * len(BODIES)


@every_vendor
def test_a_scanner_turns_no_source_red(adapter: Adapter, platform: Platform) -> None:
    source, signing = platform.add_ready(adapter)
    (sent, *_) = sample(adapter, signing, source["url"])
    assert platform.deliver(source, sent).status_code == 200
    before = platform.show(source["id"])["state"]
    path = source["url"].removeprefix(PUBLIC_URL)
    for method, query, body in SCANS:
        answer = platform.client.open(path + query, method=method, data=body)
        assert answer.status_code in {401, 405}
    for name in names_of(adapter.vendor):
        body = (PROJECT / "tests/sources/fixtures" / adapter.vendor / f"{name}.json").read_bytes()
        unsigned = Sample(name=name, headers={}, body=body)
        assert platform.deliver(source, unsigned).status_code in {200, 401}
    assert platform.show(source["id"])["state"] == before


@every_vendor
def test_bodies_that_are_genuine_and_hostile_are_answered_with_200(
    adapter: Adapter, platform: Platform
) -> None:
    """A forwarding secret proves any body, whatever the vendor signs."""
    source, _ = platform.add_ready(adapter, options={"forwarded": "forwarding-secret"})
    for body in BODIES.values():
        sent = Sample(
            name="hostile", headers={"Authorization": "Bearer forwarding-secret"}, body=body
        )
        answer = platform.deliver(source, sent)
        assert answer.status_code == 200
        assert read(answer)["ignored"] in {True, "unreadable"}
    assert platform.read_calls() == []


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


@every_vendor
def test_what_vendors_put_beside_a_call_is_found_nowhere(
    adapter: Adapter,
    platform: Platform,
    logged: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, signing = platform.add_ready(adapter, options={"forwarded": "forwarding-secret"})
    headers = {"Authorization": "Bearer forwarding-secret"}
    for name in names_of(adapter.vendor):
        body = (PROJECT / "tests/sources/fixtures" / adapter.vendor / f"{name}.json").read_bytes()
        answer = platform.deliver(source, Sample(name=name, headers=headers, body=body))
        assert answer.status_code == 200, name
        assert PLANTED not in answer.text
    shown = platform.ask("GET").text + platform.ask("GET", f"/{source['id']}/deliveries").text
    dump = read_everything(platform)
    written = capsys.readouterr()
    for place in (shown, dump, logged.text, written.out, written.err):
        assert PLANTED not in place
        assert "forwarding-secret" not in place
    for place in (shown, dump):
        assert signing not in place


def read_everything(platform: Platform) -> str:
    tables = platform.read_rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    )
    return "\n".join(
        str(row[0])
        for (table,) in tables
        for row in platform.read_rows(f'SELECT row_to_json(t)::text FROM "{table}" t')  # noqa: S608
    )


def test_a_stale_delivery_is_refused_where_its_time_is_signed(platform: Platform) -> None:
    refused: dict[str, Any] = {}
    for adapter in ADAPTERS.values():
        source, signing = platform.add_ready(adapter)
        sent = sample(adapter, signing, source["url"], datetime.now(UTC) - STALE)
        refused[adapter.vendor] = platform.deliver(source, sent[0]).status_code
    assert set(refused.values()) <= {200, 401}
    assert refused["retell"] == refused["telnyx"] == refused["elevenlabs"] == 401
    assert refused["twilio"] == refused["aircall"] == refused["dialpad"] == 200
