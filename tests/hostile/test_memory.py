"""Many of the largest bodies at once, signed and not: the API's memory stays below its limit."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from bench.peaks import SENTENCE, WORDS, make_transcript, peak_mib
from local import services
from local.databases import PROJECT
from local.processes import Command, Process, free_port
from tests.api.asking import call_ended, environment, signed_headers

LIMIT_MIB: Final = 400
AT_ONCE: Final = 64


@pytest.fixture
def api(postgres_url: str, tmp_path: Path) -> Iterator[tuple[str, Process]]:
    """The API by the command line of Compose, as it is in the image."""
    url = f"http://127.0.0.1:{free_port()}"
    service = services.api(url)
    command = Command(
        name=service.name,
        arguments=[sys.executable, "-m", *service.arguments],
        log=tmp_path / "api.log",
        environment=os.environ | environment(DATABASE_URL=postgres_url) | {"MALLOC_ARENA_MAX": "2"},
        directory=PROJECT,
    )
    process = Process(command, partial(services.serves, f"{url}/healthz"))
    process.wait_until_ready()
    yield url, process
    process.stop()


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    return requests.post(
        f"{url}/api/webhooks/call-ended", data=body, headers=headers, timeout=300
    ).status_code


def post_at_once(url: str, sent: Sequence[tuple[bytes, dict[str, str]]]) -> set[int]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return set(pool.map(lambda each: post(url, *each), sent))


def signed(**data: Any) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(call_ended(**data), ensure_ascii=False).encode()
    return body, signed_headers(body)


@pytest.mark.parametrize("text", [f"{SENTENCE} \N{GRINNING FACE}", SENTENCE])
def test_largest_webhooks_at_once(api: tuple[str, Process], text: str) -> None:
    url, process = api
    transcript = make_transcript(text)
    sent = [signed(call_id=f"call_{number}", transcript=transcript) for number in range(AT_ONCE)]
    assert post_at_once(url, sent) <= {202, 503}
    assert peak_mib(process.pid) < LIMIT_MIB


def test_largest_webhooks_of_a_stranger(api: tuple[str, Process]) -> None:
    url, process = api
    body, headers = signed(transcript=make_transcript(WORDS))
    forged = headers | {"webhook-signature": "v1,AAAA"}
    assert post_at_once(url, [(body, forged)] * 2 * AT_ONCE) <= {401, 503}
    assert peak_mib(process.pid) < LIMIT_MIB
