"""A call is the same whatever the order of its deliveries, and however often each of them comes."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calls.merging import (
    NUMBERS,
    Delivery,
    MergedCall,
    Stamp,
    begin,
    fingerprint,
    fold,
    make_stamp,
)

NOW: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)
CUSTOMER: Final = "+12025550123"
OWN: Final = "+12025550100"
PLAIN: Final = ("summary", "outcome", "agent_name", "started_at", "ended_at", "transcript")


def at(seconds: float, rank: int = 1, received: float | None = None) -> Stamp:
    """A stamp some seconds after `NOW`."""
    received_at = NOW + timedelta(seconds=seconds if received is None else received)
    return make_stamp(NOW + timedelta(seconds=seconds), rank, received_at)


def said(seconds: float, rank: int = 1, **facts: Any) -> Delivery:
    return Delivery(stamp=at(seconds, rank), facts=facts)


def merge(*deliveries: Delivery) -> MergedCall:
    first, *rest = deliveries
    return fold(begin(first), rest).call


def content(*deliveries: Delivery) -> dict[str, Any]:
    return dict(merge(*deliveries).content)


# The oracle: no state, no order. Each field is asked for among all deliveries at once.


def is_something(value: object) -> bool:
    return value is not None and value not in ("", " ", [], {})


def names_customer(delivery: Delivery) -> bool:
    facts = delivery.facts
    if facts.get("phone_number") == CUSTOMER:
        return True
    end = {"inbound": "from_number", "outbound": "to_number"}.get(facts.get("direction", ""), "")
    return facts.get(end) == CUSTOMER


def newest(values: Sequence[tuple[Stamp, Any]]) -> Any:
    return max(values, key=lambda each: each[0])[1] if values else None


def expected(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    withdrawn = {name for each in deliveries for name in each.withdrawn}
    # Of a withdrawn field only those say something who withdraw it: that is the redacted version.
    deliveries = [
        replace(
            each,
            facts={
                name: value
                for name, value in each.facts.items()
                if name in each.withdrawn or name not in withdrawn
            },
        )
        for each in deliveries
    ]
    found: dict[str, Any] = {}
    for name in PLAIN:
        told = [(d.stamp, d.facts[name]) for d in deliveries if is_something(d.facts.get(name))]
        found[name] = newest(told)
    for name in NUMBERS:
        tellers = [d for d in deliveries if is_something(d.facts.get(name))]
        better = [d for d in tellers if names_customer(d)] or tellers
        found[name] = newest([(d.stamp, d.facts[name]) for d in better])
    data: dict[str, Any] = {}
    keys = {key for d in deliveries for key in d.facts.get("structured_data") or ()}
    for key in keys:
        holders = [d for d in deliveries if key in (d.facts.get("structured_data") or {})]
        data[key] = newest(
            [
                (d.stamp, d.facts["structured_data"][key])
                for d in holders
                if is_something(d.facts["structured_data"][key])
            ]
        )
    found["structured_data"] = {key: value for key, value in data.items() if value is not None}
    return {name: value for name, value in found.items() if is_something(value)}


def stripped(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Without keys of structured data that say nothing: whether those are kept is no matter."""
    kept = dict(facts)
    data = {
        key: each for key, each in kept.pop("structured_data", {}).items() if is_something(each)
    }
    return kept | ({"structured_data": data} if data else {})


WORDS: Final = st.sampled_from(["", " ", "one", "two", "three"])
FACTS: Final = st.fixed_dictionaries(
    {},
    optional={
        "summary": WORDS,
        "outcome": WORDS,
        "agent_name": WORDS | st.none(),
        "started_at": st.sampled_from(["2026-11-22T09:00:00+00:00", "2026-11-22T09:01:00+00:00"]),
        "ended_at": st.sampled_from(["2026-11-22T09:02:00+00:00", "2026-11-22T09:03:00+00:00"]),
        "transcript": st.lists(
            st.fixed_dictionaries({"role": st.just("user"), "text": WORDS}), max_size=2
        ),
        "structured_data": st.dictionaries(
            st.sampled_from("abc"), WORDS | st.none() | st.integers(1, 3), max_size=3
        ),
        "phone_number": st.sampled_from([CUSTOMER, "anonymous", ""]),
        "direction": st.sampled_from(["inbound", "outbound"]),
        "from_number": st.sampled_from([CUSTOMER, "anonymous"]),
        "to_number": st.sampled_from([CUSTOMER, "anonymous"]),
    },
)
FIELD_NAMES: Final = st.sampled_from(["summary", "structured_data", "transcript", "outcome"])


@st.composite
def deliveries_of_a_call(draw: st.DrawFn) -> list[Delivery]:
    count = draw(st.integers(1, 6))
    # Of one reception each, so that no two stamps are the same.
    return [
        Delivery(
            stamp=Stamp(draw(st.integers(0, 3)), draw(st.integers(0, 2)), place),
            facts=draw(FACTS),
            withdrawn=draw(
                st.frozensets(FIELD_NAMES, max_size=1) if place != 1 else st.just(frozenset())
            ),
            is_end=draw(st.booleans()),
            is_final=draw(st.booleans()),
        )
        for place in range(count)
    ]


