"""Makes `data/generated.csv`: callers and contacts from numbering metadata and real-life clutter.

A program of its own: it imports nothing of ours, so that what our code can read decides nothing
here. Numbers are libphonenumber's examples with other last digits, spellings are those that people,
exchanges and spreadsheets produce, and every choice comes from a fixed seed. Run it as
`python tests/matching/generate_numbers.py > tests/matching/data/generated.csv`; how a row is read
is said in `corpus.py`.
"""

import csv
import random
import re
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple, TextIO

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

SEED = 20261128
COLUMNS = (
    "category",
    "region",
    "account_country",
    "caller",
    "phone",
    "mobile",
    "further",
    "decoy",
)
REGIONS = (
    "US CA GB IE DE AT CH FR BE NL LU ES PT IT GR TR SE NO DK FI PL CZ SK HU RO BG HR UA EE LT "
    "IL AE SA EG MA ZA NG KE GH CI BJ IN PK BD LK TH VN MY SG ID PH JP KR TW HK AU NZ BR MX AR CL "
    "CO PE EC UY"
).split()
TYPES = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)

Choice = random.Random
Spell = Callable[[PhoneNumber, Choice], str]


# Forms of a number.


def e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def international(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)


def domestic(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)


def national(number: PhoneNumber) -> str:
    return phonenumbers.national_significant_number(number)


def digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def regroup(number: PhoneNumber, size: int) -> str:
    """The number in groups of `size`, counted from the end, with its country code."""
    whole = national(number)
    first = len(whole) % size
    groups = [whole[:first]] if first else []
    groups += [whole[at : at + size] for at in range(first, len(whole), size)]
    return f"+{number.country_code} {' '.join(groups)}"


# Where people type on keyboards that have them.
WIDE_REGIONS = frozenset({"JP", "TW", "KR", "HK"})


def full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if char.isdigit() or char == "+" else char for char in text)


# What people store.


def trunk_in_brackets(number: PhoneNumber, _: Choice) -> str:
    trunk = digits(domestic(number)).removesuffix(national(number))
    if not trunk or trunk == str(number.country_code):
        return international(number)
    code, _blank, rest = international(number).partition(" ")
    return f"{code} ({trunk}) {rest}"


def without_plus(number: PhoneNumber, choice: Choice) -> str:
    return choice.choice([e164(number), international(number)]).removeprefix("+")


def with_exit_code(number: PhoneNumber, choice: Choice) -> str:
    rest = choice.choice([e164(number), international(number)]).removeprefix("+")
    return ("011 " if number.country_code == 1 else "00") + rest


def punctuated(number: PhoneNumber, choice: Choice) -> str:
    mark = choice.choice(["-", ".", "/", " - ", "\u2011", "\u00a0", "–"])
    return mark.join(re.findall(r"\d+", domestic(number)))


def lump(number: PhoneNumber, _: Choice) -> str:
    return digits(domestic(number))


def extended(number: PhoneNumber, choice: Choice) -> str:
    written = choice.choice([domestic, international])(number)
    extension = choice.choice(
        [" ext. 12", " x214", " ext 5", ";ext=77", " extension 31", " #9", " x 1020"]
    )
    return written + extension


def remarked(number: PhoneNumber, choice: Choice) -> str:
    written = choice.choice([e164, domestic, international])(number)
    remark = choice.choice(
        [
            " (mobile)",
            " (work)",
            " mobil",
            " - private",
            " Büro",
            " [home]",
            " (Mrs Miller)",
            ", ask for Tom",
            " (after 5 pm)",
            " (room 12)",
            " (Mo-Fr 9-17)",
            " *preferred*",
            " DO NOT CALL",
        ]
    )
    return written + remark


def prefaced(number: PhoneNumber, choice: Choice) -> str:
    written = choice.choice([e164, domestic, international])(number)
    return choice.choice(["Tel: ", "Mobile: ", "Tel. ", "☎ ", "Office - ", "T ", "Cell:"]) + written


def doubled_code(number: PhoneNumber, choice: Choice) -> str:
    code = number.country_code
    return choice.choice([f"+{code}{code}{national(number)}", f"+{code} {international(number)}"])


def oddly_grouped(number: PhoneNumber, choice: Choice) -> str:
    return regroup(number, choice.choice([2, 3, 4]))


def marked(number: PhoneNumber, choice: Choice) -> str:
    written = choice.choice([domestic, international])(number)
    return choice.choice(["\u202a{}\u202c", "\u200e{}", "{}\u00a0", "'{}", "{} "]).format(written)


def wide(number: PhoneNumber, choice: Choice) -> str:
    written = choice.choice([e164, domestic])(number)
    is_usual = phonenumbers.region_code_for_number(number) in WIDE_REGIONS
    return full_width(written) if is_usual else written


