"""Percentiles from the histogram are close to those of the latencies themselves."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.statistics import BINS_PER_DOUBLING, find_percentile

LATENCIES = st.lists(st.floats(100, 7 * 86_400_000), min_size=1, max_size=50)
SHARES = st.sampled_from([0.5, 0.95])


def bins_of(latencies: list[float]) -> dict[int, int]:
    return Counter(math.floor(BINS_PER_DOUBLING * math.log2(each)) for each in latencies)


def test_without_calls_there_is_no_latency() -> None:
    assert find_percentile({}, 0.5) is None


@given(LATENCIES, SHARES)
def test_percentile_is_at_most_ten_percent_off(latencies: list[float], share: float) -> None:
    true = sorted(latencies)[math.ceil(share * len(latencies)) - 1]
    assert find_percentile(bins_of(latencies), share) == pytest.approx(true, rel=0.1)


def test_higher_share_is_never_lower() -> None:
    bins = {10: 90, 40: 10}
    assert (find_percentile(bins, 0.5), find_percentile(bins, 0.95)) == (6, 1117)