@given(deliveries_of_a_call(), st.randoms(use_true_random=False))
def test_any_order_gives_what_the_best_stamps_say(
    deliveries: list[Delivery], shuffler: random.Random
) -> None:
    shuffled = list(deliveries)
    shuffler.shuffle(shuffled)
    merged = merge(*shuffled)
    assert stripped(merged.content) == expected(deliveries)
    assert merged.is_ended == any(each.is_end for each in deliveries)
    assert merged.is_final == any(each.is_final for each in deliveries)
    assert merged.withdrawn == frozenset().union(*(each.withdrawn for each in deliveries))


@given(deliveries_of_a_call(), st.data())
def test_repetitions_change_nothing(deliveries: list[Delivery], data: st.DataObject) -> None:
    merged = merge(*deliveries)
    repeated = data.draw(st.lists(st.sampled_from(deliveries), min_size=1, max_size=6))
    again = fold(merged, repeated)
    assert again.call.content == merged.content
    assert again.call.revision == merged.revision
    assert again.changed == ()


@given(deliveries_of_a_call())
def test_nothing_is_blanked_that_nobody_withdrew(deliveries: list[Delivery]) -> None:
    call = begin(deliveries[0])
    for delivery in deliveries[1:]:
        before = stripped(call.content)
        call = fold(call, [delivery]).call
        gone = before.keys() - stripped(call.content).keys()
        assert gone <= call.withdrawn
        lost = (
            before.get("structured_data", {}).keys()
            - call.content.get("structured_data", {}).keys()
        )
        assert not lost or "structured_data" in call.withdrawn


@given(deliveries_of_a_call(), st.integers(0, 5))
def test_parts_merged_apart_in_time_give_the_same_as_all_at_once(
    deliveries: list[Delivery], cut: int
) -> None:
    call = begin(deliveries[0])
    first = fold(call, deliveries[1:cut]).call
    assert fold(first, deliveries[max(cut, 1) :]).call == fold(call, deliveries[1:]).call


@given(deliveries_of_a_call())
def test_fingerprint_and_revision_change_when_a_field_does(deliveries: list[Delivery]) -> None:
    call = begin(deliveries[0])
    for delivery in deliveries[1:]:
        merged = fold(call, [delivery])
        is_other = fingerprint(merged.call.content) != fingerprint(call.content)
        assert is_other == bool(merged.changed)
        assert merged.call.revision - call.revision <= 1
        assert not is_other or merged.call.revision == call.revision + 1
        call = merged.call


LINK: Final = "https://s3.example.com/a.mp3"


def signed(at_hour: int, lasting: int = 3600) -> str:
    signing = f"X-Amz-Date=20261122T{at_hour:02}0000Z&X-Amz-Expires={lasting}"
    return f"{LINK}?{signing}&X-Amz-Signature={at_hour}"


@pytest.mark.parametrize(
    ("deliveries", "merged"),
    [
        pytest.param(
            [said(0, outcome="busy"), said(60, summary="Wants a demo")],
            {"outcome": "busy", "summary": "Wants a demo"},
            id="the later one completes the call",
        ),
        pytest.param(
            [said(60, summary="new"), said(0, summary="old", agent_name="Ada")],
            {"summary": "new", "agent_name": "Ada"},
            id="an older copy that comes later fills gaps only",
        ),
        pytest.param(
            [said(0, 1, summary="first"), said(0, 2, summary="analysed")],
            {"summary": "analysed"},
            id="at the same time the rank decides",
        ),
        pytest.param(
            [
                said(0, structured_data={"a": 1, "b": 1}),
                said(1, structured_data={"b": 2}),
            ],
            {"structured_data": {"a": 1, "b": 2}},
            id="structured data is merged by key",
        ),
        pytest.param(
            [said(0, transcript=[{"role": "user", "text": "Hel"}]), said(1, transcript=[])],
            {"transcript": [{"role": "user", "text": "Hel"}]},
            id="an empty list blanks nothing",
        ),
        pytest.param(
            [
                said(0, phone_number=CUSTOMER, direction="inbound"),
                said(1, phone_number="anonymous"),
            ],
            {"phone_number": CUSTOMER, "direction": "inbound"},
            id="a withheld number is nothing",
        ),
        pytest.param(
            [
                said(0, direction="inbound", from_number=CUSTOMER, to_number=OWN),
                said(1, direction="outbound", from_number=OWN, to_number="+12025550199"),
            ],
            {"direction": "outbound", "from_number": OWN, "to_number": "+12025550199"},
            id="who called whom is taken whole",
        ),
        pytest.param(
            [
                said(1, direction="outbound", from_number=OWN, to_number="+12025550199"),
                said(0, phone_number=CUSTOMER, direction="inbound"),
            ],
            {"direction": "outbound", "from_number": OWN, "to_number": "+12025550199"},
            id="and an older customer does not mix with it",
        ),
        pytest.param(
            [said(0, from_number=CUSTOMER, to_number=OWN), said(1, direction="inbound")],
            {"from_number": CUSTOMER, "to_number": OWN, "direction": "inbound"},
            id="a direction completes numbers",
        ),
        pytest.param(
            [
                said(0, phone_number=CUSTOMER, from_number=CUSTOMER, direction="inbound"),
                said(1, phone_number=CUSTOMER, summary="x"),
            ],
            {
                "phone_number": CUSTOMER,
                "from_number": CUSTOMER,
                "direction": "inbound",
                "summary": "x",
            },
            id="the number alone takes no direction away",
        ),
    ],
)
def test_example(deliveries: list[Delivery], merged: dict[str, Any]) -> None:
    assert content(*deliveries) == merged
    assert content(*deliveries[::-1]) == merged


