"""How well callers are matched, on a table written by hand and on two that were generated."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.matching.corpus import GENERATED, TYPED, WRITTEN, CorpusAccount, read_corpus
from tests.matching.evaluation import (
    Found,
    Score,
    match_by_last_ten_digits,
    match_by_search,
    match_everything,
    score,
)
from tests.matching.hubspot_accounts import AccountFactory
from tests.thoroughness import IS_THOROUGH

TABLES = Path(__file__).parent / "data"
every_table = pytest.mark.parametrize("table", [WRITTEN, GENERATED, TYPED])

REGIONS = {WRITTEN: 20, GENERATED: 36, TYPED: 60}
# By table and whether the accounts lack calculated properties: the least recall.
FLOORS = {
    (WRITTEN, False): 0.98,
    (WRITTEN, True): 0.95,
    (GENERATED, False): 0.99,
    (GENERATED, True): 0.99,
    (TYPED, False): 0.99,
    (TYPED, True): 0.92,
}


def measure(accounts: AccountFactory, table: str, *, lacks_calculated: bool) -> Score:
    def match(account: CorpusAccount) -> Found:
        return match_by_search(accounts, account, lacks_calculated=lacks_calculated)

    accounts_tried = read_corpus(table)
    if table != WRITTEN and not IS_THOROUGH:
        accounts_tried = accounts_tried[::2]  # what was generated is alike
    return score(match_everything(accounts_tried, match))


@every_table
def test_the_tables_are_large_and_diverse(table: str) -> None:
    rows = [row for account in read_corpus(table) for row in account.rows]
    assert len(rows) >= 200
    assert len({row.region for row in rows}) >= REGIONS[table]
    assert sum(not row.has_contact for row in rows) >= 40
    assert sum(bool(row.decoy) for row in rows) >= 40


@pytest.mark.parametrize(("table", "lacks_calculated"), FLOORS)
def test_callers_are_matched_to_their_contacts_and_to_nobody_else(
    accounts: AccountFactory, table: str, *, lacks_calculated: bool
) -> None:
    ours = measure(accounts, table, lacks_calculated=lacks_calculated)
    assert ours.precision == 1
    assert ours.recall >= FLOORS[table, lacks_calculated]


@every_table
def test_last_ten_digits_are_matched_less_often_and_to_wrong_contacts(table: str) -> None:
    theirs = score(match_everything(read_corpus(table), match_by_last_ten_digits))
    assert theirs.precision < 0.95
    assert theirs.recall < 0.9


@pytest.mark.parametrize(
    ("table", "generator"), [(GENERATED, "generate_numbers"), (TYPED, "generate_typed")]
)
def test_a_generated_table_is_what_its_generator_makes_without_our_code(
    table: str, generator: str
) -> None:
    program = f"""
import sys
from tests.matching.{generator} import write_table
assert not {{"api", "worker", "shared", "commands", "local"}} & set(sys.modules)
sys.stdout.reconfigure(encoding="utf-8", newline="")
write_table(sys.stdout)
"""
    made = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, check=True
    )
    assert made.stdout == (TABLES / table).read_bytes()
