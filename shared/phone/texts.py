"""What in a text is meant as a phone number, and what is clutter around it; no dialling rules.

A text becomes *runs*: digits with the separators people put between them. Names, remarks, list
separators and marks end a run; whether a run is a number is not decided here.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote

from shared.phone.affixes import AFFIX, Affix, mark_affixes
from shared.phone.numbers import InvalidNumberError, WithheldNumberError

# Fewer digits are never a whole number beside others: an extension, a room, part of a date.
LEAST_DIGITS: Final = 7
# "9,2025550123", "030,901820": what a pause or comma follows is part of the number.
_MOST_BEFORE_PAUSE: Final = 4

_WITHHELD = re.compile(
    r"anonym|anonim|unknown|unbekannt|inconnu|desconocid|restricted|privat|privad|blocked"
    r"|withheld|unavailable|not available|hidden|ocult|suppressed|unterdr|masqu|no caller"
    r"|no number|undefined|\bnull\b|\bnone\b|\bnil\b|\bn/?a\b"
)
# Telephone networks spell ANONYMOUS, UNAVAILABLE, BLOCKED, UNKNOWN and RESTRICTED on the keypad.
# Without its plus the last would be a number in Austin, Texas.
_WITHHELD_KEYPAD = re.compile(r"\+?(?:266696687|86282452253|2562533|8566696)|\+7378742833")

_BRACKETED = re.compile(r"<([^<>]*)>?")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|(?<!\w)'[^']*'(?!\w)")
_SCHEME = re.compile(
    r"\s*(?P<scheme>sips?|tel|callto|whatsapp):(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_PHONE_CONTEXT = re.compile(r";phone-context=(\+\d+)", re.IGNORECASE)
_ADDRESS = re.compile(r"(?P<user>[^\s<>,;]*)@[^\s<>,;]*")
_PLAIN = re.compile(r"[+\d\s().-]*\d[+\d\s().-]*")

# What web pages and links to messengers put for a number; such links name the country always.
_WEB = re.compile(r"&|%2B|%20|\bwa\.me/|phone=|number=", re.IGNORECASE)
_MESSENGER_LINK = re.compile(
    r"\S*(?:\bwa\.me/|whatsapp\S*?[?&]phone=|\bviber:\S*?[?&]number=)(?:\+|%2B)?"
    r"(\d{7,15})(?!\d)[^\s<\"']*",
    re.IGNORECASE,
)
_EXPONENT = re.compile(
    r"[-+]?\d+(?:[.,]\d+)?\s*(?:E\s*[-+]?\s*\d{1,3}|[x×·*]\s*10\s*\^\s*\d{1,2})", re.IGNORECASE
)
# A number as a spreadsheet shows it: with an empty fraction, with digits in groups.
_EMPTY_FRACTION = re.compile(r"(\+?[\d\s()-]*\d{3,})\s*[.,]0+")
_FRACTION = re.compile(r"\+?\d{7,}\.\d{1,2}")
_GROUPED = re.compile(
    r"(\d{1,3}(?:,\d{2,3})+)(?:\.0{1,2})?"
    r"|(\d{1,3}(?:[.\s]\d{3})+),0{1,2}|(\d{1,3}(?:\.\d{3}){3,})"
    r"|(\d{1,3}(?:['’]\d{3})+)(?:[.,]0{1,2})?|(\d{1,3}(?:\s\d{3}){4,})"
)
_PAUSE = re.compile(r"(?<=\d)[pw]+(?=\d)", re.IGNORECASE)  # of a dial string

_TOKEN = re.compile(
    rf"(?P<affix>{AFFIX})"
    r"|(?P<run>(?:\+[\s(]*)?\(?\d(?:[\d\s().\-‐‑‒–—―/\\~]*\d)?)"
    r"|(?P<mask>[•●]|\*{2,}|[x]{2,}(?![^\W\d_])|\#{2,}|\.{3,}|\?{2,}|_{2,}|-{3,}|(?<=\d)x(?![\w.:=\s])"
    # Not around a word, which it makes bold: "+30 691 234 4615 *preferred*".
    r"|(?<![^\W\d_])\*(?![^\W\d_]|\s*\+)(?!\s*\d{1,6}(?![\d*])))"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<mark>[^\w\s]|_)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"\s*[*•-]\s+")
# Between two digits, where some people put a blank.
_ODD_GAP = re.compile(r"(?<=\d)[_·'’](?=\d)")
# A country code, and behind it a number that has one already.
_CODE_ALONE = re.compile(r"\+[\s(]*\d{1,3}")
# Words between two numbers; any other word may own the digits behind it.
_CONJUNCTIONS = frozenset(
    {*("or", "and", "oder", "und", "ou", "et", "o", "y", "e", "of", "en", "eller", "och", "og")}
    | {*("lub", "или", "и", "або", "或", "又は")}
)
_EXTENSION_WORDS = frozenset(
    {*("x", "ext", "extn", "extension", "durchwahl", "dw", "apparat", "app", "nebenstelle")}
    | {*("poste", "anexo", "ramal", "int", "interno", "toestel", "wew", "доб", "вн")}
    | {*("内線", "内线", "分机")}
)
_BEHIND_RUN = frozenset({"run", "pause", "mark"})
# Most texts; the same comes out below, at twice the cost.
_ONE_RUN = re.compile(r"\+?\(?\d(?:[ ()-]{0,2}\d)*")
# Dates, times, ordinals and opening hours that people and exports put beside a number.
_BESIDE = re.compile(
    r"(?<![\w:+./-])(?:"
    r"(?:19|20)\d\d([-./])\d\d?\1\d\d?(?:T(?=\d))?|\d\d?([-./])\d\d?\2(?:19|20)\d\d"
    r"|\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?[ap]\.?m\b\.?|Z)?"
    r"|\d\d?\s?[ap]\.?m\b\.?|\d{1,3}(?:st|nd|rd|th|er|ère|ème)|24/7"
    r"|\d\d?\.?\s(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?\s(?:19|20)\d\d"
    r")(?!\w|[:./-]\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Run:
    """Digits as they are written, perhaps with a plus in front.

    `follows_word`: the first group may belong to the word before it, as in "Unit 9 202 555 0123".
    `affixes` stand directly before it or behind and may belong to it.
    """

    text: str
    follows_word: bool = False
    is_masked: bool = False
    affixes: tuple[Affix, ...] = ()

    @property
    def digits(self) -> str:
        return re.sub(r"\D", "", self.text)

    @property
    def groups(self) -> list[str]:
        return re.findall(r"\d+", self.text)

    @property
    def has_plus(self) -> bool:
        return self.text.startswith("+")


@dataclass(frozen=True, slots=True)
class Content:
    """What a text holds. `is_bare`: nothing but numbers, no words."""

    runs: tuple[Run, ...]
    is_bare: bool
    is_masked: bool
    has_address: bool


def tidy(raw: str) -> str:
    """Fold full-width and foreign digits to ASCII; drop what copying and web pages have left."""
    if _WEB.search(raw):
        raw = _MESSENGER_LINK.sub(r"+\1 ", raw)
        raw = re.sub("%2B", "+", html.unescape(raw), flags=re.IGNORECASE).replace("%20", " ")
    if raw.isascii() and raw.isprintable():
        return raw.strip()
    folded = unicodedata.normalize("NFKC", re.sub(r"[\n\r\t\v\f\u2028\u2029]+", " ; ", raw.strip()))
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in folded
        if unicodedata.category(char) not in {"Cf", "Cc"}
    ).strip()


def unwrap(text: str) -> tuple[str, bool]:
    """Return what of a text is the number: without a display name, without the parts of a URI.

    The second value says that it is the user part of an internet address. Raises
    InvalidNumberError for an address that has none.
    """
    if is_number_alone(text):
        return text, False
    bracketed = _BRACKETED.search(text)
    if bracketed and _may_be_number(bracketed[1]):
        text = bracketed[1]
    else:
        unquoted = _QUOTED.sub(" ", text)
        text = unquoted if _may_be_number(unquoted) else text
    match = _SCHEME.fullmatch(text)
    if match is None:
        user, at, _ = text.strip().partition("@")
        return (unquote(user), True) if at and " " not in user else (text, False)
    rest = unquote(match["rest"])
    user, at, _host = rest.partition("@")
    number = re.split("[;:?]", user, maxsplit=1)[0].strip("/ ")
    if match["scheme"].lower().startswith("sip") and not at and "." in number:
        return "sip", True  # a bare host: its digits are an IP address
    context = _PHONE_CONTEXT.search(rest)
    if context and not number.startswith("+"):
        number = context[1] + number
    return number, True


def refuse_withheld(text: str) -> None:
    """Raise WithheldNumberError for an empty text, "anonymous", "private" and the like."""
    digits = re.sub(r"\D", "", text)
    if digits.strip("0") and not _WITHHELD_KEYPAD.fullmatch(text):
        if len(digits) >= LEAST_DIGITS or not _WITHHELD.search(text.casefold()):
            return
    elif any(char.isalpha() for char in text) and not _WITHHELD.search(text.casefold()):
        return
    raise WithheldNumberError("The caller's number was withheld.")


def is_number_alone(text: str) -> bool:
    """Whether there is nothing but digits and what people put between them."""
    return _PLAIN.fullmatch(text) is not None


def undo_spreadsheet(text: str) -> str:
    """Take back what a spreadsheet does to a number.

    Raises InvalidNumberError for an exponent, whose digits are lost, and for a fraction.
    """
    text = text.strip().removeprefix("=").strip("\"' ")
    if _EXPONENT.fullmatch(text):
        raise InvalidNumberError(
            "A spreadsheet has rounded the phone number to a power of ten, which loses digits."
            " Format the column as text and export it again."
        )
    empty = _EMPTY_FRACTION.fullmatch(text)
    if empty:
        return empty[1]
    if _FRACTION.fullmatch(text):
        raise InvalidNumberError("The phone number has a fraction, so it is another figure.")
    grouped = _GROUPED.fullmatch(text)
    if grouped:
        return re.sub(r"\D", "", next(filter(None, grouped.groups())))
    return text


def read_content(text: str) -> Content:
    """Split a text into runs."""
    if _ONE_RUN.fullmatch(text):
        return Content((Run(text),), is_bare=True, is_masked=False, has_address=False)
    addresses = 0

    def keep_user(match: re.Match[str]) -> str:
        nonlocal addresses
        addresses += 1
        return match["user"] if is_number_alone(match["user"]) else " "

    text = _ODD_GAP.sub("-", _PAUSE.sub(",", text))
    if bullet := _BULLET.match(text):
        text = text[bullet.end() :]
    text = _drop_beside(mark_affixes(_ADDRESS.sub(keep_user, text)))
    runs = tuple(_split_runs(text))
    kinds = {match.lastgroup for match in _TOKEN.finditer(text)}
    return Content(
        runs, is_bare="word" not in kinds, is_masked="mask" in kinds, has_address=addresses > 0
    )


def _drop_beside(text: str) -> str:
    """Take dates and times away, each leaving a mark; a date alone may yet be a number."""
    rest = _BESIDE.sub(" ; ", text)
    has_time = any(":" in match[0] for match in _BESIDE.finditer(text))
    return rest if has_time or len(re.sub(r"\D", "", rest)) >= LEAST_DIGITS else text


def _may_be_number(text: str) -> bool:
    return bool(re.search(r"\d|@", text) or _WITHHELD.search(text.casefold()))


def _split_runs(text: str) -> Iterator[Run]:
    """Yield the runs in order; a comma or pause behind a few digits does not end one."""
    runs: list[Run] = []
    before = ""  # what stood there last
    affixes: tuple[Affix, ...] = ()  # of the run that comes
    for match in _TOKEN.finditer(text):
        kind = _kind_of(match, before)
        if kind == "affix":
            affix = Affix.of(match[0])
            if affix.is_behind and runs and before == "run":
                runs[-1] = replace(runs[-1], affixes=(*runs[-1].affixes, affix))
            elif not affix.is_behind:
                affixes = (affix,)
            kind = "mark"
        elif kind == "mask" and runs and before in {"run", "pause"}:
            runs[-1] = replace(runs[-1], is_masked=True)
        elif kind == "run":
            if _goes_on(runs, before, match[0]):
                runs[-1] = replace(runs[-1], text=f"{runs[-1].text} {match[0]}")
            elif before != "extension":
                is_masked, follows_word = before == "mask", before == "word"
                runs.append(Run(match[0], follows_word, is_masked, affixes))
            affixes = ()
        before = kind
    yield from runs


def _goes_on(runs: list[Run], before: str, found: str) -> bool:
    """Whether digits belong to those before: behind a pause, or a country code put first."""
    if not runs:
        return False  # what stood there was an extension
    if before == "pause":
        return len(runs[-1].digits) <= _MOST_BEFORE_PAUSE
    return before == "run" and found[0] == "+" and bool(_CODE_ALONE.fullmatch(runs[-1].text))


def _kind_of(match: re.Match[str], before: str) -> str:
    kind = match.lastgroup or ""
    found = match[0].casefold()
    if kind == "word":
        if found in _CONJUNCTIONS:
            return "mark"
        return "extension" if before in _BEHIND_RUN and found in _EXTENSION_WORDS else kind
    if kind == "mark" and found in ",;" and before in {"run", "pause"}:
        return "pause"
    if kind == "mark" and (found in "#.°'" or before == "extension"):
        return before if before in {"word", "extension"} else kind  # "Unit #9", "Ext. 5"
    return kind