SIMPLE: dict[str, Spell] = {
    "E.164": lambda number, _: e164(number),
    "international": lambda number, _: international(number),
    "national": lambda number, _: domestic(number),
    "national, bare digits": lump,
    "punctuation": punctuated,
    "trunk prefix in brackets": trunk_in_brackets,
    "no plus sign": without_plus,
    "exit code": with_exit_code,
    "extension": extended,
    "remark behind": remarked,
    "words before": prefaced,
    "country code twice": doubled_code,
    "odd groups": oddly_grouped,
    "invisible marks": marked,
    "full-width": wide,
}


def two_numbers(number: PhoneNumber, other: PhoneNumber, choice: Choice) -> str:
    form = choice.choice([e164, international, domestic])
    pair = [form(number), form(other)]
    choice.shuffle(pair)
    mark = choice.choice([" / ", "; ", ", ", " or ", " | ", " oder ", " & ", "\n", "/", " ; "])
    if choice.random() < 0.25:
        pair = [f"Work: {pair[0]}", f"Home: {pair[1]}"]
    return mark.join(pair)


# How callers arrive.

CALLERS: dict[str, Spell] = {
    "E.164": lambda number, _: e164(number),
    "international": lambda number, _: international(number),
    "national": lambda number, _: domestic(number),
    "no plus sign": lambda number, _: e164(number).removeprefix("+"),
    "exit code": lambda number, _: (
        ("011" if number.country_code == 1 else "00") + e164(number).removeprefix("+")
    ),
    "tel": lambda number, _: f"tel:{e164(number)}",
    "sip": lambda number, _: f"sip:{e164(number)}@198.51.100.7:5060;user=phone",
    "named": lambda number, _: f'"Caller" <{e164(number)}>',
    "full-width": lambda number, _: full_width(e164(number)),
    "national, bare digits": lump,
}


# Countries that changed their numbers one to one, and what they were before.


def before_brazil(number: str) -> list[str]:
    return [f"+55 {number[:2]} {number[3:7]}-{number[7:]}", f"0{number[:2]}{number[3:]}"]


def before_mexico(number: str) -> list[str]:
    return [f"+52 1 {number[:2]} {number[2:6]} {number[6:]}", f"+521{number}"]


def before_argentina(number: str) -> list[str]:
    area, rest = number[1:3], number[3:]
    return [f"+54 {area} 15 {rest[:4]}-{rest[4:]}", f"0{area} 15-{rest[:4]}-{rest[4:]}"]


def before_benin(number: str) -> list[str]:
    return [f"+229 {number[2:]}", number[2:], f"+229 {number[2:4]} {number[4:6]} {number[6:]}"]


def before_ivory_coast(number: str) -> list[str]:
    return [f"+225 {number[2:]}", f"{number[2:4]} {number[4:6]} {number[6:8]} {number[8:]}"]


# By the first digits of today: Viettel, Mobifone, Vinaphone, Vietnamobile, Gmobile (2018).
VIETNAM = {
    **{f"3{last}": f"16{last}" for last in range(2, 10)},
    **{"70": "120", "79": "121", "77": "122", "76": "126", "78": "128"},
    **{"83": "123", "84": "124", "85": "125", "81": "127", "82": "129"},
    **{"56": "186", "58": "188", "59": "199"},
}


def before_vietnam(number: str) -> list[str]:
    old = VIETNAM[number[:2]] + number[2:]
    return [f"+84 {old}", f"0{old}", f"0{old[:3]} {old[3:6]} {old[6:]}"]


def make_brazil(choice: Choice) -> str:
    return f"11 9{choice.randint(7, 9)}{choice.randrange(10**7):07}".replace(" ", "")


def make_argentina(choice: Choice) -> str:
    return f"911{choice.randint(3, 6)}{choice.randrange(10**7):07}"


def make_benin(choice: Choice) -> str:
    return f"0197{choice.randrange(10**6):06}"


def make_ivory_coast(choice: Choice) -> str:
    """A mobile number; its operator's new first digits follow from the second old one (2021)."""
    second = choice.randint(0, 9)
    new = "07" if second >= 7 else "05" if second >= 4 else "01"
    return f"{new}0{second}{choice.randrange(10**6):06}"


def make_vietnam(choice: Choice) -> str:
    return f"{choice.choice(sorted(VIETNAM))}{choice.randrange(10**7):07}"


def make_mexico(choice: Choice) -> str:
    return f"55{choice.randint(1000, 5999)}{choice.randrange(10**4):04}"


RENUMBERED: dict[str, tuple[Callable[[Choice], str], Callable[[str], list[str]]]] = {
    "BR": (make_brazil, before_brazil),
    "MX": (make_mexico, before_mexico),
    "AR": (make_argentina, before_argentina),
    "BJ": (make_benin, before_benin),
    "CI": (make_ivory_coast, before_ivory_coast),
    "VN": (make_vietnam, before_vietnam),
}


# Other people's numbers that must not be taken.


