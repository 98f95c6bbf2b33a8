from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from shared.configuration.settings import MatchPolicy
from shared.hubspot.errors import RateLimitedError, RejectedError
from shared.hubspot.models import Contact, ContactPage, ContactSearch
from shared.matching.asking import ContactSearcher
from shared.matching.finding import (
    MAX_PAGES,
    REQUESTS_A_SET,
    ROOMY_HITS,
    Findings,
    find_contacts,
)
from shared.matching.hits import Ambiguous, Decision, Match, NoMatch, Refused, Undecided
from shared.matching.scope import SearchScope, Stage
from shared.phone import PhoneNumber
from tests.matching.hubspot_accounts import AccountFactory, ConnectedAccount
from tests.matching.numbers import number, washington


@pytest.fixture
def account(accounts: AccountFactory) -> ConnectedAccount:
    return accounts.open("US")


def find(
    searcher: ContactSearcher,
    numbers: Sequence[PhoneNumber],
    *,
    policy: MatchPolicy = "most_recent",
    stage: Stage = Stage.CALCULATED,
    phone_properties: tuple[str, ...] = (),
    may_search: Callable[[], bool] = lambda: True,
) -> Findings:
    return find_contacts(
        searcher,
        numbers,
        scope=SearchScope("US", policy, phone_properties),
        stage=stage,
        may_search=may_search,
    )


def stored(numbers: Sequence[PhoneNumber]) -> list[dict[str, str]]:
    return [{"phone": each.e164} for each in numbers]


def namesakes(one: PhoneNumber, count: int) -> list[dict[str, str]]:
    """Contacts with the national digits of `one` in Germany."""
    return [{"phone": f"+49 {one.national_digits[0]}"}] * count


def of_type(decisions: dict[str, Decision], kind: type[Decision]) -> set[str]:
    return {e164 for e164, decision in decisions.items() if isinstance(decision, kind)}


def allow(requests: int) -> Callable[[], bool]:
    left = iter(range(requests))
    return lambda: next(left, None) is not None


@dataclass
class RefusingHubSpot:
    """HubSpot, except that it refuses searches that mention certain digits."""

    account: ConnectedAccount
    refused_digits: str

    def search_contacts(self, search: ContactSearch) -> ContactPage:
        if self.refused_digits in search.body().decode():
            raise RejectedError("Invalid input", status=400, definite=True)
        return self.account.client.search_contacts(search)


class EndlessHubSpot:
    """HubSpot that always has another page of contacts with other numbers."""

    def search_contacts(self, search: ContactSearch) -> ContactPage:
        strangers = tuple(Contact(str(one), {"phone": "+442079460018"}) for one in range(200))
        return ContactPage(total=201, contacts=strangers, next_after=f"{search.after or ''}1")


class BusyHubSpot:
    """HubSpot whose search limit is used up."""

    def search_contacts(self, search: ContactSearch) -> ContactPage:
        del search
        raise RateLimitedError("You have reached your secondly limit.", status=429, definite=True)


def test_ninety_callers_are_found_with_one_search(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(90)]
    ids = account.add_contacts(stored(numbers))
    findings = find(account.client, numbers)
    assert findings.requests == 1
    assert list(findings.decisions.values()) == [Match(contact_id) for contact_id in ids]


def test_more_callers_than_a_body_holds_take_another_search(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(150)]
    account.add_contacts(stored(numbers))
    findings = find(account.client, numbers)
    assert findings.requests == 2
    assert of_type(findings.decisions, Match) == {each.e164 for each in numbers}


def test_a_caller_who_calls_twice_is_looked_up_once(account: ConnectedAccount) -> None:
    (contact_id,) = account.add_contacts([{"mobilephone": "(202) 555-0123"}])
    again = [number("+12025550123"), number("tel:+1-202-555-0123")]
    assert find(account.client, again).decisions == {"+12025550123": Match(contact_id)}


def test_the_same_national_number_abroad_is_nobody(account: ConnectedAccount) -> None:
    one = washington(1)
    account.add_contacts(namesakes(one, 2))
    assert find(account.client, [one]).decisions == {one.e164: NoMatch(Stage.CALCULATED)}


