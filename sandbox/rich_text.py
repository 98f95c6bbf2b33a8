"""What HubSpot makes of the HTML in a body, and the lines that a reader sees of it.

HubSpot publishes no list of what its sanitiser keeps. Verified is only that there is one, and which
tags other integrations send successfully; what HubSpot's own editor writes is assumed to be kept.
"""

import functools
import html
import re
import unicodedata
from collections.abc import Sequence
from html.parser import HTMLParser

_Attributes = Sequence[tuple[str, str | None]]

_SENT_BY_INTEGRATIONS = {"a", "b", "br", "div", "em", "li", "ol", "p", "span", "strong", "ul"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_WRITTEN_BY_THE_EDITOR = {"blockquote", "code", "hr", "i", "img", "pre", "s", "u"} | _HEADINGS
_KEPT_TAGS = frozenset(_SENT_BY_INTEGRATIONS | _WRITTEN_BY_THE_EDITOR)
_MEDIA = {"audio", "canvas", "iframe", "object", "svg", "video"}
_DROPPED_WITH_CONTENT = frozenset({"noscript", "script", "style", "template"} | _MEDIA)
_VOID = frozenset({"br", "hr", "img"})
_BLOCKS = frozenset({"blockquote", "div", "hr", "li", "ol", "p", "pre", "ul"} | _HEADINGS)
_KEPT_ATTRIBUTES = {
    "a": frozenset({"href", "rel", "target", "title"}),
    "div": frozenset({"dir", "data-top-level"}),
    "img": frozenset({"src", "alt", "width", "height"}),
    "span": frozenset({"data-mention-id", "data-mention-name"}),
}
_KEPT_ADDRESSES = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_UNSAFE_STYLE = re.compile(r"url\s*\(|expression|position|@import|[<>]", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]*>")
_OPENING = re.compile(r"<([a-z][a-z0-9]*)((?: [a-z-]+=\"[^\"<>]*\")*) ?/?>")
_CLOSING = re.compile(r"</([a-z][a-z0-9]*)>")
_ATTRIBUTE = re.compile(r" ([a-z-]+)=\"([^\"<>]*)\"")
_SYNONYMS = {"b": "strong", "i": "em"}
_WRAPPING = '<div style="" dir="auto" data-top-level="true">'


def sanitise(text: str) -> str:
    """Drop what may run or load and what is no simple formatting; the rest stays as it was sent."""
    markup = _MARKUP.findall(text)
    if len(markup) == text.count("<") and all(map(_is_kept_as_it_is, set(markup))):
        return text
    sanitiser = _Sanitiser()
    sanitiser.feed(text)
    sanitiser.close()
    return "".join(sanitiser.kept)


def normalise(text: str) -> str:
    """Write the HTML anew as an editor might that keeps nothing but its meaning.

    Other attributes, tags, entities, blanks, a `<div>` around all, an address and a target on each
    link. Writing it anew a second time changes nothing.
    """
    writer = _Normaliser()
    writer.feed(sanitise(text))
    writer.close()
    return writer.finish()


def lines_of(text: str) -> tuple[str, ...]:
    """Return what a reader sees: each line of text, before it the links and images that it has."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.finish()


def preview_of(text: str, most: int) -> tuple[str, bool]:
    """Return the first characters of a body without markup, and whether there are more."""
    # Markup takes a share of a body only: the whole of a long one need not be looked at.
    head = text[: most * 8]
    plain = " ".join(html.unescape(_MARKUP.sub(" ", head)).split())
    return plain[:most], len(plain) > most or len(head) < len(text)


@functools.lru_cache(maxsize=4096)
def _is_kept_as_it_is(tag: str) -> bool:
    closing = _CLOSING.fullmatch(tag)
    if closing is not None:
        return closing[1] in _KEPT_TAGS
    opening = _OPENING.fullmatch(tag)
    if opening is None or opening[1] not in _KEPT_TAGS:
        return False
    return all(
        _is_kept_attribute(opening[1], name, html.unescape(value))
        for name, value in _ATTRIBUTE.findall(opening[2])
    )


def _is_kept_attribute(tag: str, name: str, value: str) -> bool:
    if name == "style":
        return _UNSAFE_STYLE.search(value) is None
    if name in {"href", "src"} and not _KEPT_ADDRESSES.match(value.strip()):
        return False
    return name in _KEPT_ATTRIBUTES.get(tag, ())


def _write_tag(tag: str, attributes: _Attributes) -> str:
    written = "".join(f' {name}="{html.escape(value or "")}"' for name, value in attributes)
    return f"<{tag}{written}>"


class _Sanitiser(HTMLParser):
    """Collects what is kept; text and entities stay as they were written."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self._dropping: list[str] = []

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        if tag in _DROPPED_WITH_CONTENT:
            self._dropping.append(tag)
        if self._dropping or tag not in _KEPT_TAGS:
            return
        written = self.get_starttag_text() or ""
        if not _is_kept_as_it_is(written):
            written = _write_tag(
                tag, [one for one in attrs if _is_kept_attribute(tag, one[0], one[1] or "")]
            )
        self.kept.append(written)

    def handle_startendtag(self, tag: str, attrs: _Attributes) -> None:
        if tag not in _DROPPED_WITH_CONTENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            if tag == self._dropping[-1]:
                self._dropping.pop()
        elif tag in _KEPT_TAGS:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            self.kept.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")


class _Normaliser(HTMLParser):
    """Writes sanitised HTML anew."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._written: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        name = _SYNONYMS.get(tag, tag)
        given = {key: value or "" for key, value in attrs}
        if name == "p":
            given.setdefault("style", "margin:0;")
        if name == "a":
            given |= {"target": "_blank", "rel": "noopener"}
        if given.get("data-top-level") == "true":
            self._written.append(_WRAPPING)
        else:
            self._written.append(_write_tag(name, sorted(given.items(), reverse=True)))
        if name in _VOID:
            self._written[-1] = self._written[-1].replace(">", " />")
        else:
            self._open.append(name)

    def handle_endtag(self, tag: str) -> None:
        name = _SYNONYMS.get(tag, tag)
        if name not in self._open:
            return
        while True:
            closed = self._open.pop()
            self._written.append(f"</{closed}>" + ("\n" if closed in _BLOCKS else ""))
            if closed == name:
                return

    def handle_data(self, data: str) -> None:
        composed = unicodedata.normalize("NFC", data)
        folded = re.sub(r"[ \t\r\n]+", " ", composed)
        self._written.append(html.escape(folded).replace("\xa0", "&nbsp;"))

    def finish(self) -> str:
        while self._open:
            self._written.append(f"</{self._open.pop()}>")
        text = "".join(self._written).strip()
        if not text.startswith(_WRAPPING):
            text = f"{_WRAPPING}{text}</div>"
        around_blocks = rf"\s*(</?(?:{'|'.join(sorted(_BLOCKS))}|br)(?: [^<>]*)?>)[ \n]*"
        return re.sub(around_blocks, r"\1", text).replace("</p><", "</p>\n<")


class _Reader(HTMLParser):
    """Collects lines, targets of links and images."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line: list[str] = []

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self._lines.append(f"link to {given['href']}")
        if tag == "img" and given.get("src"):
            self._lines.append(f"image {given['src']}")
        if tag in _BLOCKS or tag == "br":
            self._end_line()

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end_line()

    def handle_data(self, data: str) -> None:
        self._line.append(data)

    def finish(self) -> tuple[str, ...]:
        self._end_line()
        return tuple(self._lines)

    def _end_line(self) -> None:
        line = " ".join(unicodedata.normalize("NFC", "".join(self._line)).split())
        self._line.clear()
        if line:
            self._lines.append(line)
