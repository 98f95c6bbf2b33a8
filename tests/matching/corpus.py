"""The table of callers and stored contacts on which matching is measured.

Every row of `data/numbers.csv` is one caller. `phone` and `mobile` are how his contact is stored;
both empty means that nobody in HubSpot has the number. `decoy` is the phone of another, older
contact that must not be taken. `region` is the connection's, `account_country` HubSpot's default.
Rows with the same region and account country share one HubSpot account, so every contact of it
is a decoy for every other row.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).parent / "data" / "numbers.csv"


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    category: str
    region: str
    account_country: str
    caller: str
    phone: str
    mobile: str
    decoy: str

    @property
    def has_contact(self) -> bool:
        return bool(self.phone or self.mobile)


@dataclass(frozen=True, slots=True)
class StoredContact:
    """A contact of an account; `owner` is the row whose caller it is, None for a decoy."""

    owner: Row | None
    phone: str
    mobile: str

    def properties(self) -> dict[str, str]:
        return {"phone": self.phone, "mobilephone": self.mobile}


@dataclass(frozen=True, slots=True)
class CorpusAccount:
    """A HubSpot account with its contacts, oldest first, and the callers to look up in it."""

    region: str
    country: str
    rows: tuple[Row, ...]
    contacts: tuple[StoredContact, ...]


def read_corpus() -> list[CorpusAccount]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _read_rows():
        groups[row.region, row.account_country].append(row)
    return [
        CorpusAccount(region, country, tuple(rows), tuple(_contacts(rows)))
        for (region, country), rows in groups.items()
    ]


def _read_rows() -> list[Row]:
    with _TABLE.open(encoding="utf-8", newline="") as table:
        return [Row(line, **fields) for line, fields in enumerate(csv.DictReader(table), start=2)]


def _contacts(rows: list[Row]) -> list[StoredContact]:
    decoys = [StoredContact(None, row.decoy, "") for row in rows if row.decoy]
    return decoys + [StoredContact(row, row.phone, row.mobile) for row in rows if row.has_contact]
