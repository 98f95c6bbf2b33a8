"""The page in the documentation holds the last figures of every scenario."""

from pathlib import Path

from faults.judging.checker import Verdict
from faults.report import write_page
from faults.results import Result, Run
from faults.scenario import Scenario
from faults.scenarios import ALL


def make_result(scenario: Scenario, *, calls: int, lost: int = 0, seconds: float = 1.0) -> Result:
    problems = ("a call is lost",) * lost
    runs = [Run(seed, Verdict(calls, lost, 0, problems), 3.0, seconds) for seed in (1, 2)]
    return Result(scenario, runs)


def rows(page: Path) -> list[list[str]]:
    lines = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_scenario_keeps_its_row_until_it_is_played_again(tmp_path: Path) -> None:
    page = tmp_path / "faults.md"
    write_page([make_result(each, calls=10) for each in ALL], page)

    write_page([make_result(ALL[3], calls=2500, lost=1)], page)

    found = rows(page)
    assert [row[0] for row in found] == [f"`{each.name}`" for each in ALL]
    assert found[2][2:5] == ["2", "20", "0"]
    assert found[3][2:5] == ["2", "5,000", "2"]


def test_further_runs_are_added_to_those_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "faults.md"
    measured = next(each for each in ALL if each.recovers_in_s == 5)
    write_page([make_result(each, calls=1200) for each in ALL], page)

    write_page([make_result(measured, calls=30, lost=1, seconds=2.5)], page, adds=True)

    found = {row[0]: row[2:] for row in rows(page)}
    assert found[f"`{measured.name}`"] == ["4", "2,460", "2", "0", "2.5 s at most (goal 5 s)"]
    assert {row[0] for name, row in found.items() if name != f"`{measured.name}`"} == {"2"}


def test_recovery_that_takes_too_long_is_a_problem() -> None:
    measured = next(each for each in ALL if each.recovers_in_s == 5)

    assert make_result(measured, calls=1, seconds=4.9).problems == []
    assert len(make_result(measured, calls=1, seconds=5.1).problems) == 2
