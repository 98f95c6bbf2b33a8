"""Finding one known number in a text of any length, in whatever spelling and beside whatever else.

`find_numbers` reads a field and asks whose number it is; this asks where one person's digits stand,
and then reads what stands there. A text of a megabyte takes some milliseconds.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import IntEnum
from functools import cached_property
from typing import Final

from shared.phone.numbers import NO_REGION, PhoneNumber
from shared.phone.reading import find_numbers, parse_phone

# Between two digits of one number: blanks, brackets, dashes, a comma that a transcript has put.
_BETWEEN: Final = r"(?:[^\w+]|_){0,4}"
# In front of the digits, as far as it may belong to them: a country code, a prefix, a trunk zero.
_BEFORE: Final = rf"(?P<before>(?:\+|\b00|\b011)?[(\s]*(?<!\d)\d{{1,7}}(?P<gap>{_BETWEEN})|(?<!\d))"
# Shorter ones are found with their country code only: five digits are any amount.
_LEAST_ALONE: Final = 7
_ABROAD: Final = ("+", "00", "011")
_FOREIGN_DIGIT: Final = re.compile(r"(?![\x00-\x7f])\d|＋")


class Mention(IntEnum):
    """How sure it is that a text holds the number."""

    NONE = 0
    POSSIBLE = 1
    CERTAIN = 2


class Sought:
    """A number to be found in texts; `e164` in the form of today or before a renumbering."""

    def __init__(self, e164: str) -> None:
        self.number: PhoneNumber = parse_phone(e164, NO_REGION)

    @cached_property
    def _code(self) -> str:
        return next(
            self.number.e164[1 : -len(digits)]
            for digits in self.number.national_digits
            if self.number.e164.endswith(digits)
        )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        spellings = "|".join(map(self._spell, self.number.national_digits))
        return re.compile(rf"{_BEFORE}(?P<number>{spellings})(?!\d)")

    def _spell(self, national: str) -> str:
        """A pattern for these digits; a zero in brackets may follow the country code."""
        digits = _BETWEEN.join(national)
        if len(national) >= _LEAST_ALONE:
            return digits
        return rf"(?<=\d){digits}|\+?{_BETWEEN.join(self._code)}{_BETWEEN}{digits}"

    def may_be_in(self, text: str) -> bool:
        """Whether the digits occur in a text in their order, whatever stands between them.

        Cheap, and true of every text that `find` finds them in.
        """
        digits = re.sub(r"\D+", "", _fold(text))
        return any(each in digits for each in self.number.national_digits)

    def find(self, text: str, region: str) -> Mention:
        """Look for the number in a text, where `region` is that of numbers without a country code.

        `POSSIBLE` are digits that cannot be read as a number for certain. Those that are certainly
        another's, because a country code says so, are none.
        """
        folded = _fold(text)
        best = Mention.NONE
        for match in self._pattern.finditer(folded):
            best = max(best, self._judge(match, region))
            if best is Mention.CERTAIN:
                break
        return best

    def _judge(self, match: re.Match[str], region: str) -> Mention:
        before = match["before"] or ""
        whole = find_numbers(match[0].strip(), region)
        if self.number in whole:
            return Mention.CERTAIN
        is_apart = bool(match["gap"]) and not before.startswith(_ABROAD)
        if not is_apart:
            # A longer number that ends like this one, or this one with something dialled before it.
            return Mention.NONE if self._are_others(whole) else Mention.POSSIBLE
        if self.number in find_numbers(match["number"], region):
            return Mention.POSSIBLE if whole else Mention.CERTAIN
        return Mention.POSSIBLE

    def _are_others(self, found: Sequence[PhoneNumber]) -> bool:
        """Whether these are numbers, and none differs from this one by a leading zero alone."""
        own = set(self.number.national_digits)
        return bool(found) and not any(
            each.e164.startswith(f"+{self._code}") and own.intersection(each.national_digits)
            for each in found
        )


def _fold(text: str) -> str:
    """Digits of other scripts, and full-width ones, as ASCII."""
    if text.isascii():
        return text
    return _FOREIGN_DIGIT.sub(
        lambda match: "+" if match[0] == "＋" else str(unicodedata.decimal(match[0])), text
    )
