"""The sync log as CSV (RFC 4180), for spreadsheets and for machines."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from api.log.entries import LogEntry, LogSource

COLUMNS: Final = tuple(LogEntry.model_fields)
# What makes a spreadsheet run a cell as a formula, in any width (OWASP, CSV Injection), and the
# apostrophe that marks those, so that taking one away always gives the value back.
_TREACHEROUS: Final = tuple("=+-@\t\r\n＝＋－＠'")


def write_header() -> str:
    """The first line."""
    return _write([COLUMNS])


def write_rows(logs: Iterable[LogEntry]) -> str:
    """A line for each entry."""
    return _write([_cell(getattr(log, name)) for name in COLUMNS] for log in logs)


def _write(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, LogSource):
        value = f"{value.vendor}/{value.name}"
    if isinstance(value, list):
        value = " ".join(value)
    text = str(value)
    return f"'{text}" if text.startswith(_TREACHEROUS) else text
