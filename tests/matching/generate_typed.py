"""Makes `data/typed.csv`: contacts as people type them, calls as platforms send them, and traps.

Run as `python -m tests.matching.generate_typed > tests/matching/data/typed.csv`. Who is to be found
follows from how a row is made: a person gets a number, and each of its spellings is put together
from the digits. Nothing is parsed. It imports nothing of the service, and asks `phonenumbers`
only whether drawn digits are a number at all.
"""

import csv
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from random import Random
from typing import Any, TextIO

import phonenumbers

from tests.matching.countries import COUNTRIES, Country, Kind

SEED = 20_261_128
_READ: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "data" / "words.toml").read_text(encoding="utf-8")
)
EXTENSIONS: dict[str, list[str]] = _READ.pop("extensions")
TEXTS: dict[str, str] = _READ.pop("texts")
WORDS: dict[str, list[str]] = _READ


@dataclass(frozen=True, slots=True)
class Line:
    category: str
    region: str
    account_country: str
    caller: str
    phone: str = ""
    mobile: str = ""
    further: str = ""
    decoy: str = ""
    decoy_property: str = "phone"


@dataclass(frozen=True, slots=True)
class Number:
    """A person's number, as digits; `home` is its country."""

    home: str
    kind: Kind
    digits: str

    @property
    def country(self) -> Country:
        return COUNTRIES[self.home]

    @property
    def e164(self) -> str:
        return f"+{self.country.code}{self.digits}"

    @property
    def bare(self) -> str:
        return self.country.code + self.digits

    def typed(self, style: str) -> str:
        digits = iter(self.digits)
        return "".join(next(digits) if sign == "#" else sign for sign in style)

    @property
    def groups(self) -> list[str]:
        """The digits in the groups in which they are written abroad."""
        shape = "".join(sign if sign == "#" else " " for sign in self.kind.styles[0])
        return self.typed(shape).split()

    def at_home(self, choice: Random) -> str:
        """Type it as its people do: with the trunk prefix, which the first style lacks."""
        grouped, *others = self.kind.styles
        return self.typed(choice.choice(others if self.country.trunk else [grouped, *others]))

    def abroad(self, separator: str = " ") -> str:
        return f"+{self.country.code}{separator}{separator.join(self.groups)}"


def draw(region: str, choice: Random) -> Number:
    """Return a number that its country gives out."""
    while True:
        kind = choice.choice(COUNTRIES[region].kinds)
        digits = "".join(
            choice.choice("23456789")
            if sign == "N"
            else choice.choice("0123456789")
            if sign == "X"
            else sign
            for sign in kind.digits
        )
        number = Number(region, kind, digits)
        if phonenumbers.is_valid_number(phonenumbers.parse(number.e164)):
            return number


# Contacts: what stands in the field of the person whose number it is.


def plainly(number: Number, choice: Random) -> str:
    return choice.choice((number.at_home(choice), number.abroad(), number.e164))


def internationally(number: Number, choice: Random) -> str:
    country, rest = number.country, " ".join(number.groups)
    tight = "".join(number.groups)
    forms = [
        number.abroad("-"),
        number.abroad("."),
        f"+{country.code}{rest}",
        f"(+{country.code}) {rest}",
        f"+({country.code}) {rest}",
        f"+ {country.code} {rest}",
        f"00{country.code} {rest}",
        f"00{country.code}{tight}",
        f"00 {country.code} {rest}",
        f"(00{country.code}) {rest}",
        f"{country.exit} {country.code} {rest}",
        f"+{country.code}/{rest}",
        f"+{country.code} - {rest}",
        f"+{country.code} ({number.groups[0]}) {' '.join(number.groups[1:])}",
        f"+{country.code}({number.groups[0]}){''.join(number.groups[1:])}",
    ]
    return choice.choice(forms)


def with_trunk(number: Number, choice: Random) -> str:
    """Between country code and number people leave the digit that is only dialled at home."""
    code, trunk, rest = number.country.code, number.country.trunk, " ".join(number.groups)
    return choice.choice(
        (
            f"+{code} ({trunk}) {rest}",
            f"+{code} ({trunk}){rest}",
            f"+{code}({trunk}){''.join(number.groups)}",
            f"00{code} ({trunk}) {rest}",
            f"+{code} {trunk}{rest}",
            f"+{code}{trunk}{''.join(number.groups)}",
            f"+{code}-({trunk})-{'-'.join(number.groups)}",
            f"+{code} [{trunk}] {rest}",
            f"+{code} / ({trunk}) {rest}",
        )
    )


def without_plus(number: Number, choice: Random) -> str:
    code = number.country.code
    return choice.choice(
        (
            number.bare,
            f"{code} {' '.join(number.groups)}",
            f"{code}-{'-'.join(number.groups)}",
            f"({code}) {' '.join(number.groups)}",
        )
    )


