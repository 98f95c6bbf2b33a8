"""The JSON of webhooks, read as forgivingly as its meaning is plain: a refusal loses a call."""

import json
import re
from collections.abc import Sequence
from math import inf
from typing import Any, Final

from api.http.errors import InvalidRequestError

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
NOT_UTF_8: Final = "is not UTF-8: encode the JSON as UTF-8, as JSON is"
# Far more than any reader of a field looks into, far less than the parser's own limit.
MAX_LEVELS: Final = 100
MAX_DIGITS: Final = 1000

# A text without its end takes the rest, or each quote in it would be tried as the beginning of one.
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]+|[\]}]+', re.DOTALL)


class Repeated(list[Any]):
    """The values of a name that was given more than once in an object, in order."""


def parse_event(body: bytes) -> dict[str, Any]:
    """Parse a webhook, or the `data` of one; raises InvalidRequestError.

    A byte order mark is ignored (RFC 8259 §8.1). Names that stand twice in an object have all their
    values, as `Repeated`. NaN and the infinities, which are not JSON, and numbers of too many
    digits become floats that are not finite; what is nested too deeply becomes null. Each is for
    the field's reader to judge.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    if b"\0" in body[:4]:  # as UTF-16 and UTF-32 begin
        raise InvalidRequestError.of("body", NOT_UTF_8)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequestError.of("body", NOT_UTF_8) from error
    try:
        value = _parse(text)
    except RecursionError:
        value = _parse(_prune(body).decode())
    if not isinstance(value, dict):
        raise InvalidRequestError.of("body", "must be a JSON object")
    return value


def _parse(text: str) -> Any:
    try:
        try:
            return json.loads(text, object_pairs_hook=_build_object)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer of thousands of digits
            return json.loads(text, object_pairs_hook=_build_object, parse_int=_read_integer)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise InvalidRequestError.of("body", f"must be JSON: {error.msg} at {place}") from error


def _build_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated: dict[str, Any] = {}
    for name, value in pairs:
        if name not in repeated:
            repeated[name] = value
        elif isinstance(repeated[name], Repeated):
            repeated[name].append(value)
        else:
            repeated[name] = Repeated([repeated[name], value])
    return repeated


def _read_integer(digits: str) -> float:
    return int(digits) if len(digits) <= MAX_DIGITS else inf


def _prune(body: bytes) -> bytes:
    """The body with null in place of what is nested too deeply."""
    kept: list[bytes] = []
    depth = start = 0
    for found in _BRACKETS.finditer(body):
        run = found[0]
        if run[0] in b"[{":
            if depth <= MAX_LEVELS < depth + len(run):
                kept += [body[start : found.start() + MAX_LEVELS - depth], b"null"]
            depth += len(run)
        elif run[0] in b"]}":
            depth -= len(run)
            if depth <= MAX_LEVELS < depth + len(run):
                start = found.end() - (MAX_LEVELS - depth)
    if depth > 0:
        raise InvalidRequestError.of("body", "must be JSON: it ends within lists or objects")
    return b"".join([*kept, body[start:]])
