"""Notes as a browser would understand them, read by the standard library's parser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

BLOCKS = frozenset({"p", "ul", "li", "br", "div"})


@dataclass
class ReadNote:
    """The tags with their attributes, and the text in lines."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""

    @property
    def lines(self) -> list[str]:
        return [line for line in self.text.split("\n") if line]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.note = ReadNote()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note.tags.append((tag, dict(attrs)))
        if tag in BLOCKS:
            self.note.text += "\n"
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in BLOCKS:
            self.note.text += "\n"

    def handle_data(self, data: str) -> None:
        self.note.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def read_note(body: str) -> ReadNote:
    """Read a note's HTML; unbalanced tags and comments are failures."""
    reader = _Reader()
    reader.feed(body)
    reader.close()
    assert reader.open == []
    return reader.note