def with_extension(number: Number, choice: Random) -> str:
    everywhere = EXTENSIONS["everywhere"]
    written = choice.choice(EXTENSIONS.get(number.home, everywhere) + everywhere[:2])
    return plainly(number, choice) + written.format(choice.randint(10, 9999))


def with_words(number: Number, choice: Random) -> str:
    return choice.choice(WORDS["before"]).format(plainly(number, choice))


def with_remark(number: Number, choice: Random) -> str:
    return choice.choice(WORDS["behind"]).format(plainly(number, choice))


def two_numbers(number: Number, choice: Random) -> str:
    """Put both spellings of one form, as people do, in either order."""
    other = draw(number.home, choice)
    between = choice.choice(WORDS["between"])
    pair = [number.abroad(), other.abroad()]
    if choice.random() < 0.4:
        pair = [number.at_home(choice), other.at_home(choice)]
    elif choice.random() < 0.3:
        pair = [number.e164, other.e164]
    labels = choice.choice((("", ""), ("", ""), ("M ", "H "), ("mobile: ", "office: "), ("", "")))
    both = [label + text for label, text in zip(labels, choice.sample(pair, 2), strict=True)]
    return between.join(both)


def slipped(number: Number, choice: Random) -> str:
    """The country code typed into a field that puts one before it, and other slips."""
    code, tight, rest = number.country.code, number.digits, " ".join(number.groups)
    return choice.choice(
        (
            f"+{code}{code}{tight}",
            f"+{code} +{code} {rest}",
            f"+{code} {code} {rest}",
            f"+{code} 00{code} {rest}",
            f"+{code}00{code}{tight}",
            f"++{code} {rest}",
            f"+00{code}{tight}",
            f"+00 {code} {rest}",
            f"+{code}+{tight}",
            f"{code} +{code} {tight}",
            f"+{code} {rest} +{code} {rest}",
            f".+{code}{tight}",
            f"`+{code}{tight}",
        )
    )


def from_spreadsheet(number: Number, choice: Random) -> str:
    code, tight = number.country.code, number.digits
    return choice.choice(
        (
            f"'+{code}{tight}",
            f"'{number.at_home(choice)}",
            f"=+{code}{tight}",
            f'="+{code}{tight}"',
            f'"+{code}{tight}"',
            f"{code}{tight}.0",
            f"{code}{tight}.00",
            f"{code}{tight},0",
            f"'00{code}{tight}",
            tight if number.home != "IT" else f"'{tight}",
            f"\u00a0{number.abroad()}\u00a0",
            number.abroad().replace(" ", "\u00a0"),
            f"+{code}{tight}\\n",
            f"+{code}{tight}\t",
            f" {number.at_home(choice)}  ",
            f"+{code}{tight},,",
        )
    )


ARABIC, PERSIAN, DEVANAGARI = "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९"
SCRIPTS = dict.fromkeys(("EG", "SA", "JO", "QA", "AE"), ARABIC) | {
    "IR": PERSIAN,
    "PK": PERSIAN,
    "IN": DEVANAGARI,
    "NP": DEVANAGARI,
    "BD": "০১২৩৪৫৬৭৮৯",
    "TH": "๐๑๒๓๔๕๖๗๘๙",
}
FULL_WIDTH = str.maketrans("0123456789+-() ", "０１２３４５６７８９＋－（）　")


def in_other_digits(number: Number, choice: Random) -> str:
    text = choice.choice((number.at_home(choice), number.abroad(), number.e164))
    if digits := SCRIPTS.get(number.home):
        return text.translate(str.maketrans("0123456789", digits))
    return text.translate(FULL_WIDTH)


MARKS = ("\u200b", "\u200e", "\u200f", "\ufeff", "\u00ad", "\u2060", "\u200d")
DASHES = ("\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", "\u30fc", "\uff0d", "·", "•")


def with_odd_signs(number: Number, choice: Random) -> str:
    """Characters that nobody sees, and those that only look like a hyphen or a blank."""
    mark, dash = choice.choice(MARKS), choice.choice(DASHES)
    return choice.choice(
        (
            f"\u202a{number.abroad()}\u202c",
            f"\u2066{number.e164}\u2069",
            mark + number.abroad(),
            number.e164 + mark,
            mark.join(number.abroad().split(" ")),
            number.abroad(dash),
            number.abroad("\u2009"),
            number.abroad("\u202f"),
            number.abroad("\u2003"),
            number.abroad(" \u2013 "),
            number.abroad(" / "),
            number.abroad("_"),
            number.abroad("  "),
        )
    )


