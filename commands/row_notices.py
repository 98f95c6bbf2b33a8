"""What an import says of rows that are accepted: what was left out of them, and which repeat."""

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final, NamedTuple

from commands.call_rows import CallRow
from shared.calls.content import FieldWarning

# The same slip stands in every row of a column: the first ones are named, all are counted.
MOST_NAMED: Final = 20
DIGEST_BYTES: Final = 16


class RowNotices:
    """Both kinds, row by row and summed up."""

    def __init__(self) -> None:
        self._kinds = RowWarnings(), Repetitions()

    def tell(self, row: CallRow) -> Iterator[str]:
        """Lines about this row."""
        for kind in self._kinds:
            yield from kind.tell(row)

    def sum_up(self) -> Iterator[str]:
        """Lines for the end; none if there was nothing."""
        for kind in self._kinds:
            yield from kind.sum_up()


class RowWarnings:
    """Names the rows of which something was left out, cut or guessed."""

    def __init__(self) -> None:
        self._rows = 0
        self._kinds: Counter[FieldWarning] = Counter()

    def tell(self, row: CallRow) -> Iterator[str]:
        """Lines about this row."""
        self._rows += bool(row.call.warnings)
        for warning in row.call.warnings:
            self._kinds[warning] += 1
            if self._kinds[warning] <= MOST_NAMED:
                yield f"line {row.line}: {warning.field} {warning.message}"

    def sum_up(self) -> Iterator[str]:
        """Lines for the end; none if there was nothing."""
        if not self._rows:
            return
        yield f"Rows with warnings: {self._rows}."
        for (field, message), rows in self._kinds.most_common():
            yield f"  {field} {message} (rows: {rows})"


class _Seen(NamedTuple):
    line: int
    contents: bytes


class Repetitions:
    """Names rows whose ids stood further up in the file: they complete each other.

    It keeps two digests of each row, so its memory grows with the file: about 250 bytes a row.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, _Seen] = {}
        self._equal = 0
        self._different = 0

    def tell(self, row: CallRow) -> Iterator[str]:
        """A line about this row if it repeats another."""
        identity, contents = _digest(row.call.identity), _digest(row.call.document)
        first = self._seen.setdefault(identity, _Seen(row.line, contents))
        if first.line == row.line:
            return
        if first.contents == contents:
            self._equal += 1
            if self._equal <= MOST_NAMED:
                yield f"line {row.line}: the same call as in line {first.line}, word for word"
        else:
            self._different += 1
            yield (
                f"line {row.line}: has the ids of line {first.line}, but other contents: they"
                " complete one call; if these are two calls, one needs another call_id"
            )

    def sum_up(self) -> Iterator[str]:
        """Lines for the end; none if there was nothing."""
        if self._equal:
            yield f"Rows that stand in the file more than once: {self._equal}."
        if self._different:
            yield f"Rows with the ids of an earlier row, but other contents: {self._different}."


def _digest(value: object) -> bytes:
    return blake2b(repr(value).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
