"""Finished calls in a CSV file: a header with the names of the webhook's fields, a call a row."""

import codecs
import csv
import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from api.http.bodies import MAX_BODY_BYTES
from api.http.errors import InvalidRequestError
from api.intake.call_ended import IDENTITY, EndedCall, parse_data
from shared.calls.content import CallContent
from shared.calls.intake import NewCall

FIELDS: Final = tuple(EndedCall.model_fields)
AS_JSON: Final = tuple(
    name
    for name, field in CallContent.model_json_schema()["properties"].items()
    if any(kind.get("type") in {"array", "object"} for kind in field["anyOf"])
)
DELIMITERS: Final = ",;\t|"
NOT_UTF_8: Final = "is not UTF-8: save the file in that encoding, “CSV UTF-8” in Excel"
# What Excel writes first where it wants to be told how the cells are separated.
_SEPARATOR: Final = re.compile(r"sep=(.)", re.IGNORECASE)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTER: Final = re.compile(r"[^a-z0-9]+")


class HeaderError(Exception):
    """The file cannot be read at all; the message says what its first row must be."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no call: where it begins, which field is wrong, and what would be right."""

    line: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class CallRow:
    """A row that is a call, and the line on which it begins."""

    line: int
    call: NewCall


class CallRows:
    """Reads the rows of a CSV file one by one, whatever its size.

    Attributes:
        unknown_columns: names in the header that are no fields of a call; they are left out.
    """

    def __init__(self, file: BinaryIO, *, defaults: Mapping[str, str]) -> None:
        """Read the header, the first row that is not blank.

        Its names may be written in other ways: `Call ID` and `callId` are `call_id`. Cells are
        separated as the header's are, by commas, semicolons, tabs or bars.

        Args:
            file: UTF-8, with or without a byte-order mark, or UTF-16 with one, which is what Excel
                calls Unicode text. It can be sought in.
            defaults: values of fields that a row leaves empty.

        Raises:
            HeaderError: The file is empty, or its header names too little or something twice.
        """
        # Held, because a wrapper that nobody holds closes the file.
        self._lines = lines = _read_lines(file)
        csv.field_size_limit(MAX_BODY_BYTES)
        self._defaults = defaults
        delimiter, first, skipped = _find_header(lines)
        self._rows = csv.reader(
            itertools.chain([first], lines), delimiter=delimiter, skipinitialspace=True, strict=True
        )
        self._skipped = skipped
        try:
            names = next(self._rows, [])
        except csv.Error as error:
            raise HeaderError(f"The first row is not CSV: {error}.") from error
        self._header = [_name_field(name) for name in names]
        self._check_header()
        self.unknown_columns = [name for name in self._header if name and name not in FIELDS]

    def __iter__(self) -> Iterator[CallRow | list[BadRow]]:
        """Yield each row that is not blank as a call, or as all that is wrong with it."""
        while True:
            line = self._rows.line_num + self._skipped + 1
            try:
                cells = next(self._rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield [BadRow(line, "row", f"is not CSV: {error}")]
                continue
            while cells and not cells[-1].strip():
                cells.pop()
            if cells:
                yield self._read(line, cells)

    def _check_header(self) -> None:
        if not any(self._header):
            raise HeaderError("The file is empty: its first row must name the columns.")
        named = [name for name in self._header if name]
        twice = {name for name in named if named.count(name) > 1}
        if twice:
            raise HeaderError(f"The header names {', '.join(sorted(twice))} more than once.")
        missing = [name for name in IDENTITY if name not in {*self._header, *self._defaults}]
        if missing:
            raise HeaderError(
                f"The header lacks {', '.join(missing)}. It must name the fields of a call,"
                f" separated by commas: {', '.join(FIELDS)}."
            )

    def _read(self, line: int, cells: Sequence[str]) -> CallRow | list[BadRow]:
        if len(cells) > len(self._header):
            problem = (
                f"has {len(cells)} cells, the header {len(self._header)}: quote commas in text"
            )
            return [BadRow(line, "row", problem)]
        given = {
            name: cell for name, cell in zip(self._header, cells, strict=False) if cell.strip()
        }
        if "" in given:
            return [BadRow(line, "row", "has a cell in a column without a name: name the column")]
        bad = [BadRow(line, name, NOT_UTF_8) for name, cell in given.items() if not _is_text(cell)]
        if bad:
            return bad
        values = {name: _read_cell(name, cell) for name, cell in given.items() if name in FIELDS}
        try:
            return CallRow(line, parse_data({**self._defaults, **values}))
        except InvalidRequestError as error:
            return [BadRow(line, each.field, each.message) for each in error.fields]


def _read_lines(file: BinaryIO) -> io.TextIOWrapper:
    beginning = file.read(4)
    file.seek(0)
    if beginning == b"PK\x03\x04":
        raise HeaderError("The file is an Excel workbook: save it as “CSV UTF-8”.")
    if beginning[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return io.TextIOWrapper(file, "utf-16", errors="replace", newline="")
    if b"\0" in beginning:
        raise HeaderError("The file is not UTF-8: save it in that encoding, “CSV UTF-8” in Excel.")
    # Bytes that are not UTF-8 become half characters, so that they cost one row, not all.
    return io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")


def _find_header(lines: Iterator[str]) -> tuple[str, str, int]:
    """What separates cells, the first line that is not blank, and how many stand before it."""
    named: str | None = None
    for skipped, line in enumerate(lines):
        text = line.strip()
        if separator := _SEPARATOR.fullmatch(text):
            named = separator[1]
        elif text.strip(DELIMITERS + '" '):
            return named or _guess_delimiter(text), line, skipped
    return DELIMITERS[0], "", 0


def _guess_delimiter(header: str) -> str:
    """That by which the header falls into the most names of fields; commas if in doubt."""

    def count_fields(delimiter: str) -> int:
        return sum(_name_field(cell.strip(' "')) in FIELDS for cell in header.split(delimiter))

    return max(DELIMITERS, key=count_fields)


def _name_field(cell: str) -> str:
    """A column's name as the field that it means, or as it is."""
    name = _NO_LETTER.sub("_", _HUMP.sub("_", cell.strip()).lower()).strip("_")
    return name if name in FIELDS else cell.strip()


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_cell(name: str, cell: str) -> Any:
    """A cell as JSON would hold it; one that cannot be read stays text."""
    if name in AS_JSON:
        with suppress(ValueError, RecursionError):
            return json.loads(cell)
    if name == "duration_seconds":
        with suppress(ValueError):
            return float(cell)
    return cell.strip() if name in IDENTITY else cell