def test_what_hubspot_could_not_calculate_is_found_as_it_was_typed(
    account: ConnectedAccount,
) -> None:
    (contact_id,) = account.add_contacts([{"phone": "020 7946 0018"}])
    caller = number("+442079460018")
    assert find(account.client, [caller]).decisions == {caller.e164: NoMatch(Stage.CALCULATED)}
    typed = find_contacts(
        account.client,
        [caller],
        scope=SearchScope("GB", "most_recent"),
        stage=Stage.RAW,
        may_search=lambda: True,
    )
    assert typed.decisions == {caller.e164: Match(contact_id)}


def test_a_stranger_is_nobody_in_raw_properties_too(account: ConnectedAccount) -> None:
    one = washington(1)
    assert find(account.client, [one], stage=Stage.RAW).decisions == {one.e164: NoMatch(Stage.RAW)}


def test_several_contacts_with_a_number_are_told_apart_by_policy(
    account: ConnectedAccount,
) -> None:
    one = washington(1)
    older, newer = account.add_contacts([{"phone": one.e164}, {"mobilephone": one.e164}])
    assert find(account.client, [one], policy="oldest").decisions[one.e164] == Match(older)
    assert find(account.client, [one], policy="most_recent").decisions[one.e164] == Match(newer)
    assert find(account.client, [one], policy="skip").decisions[one.e164] == Ambiguous(
        (newer, older)
    )


@pytest.mark.parametrize("policy", ["most_recent", "skip"])
def test_a_crowd_of_namesakes_hides_nobody(account: ConnectedAccount, policy: MatchPolicy) -> None:
    crowded, *others = [washington(last) for last in range(5)]
    ids = account.add_contacts(stored([crowded, *others]))
    account.add_contacts(namesakes(crowded, 450))
    findings = find(account.client, [crowded, *others], policy=policy)
    assert list(findings.decisions.values()) == [Match(contact_id) for contact_id in ids]


def test_an_older_second_contact_behind_a_crowd_is_still_ambiguous(
    account: ConnectedAccount,
) -> None:
    caller, crowded = washington(1), washington(2)
    (older,) = account.add_contacts(stored([caller]))
    account.add_contacts(namesakes(crowded, 250))
    (newer,) = account.add_contacts(stored([caller]))
    findings = find(account.client, [caller, crowded], policy="skip")
    assert findings.decisions == {
        caller.e164: Ambiguous((newer, older)),
        crowded.e164: NoMatch(Stage.CALCULATED),
    }


def test_a_crowded_number_without_a_contact_is_read_to_the_end(account: ConnectedAccount) -> None:
    one = washington(1)
    account.add_contacts(namesakes(one, 450))
    findings = find(account.client, [one])
    assert findings.decisions == {one.e164: NoMatch(Stage.CALCULATED)}
    assert findings.requests == 3


def test_a_set_with_too_many_hits_is_cut_to_what_fits_a_page(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(80)]
    for one in numbers:
        account.add_contacts(namesakes(one, 3))
    findings = find(account.client, numbers)
    assert findings.requests == 2
    assert len(of_type(findings.decisions, NoMatch)) == 80 * ROOMY_HITS // 240
    assert of_type(findings.decisions, NoMatch) | of_type(findings.decisions, Undecided) == {
        each.e164 for each in numbers
    }


def test_a_hopeless_set_costs_three_searches_and_still_decides_one_number() -> None:
    first, *others = [washington(last) for last in range(80)]
    findings = find(EndlessHubSpot(), [first, *others])
    assert findings.requests == REQUESTS_A_SET + MAX_PAGES
    assert findings.decisions == {
        first.e164: NoMatch(Stage.CALCULATED),
        **{each.e164: Undecided() for each in others},
    }


