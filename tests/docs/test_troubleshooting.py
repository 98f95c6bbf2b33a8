"""The page of cures has one line for every code, and no line for a code that does not exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.connecting.landing import Failure
from shared.reasons import Reason

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "troubleshooting.md"
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
# Where codes stand in tables, beside the sentence that is told with them.
TABLES = {"errors.py", "hubspot_failures.py"}


def lines_under(heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def codes_under(heading: str) -> list[str]:
    return sorted(cells[0].strip("`") for cells in lines_under(heading))


def read_words(name: str) -> dict[str, str]:
    """One of the dashboard's tables of words."""
    script = (PROJECT / "api" / "dashboard" / "component" / "words.js").read_text()
    table = script.partition(f"const {name} = {{")[2].partition("}")[0]
    return dict(re.findall(r'(\w+): "([^"]+)"', table))


def codes_of_api() -> set[str]:
    """What the API's code says as a code of an error."""
    return {
        code
        for path in (PROJECT / "api").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for code in _codes_in(node, is_table=path.name in TABLES)
    }


def _codes_in(node: ast.AST, *, is_table: bool) -> Iterator[str]:
    """A class's attribute `code`, an argument `code`, an entry of a table, one of `_envelope`."""
    if isinstance(node, ast.ClassDef):
        for each in node.body:
            if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "code":
                yield from _texts([each.value])
    elif isinstance(node, ast.keyword) and node.arg == "code":
        yield from _texts([node.value])
    elif is_table and isinstance(node, ast.Tuple):
        yield from _texts(node.elts)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "_envelope":
        yield from _texts(node.args)


def _texts(nodes: list[ast.expr]) -> Iterator[str]:
    for each in nodes:
        if isinstance(each, ast.Constant) and CODE.fullmatch(str(each.value)):
            yield str(each.value)


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
    """One of each way in which the code gives them."""
    assert {"forbidden", "expired_token", "payload_too_large", "internal_error"} <= codes_of_api()
