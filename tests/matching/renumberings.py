"""Countries that changed their numbers one to one, and how they were written before.

For the generated table: knows nothing of ours.
"""

import random
from collections.abc import Callable

Choice = random.Random


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


# New first digits by old ones: Viettel, Mobifone, Vinaphone, Vietnamobile, Gmobile (2018).
VIETNAM = {
    "120": "70",
    "121": "79",
    "122": "77",
    "126": "76",
    "128": "78",
    "123": "83",
    "124": "84",
    "125": "85",
    "127": "81",
    "129": "82",
    "186": "56",
    "188": "58",
    "199": "59",
} | {f"16{last}": f"3{last}" for last in range(2, 10)}
VIETNAM_BEFORE = {now: before for before, now in VIETNAM.items()}


def before_vietnam(number: str) -> list[str]:
    old = VIETNAM_BEFORE[number[:2]] + number[2:]
    return [f"+84 {old}", f"0{old}", f"0{old[:3]} {old[3:6]} {old[6:]}"]


def make_brazil(choice: Choice) -> str:
    """A mobile number of São Paulo; of those that began with 7 some stayed as they were."""
    return f"119{choice.randint(8, 9)}{choice.randrange(10**7):07}"


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
    return f"{choice.choice(sorted(VIETNAM_BEFORE))}{choice.randrange(10**7):07}"


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
