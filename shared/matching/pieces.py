"""Pieces of a number that stay in one piece however people group its digits."""

import re
from itertools import pairwise, takewhile

import phonenumbers
from phonenumbers import PhoneNumberFormat

from shared.phone import PhoneNumber

MOST_PIECES = 3
# Digits from the end before which people put a gap: in pairs, in threes, in fours.
_USUAL_GAPS = frozenset({2, 3, 4, 6, 8, 9, 10})
# Of an area code people agree on so many digits: 0151 2 and 01512 are both usual.
_FIRM_AREA = 3
_NORTH_AMERICA = 1


def pieces_of(number: PhoneNumber) -> tuple[str, ...]:
    """Return runs of digits, at most three, that each spelling of `number` has in some token.

    HubSpot cuts a field into tokens at whatever is no letter or digit, so a piece is no use if a
    gap may fall into it. The digits that renumberings left alone are the ones that count. Together
    the pieces leave about one contact in a thousand.
    """
    # From the end, where the forms of a number agree.
    alike = takewhile(
        lambda column: len(set(column)) == 1, zip(*map(reversed, number.national_digits))
    )
    digits = "".join(digit for digit, *_ in alike)
    gaps = _gaps(phonenumbers.parse(number.e164)) | {0, len(digits)}
    within = sorted(gap for gap in gaps if gap <= len(digits))
    runs = sorted(pairwise(within), key=lambda run: run[0] - run[1])  # stable: the last ones first
    return tuple(digits[start:end][::-1] for start, end in runs[:MOST_PIECES])


def _gaps(parsed: phonenumbers.PhoneNumber) -> set[int]:
    """Where a spelling may have gaps, in digits from the end."""
    gaps = set()
    for form in (PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL):
        length = 0
        for group in reversed(re.findall(r"\d+", phonenumbers.format_number(parsed, form))):
            length += len(group)
            gaps.add(length)
    if parsed.country_code == _NORTH_AMERICA:  # where everybody groups alike
        return gaps
    whole = len(phonenumbers.national_significant_number(parsed))
    area = max((gap for gap in gaps if gap < whole), default=whole)
    if whole - area > _FIRM_AREA:
        gaps.add(whole - _FIRM_AREA)
    return gaps | {gap for gap in _USUAL_GAPS if gap < area}