def as_link(number: Number, choice: Random) -> str:
    bare = number.bare
    return choice.choice(
        (
            f"tel:{number.e164}",
            f"tel:{number.abroad('-')}",
            f"tel://{number.e164}",
            f"callto:{number.e164}",
            f"https://wa.me/{bare}",
            f"wa.me/{bare}",
            f"https://api.whatsapp.com/send?phone={bare}",
            f"https://wa.me/{bare}?text=Hi",
            f'<a href="tel:{number.e164}">{number.abroad()}</a>',
            f"[{number.abroad()}](tel:{number.e164})",
            f"tel:%2B{bare}",
            f"skype:{number.e164}?call",
            f"{number.abroad()} <tel:{number.e164}>",
            f"sms:{number.e164}",
            f"{number.abroad().replace(' ', '&nbsp;')}",
        )
    )


HowStored = Callable[[Number, Random], str]
STORED: dict[str, HowStored] = {
    "as at home": lambda number, choice: number.at_home(choice),
    "as at home, otherwise": lambda number, choice: number.at_home(choice),
    "international": internationally,
    "without plus sign": without_plus,
    "extension": with_extension,
    "words before": with_words,
    "remark behind": with_remark,
    "two numbers": two_numbers,
    "slip": slipped,
    "spreadsheet": from_spreadsheet,
    "other digits": in_other_digits,
    "odd signs": with_odd_signs,
    "link": as_link,
}

# Calls: what voice platforms send for the caller.


def call_from(number: Number, region: str, choice: Random) -> str:
    country, e164 = number.country, number.e164
    forms = [
        *[e164] * 9,
        number.bare,
        f"00{number.bare}" if COUNTRIES[region].exit == "00" else e164,
        f"{COUNTRIES[region].exit}{number.bare}",
        number.abroad(),
        number.abroad("-"),
        f"+{country.code} ({number.groups[0]}) {'-'.join(number.groups[1:])}",
        f"sip:{e164}@sbc.example.net",
        f"sip:{e164}@203.0.113.7:5060;user=phone",
        f"<sip:{e164}@pstn.example.com>;tag=as58f4",
        f'"{e164}" <sip:{e164}@pbx.example.org>',
        f'"Mara Lind" <{e164}>',
        f"tel:{e164}",
        f"whatsapp:{e164}",
        f" {e164} ",
        f"%2B{number.bare}",
        f" {number.bare}",
    ]
    if number.home == region:
        forms += [number.at_home(choice)] * 4
        forms.append(f"sip:{country.trunk}{number.digits}@pbx.example.org")
    return choice.choice(forms)


# Traps: what a stranger's contact holds.


