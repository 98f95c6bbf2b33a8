"""Prints how well callers are matched to contacts, beside "last ten digits, first hit".

Run as `python -m bench.matching`; the output is the tables of docs/matching.md.
"""

from collections import Counter
from collections.abc import Iterable

from tests.matching.corpus import GENERATED, TYPED, WRITTEN, read_corpus
from tests.matching.evaluation import (
    Found,
    match_by_last_ten_digits,
    match_by_search,
    match_everything,
    mistakes,
    score,
)
from tests.matching.hubspot_accounts import AccountFactory, serve_accounts


def main() -> None:
    with serve_accounts() as accounts:
        for table in (WRITTEN, GENERATED, TYPED):
            print_table(table, accounts)


def print_table(table: str, accounts: AccountFactory) -> None:
    corpus = read_corpus(table)
    ours = match_everything(corpus, lambda account: match_by_search(accounts, account))
    on_raw = match_everything(
        corpus, lambda account: match_by_search(accounts, account, lacks_calculated=True)
    )
    theirs = match_everything(corpus, match_by_last_ten_digits)
    regions = Counter(row.region for row in ours)
    print(f"\n## {table}: {len(ours)} callers, {len(regions)} regions\n")
    print("| callers | how many | precision | recall | last ten digits: precision | recall |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for category in dict.fromkeys(row.category for row in sorted(ours, key=lambda row: row.line)):
        rows = {row for row in ours if row.category == category}
        print_line(category, _only(ours, rows), _only(theirs, rows))
    print_line("**all**", ours, theirs)
    print_line("all, in accounts without calculated properties", on_raw, theirs)
    print_mistakes("Ours fails on:", ours)
    print_mistakes("Ours fails in accounts without calculated properties on:", on_raw)


def print_line(name: str, ours: Found, theirs: Found) -> None:
    cells = [name, str(len(ours)), *_rates(ours), *_rates(theirs)]
    print(f"| {' | '.join(cells)} |")


def print_mistakes(title: str, found: Found) -> None:
    print(f"\n{title}")
    for row in mistakes(found):
        stored = row.further or row.phone or row.mobile or "nobody"
        print(f"- {row.category}: caller `{row.caller}`, stored `{stored}` ({row.region})")


def _rates(found: Found) -> tuple[str, str]:
    """Return precision and recall in percent, or a dash where there is nothing to divide by."""
    result = score(found)
    return (
        f"{result.precision:.1%}" if result.found else "–",
        f"{result.recall:.1%}" if result.expected else "–",
    )


def _only(found: Found, rows: Iterable[object]) -> Found:
    return {row: contact for row, contact in found.items() if row in rows}


if __name__ == "__main__":
    main()
