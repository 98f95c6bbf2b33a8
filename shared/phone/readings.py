"""What a run of digits may mean under the dialling rules of a region.

What is said comes before what is guessed; where one of the two gives two different numbers, nothing
decides:

1. *said*: a plus sign, the region's international prefix, the region's own numbers, the region's
   own country code in front;
2. *guessed*: an international prefix of elsewhere, a plus sign that is missing, a country code that
   is doubled, a digit dialled for an outside line, a zero that a spreadsheet has cut off.

Blanks must fit: 9 (202) 555 0123 is no number of Pakistan, whose country code is 92.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import phonenumbers
from phonenumbers import (
    CountryCodeSource,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

from shared.phone.numbers import NO_REGION, PhoneNumber, as_assigned
from shared.phone.texts import LEAST_DIGITS, Run

_MAX_E164: Final = 16  # a plus sign and 15 digits (ITU-T E.164); the library lets Germany have more
# Shorter runs of digits without a prefix are domestic numbers, never a bare country code.
_LEAST_DIGITS_WITH_CODE: Final = 11
# 15 of a number, four of an international prefix, three or four for an outside line.
_MOST_DIGITS: Final = 22
_INTERNATIONAL_PREFIXES: Final = ("0011", "011", "00")
# Of a single carrier, so that the library does not know them: Indosat's and Telkom's.
_CARRIERS_PREFIXES: Final = {"ID": ("001", "007")}
# Dialled for a line to the outside without a pause; any other digit must stand apart.
_OUTSIDE_LINE: Final = frozenset("01789")
_LONGEST_OUTSIDE_LINE: Final = 4  # Australia's 1831, France's 3651
# +49 +49 151 ... and +49 0049 151 ...
_CODE_FIRST: Final = re.compile(r"\+[\s(]*(\d{1,3})[\s)]*\+(.*)")
_CODE_TWICE: Final = re.compile(r"([1-9]\d{0,2})00\1(\d{6,})")
_OPTIONAL_ZERO: Final = re.compile(r"\(\s*0\s*\)")

_FROM_TEXT: Final = frozenset(
    {
        CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN,
        CountryCodeSource.FROM_NUMBER_WITH_IDD,
    }
)


@dataclass(frozen=True)
class Reading:
    """A number that the run may mean, as the library reads it, assigned or not."""

    number: phonenumbers.PhoneNumber
    names_country: bool

    @cached_property
    def assigned(self) -> PhoneNumber | None:
        number = as_assigned(self.number)
        if number is None:
            return None
        return PhoneNumber.of(number, names_country=self.names_country)

    @property
    def is_plausible(self) -> bool:
        """Whether it could be assigned one day, as fictional numbers and new ranges are."""
        national = phonenumbers.national_significant_number(self.number)
        return (
            phonenumbers.is_possible_number_with_reason(self.number) == ValidationResult.IS_POSSIBLE
            and len(national) >= LEAST_DIGITS
            and not (national.startswith("0") and self._has_trunk_zero)
            and len(set(national)) > 1  # 999 999 9999 is a placeholder
        )

    @property
    def _has_trunk_zero(self) -> bool:
        """Whether a zero is dialled before numbers within the country, and so begins none."""
        region = phonenumbers.region_code_for_country_code(self.number.country_code or 0)
        return _trunk_prefix(region) == "0"


def read_run(run: Run, region: str, *, may_guess: bool) -> tuple[PhoneNumber, ...]:
    """Return what the run can be: nothing, one number, or several of which nothing decides."""
    if len(run.digits) > _MOST_DIGITS:
        return ()
    said = list(_say(run, region))
    if found := _assigned(said):
        return found  # almost always, and guesses cost as much again
    guessed = [*_guess(run, region)] if may_guess else []
    mended = [each for each in map(_drop_second_code, [*said, *guessed]) if each and may_guess]
    guessed += mended
    if _assigned(guessed):
        return _assigned([*guessed, *_drop_any_digit(run, region)])
    plausible = (each for each in [*said, *mended] if each.is_plausible)
    return tuple(
        PhoneNumber.of(each.number, names_country=each.names_country) for each in plausible
    )[:1]


def _assigned(readings: Iterable[Reading]) -> tuple[PhoneNumber, ...]:
    numbers = (reading.assigned for reading in readings)
    return tuple({number.e164: number for number in numbers if number}.values())


def _say(run: Run, region: str) -> Iterator[Reading]:
    """What stands in the text: if the region's own country code comes first, that alone."""
    if run.has_plus:
        yield from _say_international(run.text)
        return
    if run.digits.startswith(_own_code(region)) and len(run.digits) >= _LEAST_DIGITS_WITH_CODE:
        # The library takes the 49 of 4915112345678 for a German area code.
        own = _read_with_code(run)
        if own and own.assigned:
            yield own
            return
    whole = _say_domestic(run, region)
    competes = run.follows_word or (whole is not None and not _is_grouped_so(whole, run))
    apart = [each for each in _say_apart(run, region) if each.assigned] if competes else []
    if whole and not (apart and _blanks_decide(run, region)):
        yield whole
        if whole.assigned:
            yield from _say_otherwise(whole, run, region)
    yield from apart


