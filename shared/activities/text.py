"""Foreign text made fit for a note: cleaned, flattened, escaped, kept in its own direction."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

MAX_DETAILS = 100
MAX_DETAIL_DEPTH = 5
# Of the values of one list: far more than a note shows of it.
MAX_LIST_CHARACTERS = 4_000
# More are no line that people read, and a number may have hundreds of digits.
MAX_LIST_ITEMS = 1000

_LINE_ENDS = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Controls and halves of surrogate pairs, which HubSpot or JSON refuse, and the marks that turn
# the direction of text that is not theirs.
_UNWANTED = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
_BLANK_LINES = re.compile(r"\n\s*\n\s*")
# Hebrew to Arabic Extended, their presentation forms, and the right-to-left planes beyond.
_RIGHT_TO_LEFT = re.compile(
    r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def clean_text(text: str) -> str:
    """Return text without invisible dangers, with plain line ends and at most one blank line."""
    cleaned = _UNWANTED.sub("", _LINE_ENDS.sub("\n", text))
    return _BLANK_LINES.sub("\n\n", cleaned).strip()


def clean_line(text: str, max_characters: int) -> str:
    """Return cleaned text on a single line, cut with an ellipsis."""
    line = " ".join(clean_text(text).split())
    return line if len(line) <= max_characters else f"{line[: max_characters - 1]}…"


def to_html(cleaned: str) -> str:
    """Escape cleaned text and turn its line ends into `<br>`.

    Right-to-left lines are isolated by characters, not by `<bdi>`, because HubSpot's sanitiser
    may drop tags.
    """
    return "<br>".join(_isolate(html.escape(line, quote=False)) for line in cleaned.split("\n"))


def utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def list_details(data: Mapping[str, object]) -> list[tuple[str, str]]:
    """Flatten structured data into (name, value) pairs such as (`customer › city`, `Rome`).

    What is empty is left out; at most `MAX_DETAILS` pairs, from at most `MAX_DETAIL_DEPTH` levels.
    """
    return list(islice(_walk(data, ()), MAX_DETAILS))


def _walk(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping | list | tuple) and len(path) >= MAX_DETAIL_DEPTH:
        yield " › ".join(path), "…"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _walk(item, (*path, clean_text(str(key))))
    elif isinstance(value, list | tuple):
        shown = value[:MAX_LIST_ITEMS]
        if any(isinstance(item, Mapping | list | tuple) for item in shown):
            for number, item in enumerate(shown, 1):
                yield from _walk(item, (*path, str(number)))
        else:
            yield from _walk(", ".join(_describe_until_enough(value)), path)
    elif described := _describe(value):
        yield " › ".join(path), described


def _describe_until_enough(values: Iterable[object]) -> Iterator[str]:
    length = 0
    for described in filter(None, map(_describe, values)):
        yield described
        length += len(described)
        if length > MAX_LIST_CHARACTERS:
            return


def _describe(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return clean_text(str(value))


def _isolate(line: str) -> str:
    if not _RIGHT_TO_LEFT.search(line):
        return line
    return f"{_FIRST_STRONG_ISOLATE}{line}{_POP_ISOLATE}"