def test_the_redacted_version_stays_whatever_order_the_versions_come_in() -> None:
    raw = said(60, transcript=[{"role": "user", "text": "My card is 4242"}], summary="raw")
    redacted = Delivery(
        stamp=at(0),
        facts={"transcript": [{"role": "user", "text": "My card is ****"}]},
        withdrawn=frozenset({"transcript", "summary"}),
    )
    later = Delivery(
        stamp=at(90),
        facts={"transcript": [{"role": "user", "text": "My card is [card]"}]},
        withdrawn=frozenset({"transcript"}),
    )
    for order in permutations((raw, redacted)):
        assert content(*order) == {"transcript": redacted.facts["transcript"]}
        assert content(*order, raw, *order) == {"transcript": redacted.facts["transcript"]}
    for order in permutations((raw, redacted, later)):
        assert content(*order) == {"transcript": later.facts["transcript"]}


def test_a_withdrawn_field_stays_away_whatever_comes() -> None:
    withdrawal = Delivery(stamp=at(0), facts={}, withdrawn=frozenset({"recording_url"}))
    recorded = said(60, recording_url=LINK, summary="kept")
    for order in ([withdrawal, recorded], [recorded, withdrawal]):
        assert content(*order) == {"summary": "kept"}
    call = merge(recorded)
    assert fold(call, [withdrawal]).changed == ("recording_url",)


@pytest.mark.parametrize(
    ("ahead", "counts"),
    [(timedelta(minutes=5), True), (timedelta(minutes=5, microseconds=1), False)],
)
def test_a_time_too_far_ahead_is_not_believed(ahead: timedelta, *, counts: bool) -> None:
    stamp = make_stamp(NOW + ahead, 1, NOW)
    assert (stamp.occurred_at > stamp.received_at) is counts
    assert make_stamp(None, 1, NOW).occurred_at == stamp.received_at


def test_a_link_signed_anew_is_stored_and_no_news_while_the_old_one_is_good() -> None:
    call = merge(said(0, recording_url=signed(10)))
    renewed = fold(call, [said(600, recording_url=signed(10, 7200))])
    assert renewed.changed == ()
    assert renewed.call.content["recording_url"] == signed(10, 7200)
    assert renewed.call.revision == 1
    # One that lasts for less is not even stored.
    shorter = fold(renewed.call, [said(700, recording_url=signed(10, 1800))])
    assert shorter.call.content == renewed.call.content


def test_a_link_signed_anew_is_news_once_the_shown_one_has_expired() -> None:
    call = merge(said(0, recording_url=signed(10)))
    call = fold(call, [said(1800, recording_url=signed(10, 7200))]).call
    late = fold(call, [said(4000, recording_url=signed(11, 7200))])
    assert late.changed == ("recording_url",)
    assert late.call.content["recording_url"] == signed(11, 7200)
    # And from then on that one is the shown one.
    assert fold(late.call, [said(5000, recording_url=signed(12, 7200))]).changed == ()


def test_another_recording_is_news() -> None:
    call = merge(said(0, recording_url=signed(10)))
    other = fold(call, [said(1, recording_url="https://s3.example.com/b.mp3")])
    assert other.changed == ("recording_url",)


def test_what_is_stored_beside_the_fields_is_kept() -> None:
    call = MergedCall(content={"call_id": "c", "traceparent": "00-1"}, base=at(0))
    assert fold(call, [said(1, summary="x", user_id="no field")]).call.content == {
        "call_id": "c",
        "traceparent": "00-1",
        "summary": "x",
    }


def test_news_that_only_says_that_the_call_is_over_counts_as_a_revision() -> None:
    call = merge(said(0, summary="x"))
    ended = fold(call, [Delivery(stamp=at(1), facts={}, is_end=True)])
    assert ended.changed == ()
    assert (ended.call.is_ended, ended.call.revision) == (True, 2)
