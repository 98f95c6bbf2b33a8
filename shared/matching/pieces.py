"""Pieces of a number that stay in one piece however people group its digits."""

import re
from itertools import pairwise, takewhile

import phonenumbers
from phonenumbers import PhoneNumberFormat

from shared.phone import PhoneNumber

MOST_PIECES = 3
# Digits from the end before which people put a gap: in pairs, in threes, in fours.
_USUAL_GAPS = frozenset({2, 3, 4, 6, 8, 9, 10, 12})
# A single digit leaves nearly everybody.
_LEAST_DIGITS = 2
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
        lambda column: len(set(column)) == 1,
        zip(*map(reversed, number.national_digits), strict=False),
    )
    digits = "".join(digit for digit, *_ in alike)
    parsed = phonenumbers.parse(number.e164)
    whole = len(phonenumbers.national_significant_number(parsed))
    gaps = _own_gaps(parsed)
    area = max((gap for gap in gaps if gap < whole), default=0)
    if parsed.country_code != _NORTH_AMERICA:  # where everybody groups alike
        gaps |= _USUAL_GAPS
    gaps = {0, len(digits)} | {gap for gap in gaps if gap < len(digits)}
    runs = [run for run in pairwise(sorted(gaps)) if run[1] - run[0] >= _LEAST_DIGITS]
    runs.sort(key=lambda run: run[0] - run[1])  # stable: the last ones first
    if len(runs) < MOST_PIECES and whole == len(digits):
        runs.append((max(area, whole - _FIRM_AREA), whole))
    return tuple(digits[start:end][::-1] for start, end in runs[:MOST_PIECES])


def _own_gaps(parsed: phonenumbers.PhoneNumber) -> set[int]:
    """Where the country's own ways to write the number have gaps, in digits from the end."""
    gaps = set()
    for form in (PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL):
        length = 0
        for group in reversed(re.findall(r"\d+", phonenumbers.format_number(parsed, form))):
            length += len(group)
            gaps.add(length)
    return gaps
