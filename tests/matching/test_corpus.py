import pytest

from tests.matching.corpus import WRITTEN, CorpusAccount, read_corpus
from tests.matching.evaluation import (
    match_by_last_ten_digits,
    match_by_search,
    match_everything,
    score,
)
from tests.matching.hubspot_accounts import AccountFactory


@pytest.fixture(scope="module")
def corpus() -> list[CorpusAccount]:
    return read_corpus(WRITTEN)


def test_the_corpus_is_large_and_diverse(corpus: list[CorpusAccount]) -> None:
    rows = [row for account in corpus for row in account.rows]
    assert len(rows) >= 200
    assert len({row.region for row in rows}) >= 20
    assert sum(not row.has_contact for row in rows) >= 40


def test_callers_are_matched_to_their_contacts_and_to_nobody_else(
    corpus: list[CorpusAccount], accounts: AccountFactory
) -> None:
    ours = score(match_everything(corpus, lambda account: match_by_search(accounts, account)))
    assert ours.precision == 1
    assert ours.recall >= 0.94


def test_an_account_without_calculated_properties_is_matched_on_raw_ones(
    corpus: list[CorpusAccount], accounts: AccountFactory
) -> None:
    ours = score(
        match_everything(
            corpus, lambda account: match_by_search(accounts, account, lacks_calculated=True)
        )
    )
    assert ours.precision == 1
    assert ours.recall >= 0.7


def test_last_ten_digits_are_matched_less_often_and_to_wrong_contacts(
    corpus: list[CorpusAccount],
) -> None:
    theirs = score(match_everything(corpus, match_by_last_ten_digits))
    assert theirs.precision < 0.9
    assert theirs.recall < 0.7
