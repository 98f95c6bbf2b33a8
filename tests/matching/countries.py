"""How numbers look in each country, as its people type them: `data/countries.csv`.

For the table of numbers as people type them: knows nothing of ours, asks no library for a spelling.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).parent / "data" / "countries.csv"


@dataclass(frozen=True, slots=True)
class Kind:
    """Numbers of one kind: what their national digits are, and how they are typed at home.

    In `digits` X is any digit and N one of 2 to 9. In a style each # is one digit of the number and
    all else stands as it is; the first style also says how the number is grouped abroad.
    """

    digits: str
    styles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Country:
    code: str
    exit: str
    trunk: str
    kinds: tuple[Kind, ...]


def _read_countries() -> dict[str, Country]:
    countries: dict[str, Country] = {}
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            kind = Kind(row["digits"], tuple(row["styles"].split(" | ")))
            before = countries.get(row["region"])
            kinds = (*before.kinds, kind) if before else (kind,)
            countries[row["region"]] = Country(row["code"], row["exit"], row["trunk"], kinds)
    return countries


COUNTRIES = _read_countries()
