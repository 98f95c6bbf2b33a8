"""The project's pages as tests read them: prose, tables, and what stands in backticks."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted((*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")))

_BLOCK: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_HEADING: Final = re.compile(r"^(#+) (.+)$", re.MULTILINE)


def read_prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _BLOCK.sub("", page.read_text())


def list_spans(text: str) -> list[str]:
    """What stands in backticks, with line ends as blanks."""
    return [" ".join(span.split()) for span in _SPAN.findall(text)]


def list_anchors(page: Path) -> set[str]:
    """The names under which links reach a page's headings, as GitHub makes them."""
    return {_anchor(words) for _, words in _HEADING.findall(read_prose(page))}


def _anchor(words: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", words.strip().lower())
    return kept.replace(" ", "-")


def split_sections(text: str, level: int) -> dict[str, str]:
    """The sections of one level by their headings; what comes before the first is left out."""
    _, *parts = re.split(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def list_rows(text: str) -> list[list[str]]:
    """The cells of the first table, without its head."""
    return list(_rows(text))[2:]


def _rows(text: str) -> Iterator[list[str]]:
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("|"):
            yield _cells(line)
            break
    for line in lines:
        if not line.startswith("|"):
            return
        yield _cells(line)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
