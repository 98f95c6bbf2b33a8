"""What a phone number is: its one form, its regions, its errors, and what a log may show of it.

PhoneError
├─ WithheldNumberError    nobody sent a number          (`no_phone_number`)
└─ InvalidNumberError     what was sent is no number    (`invalid_phone_number`)
"""

import re
from dataclasses import dataclass, field
from typing import Self

import phonenumbers
from phonenumbers import PhoneNumberFormat

from shared.phone.renumbering import RENUMBERED_CODES, earlier_form, is_void, modern_form

SUPPORTED_REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)
# To read only what is a number in every region.
NO_REGION = "ZZ"


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

    @classmethod
    def of(cls, number: phonenumbers.PhoneNumber, *, names_country: bool) -> Self:
        """Take over a number that the library has read, of today's form."""
        national = phonenumbers.national_significant_number(number)
        forms = (national, *_earlier_forms(number.country_code or 0, national))
        digits = (each for form in forms for each in (form, form.lstrip("0")))
        return cls(
            e164=phonenumbers.format_number(number, PhoneNumberFormat.E164),
            national_digits=tuple(dict.fromkeys(digits)),
            names_country=names_country,
            earlier_e164s=tuple(f"+{number.country_code}{form}" for form in forms[1:]),
        )


def as_assigned(number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber | None:
    """Return the number in today's form if it may be somebody's, None if it is nobody's.

    An earlier form is followed to today's only if nobody has it as a number of today.
    """
    code = number.country_code or 0
    is_valid = phonenumbers.is_valid_number(number)
    if code not in RENUMBERED_CODES:
        return number if is_valid else None
    national = phonenumbers.national_significant_number(number)
    if is_valid and not is_void(code, national):
        return number
    modern = modern_form(code, national)
    if modern is None:
        return None
    renumbered = _from_national(code, modern)
    return renumbered if phonenumbers.is_valid_number(renumbered) else None


def is_assigned(number: PhoneNumber) -> bool:
    """Whether it may be somebody's today, not only one day."""
    return as_assigned(phonenumbers.parse(number.e164, NO_REGION)) is not None


def _earlier_forms(code: int, national: str) -> tuple[str, ...]:
    if code not in RENUMBERED_CODES:
        return ()
    earlier = earlier_form(code, national)
    if earlier is None or not _leads_to(code, earlier, national):
        return ()
    return (earlier,)


def _leads_to(code: int, earlier: str, national: str) -> bool:
    today = as_assigned(_from_national(code, earlier))
    return today is not None and phonenumbers.national_significant_number(today) == national


def _from_national(code: int, national: str) -> phonenumbers.PhoneNumber:
    zeros = len(national) - len(national.lstrip("0"))
    return phonenumbers.PhoneNumber(
        country_code=code,
        national_number=int(national),
        italian_leading_zero=zeros > 0 or None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


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