def _say_otherwise(whole: Reading, run: Run, region: str) -> Iterator[Reading]:
    """What speaks against a reading that the region's rules do not give by themselves.

    Without its trunk prefix a number is not dialled so: 33612345678 in Germany has lost a zero or a
    plus sign. Behind an international prefix the country may begin earlier: 00 5 is dialled in
    Colombia before a country code, and 00 52 elsewhere before Mexico's.
    """
    if whole.number.country_code_source == CountryCodeSource.FROM_NUMBER_WITH_IDD:
        others = [_parse_abroad(run, prefix) for prefix in _INTERNATIONAL_PREFIXES]
    elif len(run.digits) >= _LEAST_DIGITS_WITH_CODE and (
        _lacks_trunk_prefix(whole, run, region)
        # A single digit apart is rather Mexico's old 1 than a country code.
        or (len(run.groups[0]) > 1 and not _is_grouped_so(whole, run))
    ):
        others = [_read_missing_plus(run)]
    else:
        return
    yield from (each for each in others if each and each.assigned)


def _parse_abroad(run: Run, prefix: str) -> Reading | None:
    """Read what follows the prefix as a country code and a number, nothing left out of it."""
    rest = run.digits.removeprefix(prefix)
    found = _parse(f"+{rest}", NO_REGION) if rest != run.digits else None
    if found is None or phonenumbers.format_number(found, PhoneNumberFormat.E164) != f"+{rest}":
        return None
    return Reading(found, names_country=True)


def _lacks_trunk_prefix(whole: Reading, run: Run, region: str) -> bool:
    trunk = _trunk_prefix(region)
    if trunk is None or run.digits.startswith(trunk):
        return False
    written = phonenumbers.format_number(whole.number, PhoneNumberFormat.NATIONAL)
    return re.sub(r"\D", "", written).startswith(trunk)


def _is_grouped_so(reading: Reading, run: Run) -> bool:
    """Whether there is nothing to doubt: it is nobody's, or begins as its country writes it."""
    if reading.assigned is None or len(run.groups) == 1:
        return True
    written = phonenumbers.format_number(reading.number, PhoneNumberFormat.NATIONAL)
    return Run(written).groups[0] == run.groups[0]


def _say_domestic(run: Run, region: str) -> Reading | None:
    """Read it as dialled in the region, be it abroad."""
    found = _parse(run.text, region)
    if found is None:
        return None
    is_prefixed = found.country_code_source == CountryCodeSource.FROM_NUMBER_WITH_IDD
    if is_prefixed and len(run.groups) > 1 and len(run.groups[0]) == 1:
        return None  # 0 0151 ... does not begin with 00
    return Reading(found, names_country=found.country_code_source in _FROM_TEXT)


def _say_apart(run: Run, region: str) -> Iterator[Reading]:
    """The number without its first group, if that may be a word's or dialled for an outside line.

    It competes with the whole: 8 321 2345 is a mobile number of Estonia, or 8 and a landline.
    """
    if len(run.groups) == 1 or starts_number(run, region):
        return
    rest = _without_first_group(run)
    if run.follows_word:
        yield from _say(rest, region)
    elif len(run.groups[0]) == 1 or (
        len(run.groups[0]) <= _LONGEST_OUTSIDE_LINE and starts_number(rest, region)
    ):
        yield from _say_dialled(rest, region)


def _blanks_decide(run: Run, region: str) -> bool:
    """Whether the number begins with the second group: 9 0151 ... has no area code 90151."""
    may_be_area = len(run.groups[0]) > 1 and not run.follows_word
    return not may_be_area and starts_number(_without_first_group(run), region)


def _say_international(text: str) -> Iterator[Reading]:
    for spelling in _spell_international(text):
        if found := _parse(spelling, NO_REGION):
            yield Reading(found, names_country=True)


