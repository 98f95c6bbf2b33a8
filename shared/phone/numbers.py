"""What a phone number is: its one form, its regions, its errors, and what a log may show of it.

PhoneError
├─ WithheldNumberError    nobody sent a number          (`no_phone_number`)
└─ InvalidNumberError     what was sent is no number    (`invalid_phone_number`)
"""

import re
from dataclasses import dataclass, field

import phonenumbers

SUPPORTED_REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)


class PhoneError(ValueError):
    """A number that cannot be looked up; the message is written for the customer."""


class WithheldNumberError(PhoneError):
    """The caller's number was not sent: empty, "anonymous", "private" and the like."""


class InvalidNumberError(PhoneError):
    """What was sent is no full phone number: a SIP name, a short code, masked digits, words."""


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A full phone number, without its extension.

    `e164` is the form after published renumberings, `earlier_e164s` are the forms before them:
    almost always none. `national_digits` are the spellings, of all these forms, under which
    HubSpot's searchable properties may hold the number: mostly one, two for countries such as Italy
    whose numbers begin with a zero that belongs to them (whether HubSpot keeps that zero is not
    documented). `names_country` says that the text itself gave the country, by a plus sign or an
    international prefix; it is no part of the number.
    """

    e164: str
    national_digits: tuple[str, ...]
    names_country: bool = field(compare=False)
    earlier_e164s: tuple[str, ...] = ()


def validate_region(raw: str) -> str:
    """Return the two-letter region code in capitals; raise ValueError for an unknown one."""
    region = raw.strip().upper()
    if region not in SUPPORTED_REGIONS:
        raise ValueError("must be a two-letter region code such as US, GB or DE")
    return region


def mask_phone(raw: str | None) -> str:
    """Return what a log may show of a number: its last digits, at most four and at most half."""
    digits = re.sub(r"\D", "", raw or "")
    shown = min(4, len(digits) // 2)
    return "***" + digits[len(digits) - shown :]
