"""Numbers that a country changed one by one: the earlier form and the form of today are one number.

Only published mappings that give every earlier number exactly one new form. All are changes of
leading digits, so a row is: country code, digits in front before and after, how many follow.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final, NamedTuple


class Renumbering(NamedTuple):
    """`was` + `rest` digits became `now` + the same digits, behind country code `code`."""

    code: int
    was: str
    now: str
    rest: int


# Anatel, Resolução 553/2010, carried out from 2012-07-29 (area 11) to 2016-11-06 (41 to 55): a 9
# before every mobile number. Trunking numbers that begin with 7 kept their eight digits.
_BRAZILIAN_AREAS: Final = (
    *(11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 24, 27, 28, 31, 32, 33, 34, 35, 37, 38),
    *(41, 42, 43, 44, 45, 46, 47, 48, 49, 51, 53, 54, 55, 61, 62, 63, 64, 65, 66, 67, 68, 69),
    *(71, 73, 74, 75, 77, 79, 81, 82, 83, 84, 85, 86, 87, 88, 89),
    *(91, 92, 93, 94, 95, 96, 97, 98, 99),
)

# ARTCI, 2021-01-31: two digits that name the operator and the kind of line. The operator is known
# by the first digits of the number before.
_IVORIAN: Final = {
    "01": "01 02 03 40 41 42 43 50 51 52 53 70 71 72 73",
    "05": "04 05 06 44 45 46 54 55 56 64 65 66 74 75 76 84 85 86 94 95 96",
    "07": "07 08 09 47 48 49 57 58 59 67 68 69 77 78 79 87 88 89 97 98",
    "21": "208 218 228 238",
    "25": "200 210 220 230 240 300 310 320 330 340 350 360",
    "27": ("202 203 212 213 215 217 224 225 234 235 243 244 245 306 316 319 327 337 347 359 368"),
}

# Ministry of Information and Communications of Vietnam: mobile numbers of eleven digits, begun on
# 2018-09-15; area codes, decision 2036/QĐ-BTTTT, in three steps from 2017-02-11 to 2017-08-31.
_VIETNAMESE_MOBILE: Final = (
    "120:70 121:79 122:77 126:76 128:78 123:83 124:84 125:85 127:81 129:82 162:32 163:33 164:34"
    " 165:35 166:36 167:37 168:38 169:39 186:56 188:58 199:59"
)
_VIETNAMESE_AREAS: Final = (
    "22:212 231:213 20:214 230:215 29:216 52:232 53:233 54:234 510:235 511:236 37:237 38:238 39:239"
    " 33:203 240:204 25:205 26:206 27:207 280:208 281:209 320:220 321:221 241:222 31:225 351:226"
    " 36:227 350:228 30:229 780:290 781:291 710:292 711:293 74:294 76:296 77:297 79:299 61:251"
    " 62:252 64:254 55:255 56:256 57:257 58:258 68:259 60:260 501:261 500:262 63:263 59:269 70:270"
    " 651:271 72:272 73:273 650:274 75:275 66:276 67:277"
)

# Country code, leading digits before and after, how many digits follow.
_TABLES: Final = (
    (84, _VIETNAMESE_MOBILE, 7),
    (84, _VIETNAMESE_AREAS, 7),
    (84, "4:24 8:28", 8),  # Hà Nội, Hồ Chí Minh
    # ARCEP Bénin, 2024-11-30: 01 before every number.
    (229, "2:012 4:014 5:015 6:016 9:019", 7),
    # IFT, Mexico, 2019-08-03: no 1 between the country code and a mobile number.
    (52, "1:", 10),
    # CRC, Colombia, Resolución 5826/2019, from 2021-09-01: 60 before the area of fixed lines.
    (57, "1:601 2:602 4:604 5:605 6:606 7:607 8:608", 7),
    # NCC, Nigeria, 2024-01-01: 20 before the area of fixed lines.
    (234, "1:201 2:202 3:203 4:204 5:205 6:206 7:207 8:208 9:209", 7),
    # ARCEP Gabon, 2019-11-16: a digit of the operator for the zero behind the country code.
    (241, "01:11 02:62 05:65 06:66 04:74 07:77", 6),
    # ART, Cameroon, 2014-11-21: 6 before mobile numbers, 2 before the fixed lines of 22.
    (237, "7:67 9:69", 7),
    (237, "22:222", 6),
    # ICTA, Mauritius, 2013-09-01: 5 before mobile numbers.
    (230, "2:52 4:54 7:57 8:58 9:59", 6),
)


def _pairs(table: str) -> Iterator[tuple[str, str]]:
    for pair in table.split():
        was, _, now = pair.partition(":")
        yield was, now


def _list_renumberings() -> Iterator[Renumbering]:
    for ddd, first in product(_BRAZILIAN_AREAS, "6789"):
        yield Renumbering(55, f"{ddd}{first}", f"{ddd}9{first}", 7)
    for operator, prefixes in _IVORIAN.items():
        for prefix in prefixes.split():
            yield Renumbering(225, prefix, operator + prefix, 8 - len(prefix))
    for code, table, rest in _TABLES:
        for was, now in _pairs(table):
            yield Renumbering(code, was, now, rest)


# Dialled before a number until a renumbering, and part of none: Mexico's 01, 044 and 045 (IFT,
# 2019-08-03). By country code, with how many digits follow.
_FORMER_TRUNKS: Final = {52: (("01", "044", "045"), 10)}

# Gabon's numbers with a zero after the country code are void since 2024-04-06 and cannot be given
# out again: today's have none. The metadata still lists them.
_VOID: Final = frozenset({241})

# Where a zero before the area is dialled within the country, and the library keeps it before
# numbers that have become too short.
_TRUNK_ZERO: Final = frozenset({84, 234})

_LONGEST_PREFIX: Final = 5
_Prefixes = dict[tuple[int, int], dict[str, str]]


def _index(rows: Iterable[tuple[int, str, str, int]]) -> _Prefixes:
    """Sort by country code and length, then by the digits in front."""
    index: _Prefixes = {}
    for code, prefix, other, rest in rows:
        index.setdefault((code, len(prefix) + rest), {})[prefix] = other
    return index


_NOW: Final = _index((row.code, row.was, row.now, row.rest) for row in _list_renumberings())
_WAS: Final = _index((row.code, row.now, row.was, row.rest) for row in _list_renumberings())
RENUMBERED_CODES: Final = frozenset(code for code, _ in _NOW)


def modern_form(code: int, national: str) -> str | None:
    """Return the form of today, if these national digits have the shape of an earlier one."""
    trunks, rest = _FORMER_TRUNKS.get(code, ((), 0))
    for trunk in trunks:
        if len(national) == len(trunk) + rest and national.startswith(trunk):
            return national.removeprefix(trunk)
    modern = _swap(_NOW, code, national)
    if modern is None and code in _TRUNK_ZERO and national.startswith("0"):
        return _swap(_NOW, code, national[1:])
    return modern


def earlier_form(code: int, national: str) -> str | None:
    """Return the form before the renumbering, if these national digits have one."""
    return _swap(_WAS, code, national)


def is_void(code: int, national: str) -> bool:
    """Whether such numbers do not exist any more, although the metadata lists them."""
    return code in _VOID and _swap(_NOW, code, national) is not None


def _swap(index: _Prefixes, code: int, national: str) -> str | None:
    prefixes = index.get((code, len(national)))
    if prefixes is None:
        return None
    for length in range(_LONGEST_PREFIX, -1, -1):
        other = prefixes.get(national[:length])
        if other is not None:
            return other + national[length:]
    return None
