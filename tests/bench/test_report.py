"""The page of results says what was measured, and which goals are missed."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.plots import plot_growth
from bench.report import keep, write_page
from bench.results import Goal, Result

RATE = Result(
    "calls/s through one connection",
    "calls/s",
    [400.0, 410.0, 420.0],
    [5.0, 5.0, 5.0],
    "textbook worker",
    Goal(60, is_least=True),
)
SLOW = Result("webhook p99", "ms", [90.0], [10.0], "idle", Goal(8, is_least=False))
GROWTH = [
    Result(
        "by accounts",
        "calls/s",
        [1.0, 9.0],
        facts={"by accounts": {"1": 1.0, "10": 9.0}},
        is_series=True,
    ),
    Result("by workers", "calls/s", [1.0], facts={"by workers": {"1": 5.0, "2": 9.0}}),
]


def test_page_has_every_row_and_its_plots(tmp_path: Path) -> None:
    keep("limits", [RATE], folder=tmp_path)
    keep("intake", [SLOW], folder=tmp_path)
    keep("growth", GROWTH, folder=tmp_path)
    write_page(folder=tmp_path)

    page = (tmp_path / "benchmarks.md").read_text()
    assert "| calls/s through one connection | calls/s | 410 [400–420] |" in page
    assert "| 82 [80–84] | ≥ 60 × ✓ |" in page
    assert "| 9 | ≤ 8 × ✗ |" in page
    assert "| by accounts | calls/s | 1, 9 |" in page
    assert "{table}" not in page
    for plot in ("throughput.svg", "growth.svg"):
        assert f"({plot})" in page
        assert "<svg" in (tmp_path / plot).read_text()


def test_curves_stand_at_their_numbers() -> None:
    kept = json.loads(json.dumps([each.to_json() for each in GROWTH]))
    by_accounts, by_workers = plot_growth(kept).axes
    for axes, points in ((by_accounts, [[1, 1], [10, 9]]), (by_workers, [[1, 5], [2, 9]])):
        (line,) = axes.lines
        assert np.asarray(line.get_xydata()).tolist() == points
        assert axes.get_ylim() == pytest.approx((0, 9.9))


def test_benchmark_that_is_measured_again_replaces_its_rows(tmp_path: Path) -> None:
    keep("intake", [SLOW], folder=tmp_path)
    keep("intake", [RATE], folder=tmp_path)
    write_page(folder=tmp_path)

    page = (tmp_path / "benchmarks.md").read_text()
    assert RATE.name in page
    assert SLOW.name not in page


@pytest.mark.parametrize(
    ("goal", "is_met"),
    [
        (Goal(80, is_least=True), True),
        (Goal(83, is_least=True), False),
        (Goal(410, is_least=False, of="ours"), True),
        (Goal(409, is_least=False, of="ours"), False),
        (None, None),
    ],
)
def test_median_decides_whether_a_goal_is_met(goal: Goal | None, is_met: bool | None) -> None:
    result = Result(RATE.name, RATE.unit, RATE.ours, RATE.peer, RATE.peer_name, goal)
    assert result.is_met is is_met
