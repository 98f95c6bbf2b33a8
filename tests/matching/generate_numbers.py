"""Makes `data/generated.csv`: callers and contacts from numbering metadata and real-life clutter.

A program of its own: it imports nothing of the service, so what that can read decides nothing here.
Numbers are libphonenumber's examples with other last digits, spellings are those of `clutter.py`,
and every choice comes from a fixed seed. `corpus.py` says how a row is read.

    python -m tests.matching.generate_numbers > tests/matching/data/generated.csv
"""

import csv
import random
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple, TextIO

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

from tests.matching.clutter import (
    CALLERS,
    DECOYS,
    SIMPLE,
    Choice,
    digits,
    domestic,
    doubled_code,
    e164,
    international,
    marked,
    oddly_grouped,
    remarked,
    trunk_in_brackets,
    two_numbers,
)
from tests.matching.renumberings import RENUMBERED

SEED = 20261128
REGIONS = tuple(
    region
    for line in (
        "US CA GB IE DE AT CH FR BE NL LU ES PT IT GR TR SE NO DK FI PL CZ SK HU RO BG HR UA EE LT",
        "IL AE SA EG MA ZA NG KE GH CI BJ IN PK BD LK TH VN MY SG ID PH JP KR TW HK AU NZ BR MX AR",
        "CL CO PE EC UY",
    )
    for region in line.split()
)
TYPES = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)


class Line(NamedTuple):
    category: str
    region: str
    account_country: str
    caller: str
    phone: str = ""
    mobile: str = ""
    further: str = ""
    decoy: str = ""


class Subscribers:
    """Numbers of which each is given once, and none is another's with a digit off."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._given: set[str] = set()

    def claim(self, text: str) -> bool:
        """Whether nobody has this number yet, whose it is from now on."""
        is_free = text not in self._given
        self._given.add(text)
        return is_free

    def give(self, region: str, kind: int) -> PhoneNumber:
        """A valid number of the region, by its example of this kind with other last digits."""
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            raise LookupError(region)
        for _ in range(1000):
            text = e164(example)[:-4] + f"{self._choice.randrange(10_000):04}"
            number = phonenumbers.parse(text)
            if phonenumbers.is_valid_number(number) and self.claim(text):
                return number
        raise LookupError(region)

    def mislead(self, number: PhoneNumber) -> str:
        """A decoy that is nobody's number, or nothing."""
        decoy = self._choice.choice(DECOYS)(number, self._choice)
        main = "+" + digits(re.split(r" [(a-z]", decoy)[0])
        return decoy if decoy and self.claim(main) else ""


class Table:
    """The lines, in the order in which they are drawn."""

    def __init__(self, seed: int) -> None:
        self._choice = random.Random(seed)
        self._subscribers = Subscribers(self._choice)

    def lines(self) -> Iterator[Line]:
        for place, region in enumerate(REGIONS):
            yield from self._simple_lines(region, place)
            yield from self._crowded_lines(region)
            yield self._line_from_abroad(region, REGIONS[(place * 7 + 3) % len(REGIONS)])
            for _ in range(2):
                stranger = self._subscribers.give(region, self._choice.choice(TYPES))
                yield self._line("nobody's", region, stranger)
        for region in RENUMBERED:
            yield from self._renumbered_lines(region)

    def _simple_lines(self, region: str, place: int) -> Iterator[Line]:
        """One number in one field; every kind of spelling comes in two countries of five."""
        kinds = list(SIMPLE)
        for turn in range(6):
            kind = kinds[(place * 6 + turn) % len(kinds)]
            number = self._subscribers.give(region, TYPES[turn % 2])
            stored = {("phone", "mobile")[turn % 3 == 0]: SIMPLE[kind](number, self._choice)}
            yield self._line(f"stored: {kind}", region, number, **stored)

    def _crowded_lines(self, region: str) -> Iterator[Line]:
        """Two numbers in one field, and numbers in several."""
        for kind in TYPES:
            number, other = (self._subscribers.give(region, kind) for _ in range(2))
            stored = two_numbers(number, other, self._choice)
            where = self._choice.choice(["phone", "mobile"])
            yield self._line("two numbers", region, number, **{where: stored})
        number = self._subscribers.give(region, self._choice.choice(TYPES))
        yield self._line(
            "further property",
            region,
            number,
            phone=domestic(self._subscribers.give(region, PhoneNumberType.FIXED_LINE)),
            further=SIMPLE[self._choice.choice(list(SIMPLE))](number, self._choice),
        )

    def _line_from_abroad(self, region: str, country: str) -> Line:
        """Somebody of another country, stored with its code, half of them in clutter."""
        number = self._subscribers.give(country, PhoneNumberType.MOBILE)
        stored = international(number)
        spell = self._choice.choice(
            [remarked, doubled_code, oddly_grouped, trunk_in_brackets, marked]
        )
        cluttered = spell(number, self._choice)
        if "+" in cluttered and self._choice.random() < 0.5:
            stored = cluttered
        decoy = self._subscribers.mislead(number)
        return Line("from abroad", region, region, e164(number), stored, decoy=decoy)

    def _renumbered_lines(self, region: str) -> Iterator[Line]:
        """Callers of before and contacts of today, and the other way round."""
        make, spell_before = RENUMBERED[region]
        code = phonenumbers.country_code_for_region(region)
        done = 0
        while done < 6:
            number = make(self._choice)
            now = phonenumbers.parse(f"+{code}{number}")
            if not phonenumbers.is_valid_number(now) or not self._subscribers.claim(e164(now)):
                continue
            before = self._choice.choice(spell_before(number))
            stored = self._choice.choice([e164, international, domestic])(now)
            pair = (e164(now), before) if done % 2 else (before, stored)
            decoy = self._subscribers.mislead(now)
            yield Line("renumbered", region, region, pair[0], pair[1], decoy=decoy)
            done += 1

    def _line(self, category: str, region: str, number: PhoneNumber, **stored: str) -> Line:
        caller = e164(number)
        if self._choice.random() < 0.5:
            caller = self._choice.choice(list(CALLERS.values()))(number, self._choice)
        is_elsewhere = self._choice.random() < 0.1  # HubSpot's default country is another one
        return Line(
            category,
            region,
            ("DE" if region == "US" else "US") if is_elsewhere else region,
            caller,
            **stored,
            decoy=self._subscribers.mislead(number),
        )


def write_table(file: TextIO) -> None:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(Line._fields)
    table.writerows(Table(SEED).lines())


if __name__ == "__main__":
    write_table(sys.stdout)
