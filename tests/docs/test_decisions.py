"""DECISIONS.md: numbered, dated, whole; every dependency has its reason."""

import re
import tomllib

import pytest

from tests.docs.pages import PROJECT, list_rows, list_spans, read_prose, split_sections

PAGE = read_prose(PROJECT / "DECISIONS.md")
DECISIONS = split_sections(PAGE, 2)
STATUS = re.compile(r"\d{4}-\d\d-\d\d(, revised \d{4}-\d\d-\d\d)? · (accepted|superseded)\b.*")
PARTS = ("Context", "Decision", "Consequences", "Alternatives")


def list_dependencies() -> set[str]:
    """What pyproject.toml asks for, by name."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    groups = (project["project"]["dependencies"], *project["dependency-groups"].values())
    found = (re.match(r"[\w.-]+", each) for group in groups for each in group)
    return {each[0].lower() for each in found if each}


def test_decisions_are_numbered_in_their_order() -> None:
    numbers = [int(title.partition(".")[0]) for title in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("title", DECISIONS)
def test_decision_says_when_why_and_what_else(title: str) -> None:
    status, _, text = DECISIONS[title].strip().partition("\n")

    assert STATUS.fullmatch(status)
    assert re.findall(r"^\*\*(\w+)\.\*\* ", text, re.MULTILINE) == list(PARTS)


def test_every_dependency_has_its_reason_and_nothing_else_has() -> None:
    table = PAGE.partition("**Why each library is there.**")[2]
    rows = list_rows(table)
    named = [name for _, names, _ in rows for name in list_spans(names)]

    assert all(reason for _, _, reason in rows)
    assert sorted(named) == sorted(list_dependencies())
