"""Reading a text, in whatever spelling, as phone numbers."""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

import phonenumbers
from phonenumbers import CountryCodeSource, PhoneNumberFormat, ValidationResult

from shared.phone.numbers import (
    InvalidNumberError,
    PhoneError,
    PhoneNumber,
    WithheldNumberError,
    mask_phone,
)

# What libphonenumber reads; longer text would only keep the expressions below busy.
MAX_TEXT = 250
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_MAX_E164 = 16  # a plus sign and 15 digits (ITU-T E.164); libphonenumber lets Germany have more
# Below this a number that libphonenumber does not know is a short code or a fragment.
_MIN_UNKNOWN_DIGITS = 7
# Shorter runs of digits without a prefix are domestic numbers, never a bare country code.
_MIN_DIGITS_WITH_CODE = 11
_INTERNATIONAL_PREFIXES = ("0011", "011", "00")
# By country code. Mexico dropped the 1 before mobile numbers in 2019; address books did not.
_OBSOLETE_PREFIXES = {52: "1"}

_WITHHELD = re.compile(
    r"anonym|anonim|unknown|unbekannt|inconnu|desconocid|restricted|privat|privad|blocked"
    r"|withheld|unavailable|not available|hidden|ocult|suppressed|unterdr|masqu|no caller"
    r"|no number|undefined|\bnull\b|\bnone\b|\bnil\b|\bn/?a\b"
)
# Telephone networks spell ANONYMOUS, UNAVAILABLE, BLOCKED, UNKNOWN and RESTRICTED on the keypad.
# Without its plus the last would be a number in Austin, Texas.
_WITHHELD_KEYPAD = re.compile(r"\+?(?:266696687|86282452253|2562533|8566696)|\+7378742833")
_MASKED = re.compile(r"[*•●]|x{2,}|#{2,}|\.{3,}", re.IGNORECASE)
_URI = re.compile(
    r"(?:[^<]*<)?\s*(?:(?P<scheme>sips?|tel|callto|whatsapp):)?(?P<rest>[^>]*)", re.IGNORECASE
)
_PHONE_CONTEXT = re.compile(r";phone-context=(\+\d+)", re.IGNORECASE)
_EXTENSION = re.compile(
    r"(?<=[\d)])\s*(?:[;,]?\s*(?:e?xt(?:ension|n)?|x|#|доб|durchwahl|dw|poste|anexo|int)[\s.:=]*|"
    r",{2,}|;)\s*\d{1,7}#?\s*$",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[;,|\n]|\s/\s|\s(?:or|und|and|oder|ou|o|y|e)\s", re.IGNORECASE)
_TRAILING_TEXT = re.compile(r"(?<=\d)[\s(]\D*$")


def parse_phone(raw: str | None, region: str) -> PhoneNumber:
    """Read `raw`, in whatever spelling, as a full phone number.

    `region` is the two-letter region whose dialling rules hold where no country code is given.
    Numbers that are possible but not assigned (fictional ones, new ranges) are accepted.
    Raises WithheldNumberError or InvalidNumberError, and nothing else.
    """
    if raw is not None and len(raw) > MAX_TEXT:
        raise InvalidNumberError("The phone number is too long to be one.")
    if raw is not None and _E164.fullmatch(raw):  # as most producers send it
        number = _parse(raw, region)
        if number is not None and phonenumbers.is_valid_number(number):
            return _phone_number(number)
    text, is_address = _unwrap_uri(_tidy(raw or ""))
    _refuse_withheld(text)
    if is_address and not re.fullmatch(r"[+\d\s().-]+", text):
        raise InvalidNumberError("The caller used an internet address (SIP), not a phone number.")
    if _MASKED.search(text):
        raise InvalidNumberError("Some digits of the phone number are masked.")
    number = _read(_TRAILING_TEXT.sub("", _EXTENSION.sub("", text)), region)
    if number is None:
        raise InvalidNumberError(
            f"{mask_phone(text)} is not a full phone number"
            f" (without a country code it is read as a number of region {region})."
        )
    return _phone_number(number)


def find_numbers(text: str | None, region: str) -> tuple[PhoneNumber, ...]:
    """Find every full phone number in a stored field, read by the rules of `parse_phone`.

    People keep two numbers in one field, and remarks before and behind them. What cannot be read
    for certain is left out. Never raises.
    """
    found = {}
    for piece in (text or "", *_SEPARATORS.split(text or "")):
        with suppress(PhoneError):
            number = parse_phone(piece, region)
            found[number.e164] = number
    return tuple(found.values())


def _tidy(raw: str) -> str:
    """Fold full-width and foreign digits to ASCII and drop invisible marks left by copying."""
    if raw.isascii() and raw.isprintable():
        return raw.strip()
    folded = unicodedata.normalize("NFKC", raw)
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in folded
        if unicodedata.category(char) not in {"Cf", "Cc"}
    ).strip()


