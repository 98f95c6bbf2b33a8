"""SQL says statuses and reasons as words; every one is a member of its enumeration."""

import re
from typing import Final

from local.databases import PROJECT
from shared.reasons import Reason, Status

COMPARED: Final = re.compile(
    r"\b(status|error_code)\s*(?:=|<>|IS (?:NOT )?DISTINCT FROM|(?:NOT )?IN)\s*\(?((?:\s*'\w+',?)+)"
)
SOURCES: Final = (*(PROJECT / "shared").rglob("*.py"), *(PROJECT / "api").rglob("*.py"))


def test_statuses_and_reasons_in_sql_are_those_that_there_are() -> None:
    said: dict[str, set[str]] = {"status": set(), "error_code": set()}
    for source in SOURCES:
        for column, words in COMPARED.findall(source.read_text()):
            said[column].update(re.findall(r"\w+", words))
    assert {"pending", "success"} <= said["status"] <= set(Status)
    assert {"not_connected", "poison"} <= said["error_code"] <= set(Reason)
