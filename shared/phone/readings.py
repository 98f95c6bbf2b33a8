"""What a run of digits may mean under the dialling rules of a region.

Readings stand in an order of their own; the first step that gives a number decides, and if it gives
two different ones, nothing decides:

1. *said*: a plus sign, the region's international prefix, the region's own numbers, the region's
   own country code in front;
2. *guessed*: an international prefix of elsewhere, a plus sign that is missing, a country code that
   is doubled, a digit dialled for an outside line, a zero that a spreadsheet has cut off;
3. *against the grouping*: a reading as in 1 or 2 for which blanks stand in the wrong places.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
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
_INTERNATIONAL_PREFIXES: Final = ("0011", "011", "00")
# Dialled for a line to the outside without a pause; any other digit must stand apart.
_OUTSIDE_LINE: Final = frozenset("01789")
_LONGEST_OUTSIDE_LINE: Final = 3

_FROM_TEXT: Final = frozenset(
    {
        CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN,
        CountryCodeSource.FROM_NUMBER_WITH_IDD,
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A number that the run may mean, as the library reads it, assigned or not."""

    number: phonenumbers.PhoneNumber
    names_country: bool
    fits_grouping: bool = True

    @property
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
            and len(set(national)) > 1  # 999 999 9999 is a placeholder
        )


def read_run(run: Run, region: str, *, may_guess: bool) -> tuple[PhoneNumber, ...]:
    """Return what the run can be: nothing, one number, or several of which nothing decides."""
    said = list(_say(run, region))
    if found := _assigned(reading for reading in said if reading.fits_grouping):
        return found  # almost always, and guesses cost as much again
    guessed = list(_guess(run, region, said)) if may_guess else []
    if found := _assigned(reading for reading in guessed if reading.fits_grouping):
        return found
    if found := _assigned(reading for reading in [*said, *guessed] if not reading.fits_grouping):
        return found
    plausible = (each for each in said if each.fits_grouping and each.is_plausible)
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
    if found := _parse(run.text, region):
        yield Reading(
            found,
            names_country=found.country_code_source in _FROM_TEXT,
            fits_grouping=_fits_as_dialled(run, region, found),
        )
    if run.follows_word and len(run.groups) > 1 and not _starts_number(run, region):
        yield from _say(_without_first_group(run), region)


def _say_international(text: str) -> Iterator[Reading]:
    digits = re.sub(r"\D", "", text)
    prefix = next((each for each in _INTERNATIONAL_PREFIXES if digits.startswith(each)), "")
    if found := _parse(f"+{digits.removeprefix(prefix)}" if prefix else text, NO_REGION):
        yield Reading(found, names_country=True)


def _guess(run: Run, region: str, said: list[Reading]) -> Iterator[Reading]:
    for reading in said:
        if mended := _drop_second_code(reading):
            yield mended
    if run.has_plus:
        return
    digits = run.digits
    for prefix in _INTERNATIONAL_PREFIXES:
        if digits.startswith(prefix):
            fits = len(run.groups[0]) >= len(prefix)
            yield from (
                replace(each, fits_grouping=fits) for each in _say_international("+" + digits)
            )
            break
    if len(digits) >= _LEAST_DIGITS_WITH_CODE and (missing_plus := _read_with_code(run)):
        yield missing_plus
    yield from _drop_outside_line(run, region)
    if found := _parse("0" + digits, region):
        yield Reading(found, names_country=False)


def _read_with_code(run: Run) -> Reading | None:
    """Read it as if a plus sign stood in front: nobody writes a country code in two groups."""
    found = _parse(f"+{run.digits}", NO_REGION)
    if found is None:
        return None
    code = str(found.country_code)
    fits = len(run.groups[0]) >= len(code)
    return Reading(found, names_country=False, fits_grouping=fits)


def _drop_second_code(reading: Reading) -> Reading | None:
    code = reading.number.country_code
    national = phonenumbers.national_significant_number(reading.number)
    rest = re.sub(rf"^0*{code}", "", national)
    mended = _parse(f"+{code}{rest}", NO_REGION) if rest != national else None
    return replace(reading, number=mended, fits_grouping=True) if mended else None


def _drop_outside_line(run: Run, region: str) -> Iterator[Reading]:
    """Read what follows one digit, or a first group of up to three: numbers as they are dialled."""
    groups = run.groups
    if len(groups) > 1 and len(groups[0]) <= _LONGEST_OUTSIDE_LINE:
        yield from _say_dialled(_without_first_group(run), region)
    if run.digits[0] in _OUTSIDE_LINE and len(groups[0]) > 1:
        rest = Run(re.sub(r"\d", "", run.text, count=1).lstrip("( "))
        fits = len(groups) == 1 or _starts_number(rest, region)
        for reading in _say_dialled(rest, region):
            yield replace(reading, fits_grouping=reading.fits_grouping and fits)


def _say_dialled(run: Run, region: str) -> Iterator[Reading]:
    """As `_say`, but a landline's trunk prefix must be there: without it nobody is called."""
    trunk = _trunk_prefix(region)
    is_needed = trunk and trunk != _own_code(region) and not _starts_number(run, region)
    for reading in _say(run, region):
        if not is_needed or phonenumbers.number_type(reading.number) == PhoneNumberType.MOBILE:
            yield reading


def _without_first_group(run: Run) -> Run:
    rest = re.sub(r"^\D*\d+[^\d(]*", "", run.text, count=1)
    return Run(rest)


def _starts_number(run: Run, region: str) -> bool:
    """Whether the first group begins as numbers begin in the region: with a prefix, a plus."""
    starts = (_trunk_prefix(region), *_INTERNATIONAL_PREFIXES, _own_code(region))
    return run.has_plus or any(start and run.groups[0].startswith(start) for start in starts)


def _own_code(region: str) -> str:
    return str(phonenumbers.country_code_for_region(region))


def _trunk_prefix(region: str) -> str | None:
    """The digits before a number within the country: 0 mostly; none in many."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    return metadata.national_prefix if metadata else None


def _fits_as_dialled(run: Run, region: str, found: phonenumbers.PhoneNumber) -> bool:
    """Whether the blanks stand where this reading has them.

    A digit alone before a group that begins with a prefix was dialled for an outside line:
    9 0151 ... and 0 0151 ... are neither an area code 90151 nor the international prefix 00.
    """
    groups = run.groups
    if len(groups) == 1 or len(groups[0]) > 1:
        return True
    if found.country_code_source == CountryCodeSource.FROM_NUMBER_WITH_IDD:
        return False
    trunk = _trunk_prefix(region)
    return not trunk or groups[0] == trunk or not groups[1].startswith(trunk)


def _parse(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return number if len(e164) <= _MAX_E164 else None