def _unwrap_uri(text: str) -> tuple[str, bool]:
    """Return the user part of a `sip:` or `tel:` address, and whether `text` was an address."""
    match = _URI.match(text)
    if match is None or not (match["scheme"] or "@" in match["rest"]):
        return text, False
    rest = unquote(match["rest"])
    user, at, _host = rest.partition("@")
    number = re.split("[;:?]", user, maxsplit=1)[0].strip("/ ")
    if (match["scheme"] or "").lower().startswith("sip") and not at and "." in number:
        return "sip", True  # a bare host: its digits are an IP address
    context = _PHONE_CONTEXT.search(rest)
    if context and not number.startswith("+"):
        number = context[1] + number
    return number, True


def _refuse_withheld(text: str) -> None:
    digits = re.sub(r"\D", "", text)
    if digits.strip("0") and not _WITHHELD_KEYPAD.fullmatch(text):
        return
    if not any(char.isalpha() for char in text) or _WITHHELD.search(text.casefold()):
        raise WithheldNumberError("The caller's number was withheld.")


def _read(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    """Return the best reading: the first that is assigned, else the first that could be.

    What the text says comes before guesses: that a country code is doubled, or lacks its plus.
    """
    literal = [
        number for spelling in _spellings(text, region) if (number := _parse(spelling, region))
    ]
    if said := next(filter(phonenumbers.is_valid_number, literal), None):
        return said  # almost always, and guesses cost as much again
    guessed = list(_guesses(text, region, literal))
    assigned = filter(phonenumbers.is_valid_number, guessed)
    plausible = filter(_is_plausible, [*literal, *guessed])
    return next(assigned, None) or next(plausible, None)


def _spellings(text: str, region: str) -> Iterator[str]:
    digits = re.sub(r"\D", "", text)
    own_code = str(phonenumbers.country_code_for_region(region))
    if "+" not in text and digits.startswith(own_code) and len(digits) >= _MIN_DIGITS_WITH_CODE:
        # libphonenumber takes the 49 of 4915112345678 for a German area code.
        yield "+" + digits
    yield text
    if text.count("+") > 1:
        yield text[text.rindex("+") :]
    for prefix in _INTERNATIONAL_PREFIXES:
        if digits.startswith(prefix):
            yield "+" + digits.removeprefix(prefix)


def _guesses(
    text: str, region: str, literal: list[phonenumbers.PhoneNumber]
) -> Iterator[phonenumbers.PhoneNumber]:
    for number in literal:
        code = number.country_code or 0
        national = phonenumbers.national_significant_number(number)
        rest = re.sub(rf"^0*(?:{code}|{_OBSOLETE_PREFIXES.get(code, code)})", "", national)
        if rest != national and (mended := _parse(f"+{code}{rest}", region)):
            yield mended
    digits = re.sub(r"\D", "", text)
    if len(digits) >= _MIN_DIGITS_WITH_CODE and (mended := _parse(f"+{digits}", region)):
        yield mended


def _parse(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return number if len(e164) <= _MAX_E164 else None


def _is_plausible(number: phonenumbers.PhoneNumber) -> bool:
    national = phonenumbers.national_significant_number(number)
    return (
        phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
        and len(national) >= _MIN_UNKNOWN_DIGITS
        and len(set(national)) > 1  # 999 999 9999 is a placeholder
    )


def _phone_number(number: phonenumbers.PhoneNumber) -> PhoneNumber:
    national = phonenumbers.national_significant_number(number)
    without_zeros = national.lstrip("0")
    return PhoneNumber(
        e164=phonenumbers.format_number(number, PhoneNumberFormat.E164),
        national_digits=tuple(dict.fromkeys((national, without_zeros))),
        names_country=number.country_code_source
        in {
            CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN,
            CountryCodeSource.FROM_NUMBER_WITH_IDD,
        },
    )