def test_put_off_numbers_are_decided_by_and_by(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(80)]
    for one in numbers:
        account.add_contacts([*stored([one]), *namesakes(one, 15)])
    matched: set[str] = set()
    while waiting := [each for each in numbers if each.e164 not in matched]:
        decided = find(account.client, waiting).decisions
        matched |= of_type(decided, Match)
        assert of_type(decided, NoMatch) == set()
    assert matched == {each.e164 for each in numbers}


def test_nothing_is_searched_without_budget(account: ConnectedAccount) -> None:
    findings = find(account.client, [washington(1)], may_search=lambda: False)
    assert findings.decisions == {washington(1).e164: Undecided()}
    assert findings.requests == 0


def test_what_the_budget_did_not_reach_stays_undecided(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(150)]
    account.add_contacts(stored(numbers))
    findings = find(account.client, numbers, may_search=allow(1))
    matched = of_type(findings.decisions, Match)
    assert matched
    assert of_type(findings.decisions, Undecided) == {each.e164 for each in numbers} - matched
    assert findings.requests == 1


def test_an_account_without_calculated_properties_is_recognised(accounts: AccountFactory) -> None:
    account = accounts.open("US", lacks_calculated=True)
    numbers = [washington(last) for last in range(12)]
    ids = account.add_contacts(stored(numbers))
    findings = find(account.client, [*numbers, washington(99)])
    assert findings.calculated_unsupported
    assert findings.decisions == {
        **{each.e164: Match(contact_id) for each, contact_id in zip(numbers, ids, strict=True)},
        washington(99).e164: NoMatch(Stage.RAW),
    }


def test_one_refused_number_does_not_fail_its_neighbours(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(12)]
    ids = account.add_contacts(stored(numbers))
    findings = find(RefusingHubSpot(account, numbers[2].national_digits[0]), numbers)
    refused = findings.decisions.pop(numbers[2].e164)
    assert isinstance(refused, Refused)
    assert refused.error.status == 400
    assert set(findings.decisions.values()) == {Match(id_) for id_ in ids if id_ != ids[2]}
    assert not findings.calculated_unsupported


def test_a_number_in_a_further_property_is_found_as_it_was_typed(
    account: ConnectedAccount,
) -> None:
    one = washington(1)
    (contact_id,) = account.add_contacts([{"fax": one.e164}])
    assert find(account.client, [one], stage=Stage.RAW).decisions == {one.e164: NoMatch(Stage.RAW)}
    found = find(account.client, [one], stage=Stage.RAW, phone_properties=("fax",))
    assert found.decisions == {one.e164: Match(contact_id)}


def test_a_property_that_the_account_lacks_is_left_out_and_named(
    account: ConnectedAccount,
) -> None:
    numbers = [washington(last) for last in range(12)]
    ids = account.add_contacts([{"fax": each.e164} for each in numbers])
    names = ("direct_line", "fax")
    findings = find(account.client, numbers, stage=Stage.RAW, phone_properties=names)
    assert list(findings.decisions.values()) == [Match(id_) for id_ in ids]
    assert findings.refused_properties == ("direct_line",)
    assert not findings.calculated_unsupported


def test_properties_are_not_blamed_for_what_else_hubspot_refuses(
    account: ConnectedAccount,
) -> None:
    one = washington(1)
    hubspot = RefusingHubSpot(account, "filterGroups")
    findings = find(hubspot, [one], stage=Stage.RAW, phone_properties=("fax",))
    assert isinstance(findings.decisions[one.e164], Refused)
    assert findings.refused_properties == ()


def test_an_account_may_lack_calculated_and_further_properties(accounts: AccountFactory) -> None:
    account = accounts.open("US", lacks_calculated=True)
    (contact_id,) = account.add_contacts(stored([washington(1)]))
    findings = find(account.client, [washington(1)], phone_properties=("direct_line",))
    assert findings.decisions == {washington(1).e164: Match(contact_id)}
    assert findings.calculated_unsupported
    assert findings.refused_properties == ("direct_line",)


def test_a_busy_hubspot_is_the_callers_business() -> None:
    with pytest.raises(RateLimitedError):
        find(BusyHubSpot(), [washington(1)])
