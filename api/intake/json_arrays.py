"""Splitting a JSON array into its elements without reading them, so that each can be refused alone.

Only strings and brackets are told apart: what is inside an element is its reader's to check.
"""

import re
from typing import Final

from api.http.errors import InvalidRequestError, TooLargeError

# A second or two of work. Transcripts of single words, 16 MiB of them, have 1.4 million.
MOST_BRACKETS: Final = 2_000_000

_BLANK: Final = b" \t\r\n"
# Behind a byte order mark, which RFC 8259 lets us ignore, and blanks.
_BEGINNING: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+\[")
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
# Up to the next bracket; outside of elements, up to the next comma as well.
_INSIDE: Final = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+([\[\]{}])", re.DOTALL)
_OUTSIDE: Final = re.compile(rb'(?:[^"\[\]{},]++|' + _STRING + rb")*+([\[\]{},])", re.DOTALL)


def is_array(body: bytes) -> bool:
    """Tell whether a body begins as an array does."""
    return body[:1] == b"[" or _BEGINNING.match(body) is not None


def split_array(body: bytes, *, most: int) -> list[bytes]:
    """The elements of a body that `is_array`, as they are written; at least one.

    Raises:
        InvalidRequestError: The array is empty, does not end with the body, or is a thicket.
        TooLargeError: There are more than `most` elements.
    """
    elements: list[bytes] = []
    start = position = body.index(b"[") + 1
    depth = 0
    for _ in range(MOST_BRACKETS):
        found = (_INSIDE if depth else _OUTSIDE).match(body, position)
        if found is None:
            raise InvalidRequestError.of("body", "must be a JSON array that ends")
        position, mark = found.end(), found[1]
        if mark in b"[{":
            depth += 1
        elif depth:
            depth -= 1
        elif len(elements) == most:
            raise TooLargeError(f"An array holds at most {most:,} calls. Send the others apart.")
        else:
            elements.append(body[start : position - 1].strip(_BLANK))
            start = position
            if mark != b",":
                return _require_ended(elements, mark + body[position:].strip(_BLANK))
    raise InvalidRequestError.of("body", "holds too many lists and objects")


def _require_ended(elements: list[bytes], end: bytes) -> list[bytes]:
    if end != b"]":
        raise InvalidRequestError.of("body", "must be a JSON array and nothing behind it")
    if elements == [b""]:
        raise InvalidRequestError.of("body", "must hold at least one call")
    return elements
