"""Every vendor's deliveries, from its own signed samples to one call in the sync log."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from sources.adapter import Adapter
from sources.registry import ADAPTERS
from tests.api.asking import read
from tests.sources_pipeline.sending import Platform, choose_secret, make_pair, sample

every_vendor = pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=lambda each: each.vendor)


@every_vendor
def test_samples_become_one_call_whatever_their_order(adapter: Adapter, platform: Platform) -> None:
    contents: list[Any] = []
    now = datetime.now(UTC)
    count = len(sample(adapter, platform_secret(adapter), "https://x.example.com"))
    for order in itertools.islice(itertools.permutations(range(count)), 6):
        source, signing = platform.add_ready(adapter)
        sent = sample(adapter, signing, source["url"], now)
        answers = [platform.deliver(source, sent[place]) for place in order]
        assert {each.status_code for each in answers} == {200}, [each.text for each in answers]
        told = [read(each) for each in answers if read(each)["id"]]
        assert told[0]["duplicate"] is False
        assert told[0]["updated"] is False
        assert len({each["id"] for each in told}) == 1
        again = platform.deliver(source, sent[order[0]])
        assert again.status_code == 200
        assert read(again)["duplicate"] is True or read(again)["ignored"]
        assert platform.show(source["id"])["state"] == "receiving"
        (call,) = platform.read_calls()
        assert call["call_id"].startswith(f"{adapter.vendor}:")
        assert call["source_id"] == source["id"]
        contents.append(drop_ids(call["content"]))
        with platform.database.begin() as session:
            session.connection().exec_driver_sql("DELETE FROM hubspot_sync_logs")
    assert all(each == contents[0] for each in contents)


def platform_secret(adapter: Adapter) -> str:
    return make_pair()[1] if adapter.schemes[0].name == "ed25519" else choose_secret(adapter)


def drop_ids(content: dict[str, Any]) -> dict[str, Any]:
    """Without what is new at each time that samples are made."""
    return {name: value for name, value in content.items() if name != "call_id"}