def _spell_international(text: str) -> Iterator[str]:
    if code_first := _CODE_FIRST.fullmatch(text):
        # A field puts a country code first, and a whole number was typed behind it, or the rest.
        code, rest = code_first.groups()
        yield f"+{rest}"
        if not rest.lstrip(" (0").startswith(code):
            yield f"+{code}{rest}"
        return
    digits = re.sub(r"\D", "", text)
    prefix = next((each for each in _INTERNATIONAL_PREFIXES if digits.startswith(each)), "")
    digits = digits.removeprefix(prefix)
    code_twice = _CODE_TWICE.fullmatch(digits)
    if code_twice and int(code_twice[1]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        yield f"+{code_twice[1]}{code_twice[2]}"
    yield f"+{digits}" if prefix else text
    if _OPTIONAL_ZERO.search(text):  # Italy's belongs to the number, Spain has none
        yield _OPTIONAL_ZERO.sub(" ", text, count=1)


def _guess(run: Run, region: str) -> Iterator[Reading]:
    if run.has_plus:
        return
    digits = run.digits
    for prefix in _CARRIERS_PREFIXES.get(region, ()):
        if digits.startswith(prefix) and (by_carrier := _parse_abroad(run, prefix)):
            yield by_carrier
    for prefix in _INTERNATIONAL_PREFIXES:
        if digits.startswith(prefix):
            abroad = _say_international("+" + digits)
            yield from (each for each in abroad if _fits_prefix(run, prefix, each))
            break
    if len(digits) >= _LEAST_DIGITS_WITH_CODE and (missing_plus := _read_missing_plus(run)):
        yield missing_plus
    yield from _drop_outside_line(run, region)
    if not digits.startswith("0") and (found := _parse("0" + digits, region)):
        yield Reading(found, names_country=False)


def _fits_prefix(run: Run, prefix: str, reading: Reading) -> bool:
    """Whether the blanks fit a foreign prefix: 011 15 2345 6789 is dialled in Buenos Aires."""
    first, *others = run.groups
    code = str(reading.number.country_code)
    return first.startswith(prefix + code) or (first == prefix and others[:1] == [code])


def _read_with_code(run: Run) -> Reading | None:
    """Read it as if a plus sign stood in front; nobody writes a country code in two groups."""
    found = _parse(f"+{run.digits}", NO_REGION)
    if found is None or len(run.groups[0]) < len(str(found.country_code)):
        return None
    return Reading(found, names_country=False)


def _read_missing_plus(run: Run) -> Reading | None:
    """As `_read_with_code`, if the blanks fit: the code stands apart, or there are none."""
    found = _read_with_code(run)
    fits = found and (len(run.groups) == 1 or run.groups[0] == str(found.number.country_code))
    return found if fits else None


def _drop_second_code(reading: Reading) -> Reading | None:
    code = reading.number.country_code
    national = phonenumbers.national_significant_number(reading.number)
    rest = re.sub(rf"^0*{code}", "", national)
    mended = _parse(f"+{code}{rest}", NO_REGION) if rest != national else None
    return replace(reading, number=mended) if mended else None


def _drop_outside_line(run: Run, region: str) -> Iterator[Reading]:
    """Read what follows one digit, or a first group of up to four: numbers as they are dialled."""
    groups = run.groups
    if len(groups) > 1 and len(groups[0]) <= _LONGEST_OUTSIDE_LINE:
        rest = _without_first_group(run)
        if len(groups[0]) == 1 or starts_number(rest, region):  # 312 345 6789-227 begins with 312
            yield from _say_dialled(rest, region)
    rest = _without_first_digit(run)
    if run.digits[0] in _OUTSIDE_LINE and (len(groups) == 1 or starts_number(rest, region)):
        yield from _say_dialled(rest, region)


def _drop_any_digit(run: Run, region: str) -> Iterator[Reading]:
    """What speaks against a guess, and is none itself: any first digit may be one too many."""
    if not run.has_plus:
        yield from _say_dialled(_without_first_digit(run), region)


def _say_dialled(run: Run, region: str) -> Iterator[Reading]:
    """As `_say`, but with its trunk prefix, where one is dialled: without it nobody is called."""
    for reading in _say(run, region):
        if starts_number(run, region) or not _needs_trunk_prefix(reading.number, region):
            yield reading


def _needs_trunk_prefix(number: phonenumbers.PhoneNumber, region: str) -> bool:
    trunk = _trunk_prefix(region)
    # India and others: written with it, dialled without.
    if trunk is None or phonenumbers.number_type(number) == PhoneNumberType.MOBILE:
        return False
    written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return re.sub(r"\D", "", written) == trunk + phonenumbers.national_significant_number(number)


def _without_first_group(run: Run) -> Run:
    rest = re.sub(r"^\D*\d+[^\d(]*", "", run.text, count=1)
    return Run(rest)


def _without_first_digit(run: Run) -> Run:
    return Run(re.sub(r"\d", "", run.text, count=1).lstrip(" (-./"))


def starts_number(run: Run, region: str) -> bool:
    """Whether the first group begins as numbers begin in the region: with a prefix, a plus."""
    group, code, trunk = run.groups[0], _own_code(region), _trunk_prefix(region)
    if run.has_plus or group.startswith(_INTERNATIONAL_PREFIXES):
        return True
    if group.startswith(code) and (group == code or len(group) > len(code) + 2):
        return True
    return trunk is not None and trunk != code and group.startswith(trunk)


def _own_code(region: str) -> str:
    return str(phonenumbers.country_code_for_region(region))


def _trunk_prefix(region: str) -> str | None:
    """The digits before a number within the country: 0 mostly; none in many."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    return metadata.national_prefix if metadata else None


def _parse(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return number if len(e164) <= _MAX_E164 else None
