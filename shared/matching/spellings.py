"""How people write a phone number, for HubSpot fields that can only be compared as text."""

import re

import phonenumbers
from phonenumbers import PhoneNumberFormat

from shared.phone import PhoneNumber


def spellings(number: PhoneNumber) -> tuple[str, ...]:
    """Return the ways in which people write `number`, most common first, in lower case.

    About fifteen: a search body holds 3,000 characters, so each spelling costs other numbers.
    """
    parsed = phonenumbers.parse(number.e164)
    international = phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
    domestic = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    code, *groups = re.findall(r"\d+", international)
    area, *local = re.findall(r"\d+", domestic)
    gap = "-" if code == "1" else " "
    written = [
        number.e164,
        number.e164.removeprefix("+"),
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
        f"{area} {''.join(local)}",
        f"+{code} {''.join(groups)}",
        f"+{code} ({groups[0]}) {gap.join(groups[1:])}",
        f"00{code}{''.join(groups)}",
    ]
    if code == "1":
        written += ["-".join([code, *groups]), " ".join([code, *groups])]
    else:
        written.append(" ".join([f"00{code}", *groups]))
    if area.startswith("0") and not groups[0].startswith("0"):
        written.append(f"+{code} (0){' '.join(groups)}")
    return tuple(dict.fromkeys(spelling.strip().lower() for spelling in written))
