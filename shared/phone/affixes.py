"""Digits in front of a number or behind it that may be part of it, or something else.

A service code, what a word counts, an extension in brackets: each is marked, not cut off, so that
the number is read with it and without. Where both are somebody's, nothing decides.
"""

import re
from dataclasses import dataclass
from typing import Final

from shared.phone.labels import mark_labelled

# Control characters, which `tidy` drops: no text that comes here has them.
_LABEL: Final = "\x01"
_CODE: Final = "\x02"
_EXTENSION: Final = "\x03"
_END: Final = "\x04"
AFFIX: Final = rf"[{_LABEL}{_CODE}{_EXTENSION}][^{_END}]*{_END}"

# Codes that switch a service on for one call, such as *67 or #31#: dialled, never displayed. None
# begins with 0, and only the digits around * may be joined by a dash: "Tel#212-555-0123" has none.
_CLOSED_CODE = re.compile(r"[*#]{1,2}[1-9]\d{1,2}[*#]\s*(?=[+(\d])")
_OPEN_CODE = re.compile(r"(?:\*{1,2}([1-9]\d{1,2})[\s,-]+|#{1,2}([1-9]\d{1,2})[\s,]+)(?=[+(\d])")
_BRACKETED_EXTENSION = re.compile(
    r"((?:\d[\s().-]{0,3}){6,}\d)[\s().-]{0,3}\((\d{1,5})\)(?=\s*(?:$|[,;/]))"
)


@dataclass(frozen=True, slots=True)
class Affix:
    digits: str
    is_label: bool
    is_behind: bool

    @classmethod
    def of(cls, marked: str) -> "Affix":
        """Read what `mark_affixes` has marked."""
        return cls(
            re.sub(r"[^\d\s./-]", "", marked).strip(),
            is_label=marked[0] == _LABEL,
            is_behind=marked[0] == _EXTENSION,
        )


def mark_affixes(text: str) -> str:
    """Take away what is certainly no part of a number, and mark what may be."""
    text = _OPEN_CODE.sub(rf" ; {_CODE}\1\2{_END} ", _CLOSED_CODE.sub(" ", text))
    text = _BRACKETED_EXTENSION.sub(rf"\1{_EXTENSION}\2{_END};", text)
    return mark_labelled(text, _LABEL, _END)