def one_digit_away(number: Number, choice: Random) -> str:
    place = choice.randrange(len(number.digits) // 2, len(number.digits))
    other = choice.choice([digit for digit in "0123456789" if digit != number.digits[place]])
    stranger = Number(
        number.home, number.kind, number.digits[:place] + other + number.digits[place + 1 :]
    )
    return plainly(stranger, choice)


def two_digits_swapped(number: Number, choice: Random) -> str:
    digits = number.digits
    places = [at for at in range(len(digits) // 2, len(digits) - 1) if digits[at] != digits[at + 1]]
    if not places:
        return one_digit_away(number, choice)
    at = choice.choice(places)
    swapped = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
    return plainly(Number(number.home, number.kind, swapped), choice)


def in_another_country(number: Number, choice: Random) -> str:
    codes = {country.code for country in COUNTRIES.values()} - {number.country.code}
    return f"+{choice.choice(sorted(codes))} {' '.join(number.groups)}"


def same_last_digits(number: Number, choice: Random) -> str:
    kept = choice.choice((7, 7, 8, 9))
    kept = min(kept, len(number.digits) - 1)
    head = number.digits[: len(number.digits) - kept]
    others = [f"{at:0{len(head)}}" for at in range(10 ** min(len(head), 4))]
    other = choice.choice([each for each in others if each != head])[: len(head)]
    return f"+{number.country.code} {other}{number.digits[-kept:]}"


def one_digit_more_or_less(number: Number, choice: Random) -> str:
    if choice.random() < 0.5:
        return number.e164 + choice.choice("0123456789")
    return number.e164[:-1]


def an_order(number: Number, choice: Random) -> str:
    digits = choice.choice((number.digits, number.bare))
    return choice.choice(WORDS["orders"]).format(digits)


def a_longer_run(number: Number, choice: Random) -> str:
    return choice.choice(
        (
            f"{choice.randint(10, 99)}{number.digits}{choice.randint(10, 99)}",
            f"{choice.randint(10**7, 10**8)}{number.digits}",
            f"4{number.digits.zfill(15)}",
        )
    )


def an_exponent(number: Number, choice: Random) -> str:
    """What a spreadsheet leaves of the number: its first six digits, which many share."""
    bare = number.bare
    return f"{bare[0]}{choice.choice('.,')}{bare[1:6]}E+{len(bare) - 1}"


def short_with_extension(number: Number, choice: Random) -> str:
    """Another number, whose extension ends as the caller's number does."""
    other = draw(number.home, choice)
    return f"{other.abroad()} x{number.digits[-5:]}"


Trap = Callable[[Number, Random], str]
TRAPS: dict[str, Trap] = {
    "a digit away": one_digit_away,
    "digits swapped": two_digits_swapped,
    "another country": in_another_country,
    "same last digits": same_last_digits,
    "a digit more or less": one_digit_more_or_less,
    "order number": an_order,
    "longer run of digits": a_longer_run,
    "exponent": an_exponent,
    "extension of another": short_with_extension,
}


def lines(choice: Random) -> Iterator[Line]:
    for region in COUNTRIES:
        abroad = "US" if region not in {"US", "CA", "DO", "JM"} else "DE"
        account_country = choice.choice((region, region, region, abroad))
        account = (region, account_country)
        for category, spell in STORED.items():
            yield found(category, draw(region, choice), account, spell, choice)
        if COUNTRIES[region].trunk in {"0", "06"}:
            yield found("trunk zero kept", draw(region, choice), account, with_trunk, choice)
        foreign = choice.choice([other for other in COUNTRIES if other != region])
        yield found("from abroad", draw(foreign, choice), account, from_afar, choice)
        for name in choice.sample(sorted(TRAPS), 3):
            yield trapped(f"nobody's: {name}", region, account_country, TRAPS[name], choice)
        yield in_a_text(region, account_country, choice)
    yield from vanity()
    for at, caller in enumerate(WORDS["withheld"]):
        region = list(COUNTRIES)[at * 3]
        stranger = draw(region, choice)
        yield Line("withheld", region, region, caller, decoy=stranger.e164)


def from_afar(number: Number, choice: Random) -> str:
    return choice.choice((internationally, with_remark_abroad, as_link, in_full_width))(
        number, choice
    )


def with_remark_abroad(number: Number, choice: Random) -> str:
    return choice.choice(WORDS["behind"]).format(number.abroad())


def in_full_width(number: Number, choice: Random) -> str:
    del choice
    return number.abroad().translate(FULL_WIDTH)


def found(
    category: str, number: Number, account: tuple[str, str], spell: HowStored, choice: Random
) -> Line:
    region, account_country = account
    text = spell(number, choice)
    caller = call_from(number, region, choice)
    trap = choice.choice(list(TRAPS.values()))(number, choice) if choice.random() < 0.7 else ""
    where = choice.choices(("phone", "mobile", "further", "both"), (5, 3, 1, 2))[0]
    other = draw(region, choice).e164
    line = Line(
        category,
        region,
        account_country,
        caller,
        decoy=trap,
        decoy_property=choice.choice(("phone", "mobilephone")),
    )
    values = asdict(line)
    if where == "both":
        values |= {"phone": other, "mobile": text}
    else:
        values[where] = text
    return Line(**values)


def trapped(category: str, region: str, account_country: str, trap: Trap, choice: Random) -> Line:
    number = draw(region, choice)
    return Line(
        category,
        region,
        account_country,
        call_from(number, region, choice),
        decoy=trap(number, choice),
        decoy_property=choice.choice(("phone", "mobilephone", "hs_whatsapp_phone_number")),
    )


def in_a_text(region: str, account_country: str, choice: Random) -> Line:
    number = draw(region, choice)
    where = choice.choice(sorted(TEXTS))
    return Line(
        "nobody's: in another field",
        region,
        account_country,
        call_from(number, region, choice),
        decoy=TEXTS[where].format(plainly(number, choice)),
        decoy_property=where,
    )


def vanity() -> Iterator[Line]:
    for letters, digits in (
        ("1-800-FLOWERS", "8003569377"),
        ("1-800-GO-FEDEX", "8004633339"),
        ("(800) MY-APPLE", "8006927753"),
        ("1-888-LOANPRO", "8885626776"),
        ("+1 877-ASKPETS", "8772757387"),
        ("1 800 CALL ATT", "8002255288"),
    ):
        yield Line(
            "vanity letters",
            "US",
            "US",
            f"+1{digits}",
            phone=letters,
            decoy=f"+1{digits[:-1]}0" if digits[-1] != "0" else "",
        )


def write_table(file: TextIO) -> None:
    writer = csv.DictWriter(file, [field.name for field in fields(Line)], lineterminator="\n")
    writer.writeheader()
    for line in lines(Random(SEED)):
        writer.writerow(asdict(line))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    write_table(sys.stdout)
