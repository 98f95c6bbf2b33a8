"""The tables of callers and stored contacts on which matching is measured.

Every row is one caller. `phone`, `mobile` and `further` (a further phone property) are how his
contact is stored; all empty means that nobody in HubSpot has the number. `decoy` is the phone of
another, older contact that must not be taken, or another property of it (`decoy_property`).
`numbers.csv` was written by hand, `generated.csv` by `generate_numbers.py`, `typed.csv` by
`generate_typed.py`. `region` is the connection's, `account_country` HubSpot's default.
Rows with the same region and account country share one HubSpot account, so every contact of it
is a decoy for every other row.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

FURTHER = ("hs_whatsapp_phone_number",)
"""The connections' further phone properties, of which the tables use the one."""
WRITTEN = "numbers.csv"
GENERATED = "generated.csv"
TYPED = "typed.csv"

_TABLES = Path(__file__).parent / "data"


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
    further: str = ""
    decoy_property: str = "phone"

    @property
    def has_contact(self) -> bool:
        return bool(self.phone or self.mobile or self.further)


@dataclass(frozen=True, slots=True)
class StoredContact:
    """A contact of an account; `owner` is the row whose caller it is, None for a decoy."""

    owner: Row | None
    properties: dict[str, str]

    @property
    def phone(self) -> str:
        return self.properties.get("phone", "")

    @property
    def mobile(self) -> str:
        return self.properties.get("mobilephone", "")


@dataclass(frozen=True, slots=True)
class CorpusAccount:
    """A HubSpot account with its contacts, oldest first, and the callers to look up in it."""

    region: str
    country: str
    rows: tuple[Row, ...]
    contacts: tuple[StoredContact, ...]


def read_corpus(table: str) -> list[CorpusAccount]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _read_rows(table):
        groups[row.region, row.account_country].append(row)
    return [
        CorpusAccount(region, country, tuple(rows), tuple(_contacts(rows)))
        for (region, country), rows in groups.items()
    ]


def _read_rows(table: str) -> list[Row]:
    with (_TABLES / table).open(encoding="utf-8", newline="") as file:
        return [Row(line, **fields) for line, fields in enumerate(csv.DictReader(file), start=2)]


def _contacts(rows: list[Row]) -> list[StoredContact]:
    (further,) = FURTHER
    decoys = [StoredContact(None, {row.decoy_property: row.decoy}) for row in rows if row.decoy]
    return decoys + [
        StoredContact(row, {"phone": row.phone, "mobilephone": row.mobile, further: row.further})
        for row in rows
        if row.has_contact
    ]
