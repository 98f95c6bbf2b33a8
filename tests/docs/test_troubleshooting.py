"""The page of cures has one line for every code, and no line for a code that does not exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import NOUNS
from api.connecting.landing import Failure
from api.http.error_responses import HTTP_ERRORS, OTHER_CODE
from api.http.errors import ApiError
from shared.reasons import Reason

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "troubleshooting.md"


def lines_under(heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def codes_under(heading: str) -> list[str]:
    return sorted(cells[0].strip("`") for cells in lines_under(heading))


def read_words(name: str) -> dict[str, str]:
    """One of the dashboard's tables of words."""
    script = (PROJECT / "api" / "dashboard" / "component" / "parts" / "words.js").read_text()
    table = script.partition(f"const {name} = {{")[2].partition("}")[0]
    return dict(re.findall(r'(\w+): "([^"]+)"', table))


def codes_of_api() -> set[str]:
    """The codes of the API's errors: of their classes, and of what Flask itself refuses."""
    assert NOUNS  # every module with errors of its own is loaded
    codes = {vars(each)["code"] for each in _descendants(ApiError) if "code" in vars(each)}
    return {*codes, *(code for code, _ in HTTP_ERRORS.values()), OTHER_CODE}


def _descendants(error: type[ApiError]) -> Iterator[type[ApiError]]:
    for each in error.__subclasses__():
        yield each
        yield from _descendants(each)


def test_every_reason_of_the_sync_log_has_one_line() -> None:
    assert codes_under("In the sync log") == sorted(Reason)


def test_what_the_customer_sees_are_the_dashboard_s_words() -> None:
    statuses = "|".join(read_words("STATUSES").values())
    reasons = read_words("REASONS")
    for code, seen, *_ in lines_under("In the sync log"):
        match = re.match(rf"({statuses})(, later failed)?: (.+?)(, and .+)?$", seen)
        assert match, seen
        assert match[3] == reasons[code.strip("`")].replace(match[3][0].upper(), match[3][0], 1)


def test_dashboard_has_words_for_every_reason() -> None:
    assert sorted(read_words("REASONS")) == sorted(Reason)


def test_every_failure_of_connecting_has_one_line() -> None:
    assert codes_under("After connecting HubSpot") == sorted(Failure)


def test_every_error_of_the_api_has_one_line() -> None:
    assert codes_under("In responses of the API") == sorted(codes_of_api())


@pytest.mark.parametrize(
    "heading", ["In the sync log", "After connecting HubSpot", "In responses of the API"]
)
def test_every_line_says_what_is_seen_why_and_what_helps(heading: str) -> None:
    assert all(len(cells) == 4 and all(cells) for cells in lines_under(heading))


def test_codes_of_the_api_are_found_where_they_are_given() -> None:
    """One of each kind: a module's own, a general one, Flask's, and what nobody expected."""
    assert {"paused", "expired_token", "method_not_allowed", "internal_error"} <= codes_of_api()