def abroad(number: PhoneNumber, choice: Choice) -> str:
    """The same national number in another country where it could be one."""
    codes = [1, 7, 20, 27, 34, 39, 44, 49, 52, 55, 61, 62, 81, 86, 90, 91, 351, 380, 420, 966]
    choice.shuffle(codes)
    for code in codes:
        text = f"+{code} {national(number)}"
        if code == number.country_code:
            continue
        try:
            other = phonenumbers.parse(text)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(other) and national(other) == national(number):
            return text
    return ""


def one_digit_off(number: PhoneNumber, choice: Choice) -> str:
    text = e164(number)
    at = choice.randrange(len(text) - 5, len(text))
    digit = choice.choice([each for each in "0123456789" if each != text[at]])
    return text[:at] + digit + text[at + 1 :]


def swapped(number: PhoneNumber, choice: Choice) -> str:
    text = e164(number)
    places = [at for at in range(len(text) - 5, len(text) - 1) if text[at] != text[at + 1]]
    if not places:
        return ""
    at = choice.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def last_in_a_remark(number: PhoneNumber, choice: Choice) -> str:
    """Somebody else's number with digits of this one in the words behind it."""
    other = one_digit_off(number, choice)
    words = choice.choice(["(customer {})", "(ref. {})", "room {}", "(badge no. {})", "pin {}"])
    return f"{other} {words.format(national(number)[-5:])}"


DECOYS = (abroad, one_digit_off, swapped, last_in_a_remark)


# The table.


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
            example = phonenumbers.example_number(region)
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


def make_lines() -> Iterator[Line]:
    choice = random.Random(SEED)  # noqa: S311 - a table of tests, not a secret
    subscribers = Subscribers(choice)
    for place, region in enumerate(REGIONS):
        yield from make_usual(region, place, subscribers, choice)
    for region in RENUMBERED:
        yield from make_renumbered(region, subscribers, choice)


def make_usual(
    region: str, place: int, subscribers: Subscribers, choice: Choice
) -> Iterator[Line]:
    kinds = list(SIMPLE)
    for turn in range(6):  # every kind of spelling comes in two countries of five
        kind = kinds[(place * 6 + turn) % len(kinds)]
        number = subscribers.give(region, TYPES[turn % 2])
        stored = SIMPLE[kind](number, choice)
        where = "mobile" if turn % 3 == 0 else "phone"
        yield make_line(f"stored: {kind}", region, number, {where: stored}, subscribers, choice)
    for turn in range(2):
        number, other = (subscribers.give(region, TYPES[turn]) for _ in range(2))
        stored = two_numbers(number, other, choice)
        where = choice.choice(["phone", "mobile"])
        yield make_line("two numbers", region, number, {where: stored}, subscribers, choice)
    number = subscribers.give(region, choice.choice(TYPES))
    spell = SIMPLE[choice.choice(kinds)]
    line = {"further": spell(number, choice), "phone": domestic(subscribers.give(region, TYPES[1]))}
    yield make_line("further property", region, number, line, subscribers, choice)
    abroad_in = REGIONS[(place * 7 + 3) % len(REGIONS)]
    number = subscribers.give(abroad_in, TYPES[0])
    spell = choice.choice([remarked, doubled_code, oddly_grouped, trunk_in_brackets, marked])
    stored = spell(number, choice) if choice.random() < 0.5 else international(number)
    if not stored.strip("'\u202a\u200e ").startswith("+"):
        stored = international(number)
    yield Line("from abroad", region, region, e164(number), stored, decoy=subscribers.mislead(number))
    for _ in range(2):
        stranger = subscribers.give(region, choice.choice(TYPES))
        yield make_line("nobody's", region, stranger, {}, subscribers, choice)


def make_line(
    category: str,
    region: str,
    number: PhoneNumber,
    stored: dict[str, str],
    subscribers: Subscribers,
    choice: Choice,
) -> Line:
    caller = CALLERS[choice.choice(list(CALLERS))](number, choice) if choice.random() < 0.5 else ""
    elsewhere = choice.random() < 0.1  # HubSpot's default country is another one
    return Line(
        category,
        region,
        ("DE" if region == "US" else "US") if elsewhere else region,
        caller or e164(number),
        **stored,
        decoy=subscribers.mislead(number),
    )


def make_renumbered(region: str, subscribers: Subscribers, choice: Choice) -> Iterator[Line]:
    make, spell_before = RENUMBERED[region]
    code = phonenumbers.country_code_for_region(region)
    done = 0
    while done < 6:
        number = make(choice)
        now = phonenumbers.parse(f"+{code}{number}")
        if not phonenumbers.is_valid_number(now) or not subscribers.claim(e164(now)):
            continue
        before = choice.choice(spell_before(number))
        stored = choice.choice([e164, international, domestic])(now)
        pair = (e164(now), before) if done % 2 else (before, stored)
        decoy = subscribers.mislead(now)
        yield Line("renumbered", region, region, pair[0], pair[1], decoy=decoy)
        done += 1


def write_table(file: TextIO) -> None:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(make_lines())


if __name__ == "__main__":
    write_table(sys.stdout)
