"""Reading a text, in whatever spelling, as phone numbers; never guessing between people."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Final

import phonenumbers

from shared.phone.affixes import Affix
from shared.phone.labels import labelled_digits
from shared.phone.numbers import (
    NO_REGION,
    InvalidNumberError,
    PhoneError,
    PhoneNumber,
    as_assigned,
    is_assigned,
    mask_phone,
)
from shared.phone.readings import read_run, starts_number
from shared.phone.texts import (
    LEAST_DIGITS,
    Content,
    Run,
    is_number_alone,
    read_content,
    refuse_withheld,
    tidy,
    undo_spreadsheet,
    unwrap,
)

# What libphonenumber reads; longer text would only keep the expressions busy.
MAX_TEXT: Final = 250
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
# 1-800-FLOWERS. Letters anywhere else are words.
_VANITY = re.compile(r"\+?[\d\s().-]*\d[\s.-]*[a-z][a-z\d\s.-]*", re.IGNORECASE)
# Between two numbers in one field. Inside of a number the same marks may stand between groups.
_MOST_NAMED: Final = 3
_EXTENSION_BEHIND_MARK = re.compile(r"([^/]*\d)(?:\s*/\s*|\s[–—-]\s)\d{1,5}")
_BETWEEN_NUMBERS = (re.compile(r"\s[/–—-]\s"), re.compile(r"/"))


def parse_phone(raw: str | None, region: str) -> PhoneNumber:
    """Read `raw`, in whatever spelling, as a full phone number.

    `region` is the two-letter region whose dialling rules hold where no country code is given.
    Numbers that are possible but not assigned (fictional ones, new ranges) are accepted.

    What the text says comes first. A guess is taken only if the text is nothing but a number and no
    other guess gives a number: never one of several people.

    Raises WithheldNumberError or InvalidNumberError, and nothing else.
    """
    if raw is not None and len(raw) > MAX_TEXT:
        raise InvalidNumberError("The phone number is too long to be one.")
    if raw is not None and _E164.fullmatch(raw):  # as most producers send it
        number = _parse_e164(raw)
        if number is not None:
            return number
    text, is_address = unwrap(tidy(raw or ""))
    text = undo_spreadsheet(text)
    refuse_withheld(text)
    if is_address and not is_number_alone(text):
        raise InvalidNumberError("The caller used an internet address (SIP), not a phone number.")
    content = read_content(text)
    found = _choose(content, region)
    if not found and (vanity := _read_vanity(text, region)):
        found = (vanity,)
    if len(found) != 1:
        raise InvalidNumberError(_explain(text, content, region, found))
    return found[0]


def find_numbers(text: str | None, region: str) -> tuple[PhoneNumber, ...]:
    """Find every full phone number in a stored field, read by the rules of `parse_phone`.

    People keep two numbers in one field, and remarks before and behind them. What cannot be read
    for certain is left out. Never raises.
    """
    if text is None or len(text) > MAX_TEXT:
        return ()
    if _E164.fullmatch(text) and (only := _parse_e164(text)):  # most fields, in many accounts
        return (only,)
    with suppress(InvalidNumberError):
        content = read_content(undo_spreadsheet(tidy(text)))
        several = _read_each(content.runs, region, may_guess=content.is_bare)
        if len(several) > 1:
            certain = (found[0] for _, found in several if len(found) == 1)
            return tuple({number.e164: number for number in certain}.values())
    try:
        return (parse_phone(text, region),)
    except PhoneError:
        return ()


def has_other_digits(text: str | None) -> bool:
    """Whether a word gives digits of the text, as many as a number has, to something else.

    "Order 2025550123" and "Tax ID 2025550123", not "Unit 9" or "Customer 2025550123".
    """
    if text is None or len(text) > MAX_TEXT:
        return False
    return any(len(digits) >= LEAST_DIGITS for digits in labelled_digits(tidy(text)))


def _parse_e164(raw: str) -> PhoneNumber | None:
    try:
        number = as_assigned(phonenumbers.parse(raw, NO_REGION))
    except phonenumbers.NumberParseException:
        return None
    return None if number is None else PhoneNumber.of(number, names_country=True)


_Found = list[tuple[Run, tuple[PhoneNumber, ...]]]


def _choose(content: Content, region: str) -> tuple[PhoneNumber, ...]:
    """Return the number that is meant: none, one, or those between which nothing decides.

    Raises InvalidNumberError if the text holds the numbers of several people.
    """
    # Without a region nothing is known of whose rules a guess would have to obey.
    may_guess = content.is_bare and region != NO_REGION
    several = _read_each(content.runs, region, may_guess=may_guess)
    with_plus = [each for each in several if each[0].has_plus]
    if len(with_plus) == 1 and all(run.has_plus or run.follows_word for run, _ in several):
        return with_plus[0][1]  # what begins at the one plus is the number, a word's digits are not
    found = {each.e164: each for _, numbers in several for each in numbers}
    if len(several) > 1 and len(found) > 1:
        raise InvalidNumberError(
            f"There is more than one phone number: {_name(found.values())}. Send one of them."
        )
    return tuple(found.values())


def _read_each(runs: Sequence[Run], region: str, *, may_guess: bool) -> _Found:
    found = []
    for run in _split(runs, region):
        is_fragment = len(runs) > 1 and len(run.digits) < LEAST_DIGITS
        if run.is_masked or is_fragment:
            continue
        if numbers := _read_with_affixes(run, region, may_guess=may_guess):
            found.append((run, numbers))
    return found


def _read_with_affixes(run: Run, region: str, *, may_guess: bool) -> tuple[PhoneNumber, ...]:
    """Read a run without what stands directly beside it and with it: the one that is assigned."""
    before = next((affix for affix in run.affixes if not affix.is_behind), None)
    behind = next((affix for affix in run.affixes if affix.is_behind), None)
    found = _read_with_extension(run, behind, region, may_guess=may_guess)
    if before is None or run.has_plus:
        return found
    whole = Run(f"{before.digits} {run.text}")
    if starts_number(run, region) and not starts_number(whole, region):
        return found  # 4711 0151 ... has no area code 4711
    wholes = _read_with_extension(whole, behind, region, may_guess=False)
    wholes = tuple(number for number in wholes if is_assigned(number))
    if not before.is_label:
        return _choose_assigned(found + wholes)
    digits = run.digits + (behind.digits if behind else "")
    if len(digits) < LEAST_DIGITS:
        found = ()
    if before.digits.startswith("0") or any(map(is_assigned, found)):
        return _choose_assigned(found + wholes)
    # What a word counts is no phone number, however grouped, unless it is dialled like one.
    return () if wholes else found


def _read_with_extension(
    run: Run, extension: Affix | None, region: str, *, may_guess: bool
) -> tuple[PhoneNumber, ...]:
    if extension is None:
        return _read_one(run, region, may_guess=may_guess)
    is_fragment = len(run.digits) < LEAST_DIGITS
    found = () if is_fragment else _read_one(run, region, may_guess=may_guess)
    whole = replace(run, text=f"{run.text} {extension.digits}")
    return _choose_assigned(found + _read_one(whole, region, may_guess=may_guess))


def _choose_assigned(numbers: tuple[PhoneNumber, ...]) -> tuple[PhoneNumber, ...]:
    """Keep those that are assigned, or else all."""
    chosen = [number for number in numbers if is_assigned(number)] or numbers
    return tuple({number.e164: number for number in chosen}.values())


def _read_one(run: Run, region: str, *, may_guess: bool) -> tuple[PhoneNumber, ...]:
    return read_run(run, region, may_guess=may_guess) or _read_before_mark(run, region)


def _read_before_mark(run: Run, region: str) -> tuple[PhoneNumber, ...]:
    """Read 202-555-0123/227 without its extension: in front there must be a whole number."""
    match = _EXTENSION_BEHIND_MARK.fullmatch(run.text)
    head = match and replace(run, text=match[1])
    if head is None or len(head.digits) < LEAST_DIGITS:
        return ()
    return read_run(head, region, may_guess=False)


def _split(runs: Iterable[Run], region: str) -> Iterator[Run]:
    """Divide what is several numbers: where each part is one by itself."""
    for run in runs:
        divisions = (_divide(run, between) for between in _BETWEEN_NUMBERS)
        parts = next((each for each in divisions if _are_numbers(each, region)), [run])
        yield from parts


def _divide(run: Run, between: re.Pattern[str]) -> list[Run]:
    parts = [Run(part) for part in between.split(run.text) if re.search(r"\d", part)]
    for affix in run.affixes:
        at = -1 if affix.is_behind else 0
        parts[at] = replace(parts[at], affixes=(*parts[at].affixes, affix))
    return parts


def _are_numbers(parts: Sequence[Run], region: str) -> bool:
    return len(parts) > 1 and all(
        len(part.digits) >= LEAST_DIGITS and read_run(part, region, may_guess=False)
        for part in parts
    )


def _read_vanity(text: str, region: str) -> PhoneNumber | None:
    if not _VANITY.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    is_free = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.TOLL_FREE
    return PhoneNumber.of(number, names_country=text.startswith("+")) if is_free else None


def _explain(text: str, content: Content, region: str, candidates: Sequence[PhoneNumber]) -> str:
    if candidates:
        return (
            f"{mask_phone(text)} could be more than one phone number: {_name(candidates)}."
            " Send it with a plus sign and its country code."
        )
    if content.is_masked:
        return "Some digits of the phone number are masked."
    if content.has_address:
        return "The caller used an internet address (SIP), not a phone number."
    return (
        f"{mask_phone(text)} is not a full phone number"
        f" (without a country code it is read as a number of region {region})."
    )


def _name(numbers: Iterable[PhoneNumber]) -> str:
    return " or ".join(_describe(number) for number in islice(numbers, _MOST_NAMED))


def _describe(number: PhoneNumber) -> str:
    parsed = phonenumbers.parse(number.e164, NO_REGION)
    region = phonenumbers.region_code_for_number(parsed)
    return f"+{parsed.country_code} {mask_phone(number.e164)}" + (f" ({region})" if region else "")
