"""How people write a phone number, for HubSpot fields that can only be compared as text."""

import re
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat

from shared.phone import PhoneNumber

_FULL_WIDTH: Final = str.maketrans("0123456789+-() ", "０１２３４５６７８９＋－（）　")
_ARABIC: Final = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_PERSIAN: Final = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
# By country code: the digits, beside ours, that people type there.
_OWN_DIGITS: Final = (
    dict.fromkeys(("81", "82", "86", "852", "853", "886"), _FULL_WIDTH)
    | dict.fromkeys(("20", "962", "964", "965", "966", "968", "970", "971"), _ARABIC)
    | dict.fromkeys(("973", "974"), _ARABIC)
    | {
        "93": _PERSIAN,
        "98": _PERSIAN,
        "880": str.maketrans("0123456789", "০১২৩৪৫৬৭৮৯"),
        "977": str.maketrans("0123456789", "०१२३४५६७८९"),
    }
)


def spellings(number: PhoneNumber) -> tuple[str, ...]:
    """Return the ways in which people write `number`, most common first, in lower case.

    About fifteen, five more where people have digits of their own, and four for each form that it
    had before a renumbering: a search body holds 3,000 characters, so each costs other numbers.
    """
    written = [
        *_usual(number.e164),
        *(spelling for earlier in number.earlier_e164s for spelling in _plainest(earlier)),
    ]
    return tuple(dict.fromkeys(spelling.strip().lower() for spelling in written))


def _usual(e164: str) -> list[str]:
    international, domestic, code, groups, (area, *local) = _formats(e164)
    gap = "-" if code == "1" else " "
    written = [
        e164,
        e164.removeprefix("+"),
        area + "".join(local),
        "".join(groups),
        international,
        domestic,
        " ".join([f"+{code}", *groups]),
        "-".join([area, *local]),
        "-".join([f"+{code}", *groups]),
        f"({area}) {gap.join(local)}",
        ".".join([area, *local]),
        " ".join([area, *local]),
        f"+{code} {''.join(groups)}",
        f"+{code} ({groups[0]}) {gap.join(groups[1:])}",
    ]
    if code == "1":
        written += ["-".join([code, *groups]), " ".join([code, *groups])]
    else:
        written += [
            f"{area} {''.join(local)}",
            f"00{code}{''.join(groups)}",
            " ".join([f"00{code}", *groups]),
        ]
    if digits := _OWN_DIGITS.get(code):
        grouped = "-".join([area, *local])
        plain = [e164, area + "".join(local), domestic, grouped, international]
        written += [text.translate(digits) for text in plain]
    if area.startswith("0") and not groups[0].startswith("0"):
        written.append(f"+{code} (0){' '.join(groups)}")
    return written


def _plainest(e164: str) -> list[str]:
    international, domestic, _code, _groups, national = _formats(e164)
    return [e164, "".join(national), international, domestic]


def _formats(e164: str) -> tuple[str, str, str, list[str], list[str]]:
    """International and domestic form; country code, groups; groups with the trunk prefix."""
    parsed = phonenumbers.parse(e164)
    international = phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
    domestic = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    code, *groups = re.findall(r"\d+", international)
    return international, domestic, code, groups, re.findall(r"\d+", domestic)
