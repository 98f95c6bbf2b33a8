"""Finished calls in a CSV file: a header with the names of the webhook's fields, a call a row."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from pydantic import ValidationError

from api.bodies import MAX_BODY_BYTES
from api.call_ended import EndedCall
from api.errors import name_fields

FIELDS: Final = tuple(EndedCall.model_fields)
IDENTITY: Final = ("call_id", "user_id", "workspace_id")
AS_JSON: Final = ("transcript", "structured_data")
NOT_UTF_8: Final = "is not UTF-8: save the file in that encoding, “CSV UTF-8” in Excel"


class HeaderError(Exception):
    """The file cannot be read at all; the message says what its first row must be."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no call: where it begins, which field is wrong, and what would be right."""

    line: int
    field: str
    message: str


class CallRows:
    """Reads the rows of a CSV file one by one, whatever its size.

    Attributes:
        unknown_columns: names in the header that are no fields of a call; they are left out.
    """

    def __init__(self, file: BinaryIO, *, defaults: Mapping[str, str]) -> None:
        """Read the header.

        Args:
            file: UTF-8, with or without a byte-order mark.
            defaults: values of fields that a row leaves empty.

        Raises:
            HeaderError: The file is empty, or its header names too little or something twice.
        """
        # Bytes that are not UTF-8 become half characters, so that they cost one row, not all.
        text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
        csv.field_size_limit(MAX_BODY_BYTES)
        self._rows = csv.reader(text, strict=True)
        self._defaults = defaults
        try:
            self._header = [name.strip() for name in next(self._rows, [])]
        except csv.Error as error:
            raise HeaderError(f"The first row is not CSV: {error}.") from error
        self._check_header()
        self.unknown_columns = [name for name in self._header if name not in FIELDS]

    def __iter__(self) -> Iterator[EndedCall | list[BadRow]]:
        """Yield each row as a call, or as all that is wrong with it."""
        while True:
            line = self._rows.line_num + 1
            try:
                cells = next(self._rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield [BadRow(line, "row", f"is not CSV: {error}")]
                continue
            if cells:
                yield self._read(line, cells)

    def _check_header(self) -> None:
        if not any(self._header):
            raise HeaderError("The file is empty: its first row must name the columns.")
        twice = {name for name in self._header if self._header.count(name) > 1}
        if twice:
            raise HeaderError(f"The header names {', '.join(sorted(twice))} more than once.")
        missing = [name for name in IDENTITY if name not in {*self._header, *self._defaults}]
        if missing:
            raise HeaderError(
                f"The header lacks {', '.join(missing)}. It must name the fields of a call,"
                f" separated by commas: {', '.join(FIELDS)}."
            )

    def _read(self, line: int, cells: Sequence[str]) -> EndedCall | list[BadRow]:
        if len(cells) > len(self._header):
            problem = (
                f"has {len(cells)} cells, the header {len(self._header)}: quote commas in text"
            )
            return [BadRow(line, "row", problem)]
        given = {
            name: cell for name, cell in zip(self._header, cells, strict=False) if cell.strip()
        }
        bad = [BadRow(line, name, NOT_UTF_8) for name, cell in given.items() if not _is_text(cell)]
        if bad:
            return bad
        values = {name: _read_cell(name, cell) for name, cell in given.items() if name in FIELDS}
        try:
            return EndedCall.model_validate({**self._defaults, **values})
        except ValidationError as error:
            return [BadRow(line, each.field, each.message) for each in name_fields(error)]


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_cell(name: str, cell: str) -> Any:
    """A cell as JSON would hold it; one that cannot be read stays text, which is then refused."""
    if name in AS_JSON:
        with suppress(ValueError, RecursionError):
            return json.loads(cell)
    if name == "duration_seconds":
        with suppress(ValueError):
            return float(cell)
    return cell.strip() if name in IDENTITY else cell
