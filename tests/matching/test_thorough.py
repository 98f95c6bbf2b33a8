"""The thorough look finds what stands among other things in a field, and nobody else."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.configuration.settings import MatchPolicy
from shared.hubspot.errors import RejectedError
from shared.hubspot.models import (
    MAX_SEARCH_BODY,
    Contact,
    ContactPage,
    ContactSearch,
    PieceFilter,
)
from shared.matching.asking import ContactSearcher
from shared.matching.finding import Findings, find_contacts
from shared.matching.hits import Ambiguous, Match, NoMatch, Undecided
from shared.matching.pieces import MOST_PIECES
from shared.matching.scope import MOST_PHONE_PROPERTIES, SearchScope, Stage
from shared.matching.search_plan import MOST_PROBES, Probe, count_fitting_probes, probe_search
from shared.matching.thorough import MAX_PAGES
from shared.phone import PhoneNumber
from tests.matching.hubspot_accounts import AccountFactory, ConnectedAccount
from tests.matching.numbers import any_number, number, washington

NOBODY = NoMatch(Stage.THOROUGH)
FURTHER = ("fax",)


@dataclass
class Watched:
    """HubSpot, with the searches that it was asked, and some that it refuses."""

    account: ConnectedAccount
    refuses: Callable[[ContactSearch], bool] = lambda _: False
    asked: list[ContactSearch] = field(default_factory=list)

    def search_contacts(self, search: ContactSearch) -> ContactPage:
        self.asked.append(search)
        if self.refuses(search):
            raise RejectedError("Invalid input", status=400, definite=True)
        return self.account.client.search_contacts(search)


class EndlessHubSpot:
    """HubSpot in which everybody has every piece, on any number of pages."""

    def search_contacts(self, search: ContactSearch) -> ContactPage:
        strangers = tuple(Contact(str(one), {"phone": "+442079460018"}) for one in range(200))
        return ContactPage(total=10_000, contacts=strangers, next_after=f"{search.after or ''}1")


@pytest.fixture
def account(accounts: AccountFactory) -> ConnectedAccount:
    return accounts.open("US")


def look(
    searcher: ContactSearcher,
    numbers: Sequence[PhoneNumber],
    *,
    region: str = "US",
    policy: MatchPolicy = "most_recent",
    further: tuple[str, ...] = (),
    may_search: Callable[[], bool] = lambda: True,
) -> Findings:
    scope = SearchScope(region, policy, further)
    return find_contacts(
        searcher, numbers, scope=scope, stage=Stage.THOROUGH, may_search=may_search
    )


@pytest.mark.parametrize(
    ("caller", "stored", "region"),
    [
        ("+4915123456789", "+49 1512 3456789 (mobile)", "DE"),
        ("+31612345678", "+31 6 12345678 / +31 6 12345699", "NL"),
        ("+31612345699", "+31 6 12345678 / +31 6 12345699", "NL"),
        ("+31612345699", "+31 6 12345678 or +31 6 12345699", "NL"),
        ("+447400123456", "+44447400123456", "GB"),
        ("+12025550123", "202.555.0123 - ask for Bob", "US"),
        ("+12025550123", "cell 202 555 0123; home (202) 555-0199", "US"),
        ("+33612345678", "06 12 34 56 78 (perso)", "FR"),
        ("+33612345678", "+33(0)6.12.34.56.78 bureau", "FR"),
        ("+4930123456", "030/12 34 56, Zentrale", "DE"),
        ("+390612345678", "06 1234 5678 ufficio", "IT"),
        ("+12025550123", "2025550123x45", "US"),
    ],
)
def test_a_number_is_found_among_what_stands_around_it(
    account: ConnectedAccount, caller: str, stored: str, region: str
) -> None:
    (contact_id,) = account.add_contacts([{"phone": stored}])
    findings = look(account.client, [number(caller)], region=region)
    assert findings.decisions == {caller: Match(contact_id)}
    assert findings.requests == 1


@pytest.mark.parametrize(
    "stored",
    [
        "+1 202 555 0124 (mobile)",
        "+49 202 5550123",
        "+1 303 555 0199 (badge 5550123)",
        "0123 555 202",
        "+1 555 202 0123",
        "+44 20 7946 0018 / +1 202 555 0132",
    ],
)
def test_a_contact_with_the_same_pieces_is_not_taken(
    account: ConnectedAccount, stored: str
) -> None:
    account.add_contacts([{"phone": stored}])
    assert look(account.client, [washington(0), number("+12025550123")]).decisions == {
        washington(0).e164: NOBODY,
        "+12025550123": NOBODY,
    }


def test_a_field_with_two_numbers_counts_for_both_contacts(account: ConnectedAccount) -> None:
    couple, own = account.add_contacts(
        [{"phone": "+1 202 555 0123 / +1 202 555 0124"}, {"phone": "+1 202 555 0124 (home)"}]
    )
    found = look(account.client, [number("+12025550124")], policy="skip").decisions
    assert found == {"+12025550124": Ambiguous((own, couple))}
    oldest = look(account.client, [number("+12025550124")], policy="oldest").decisions
    assert oldest == {"+12025550124": Match(couple)}


def test_five_numbers_take_two_searches(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(25)]
    ids = account.add_contacts([{"phone": f"{each.e164} (work)"} for each in numbers])
    findings = look(account.client, numbers)
    assert findings.requests == 10
    assert list(findings.decisions.values()) == [Match(id_) for id_ in ids]


@pytest.mark.parametrize("policy", ["most_recent", "oldest"])
def test_owners_from_two_searches_stand_in_the_order_of_the_policy(
    account: ConnectedAccount, policy: MatchPolicy
) -> None:
    # The phone of the third number is in the first search, its mobile phone in the second.
    numbers = [washington(last) for last in range(3)]
    third = numbers[2].e164
    older, newer = account.add_contacts(
        [{"mobilephone": f"{third} (work)"}, {"phone": f"{third} (work)"}]
    )
    chosen = newer if policy == "most_recent" else older
    assert look(account.client, numbers, policy=policy).decisions[third] == Match(chosen)
    (newest,) = account.add_contacts([{"mobilephone": f"{third} (home)"}])
    chosen = newest if policy == "most_recent" else older
    assert look(account.client, numbers, policy=policy).decisions[third] == Match(chosen)


def test_further_properties_are_searched_and_read(account: ConnectedAccount) -> None:
    (contact_id,) = account.add_contacts(
        [{"phone": "+1 202 555 0199", "fax": "+1 202 555 0123 (direct)"}]
    )
    caller = number("+12025550123")
    assert look(account.client, [caller]).decisions == {caller.e164: NOBODY}
    found = look(account.client, [caller], further=FURTHER)
    assert found.decisions == {caller.e164: Match(contact_id)}
    assert found.refused_properties == ()


def test_an_unknown_property_costs_no_number(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(6)]
    ids = account.add_contacts([{"fax": f"{each.e164} (work)"} for each in numbers])
    found = look(account.client, numbers, further=("direct_line", "fax"))
    assert list(found.decisions.values()) == [Match(id_) for id_ in ids]
    assert found.refused_properties == ("direct_line",)


def test_pieces_are_added_while_too_many_contacts_have_them(account: ConnectedAccount) -> None:
    # Many have the last digits, fewer the next ones too.
    account.add_contacts([{"phone": f"+1 303 {last:03} 6543"} for last in range(200, 420)])
    account.add_contacts([{"phone": f"+1 {area} 987 6543"} for area in range(303, 308)])
    (contact_id,) = account.add_contacts([{"phone": "+1 202 987 6543 (work)"}])
    hubspot, caller = Watched(account), number("+12029876543")
    assert look(hubspot, [caller]).decisions == {caller.e164: Match(contact_id)}
    assert [len(_pieces(each)) for each in hubspot.asked] == [1, 2]


def test_a_crowd_is_read_to_a_bound_and_no_further() -> None:
    numbers = [washington(last) for last in range(5)]
    findings = look(EndlessHubSpot(), numbers)
    assert set(findings.decisions.values()) == {NOBODY}
    probes = 2 * len(numbers)
    sets = probes / MOST_PROBES
    assert findings.requests == MOST_PIECES - 1 + sets + probes * MAX_PAGES


def test_what_the_budget_did_not_reach_stays_undecided(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(10)]
    ids = account.add_contacts([{"phone": f"{each.e164} (work)"} for each in numbers])
    left = itertools.count()
    findings = look(account.client, numbers, may_search=lambda: next(left) < 2)
    decided = list(findings.decisions.values())
    assert decided == [*map(Match, ids[:5]), *[Undecided()] * 5]
    assert findings.requests == 2


def test_nothing_is_searched_without_budget(account: ConnectedAccount) -> None:
    findings = look(account.client, [washington(1)], may_search=lambda: False)
    assert findings.decisions == {washington(1).e164: Undecided()}
    assert findings.requests == 0


def test_hubspot_that_refuses_tokens_finds_nobody_and_is_not_asked_for_each(
    account: ConnectedAccount,
) -> None:
    hubspot = Watched(account, refuses=lambda _: True)
    findings = look(hubspot, [washington(last) for last in range(20)])
    assert set(findings.decisions.values()) == {NOBODY}
    assert len(hubspot.asked) <= 4


def test_one_refused_number_does_not_fail_its_neighbours(account: ConnectedAccount) -> None:
    numbers = [washington(last) for last in range(10)]
    ids = account.add_contacts([{"phone": f"{each.e164} (work)"} for each in numbers])
    hubspot = Watched(account, refuses=lambda search: '"*0003*"' in search.body().decode())
    decisions = list(look(hubspot, numbers).decisions.values())
    expected = [Match(id_) for id_ in ids]
    assert decisions[:3] + decisions[4:] == expected[:3] + expected[4:]
    assert decisions[3] == NOBODY


NAMES = st.lists(
    st.text("abc_", min_size=1, max_size=100), max_size=MOST_PHONE_PROPERTIES, unique=True
)


@given(numbers=st.lists(any_number(), min_size=1, max_size=5), names=NAMES)
@settings(max_examples=60, deadline=None)
def test_a_search_keeps_to_hubspots_limits(numbers: list[PhoneNumber], names: list[str]) -> None:
    scope = SearchScope("US", "most_recent", tuple(names))
    probes = [Probe(one, name) for one in numbers for name in ("phone", "mobilephone", *names)]
    fitting = count_fitting_probes(probes, scope)
    search = probe_search(probes[:fitting], scope)
    assert 1 <= len(search.filters) <= 5
    conditions = [len(each.conditions()) for each in search.filters]
    assert max(conditions) <= 6
    assert sum(conditions) <= 18
    assert len(search.body()) <= MAX_SEARCH_BODY


def _pieces(search: ContactSearch) -> tuple[str, ...]:
    first = search.filters[0]
    assert isinstance(first, PieceFilter)
    return first.pieces
