"""How people, exchanges and spreadsheets write numbers, and whose numbers look alike.

For the generated table: knows libphonenumber and nothing of ours.
"""

import random
import re
from collections.abc import Callable

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

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
    return "".join(
        chr(ord(char) + 0xFEE0) if char.isdigit() or char == "+" else char for char in text
    )


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
